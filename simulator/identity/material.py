"""Everything a simulator owns on disk, made on the first start and kept for the next."""

import json
from dataclasses import dataclass
from pathlib import Path

from simulator.identity.apns_keys import ApnsKey, new_private_key, portal_id, public_of
from simulator.identity.authority import authority, push_certificate, server_certificate
from simulator.identity.files import kept

TOPIC = "com.example.demo"
PROJECT = "push-demo"


@dataclass(frozen=True)
class Material:
    """Files and facts that stay the same from start to start."""

    directory: Path
    ca_file: Path
    server_file: Path
    certificate_file: Path
    key_file: Path
    key: ApnsKey
    account_file: Path


def material(directory: Path, names: tuple[str, ...] = ()) -> Material:
    """Return the material of this directory, making what is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    ca = authority(directory)
    key_file = directory / "apns-key.p8"
    pem = kept(key_file, new_private_key)
    ids = json.loads(
        kept(
            directory / "apns-key.json",
            lambda: json.dumps({"key_id": portal_id(), "team_id": portal_id()}).encode(),
        )
    )
    return Material(
        directory=directory,
        ca_file=ca.file,
        server_file=server_certificate(directory, ca, names),
        certificate_file=push_certificate(directory, ca, TOPIC),
        key_file=key_file,
        key=ApnsKey(ids["key_id"], ids["team_id"], public_of(pem)),
        account_file=directory / "service-account.json",
    )
