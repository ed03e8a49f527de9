"""What must never reach a log: device tokens, keys, passwords."""

import re

PUT_INSTEAD = r"\g<name>[redacted]"

NAMES = r"token|secret|passw(?:or)?d|(?:server|api|private)_?key"

# callers can have long lines written: no pattern may look at one character again and again
SECRETS = [
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # a PEM block
        r"(?P<name>)-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)",
        # an Authorization header
        r"(?P<name>\b(?:basic|bearer|key)[ =]+)[A-Za-z0-9+/=._~-]{16,}",
        # anything named like a secret, whatever the name begins with
        rf"(?P<name>(?:{NAMES})[\"']?\s*[:=]\s*(?:b?[\"'])?)[^\s\"',;&)}}\]]{{6,}}",
        # an FCM registration token, wherever it stands
        r"(?P<name>)[\w-]{10,64}:APA91[\w-]{20,}",
        # an APNs token or a digest: no number we write is that long
        r"(?P<name>)\b[0-9a-f]{40,}\b",
    )
]


def redact(line: str) -> str:
    """Give a line of log without what nobody should read there."""
    for secret in SECRETS:
        line = secret.sub(PUT_INSTEAD, line)
    return line
