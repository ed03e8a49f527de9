"""What the OpenAPI page says of every Kumulos route alike."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

from gateway.kumulos.auth import DeviceKey, ServerKey

UNAUTHORISED = OpenApiResponse(OpenApiTypes.OBJECT, "The key is missing, malformed or wrong.")
NOT_FOUND = OpenApiResponse(OpenApiTypes.OBJECT, "No such object in this app.")
INVALID = OpenApiResponse(
    OpenApiTypes.OBJECT, "A one-line `error`, and under each offending key a list of reasons."
)


# the library gives the hook that registers subclasses no types
class DeviceKeyInSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a device signs in; found by drf-spectacular because it exists."""

    target_class = DeviceKey
    name = "deviceKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Give the scheme and what goes into it."""
        del auto_schema
        return {"type": "http", "scheme": "basic", "description": "API key and secret key"}


class ServerKeyInSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a backend signs in."""

    target_class = ServerKey
    name = "serverKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Give the scheme and what goes into it."""
        del auto_schema
        return {"type": "http", "scheme": "basic", "description": "API key and server key"}
