"""The page of the installation: breakers that a person can close, and dead letters."""

import pytest
from django.urls import reverse

from agents.lifecycle import LetterStatus
from agents.models import AuditEntry, DeadLetter
from agents.roles import Role
from agents.services import letters
from agents.services.letters import Reason
from orchestrator.conf import breaker_limits
from orchestrator.resilience import breakers
from orchestrator.resilience.breakers import Breaker, State
from orchestrator.shared import Pause
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in

HOSTILE = "<script>alert(1)</script>"
NAME = "model/openai:gpt-x"


@pytest.fixture(autouse=True)
def clean(redis_client, monkeypatch):
    """No breakers of other tests."""
    monkeypatch.setattr(breakers, "_away", Pause())


@pytest.fixture
def open_breaker():
    """One of a model that has failed too often."""
    breaker = Breaker(NAME, "The model", breaker_limits())
    for _ in range(5):
        with breaker.passing() as passage:
            passage.failed(HOSTILE)
    return breaker


@pytest.fixture
def letter(approver, project):
    """A mission that failed for good."""
    mission = make_mission(project, approver)
    letters.keep_session(mission, Reason("worker_died", HOSTILE, "Traceback: secret place"))
    return DeadLetter.objects.get()


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_an_open_breaker_is_shown_with_its_reason_escaped(page, open_breaker):
    shown = text(page.get(reverse("system")))
    assert "openai:gpt-x" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert HOSTILE not in shown
    assert "openai:gpt-x" in text(page.get(reverse("now")))


def test_an_operator_closes_it_and_that_is_audited(page, open_breaker, approver):
    assert page.post(reverse("close_breaker"), {"name": NAME}).status_code == 302
    assert open_breaker.standing().state is State.CLOSED
    assert AuditEntry.objects.get(action="breaker.close").detail == {"breaker": NAME}
    assert "Every model and tool answers" in text(page.get(reverse("system")))


def test_a_viewer_sees_it_and_cannot_close_it(viewer_page, open_breaker):
    assert "Close now" not in text(viewer_page.get(reverse("system")))
    assert viewer_page.post(reverse("close_breaker"), {"name": NAME}).status_code == 403
    assert open_breaker.standing().state is State.OPEN


@pytest.mark.parametrize("name", ["", "model/other", "*", "../keys"])
def test_a_breaker_that_is_not_there_cannot_be_closed(page, open_breaker, name):
    assert page.post(reverse("close_breaker"), {"name": name}).status_code == 404
    assert open_breaker.standing().state is State.OPEN


def test_the_page_says_when_redis_is_away(page, monkeypatch):
    away = Pause()
    away.begin()
    monkeypatch.setattr(breakers, "_away", away)
    assert "Redis does not answer" in text(page.get(reverse("system")))


def test_a_letter_is_shown_escaped_and_its_trace_to_admins_only(page, letter, project):
    shown = text(page.get(reverse("dead_letters")))
    assert "worker_died" in shown
    assert HOSTILE not in shown
    assert "secret place" not in shown
    admin = signed_in(make_member(project, Role.ADMIN))
    assert "secret place" in text(admin.get(reverse("dead_letters")))


def test_a_letter_is_discarded_by_a_button(page, letter):
    assert page.post(reverse("discard_letter", args=[letter.pk])).status_code == 302
    letter.refresh_from_db()
    assert letter.status == LetterStatus.DISCARDED
    assert "Nothing has failed for good" in text(page.get(reverse("dead_letters")))
    assert "Discarded by" in text(page.get(reverse("dead_letters") + "?all=1"))
    assert page.post(reverse("discard_letter", args=[letter.pk])).status_code == 409


def test_a_letter_of_an_agent_that_has_not_failed_cannot_be_replayed(page, letter):
    assert page.post(reverse("replay_letter", args=[letter.pk])).status_code == 409
    letter.refresh_from_db()
    assert letter.status == LetterStatus.OPEN


def test_strangers_see_and_settle_nothing(stranger_page, letter):
    assert "worker_died" not in text(stranger_page.get(reverse("dead_letters")))
    for name in ("discard_letter", "replay_letter"):
        assert stranger_page.post(reverse(name, args=[letter.pk])).status_code == 404


def test_looking_changes_nothing(page, letter):
    for name in ("discard_letter", "replay_letter"):
        assert page.get(reverse(name, args=[letter.pk])).status_code == 405
