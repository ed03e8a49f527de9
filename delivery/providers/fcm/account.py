"""A service account: how Google knows us."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth import crypt

from delivery.providers import json_text
from delivery.providers.contract import Credentials

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
NEEDED = ("client_email", "private_key", "project_id", "token_uri")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccount:
    """What a service account's JSON says, its key ready to sign."""

    project_id: str
    client_email: str
    token_uri: str
    signer: Any


def read_account(credentials: Credentials) -> ServiceAccount:
    """Give the account a credential holds, or a ValueError saying what is wrong with it."""
    said = json_text.load_object(credentials.secret.encode())
    said.setdefault("token_uri", TOKEN_URI)
    if project_id := credentials.facts.get("project_id"):
        said["project_id"] = project_id
    if missing := [name for name in NEEDED if not said.get(name)]:
        raise ValueError(f"the service account lacks {', '.join(missing)}")
    token_uri = said["token_uri"]
    if urlsplit(token_uri).scheme != "https":
        raise ValueError("token_uri is not https")
    return ServiceAccount(
        project_id=said["project_id"],
        client_email=said["client_email"],
        token_uri=token_uri,
        signer=_signer(str(said["private_key"]), said.get("private_key_id")),
    )


def _signer(pem: str, key_id: str | None) -> crypt.Signer:
    """Give what signs with a key that whoever took it in has checked: that takes 40 ms."""
    key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    return crypt.RSASigner(key, key_id)  # type: ignore[no-untyped-call]
