"""Where channels answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
