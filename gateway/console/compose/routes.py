"""Where the composer answers, below /admin/."""

from django.urls import path

from gateway.console.compose import views

routes = [
    path("compose/", views.compose, name="compose"),
    path("compose/check/", views.check, name="compose_check"),
    path("compose/reach/", views.reached, name="compose_reach"),
    path("compose/rule/", views.rule, name="compose_rule"),
    path("compose/segment/", views.segment, name="compose_segment"),
    path("compose/names/", views.names, name="compose_names"),
    path("compose/test/", views.test, name="compose_test"),
    path("compose/review/", views.confirm, name="compose_review"),
    path("compose/again/", views.again, name="compose_again"),
    path("compose/send/", views.send, name="compose_send"),
]
