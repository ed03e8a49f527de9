"""Where in-app messages answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
