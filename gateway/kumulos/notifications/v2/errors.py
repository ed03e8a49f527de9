"""v1's refusals, under the keys and with the statuses v2's clients know."""

from crm.errors import Conflict, Invalid, NotFound
from gateway.kumulos.errors import WIRE_NAMES, refusal_body
from gateway.rest.errors import refusals


class NobodyThere(Invalid):
    """None of the people and installs named one by one exists in the app."""

    def __init__(self) -> None:
        super().__init__("None of the targeted users and installs exists.")


BOXED = {
    "title": "content.title",
    "body": "content.message",
    "message": "content.message",
    "audience": "target.broadcast",
}

refuse = refusals(
    status={NobodyThere: 400, Conflict: 400, NotFound: 404, Invalid: 422},
    wire_names={**WIRE_NAMES, **BOXED},
    body=refusal_body,
)
