"""Limits of a mission: set at its start and on its page, shown, and asked about on the requests' page."""

import re

import pytest
from django.db import transaction

from agents.models import AgentSession, Approval, AuditEntry, Budget
from agents.services import budgets, sessions, spending
from tests.factories import make_mission
from tests.orchestrator.web.situations import run
from tests.orchestrator.web.test_new_mission_page import Form, upload


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver)


def words(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_mission_is_started_with_limits(page, project):
    form = Form(page, project)
    form.send(files=[upload("a.md")], steps="100", cost="2.5", deadline="30")
    mission = AgentSession.objects.get()
    assert (mission.budget.steps, mission.budget.cost, mission.budget.tokens) == (100, 2.5, None)
    assert (mission.expires_at - mission.created_at).total_seconds() == 1800


def test_a_mission_without_limits_has_no_budget(page, project):
    Form(page, project).send(files=[upload("a.md")])
    assert AgentSession.objects.get().expires_at is None
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", "many"),
        ("steps", "-1"),
        ("steps", "0"),
        ("steps", "1.5"),
        ("cost", "nan"),
        ("tokens", "1e30"),
        ("deadline", "1e9"),
    ],
)
def test_a_bad_limit_is_said_beside_it_and_nothing_is_lost(page, project, field, value):
    form = Form(page, project)
    answer = form.send(files=[upload("a.md")], **{field: value})
    assert answer.status_code == 422
    assert f'id="limit-{field}-error"' in answer.content.decode()
    assert f'value="{value}"' in answer.content.decode()
    assert form.staged == ["a.md"]
    assert not AgentSession.objects.exists()


def test_the_page_shows_what_is_spent_of_the_budget(page, mission):
    page.post(f"/missions/{mission.pk}/limits/", {"steps": "10", "cost": "1", "deadline": "5"})
    spending.count(mission.pk, steps=8, cost="0.1")
    answer = page.get(f"/missions/{mission.pk}/")
    assert "8 of 10 , nearly used up" in words(answer).replace("10, ", "10 , ")
    assert "$0.10 of $1.00" in words(answer)
    assert re.search(r"Deadline \d\d:\d\d", words(answer))
    spending.count(mission.pk, steps=2)
    assert "used up" in words(page.get(f"/missions/{mission.pk}/"))


def test_limits_are_changed_audited_and_taken_away(page, mission):
    url = f"/missions/{mission.pk}/limits/"
    page.post(url, {"steps": "10", "deadline": "5"})
    page.post(url, {"tokens": "7"})
    mission.refresh_from_db()
    assert (mission.budget.steps, mission.budget.tokens) == (None, 7)
    assert mission.expires_at is not None
    page.post(url, {"deadline": "0"})
    mission.refresh_from_db()
    assert mission.expires_at is None
    assert AuditEntry.objects.filter(action="mission.limits").count() == 3
    assert page.post(url, {"steps": "x"}).status_code == 422


def test_viewers_set_no_limits_and_strangers_find_nothing(viewer_page, stranger_page, mission):
    url = f"/missions/{mission.pk}/limits/"
    assert viewer_page.post(url, {"steps": "10"}).status_code == 403
    assert stranger_page.post(url, {"steps": "10"}).status_code == 404
    assert "limits-m" not in viewer_page.get(f"/missions/{mission.pk}/").content.decode()


def test_a_used_up_budget_is_decided_on_the_page_of_requests(page, mission):
    page.post(f"/missions/{mission.pk}/limits/", {"steps": "10", "cost": "1"})
    spending.count(mission.pk, steps=10)
    run(mission)
    with transaction.atomic():
        locked = sessions.lock(mission.pk)
        budgets.park(locked, budgets.used_up(locked))
    approval = Approval.objects.get()
    text = words(page.get(f"/approvals/{approval.pk}/"))
    assert "steps 10 of 10" in text
    assert "Rejecting stops this agent and all below it." in text
    sent = {"verdict": "approve", "version": "1", "arg-steps": "9", "arg-cost": "1"}
    answer = page.post(f"/approvals/{approval.pk}/decide/", sent)
    assert answer.status_code == 422
    assert "10 are spent already" in words(answer)
    page.post(f"/approvals/{approval.pk}/decide/", {**sent, "arg-steps": "20"})
    mission.refresh_from_db()
    assert (mission.budget.steps, mission.status) == (20, "queued")
