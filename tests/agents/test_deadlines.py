"""Deadlines: by the database's clock, never longer than the one above, and kept once."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.actor import SYSTEM
from agents.lifecycle import ChildrenNeeded, Control, SessionStatus, WaitKind
from agents.models import AgentEvent, AgentSession, Approval
from agents.roles import Level
from agents.services import control, deadlines, sessions, subtrees, waits
from agents.services.sessions import Start
from agents.services.waits import Question
from orchestrator import sweeper
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, run

QUESTION = Question("i1", WaitKind.CHILDREN, "children:work", {}, subject="agents", reason="they work")


def fresh(session: AgentSession) -> AgentSession:
    return AgentSession.objects.get(pk=session.pk)


def let_pass(session: AgentSession) -> None:
    """The clock jumps behind the deadline."""
    AgentSession.objects.subtree(session.pk).filter(expires_at__isnull=False).update(
        expires_at=Now() - timedelta(seconds=1)
    )


def start_with(mission: AgentSession, *seconds: float | None) -> list[AgentSession]:
    starts = [Start("test.architect", Level.ARCHITECT, f"A{n}", "do", {}, s) for n, s in enumerate(seconds)]
    waits.delegate(sessions.lock(mission.pk), QUESTION, starts, needs=ChildrenNeeded.ALL, needed=0)
    return list(AgentSession.objects.filter(parent=mission).order_by("position"))


def test_a_child_has_at_most_as_long_as_its_parent(db):
    mission = run(make_mission())
    at = deadlines.moment(100)
    subtrees.set_deadline(mission.pk, at, actor=SYSTEM)
    longer, shorter, none = start_with(mission, 1000, 10, None)
    assert longer.expires_at == none.expires_at == at
    assert shorter.expires_at < at


def test_a_child_may_have_a_deadline_where_its_parent_has_none(db):
    (child,) = start_with(run(make_mission()), 10)
    assert child.expires_at - child.created_at == timedelta(seconds=10)


def test_who_is_late_is_stopped_once_also_while_it_waits(db):
    mission = run(make_mission())
    one, two = delegate(mission, Level.ARCHITECT, "one", "two")
    subtrees.set_deadline(mission.pk, deadlines.moment(100), actor=SYSTEM)
    sweeper.stop_late()
    assert AgentSession.objects.active().count() == 3
    ask(one)
    run(two)
    let_pass(mission)
    for _ in range(3):
        sweeper.stop_late()
    assert fresh(mission).current_run.error == fresh(one).current_run.error == "Its deadline has passed."
    assert fresh(two).control == Control.CANCEL
    assert Approval.objects.get().status == "withdrawn"
    assert AgentEvent.objects.filter(event_type="session.controlled", aggregate_id=two.pk).count() == 1


def test_a_later_deadline_reaches_those_that_have_the_old_one_and_spares_their_own(db):
    mission = run(make_mission())
    subtrees.set_deadline(mission.pk, deadlines.moment(100), actor=SYSTEM)
    same, own = start_with(mission, None, 10)
    later = deadlines.moment(500)
    subtrees.set_deadline(mission.pk, later, actor=SYSTEM)
    assert (fresh(same).expires_at, fresh(own).expires_at) == (later, own.expires_at)
    sooner = deadlines.moment(5)
    subtrees.set_deadline(mission.pk, sooner, actor=SYSTEM)
    assert fresh(same).expires_at == fresh(own).expires_at == sooner
    subtrees.set_deadline(mission.pk, None, actor=SYSTEM)
    assert not AgentSession.objects.filter(expires_at__isnull=False).exists()


def test_a_part_never_gets_longer_than_the_whole(db):
    mission = run(make_mission())
    at = deadlines.moment(100)
    subtrees.set_deadline(mission.pk, at, actor=SYSTEM)
    (child,) = start_with(mission, None)
    subtrees.set_deadline(child.pk, deadlines.moment(1000), actor=SYSTEM)
    assert fresh(child).expires_at == at


@pytest.mark.django_db
def test_an_agent_without_a_deadline_is_never_late():
    run(make_mission())
    assert deadlines.passed() == []


def test_a_retry_after_the_deadline_is_not_stopped_again_by_it(db):
    mission = run(make_mission())
    subtrees.set_deadline(mission.pk, deadlines.moment(100), actor=SYSTEM)
    (child,) = delegate(mission, Level.ARCHITECT, "one")
    let_pass(mission)
    sweeper.stop_late()
    subtrees.retry(mission.pk, actor=SYSTEM)
    sweeper.sweep()
    assert {(one.status, one.expires_at) for one in (fresh(mission), fresh(child))} == {
        ("queued", None),
    }


def test_a_retried_child_has_the_deadline_of_the_agent_above(db):
    mission = run(make_mission())
    (child,) = start_with(mission, 10)
    sessions.move(sessions.lock(mission.pk), SessionStatus.WAITING_CHILDREN, actor=SYSTEM)
    at = deadlines.moment(100)
    AgentSession.objects.filter(pk=mission.pk).update(expires_at=at)
    second = AgentSession.objects.create(
        project=mission.project,
        user=mission.user,
        agent_type="test.architect",
        level=Level.ARCHITECT,
        name="other",
        root=mission,
        parent=mission,
        path=[mission.pk],
        parent_wait=child.parent_wait,
        position=1,
        status=SessionStatus.QUEUED,
    )
    child.parent_wait.remaining = 2
    child.parent_wait.save()
    AgentSession.objects.filter(pk=child.pk).update(expires_at=Now() - timedelta(seconds=1))
    sweeper.stop_late()
    control.retry(child.pk, actor=SYSTEM)
    assert (fresh(child).expires_at, fresh(second).status) == (at, "queued")
