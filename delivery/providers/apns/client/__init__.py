"""aioapns, persuaded onto the wire; nobody else imports it."""

from delivery.providers.apns.client.library import Library
from delivery.providers.apns.client.vocabulary import Request, Result, build_requests
from delivery.providers.apns.client.wired import Client

__all__ = ["Client", "Library", "Request", "Result", "build_requests"]
