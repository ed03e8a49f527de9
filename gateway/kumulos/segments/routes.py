"""Where segments answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
