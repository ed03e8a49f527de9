"""The project: surfaces, settings, entry points."""

from gateway.celery import app as celery_app

__all__ = ["celery_app"]
