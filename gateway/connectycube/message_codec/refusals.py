"""Everything the codec refuses is refused about one field."""

from crm.errors import Invalid

FIELD = "message"

BLANK = "can't be blank"
WRONG = "is invalid"
LONG = "is too long"


def refusal(reason: str = WRONG) -> Invalid:
    """Give the refusal of a message, in the vendor's words."""
    return Invalid(reason, field=FIELD)


def wrong(why: str) -> Invalid:
    """Give the refusal of a message that is invalid, and say why."""
    return refusal(f"{WRONG}: {why}")
