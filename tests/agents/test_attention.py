"""What happens to a request that nobody decides: each step once, by the database's clock."""

from functools import partial

import pytest

from agents.errors import AlreadyDecided, Forbidden, InvalidInput, InvalidTransition
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk, SessionStatus, WaitKind
from agents.models import AgentEvent, AgentSession, Approval, User
from agents.policies.policy import AtDeadline, Escalation, Terms
from agents.roles import Role
from agents.services import attention, decisions
from agents.services.attention import StepKind
from agents.services.conclusions import Decision
from orchestrator import sweeper
from tests.agents.desk import asked, batch, pass_time, put, request
from tests.factories import make_member, make_mission, make_user, running
from tests.races import at_once

pytestmark = pytest.mark.django_db
ALL = Terms(
    reminders=(60, 300),
    escalations=(Escalation(after=120, role=Role.ADMIN), Escalation(after=400, person="ada")),
    deadline=600,
)


def kinds(approval: Approval) -> list[str]:
    found = AgentEvent.objects.filter(aggregate_id=approval.pk).order_by("version")
    return list(found.values_list("event_type", flat=True))[1:]


def test_steps_come_in_their_order():
    assert [(step.after, step.kind) for step in attention.steps(ALL)] == [
        (60, StepKind.REMIND),
        (120, StepKind.ESCALATE),
        (300, StepKind.REMIND),
        (400, StepKind.ESCALATE),
        (600, StepKind.DEADLINE),
    ]


def test_nothing_happens_before_its_time():
    approval = request(terms=ALL)
    pass_time(approval, 59)
    assert attention.due() == []
    assert attention.attend(approval.pk) == 0


def test_each_step_happens_once_at_its_time():
    approval = request(terms=ALL)
    ada = make_member(approval.project, Role.APPROVER, "ada")
    pass_time(approval, 60)
    assert attention.due() == [approval.pk]
    assert (attention.attend(approval.pk), attention.attend(approval.pk)) == (1, 0)
    assert kinds(approval) == ["approval.reminded"]
    pass_time(approval, 60)
    attention.attend(approval.pk)
    approval.refresh_from_db()
    assert (approval.assigned_role, approval.assigned_to) == (Role.ADMIN, None)
    pass_time(approval, 280)
    assert attention.attend(approval.pk) == 2  # nobody looked for a while
    approval.refresh_from_db()
    assert (approval.assigned_role, approval.assigned_to) == (Role.APPROVER, ada)
    pass_time(approval, 200)
    attention.attend(approval.pk)
    approval.refresh_from_db()
    assert (approval.status, approval.decided_how, approval.reason) == (
        ApprovalStatus.REJECTED,
        DecidedBy.DEADLINE,
        attention.NOBODY,
    )
    assert kinds(approval) == [
        "approval.reminded",
        "approval.assigned",
        "approval.reminded",
        "approval.assigned",
        "approval.decided",
    ]
    assert AgentSession.objects.get().status == SessionStatus.QUEUED


def test_the_sweeper_sees_to_it():
    approval = request(terms=Terms(deadline=60))
    pass_time(approval, 61)
    sweeper.sweep()
    approval.refresh_from_db()
    assert approval.decided_how == DecidedBy.DEADLINE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_sweepers_at_once_do_each_step_once(_round):
    approval = request(terms=ALL)
    pass_time(approval, 700)
    done = at_once(*[partial(attention.attend, approval.pk)] * 4)
    assert sorted(done) == [0, 0, 0, 5]
    assert len(kinds(approval)) == 5


def test_who_decides_before_the_deadline_decides():
    approval = request(terms=Terms(deadline=60))
    decisions.decide(approval.pk, Decision("approve"), by=make_member(approval.project), version=1)
    pass_time(approval, 100)
    assert attention.due() == []
    assert attention.attend(approval.pk) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_a_decision_at_the_deadline_leaves_one_outcome(_round):
    approval = request(terms=Terms(deadline=60))
    ada = make_member(approval.project)
    pass_time(approval, 60)
    at_once(
        partial(attention.attend, approval.pk),
        partial(decisions.decide, approval.pk, Decision("approve"), by=ada, version=1),
    )
    assert kinds(approval) == ["approval.decided"]


def test_silence_approves_where_the_terms_say_so():
    terms = Terms(deadline=60, at_deadline=AtDeadline.APPROVE)
    approval = request(terms=terms, risk=Risk.LOW)
    pass_time(approval, 60)
    attention.attend(approval.pk)
    approval.refresh_from_db()
    assert (approval.status, approval.effective) == (ApprovalStatus.APPROVED, approval.proposed)
    assert approval.dispatched_at is not None  # nobody is there to take it back


def test_at_the_deadline_it_may_go_to_others_and_wait_for_them():
    terms = Terms(deadline=60, at_deadline=AtDeadline.ESCALATE, escalations=(Escalation(after=90, role=Role.ADMIN),))
    approval = request(terms=terms)
    pass_time(approval, 60)
    attention.attend(approval.pk)
    approval.refresh_from_db()
    assert (approval.status, approval.assigned_role) == (ApprovalStatus.PENDING, Role.ADMIN)


def test_what_its_graph_cannot_be_told_has_no_deadline():
    (approval,) = batch({"allowed": ("respond",), "terms": Terms(deadline=60, reminders=(30,))})
    assert approval.deadline_at is None
    pass_time(approval, 100)
    assert attention.attend(approval.pk) == 1
    assert kinds(approval) == ["approval.reminded"]


def test_a_clock_that_jumps_ahead_does_what_is_due_once_and_back_does_nothing_again():
    approval = request(terms=ALL)
    pass_time(approval, 130)
    assert attention.attend(approval.pk) == 2
    pass_time(approval, -120)
    assert attention.attend(approval.pk) == 0
    pass_time(approval, 120)
    assert attention.attend(approval.pk) == 0


def test_a_deadline_while_a_form_is_open_tells_who_comes_late():
    approval = request(terms=Terms(deadline=60))
    pass_time(approval, 60)
    attention.attend(approval.pk)
    with pytest.raises(AlreadyDecided, match="its deadline"):
        decisions.decide(approval.pk, Decision("approve"), by=make_member(approval.project), version=1)


def test_a_request_for_somebody_who_is_not_here_is_for_the_role():
    approval = request(terms=Terms(person="nobody"))
    assert (approval.assigned_to, approval.assigned_role) == (None, Role.APPROVER)


@pytest.mark.parametrize("loss", ["account", "role", "own"])
def test_a_request_for_somebody_who_cannot_decide_it_is_for_the_role(loss):
    session = running(make_mission())
    boss = session.root.user if loss == "own" else make_member(session.project, Role.APPROVER)
    User.objects.filter(pk=boss.pk).update(is_active=loss != "account")
    named = {"person": boss.get_username(), "role": Role.ADMIN if loss == "role" else Role.APPROVER}
    terms = Terms(**named, not_own=loss == "own", escalations=(Escalation(after=60, **named),))
    (approval,) = put(session, asked(terms=terms))
    assert (approval.assigned_to, approval.assigned_role) == (None, named["role"])
    pass_time(approval, 60)
    assert attention.attend(approval.pk) == 1
    approval.refresh_from_db()
    assert (approval.assigned_to, approval.assigned_role) == (None, named["role"])


# --- assigning


def test_a_person_gives_a_request_to_another():
    approval = request()
    ada = make_member(approval.project, Role.APPROVER, "ada")
    given = attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=make_member(approval.project))
    assert given.assigned_to == ada
    assert kinds(approval) == ["approval.assigned"]


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_only_who_may_decide_can_be_asked(who):
    approval = request()
    to = make_member(approval.project, Role.VIEWER) if who == "viewer" else make_user()
    with pytest.raises(InvalidInput):
        attention.assign(approval.pk, role=Role.APPROVER, to=to, by=make_member(approval.project))


def test_who_could_not_decide_it_is_not_asked():
    approval = request(terms=Terms(role=Role.ADMIN, not_own=True))
    ada, closed = make_member(approval.project, Role.APPROVER), make_member(approval.project)
    User.objects.filter(pk=closed.pk).update(is_active=False)
    for to in (ada, closed, approval.session.root.user):
        with pytest.raises(InvalidInput):
            attention.assign(approval.pk, role=Role.ADMIN, to=to, by=make_member(approval.project))


def test_what_a_policy_puts_to_one_person_nobody_takes_from_them():
    session = running(make_mission())
    ada, boss = (make_member(session.project, Role.APPROVER) for _ in range(2))
    (approval,) = put(session, asked(terms=Terms(person=boss.get_username())))
    with pytest.raises(Forbidden, match="This is for"):
        attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=ada)
    with pytest.raises(Forbidden, match="This is for"):
        attention.assign(approval.pk, role=Role.APPROVER, to=None, by=ada)
    assert attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=boss).assigned_to == ada
    admin = make_member(session.project)
    assert attention.assign(approval.pk, role=Role.APPROVER, to=boss, by=admin).assigned_to == boss
    User.objects.filter(pk=boss.pk).update(is_active=False)
    assert attention.assign(approval.pk, role=Role.APPROVER, to=None, by=ada).assigned_to is None


def test_what_was_escalated_to_admins_no_approver_takes_back():
    approval = request(terms=Terms(escalations=(Escalation(after=60, role=Role.ADMIN),)))
    pass_time(approval, 60)
    attention.attend(approval.pk)
    ada = make_member(approval.project, Role.APPROVER)
    with pytest.raises(Forbidden, match="role admin"):
        attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=ada)
    given = attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=make_member(approval.project))
    assert given.assigned_to == ada


def test_nobody_is_asked_for_less_than_the_policy_wants():
    approval = request(terms=Terms(role=Role.ADMIN))
    with pytest.raises(Forbidden, match="role admin"):
        attention.assign(approval.pk, role=Role.APPROVER, to=None, by=make_member(approval.project))


def test_what_several_must_decide_is_not_given_to_one():
    approval = request(terms=Terms(people=2))
    ada = make_member(approval.project)
    with pytest.raises(InvalidInput):
        attention.assign(approval.pk, role=Role.ADMIN, to=ada, by=ada)


def test_what_is_decided_is_given_to_nobody():
    approval = request(kind=WaitKind.APPROVAL, form=Form.BATCH)
    ada = make_member(approval.project)
    decisions.decide(approval.pk, Decision("approve"), by=ada, version=1)
    with pytest.raises(InvalidTransition):
        attention.assign(approval.pk, role=Role.APPROVER, to=None, by=ada)
