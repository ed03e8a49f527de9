"""Where users and their attributes answer."""

from django.urls import URLPattern

routes: list[URLPattern] = []
