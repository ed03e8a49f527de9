"""Sends, the engine behind them, and who is let in at the providers, for operators."""

from delivery import webhook_admin
from delivery.admin import credentials, engine, notifications, people, segments

__all__ = ["credentials", "engine", "notifications", "people", "segments", "webhook_admin"]
