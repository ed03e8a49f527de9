"""One base64 value of a message ↔ text: any spelling in, one spelling out (contract §8.2, §8.3)."""

import base64
import re
from urllib.parse import quote_plus, unquote, unquote_plus

ALPHABET = re.compile(r"[A-Za-z0-9+/]*")
ESCAPED = re.compile(r"(?:[A-Za-z0-9_.~*+-]|%[0-9A-Fa-f]{2})*+")

# a form decoder may have made spaces of plus signs; wrapped lines and URL spellings are common
SPELLINGS = str.maketrans({" ": "+", "-": "+", "_": "/", "\r": None, "\n": None, "\t": None})


def unpacked(value: str) -> str:
    """Give the text in a base64 value; raises ValueError where there is none."""
    digits = (unquote(value) if "%" in value else value).translate(SPELLINGS).rstrip("=")
    if not ALPHABET.fullmatch(digits):
        raise ValueError("not base64")
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode()


def unescaped(text: str) -> str:
    """Undo CGI escaping where the whole text looks escaped; other text never was.

    Raises ValueError where it looks escaped and is no UTF-8.
    """
    return unquote_plus(text, errors="strict") if ESCAPED.fullmatch(text) else text


def packed(text: str) -> str:
    """Give the base64 of the CGI-escaped text; it never holds `+` or `/`."""
    # clients' decoders rely on that; an unescaped tilde would break it
    escaped = quote_plus(text).replace("~", "%7E")
    return base64.b64encode(escaped.encode()).decode()
