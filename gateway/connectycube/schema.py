"""What the OpenAPI page says of every ConnectyCube route alike."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

from gateway.connectycube.auth import SessionToken

BAD_REQUEST = OpenApiResponse(OpenApiTypes.OBJECT, "Neither JSON nor a form.")
UNAUTHORISED = OpenApiResponse(OpenApiTypes.OBJECT, "No living session, or a wrong password.")
FORBIDDEN = OpenApiResponse(OpenApiTypes.OBJECT, "The path is a user's, or somebody else's.")
NOT_FOUND = OpenApiResponse(OpenApiTypes.OBJECT, "No such object in this application.")
INVALID = OpenApiResponse(OpenApiTypes.OBJECT, "`errors`: reasons by field, or a list.")
TOO_MANY = OpenApiResponse(OpenApiTypes.OBJECT, "Too many wrong passwords for this name.")


SESSION_OR_KEY: Any = [{"sessionToken": []}, {"applicationKey": []}]
"""Either will do; the scheme of the key is in `settings.SPECTACULAR_SETTINGS`."""


# the library gives the hook that registers subclasses no types
class SessionTokenInSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a session is shown; found by drf-spectacular because it exists."""

    target_class = SessionToken
    name = "sessionToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, Any]:
        """Give the scheme and what goes into it."""
        del auto_schema
        return {"type": "apiKey", "in": "header", "name": "CB-Token"}
