"""Where sends are watched, below /admin/."""

from django.urls import path

from gateway.console.live import views

routes = [
    path("sends/<int:id_>/", views.send, name="send"),
    path("sends/<int:id_>/progress/", views.progress, name="send_progress"),
    path("sends/<int:id_>/stop/", views.stop, name="send_stop"),
    path("sends/<int:id_>/export.csv", views.export, name="send_export"),
]
