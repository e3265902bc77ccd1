"""Rings: one for each session that is queued, after its commit; those of one press together, at its end."""

import pytest

from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Approval
from agents.roles import Level, Role
from orchestrator import dispatch
from orchestrator.actions import approvals
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.situations import ask

QUEUED = SessionStatus.QUEUED


@pytest.fixture
def rung(monkeypatch) -> list[tuple[Level, int, int]]:
    """What workers were told, with how many agents were queued by then."""
    heard: list[tuple[Level, int, int]] = []

    def ring(level: Level, times: int = 1) -> None:
        heard.append((level, times, AgentSession.objects.filter(status=QUEUED).count()))

    monkeypatch.setattr(dispatch, "ring", ring)
    return heard


@pytest.fixture
def asked() -> list[Approval]:
    """Requests of five agents, which wait for them; no worker is there."""
    project = make_project()
    return [ask(make_mission(project)) for _ in range(5)]


@pytest.mark.django_db(transaction=True)
def test_workers_hear_of_many_decisions_once_when_all_are_written(monkeypatch, asked, rung):
    monkeypatch.setattr(approvals, "TOGETHER", 2)
    user = make_member(asked[0].project, Role.APPROVER)
    rung.clear()
    approvals.decide_many(user, [(one.pk, one.version) for one in asked], verdict="approve")
    assert rung == [(Level(asked[0].session.level), 5, 5)]


@pytest.mark.django_db(transaction=True)
def test_what_is_written_before_an_error_is_rung_for(monkeypatch, asked, rung):
    monkeypatch.setattr(approvals, "TOGETHER", 2)
    user = make_member(asked[0].project, Role.APPROVER)
    together = approvals.decisions.decide_together

    def fails_the_second_time(wanted, *, by):
        monkeypatch.setattr(approvals.decisions, "decide_together", fails)
        return together(wanted, by=by)

    def fails(wanted, *, by):
        raise ZeroDivisionError

    monkeypatch.setattr(approvals.decisions, "decide_together", fails_the_second_time)
    rung.clear()
    with pytest.raises(ZeroDivisionError):
        approvals.decide_many(user, [(one.pk, one.version) for one in asked], verdict="approve")
    assert [(times, queued) for _, times, queued in rung] == [(2, 2)]


@pytest.mark.django_db(transaction=True)
def test_who_is_not_in_such_a_block_rings_at_once(asked, rung):
    user = make_member(asked[0].project, Role.APPROVER)
    rung.clear()
    approvals.decide(user, asked[0].pk, verdict="approve", version=1)
    assert [(times, queued) for _, times, queued in rung] == [(1, 1)]
