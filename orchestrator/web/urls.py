"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from orchestrator.web.views import account

urlpatterns = [
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("preferences/", account.preferences, name="preferences"),
    path("project/", account.use_project, name="use_project"),
]
