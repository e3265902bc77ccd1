"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from orchestrator.web.views import account, agents, approvals, missions, now, sessions, system

urlpatterns = [
    path("", now.show, name="now"),
    path("missions/", missions.index, name="missions"),
    path("missions/<uuid:mission_id>/", missions.show, name="mission"),
    path("agents/<uuid:session_id>/", sessions.show, name="session"),
    path("agents/<uuid:session_id>/<slug:verb>/", agents.steer, name="steer"),
    path("approvals/", approvals.index, name="approvals"),
    path("approvals/<uuid:approval_id>/", approvals.show, name="approval"),
    path("approvals/<uuid:approval_id>/decide/", approvals.decide, name="decide"),
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("preferences/", account.preferences, name="preferences"),
    path("project/", account.use_project, name="use_project"),
    path("healthz", system.healthz, name="healthz"),
]
