"""Google's side of OAuth: projects and the service account each of them handed out."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.identity.files import kept, write


@dataclass(frozen=True)
class ServiceAccount:
    """Who may ask for a bearer, and for which project."""

    project_id: str
    client_email: str
    key_id: str
    public: rsa.RSAPublicKey
    document: dict[str, Any]


def service_account(file: Path, project_id: str, token_uri: str) -> ServiceAccount:
    """Return the account kept in this file, made on first use, pointing at this token endpoint."""
    document = json.loads(kept(file, lambda: _new(project_id)))
    document["token_uri"] = token_uri
    write(file, json.dumps(document, indent=2).encode())
    return account_of(document)


def new_account(project_id: str, token_uri: str) -> ServiceAccount:
    """Return an account that lives in memory only."""
    return account_of(json.loads(_new(project_id)) | {"token_uri": token_uri})


def account_of(document: dict[str, Any]) -> ServiceAccount:
    """Return the account a service-account file describes."""
    private = serialization.load_pem_private_key(document["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return ServiceAccount(
        project_id=document["project_id"],
        client_email=document["client_email"],
        key_id=document["private_key_id"],
        public=private.public_key(),
        document=document,
    )


def _new(project_id: str) -> bytes:
    private = rsa.generate_private_key(65_537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    document = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": secrets.token_hex(20),
        "private_key": private.decode(),
        "client_email": f"pusher@{project_id}.iam.gserviceaccount.com",
        "client_id": str(secrets.randbelow(10**20)),
        "token_uri": "",
    }
    return json.dumps(document, indent=2).encode()
