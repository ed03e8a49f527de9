"""Where in-app templates answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
