"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from agents.lifecycle import RewindKind
from orchestrator.web.views import (
    account,
    agents,
    approvals,
    archives,
    memory,
    missions,
    new_mission,
    now,
    operations,
    rewinds,
    sessions,
    sources,
    system,
)

urlpatterns = [
    path("", now.show, name="now"),
    path("missions/", missions.index, name="missions"),
    path("missions/new/", new_mission.show, name="new_mission"),
    path("missions/<uuid:mission_id>/", missions.show, name="mission"),
    path("missions/<uuid:mission_id>/limits/", missions.limits, name="limits"),
    path("agents/<uuid:session_id>/", sessions.show, name="session"),
    path("agents/<uuid:session_id>/state/", sessions.state, name="state"),
    path("agents/<uuid:session_id>/state.json", sessions.state_json, name="state_json"),
    path("agents/<uuid:session_id>/export.json", archives.download, name="export_session"),
    path("agents/import/", archives.upload, name="import_session"),
    path("agents/<uuid:session_id>/name/", sessions.name, name="name_checkpoint"),
    path("agents/<uuid:session_id>/edit/", rewinds.show, {"kind": RewindKind.EDIT}, name="edit"),
    path("agents/<uuid:session_id>/fork/", rewinds.show, {"kind": RewindKind.FORK}, name="fork"),
    path("agents/<uuid:session_id>/replay/", rewinds.show, {"kind": RewindKind.REPLAY}, name="replay"),
    path("agents/<uuid:session_id>/rollback/", rewinds.show, {"kind": RewindKind.ROLLBACK}, name="rollback"),
    path("rewinds/<uuid:rewind_id>/go-on/", rewinds.go_on, name="go_on"),
    path("rewinds/<uuid:rewind_id>/give-up/", rewinds.give_up, name="give_up"),
    path("agents/<uuid:session_id>/<slug:verb>/", agents.steer, name="steer"),
    path("approvals/", approvals.index, name="approvals"),
    path("approvals/<uuid:approval_id>/", approvals.show, name="approval"),
    path("approvals/<uuid:approval_id>/decide/", approvals.decide, name="decide"),
    path("memory/", memory.show, name="memory"),
    path("passages/<uuid:passage_id>/", sources.passage, name="passage"),
    path("sources/<uuid:source_id>/", sources.source, name="source"),
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("preferences/", account.preferences, name="preferences"),
    path("project/", account.use_project, name="use_project"),
    path("system/", operations.show, name="system"),
    path("system/breakers/close/", operations.close_breaker, name="close_breaker"),
    path("system/letters/", operations.dead_letters, name="dead_letters"),
    path("system/letters/<uuid:letter_id>/replay/", operations.replay, name="replay_letter"),
    path("system/letters/<uuid:letter_id>/discard/", operations.discard, name="discard_letter"),
    path("healthz", system.healthz, name="healthz"),
    path("scale", system.scale, name="scale"),
]
