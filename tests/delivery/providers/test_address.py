import pytest

from delivery.providers.address import read_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("", ("api.push.apple.com", 443)),
        ("  ", ("api.push.apple.com", 443)),
        ("https://localhost:8443", ("localhost", 8443)),
        ("https://localhost:8443/", ("localhost", 8443)),
        ("localhost:2197", ("localhost", 2197)),
        ("push.example.org", ("push.example.org", 443)),
        ("https://[::1]:8443", ("::1", 8443)),
    ],
)
def test_a_credential_names_an_address_or_leaves_the_providers_own(
    url: str, address: tuple[str, int]
) -> None:
    assert read_address(url, default="api.push.apple.com") == address


@pytest.mark.parametrize(
    "url", ["http://localhost", "ftp://x", "https://", "https://x/path", "https://x:port"]
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        read_address(url, default="api.push.apple.com")
