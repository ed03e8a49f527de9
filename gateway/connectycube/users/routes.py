"""Where users answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
