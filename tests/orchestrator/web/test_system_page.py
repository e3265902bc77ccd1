"""The page of the installation: breakers that a person can close, and dead letters."""

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse

from agents.lifecycle import LetterStatus, SessionStatus
from agents.models import AuditEntry, DeadLetter
from agents.roles import Role
from agents.services import endings, letters
from agents.services.endings import Ending
from agents.services.letters import Reason
from orchestrator.conf import breaker_limits
from orchestrator.realtime import feed
from orchestrator.resilience import breakers
from orchestrator.resilience.breakers import Breaker, State
from orchestrator.shared import Pause
from tests.factories import make_member, make_mission, running
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
    answer = page.post(reverse("replay_letter", args=[letter.pk]))
    assert answer.status_code == 409
    assert "<b>Not replayed:</b> Only an agent that failed" in answer.content.decode()
    letter.refresh_from_db()
    assert letter.status == LetterStatus.OPEN


def test_strangers_see_and_settle_nothing(stranger_page, letter):
    assert "worker_died" not in text(stranger_page.get(reverse("dead_letters")))
    for name in ("discard_letter", "replay_letter"):
        assert stranger_page.post(reverse(name, args=[letter.pk])).status_code == 404


def test_looking_changes_nothing(page, letter):
    for name in ("discard_letter", "replay_letter"):
        assert page.get(reverse(name, args=[letter.pk])).status_code == 405


@pytest.fixture
def failed_letters(approver, project):
    """Letters of three missions; the first can be replayed."""
    missions = [make_mission(project, approver) for _ in range(3)]
    for mission in missions:
        letters.keep_session(mission, Reason("worker_died", "gone"))
    first = missions[0]
    running(first)
    first.refresh_from_db()
    with transaction.atomic():
        endings.finish(first, Ending(SessionStatus.FAILED, error="gone", code="worker_died"))
    return [DeadLetter.objects.get(session=mission) for mission in missions]


@pytest.mark.django_db(transaction=True)
def test_chosen_letters_are_settled_one_by_one_and_each_says_why_not(page, failed_letters):
    chosen = {"verb": "replay", "letter": [str(letter.pk) for letter in failed_letters[:2]]}
    answer = page.post(reverse("settle_letters"), chosen)
    assert answer.status_code == 409
    assert answer.content.decode().count("<b>Not replayed:</b>") == 1
    statuses = [DeadLetter.objects.get(pk=letter.pk).status for letter in failed_letters]
    assert statuses == ["replayed", "open", "open"]
    again = page.post(reverse("settle_letters"), chosen).content.decode()
    assert "replayed cannot become replayed" in again
    discarded = page.post(reverse("settle_letters"), {**chosen, "verb": "discard", "letter": str(failed_letters[2].pk)})
    assert discarded.status_code == 302
    assert "1 letter was discarded." in text(page.get(reverse("dead_letters")))


def test_strangers_settle_no_letters_of_others(stranger_page, viewer_page, letter):
    for client in (stranger_page, viewer_page):
        client.post(reverse("settle_letters"), {"verb": "discard", "letter": str(letter.pk)})
    letter.refresh_from_db()
    assert letter.status == LetterStatus.OPEN


@pytest.mark.parametrize("sent", [{"verb": "burn"}, {"verb": "discard", "letter": "no-id"}, {}])
def test_what_is_no_verb_or_letter_changes_nothing(page, letter, sent):
    assert page.post(reverse("settle_letters"), {"letter": str(letter.pk), **sent}).status_code in (404, 422)
    letter.refresh_from_db()
    assert letter.status == LetterStatus.OPEN


@pytest.mark.django_db(transaction=True)
def test_pages_are_told_when_a_letter_comes_and_when_it_is_settled(page, project, approver, redis_client):
    def told() -> int:
        return sum(fields[b"t"] == b"letter.changed" for _, fields in redis_client.xrange(feed.stream(project.pk)))

    mission = make_mission(project, approver)
    letters.keep_session(mission, Reason("worker_died", "gone"))
    assert told() == 1
    assert ">1<span" in text(page.get(reverse("dead_letters") + "?r=rail-letters"))
    letters.settle(DeadLetter.objects.get().pk, LetterStatus.DISCARDED, by=approver.pk)
    assert told() == 2
    letters.keep_task("sweep", [], Reason("boom", "broke"))
    assert told() == 3
    assert ">1<span" not in text(page.get(reverse("dead_letters") + "?r=rail-letters"))
    admin = signed_in(make_member(project, Role.ADMIN))
    assert ">1<span" in text(admin.get(reverse("dead_letters") + "?r=rail-letters"))


def test_admins_see_what_reuse_saved_everywhere(page, project):
    assert "In the whole installation" not in text(page.get(reverse("system")))
    admin = signed_in(make_member(project, Role.ADMIN))
    assert "In the whole installation" in text(admin.get(reverse("system")))


def test_an_admin_limits_the_agents_of_a_project_and_that_is_audited(project):
    user = make_member(project, Role.ADMIN)
    admin = signed_in(user)
    assert admin.post(reverse("limit_project"), {"max_running": "3"}).status_code == 302
    project.refresh_from_db()
    assert project.max_running == 3
    assert "<b>3</b> agents" in text(admin.get(reverse("system")))
    assert AuditEntry.objects.get(action="project.limit").detail == {"max_running": 3, "previous": None}
    call_command("project_limit", project.slug, "none", user=user.username)
    project.refresh_from_db()
    assert project.max_running is None


@pytest.mark.parametrize("given", ["0", "-1", "many", "1e3", "9999999999", "1000000", "\u0663"])
def test_a_limit_that_is_none_is_said_beside_its_field(project, given):
    admin = signed_in(make_member(project, Role.ADMIN))
    answer = admin.post(reverse("limit_project"), {"max_running": given})
    assert answer.status_code == 422
    assert 'aria-describedby="max-running-error"' in answer.content.decode()
    project.refresh_from_db()
    assert project.max_running is None


def test_who_is_no_admin_limits_nothing(page, project, approver):
    assert page.post(reverse("limit_project"), {"max_running": "3"}).status_code == 403
    assert "max-running" not in text(page.get(reverse("system")))
    with pytest.raises(CommandError, match="needs the role admin"):
        call_command("project_limit", project.slug, "3", user=approver.username)
    project.refresh_from_db()
    assert project.max_running is None
