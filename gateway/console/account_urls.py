"""Where operators sign in and look after how they do."""

from allauth.account import views
from allauth.account.decorators import reauthentication_required
from django.contrib import admin
from django.urls import include, path

from gateway.console.own_sessions import OwnSessions

accounts = [
    # where Django's own page was: those who know it find it
    path("admin/login/", views.login, name="account_login"),
    path("admin/account/logout/", views.logout, name="account_logout"),
    path("admin/account/inactive/", views.account_inactive, name="account_inactive"),
    path("admin/account/reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("admin/account/password/", views.password_change, name="account_change_password"),
    # for who has signed in without one, as a passkey lets them
    path(
        "admin/account/password/set/",
        reauthentication_required(views.password_set),
        name="account_set_password",
    ),
    path("admin/password_change/", reauthentication_required(admin.site.password_change)),
    path("admin/account/second-factor/", include("allauth.mfa.urls")),
    path("admin/account/sessions/", OwnSessions.as_view(), name="usersessions_list"),
]
