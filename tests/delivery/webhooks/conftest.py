"""A webhook that leads to a real receiver on loopback, which an operator has allowed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from crm.models import App, Install
from delivery import fanout, tasks
from delivery.commands.record_open import record_open
from delivery.commands.webhooks import NewWebhook, WriteWebhook, create_webhook
from delivery.models import Webhook, WebhookReader
from delivery.models.webhook import Topic
from delivery.outbox import listeners
from delivery.webhooks import telling
from tests.delivery.webhooks.receiver import Receiver

EVERYTHING = tuple(Topic.values)


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings):
    settings.WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]


@pytest.fixture(autouse=True)
def _listeners_of_this_test():
    listeners.forget()
    yield
    listeners.forget()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def hook(app: App, receiver: Receiver) -> Callable[..., NewWebhook]:
    """Give a webhook of the app that leads to the receiver."""

    def make(topics: Iterable[str] = EVERYTHING, *, of: App = app, **said: object) -> NewWebhook:
        ask = WriteWebhook(**{"url": receiver.url, "topics": list(topics), **said})
        made = create_webhook(app=of, ask=ask)
        listeners.forget()
        return made

    return make


def tell(rounds: int = 100) -> int:
    """Tell all that is due, as a worker's threads do; gives how many turns that took."""
    for turn in range(rounds):
        if not telling.tell_next():
            return turn
    raise AssertionError("there was no end to it")


def hurry(webhook: Webhook) -> None:
    """Let the time pass that readers wait."""
    waiting = WebhookReader.objects.filter(webhook=webhook, next_attempt_at__isnull=False)
    waiting.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


@dataclass
class Happenings:
    """Things that happen to an app's devices."""

    sends: object
    memory: Callable[..., object]

    def broadcast(self, script: dict[str, str] | None = None) -> object:
        """Push to everyone, to the end, and give the occurrence."""
        self.memory(script)
        occurrence = self.sends.to_everyone()
        list(fanout.plan_batches(occurrence.pk))
        tasks.deliver("bulk")
        occurrence.refresh_from_db()
        return occurrence

    def tap(self, install: Install, occurrence: object, *, by: str = "somebody") -> None:
        record_open(
            install=install,
            notification_id=occurrence.notification_id,
            user_uid=by,
            happened_at=timezone.now(),
        )


@pytest.fixture
def happenings(sends, memory) -> Happenings:
    return Happenings(sends, memory)


@dataclass
class Authority:
    """A certificate authority nobody knows, and what it gave a server on this host."""

    itself: Path
    server: Path  # certificate and key


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    found = Authority(folder / "ca.pem", folder / "server.pem")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
    ca = _certificate(issuer, issuer, ca_key, ca_key, is_ca=True)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    server = _certificate(subject, issuer, key, ca_key, is_ca=False)
    pem = serialization.Encoding.PEM
    found.itself.write_bytes(ca.public_bytes(pem))
    kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    found.server.write_bytes(server.public_bytes(pem) + key.private_bytes(pem, *kept))
    return found


def _certificate(subject, issuer, key, ca_key, *, is_ca):
    now = timezone.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    if not is_ca:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = builder.add_extension(names, critical=False)
    else:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(ca_key, hashes.SHA256())
