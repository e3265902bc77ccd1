"""Decisions that can be taken back, that several people make, and that are for some people only."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from agents.actor import SYSTEM
from agents.errors import AlreadyDecided, Forbidden, InvalidInput, StaleVersion, TooLate
from agents.events import reading, store
from agents.events.digests import digest, json_digest
from agents.events.folds import fold
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, Risk, SessionStatus, WaitKind
from agents.models import (
    Absence,
    AgentEvent,
    AgentSession,
    Approval,
    AuditEntry,
    Membership,
    Project,
    SessionWait,
    User,
    Vote,
)
from agents.policies.policy import Terms
from agents.roles import Role
from agents.selectors.approvals import standing_votes
from agents.services import control, decisions
from agents.services.conclusions import Decision
from tests.agents.desk import PROPOSED, asked, batch, pass_time, put, request
from tests.factories import make_member, make_mission, running
from tests.races import at_once

APPROVE = Decision("approve")
pytestmark = pytest.mark.django_db


def approver(approval: Approval, role: Role = Role.APPROVER, name: str = ""):
    return make_member(approval.project, role, name)


def decide(approval: Approval, by, decision: Decision = APPROVE) -> Approval:
    approval.refresh_from_db()
    return decisions.decide(approval.pk, decision, by=by, version=approval.version)


def status_of(approval: Approval) -> str:
    return AgentSession.objects.get(pk=approval.session_id).status


def kinds(approval: Approval) -> list[str]:
    return list(
        AgentEvent.objects.filter(aggregate_id=approval.pk).order_by("version").values_list("event_type", flat=True)
    )


# --- taking back


def test_a_decision_of_low_risk_reaches_the_agent_after_five_seconds():
    approval = request(risk=Risk.LOW)
    decided = decide(approval, approver(approval))
    assert decided.status == ApprovalStatus.APPROVED
    assert decided.effective_at - decided.decided_at == timedelta(seconds=5)
    assert decisions.due() == []
    assert not decisions.dispatch(approval.pk)
    assert status_of(approval) == SessionStatus.WAITING_APPROVAL
    pass_time(approval, 5)
    assert decisions.due() == [approval.pk]
    assert decisions.dispatch(approval.pk)
    assert not decisions.dispatch(approval.pk)
    assert status_of(approval) == SessionStatus.QUEUED
    assert SessionWait.objects.get().answer["value"]["args"] == PROPOSED
    assert kinds(approval) == ["approval.requested", "approval.decided", "approval.dispatched"]


def test_it_can_be_taken_back_until_then_and_decided_otherwise():
    approval = request(risk=Risk.LOW)
    ada = approver(approval)
    decide(approval, ada)
    undone = decisions.undo(approval.pk, by=ada)
    assert (undone.status, undone.effective, undone.decided_by) == (ApprovalStatus.PENDING, None, None)
    assert fold(reading.load(approval.pk)).status == ApprovalStatus.PENDING
    assert decide(approval, ada, Decision("reject", reason="No")).status == ApprovalStatus.REJECTED
    pass_time(approval, 5)
    decisions.dispatch(approval.pk)
    assert SessionWait.objects.get().answer["value"]["message"] == "No"
    assert store.first_break(approval.pk) is None


def test_after_that_it_is_too_late():
    approval = request(risk=Risk.LOW)
    ada = approver(approval)
    decide(approval, ada)
    pass_time(approval, 5)
    with pytest.raises(TooLate):
        decisions.undo(approval.pk, by=ada)


def test_nobody_takes_back_what_somebody_else_decided():
    approval = request(risk=Risk.LOW)
    decide(approval, approver(approval))
    with pytest.raises(Forbidden, match="Only who decided"):
        decisions.undo(approval.pk, by=approver(approval, Role.ADMIN))


def test_what_is_not_decided_cannot_be_taken_back():
    approval = request(risk=Risk.LOW)
    with pytest.raises(TooLate, match="no decision"):
        decisions.undo(approval.pk, by=approver(approval))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_taking_back_and_telling_at_once_leave_one_outcome(_round):
    approval = request(risk=Risk.LOW)
    ada = approver(approval)
    decide(approval, ada)
    Approval.objects.filter(pk=approval.pk).update(effective_at=timezone.now() + timedelta(milliseconds=20))
    told, undone = at_once(partial(_until_told, approval), partial(_try_undo, approval, ada))
    approval.refresh_from_db()
    assert (approval.status == ApprovalStatus.PENDING) is (undone is True)
    assert told is not undone
    assert (status_of(approval) == SessionStatus.QUEUED) is told


def _until_told(approval: Approval) -> bool:
    for _ in range(50):
        if decisions.dispatch(approval.pk):
            return True
        if Approval.objects.get(pk=approval.pk).status == ApprovalStatus.PENDING:
            return False
    return False


def _try_undo(approval: Approval, ada) -> bool:
    try:
        decisions.undo(approval.pk, by=ada)
    except TooLate:
        return False
    return True


def test_an_agent_that_is_stopped_meanwhile_is_told_nothing():
    approval = request(risk=Risk.LOW)
    decide(approval, approver(approval))
    control.cancel(approval.session_id, actor=SYSTEM, reason="Enough")
    pass_time(approval, 5)
    decisions.dispatch(approval.pk)
    assert decisions.due() == []
    assert status_of(approval) == SessionStatus.CANCELLED
    assert "value" not in SessionWait.objects.get().answer


def test_what_an_agent_that_is_stopped_was_not_told_is_withdrawn_and_asked_again_when_it_is_tried_again():
    approval = request(risk=Risk.LOW)
    ada = approver(approval)
    decide(approval, ada)
    control.cancel(approval.session_id, actor=SYSTEM, reason="Enough")
    with pytest.raises(TooLate):
        decisions.undo(approval.pk, by=ada)
    approval.refresh_from_db()
    assert (approval.status, approval.reason, approval.decided_by) == (ApprovalStatus.WITHDRAWN, "Enough", None)
    assert kinds(approval)[-3:] == ["approval.decided", "approval.undone", "approval.decided"]
    state = fold(reading.load(approval.pk))
    assert (state.status, state.decided_by) == ("withdrawn", "system")
    control.retry(approval.session_id, actor=SYSTEM)
    (again,) = put(running(approval.session), asked(risk=Risk.LOW))
    assert (again.status, again.position) == (ApprovalStatus.PENDING, 1)
    decide(again, ada)
    pass_time(again, 5)
    assert decisions.dispatch(again.pk)
    assert SessionWait.objects.get().answer["value"]["type"] == "approve"


@pytest.mark.parametrize("decided", [0, 1])
def test_a_batch_of_which_a_part_was_withdrawn_is_asked_again_as_a_whole(decided):
    made = batch({}, {})
    ada = approver(made[0])
    decide(made[decided], ada)
    control.cancel(made[0].session_id, actor=SYSTEM, reason="Enough")
    assert set(Approval.objects.values_list("status", "effective_digest")) == {(ApprovalStatus.WITHDRAWN, "")}
    assert decisions.due() == []
    control.retry(made[0].session_id, actor=SYSTEM)
    each = [asked(kind=WaitKind.FOREIGN, form=Form.BATCH, place=place) for place in range(2)]
    again = put(running(made[0].session), *each, kind=WaitKind.FOREIGN)
    assert [one.status for one in again] == [ApprovalStatus.PENDING] * 2
    for one in again:
        decide(one, ada)
    told = SessionWait.objects.get().answer["value"]
    assert told == {"decisions": [{"type": "approve"}, {"type": "approve"}]}


# --- the press of a button


def test_the_same_press_again_changes_nothing():
    approval = request()
    ada = approver(approval)
    pressed = Decision("approve", key="press-1")
    first = decisions.decide(approval.pk, pressed, by=ada, version=1)
    again = decisions.decide(approval.pk, pressed, by=ada, version=1)
    assert (again.pk, again.version) == (first.pk, first.version)
    assert AuditEntry.objects.count() == 1
    with pytest.raises(AlreadyDecided):
        decisions.decide(approval.pk, Decision("approve", key="press-2"), by=ada, version=1)


def test_a_press_that_was_taken_back_is_not_repeated_by_a_late_copy():
    approval = request(risk=Risk.LOW)
    ada = approver(approval)
    pressed = Decision("approve", key="press-1")
    decisions.decide(approval.pk, pressed, by=ada, version=1)
    decisions.undo(approval.pk, by=ada)
    assert decisions.decide(approval.pk, pressed, by=ada, version=1).status == ApprovalStatus.PENDING


@pytest.mark.django_db(transaction=True)
def test_one_press_that_comes_four_times_at_once_is_one():
    approval = request()
    ada = approver(approval)
    pressed = Decision("approve", key="press-1")
    outcomes = at_once(*[partial(decisions.decide, approval.pk, pressed, by=ada, version=1) for _ in range(4)])
    assert {outcome.version for outcome in outcomes} == {2}
    assert Vote.objects.count() == 1


# --- several people


def test_two_people_must_approve():
    approval = request(terms=Terms(people=2))
    ada, bob = approver(approval), approver(approval)
    assert decide(approval, ada).status == ApprovalStatus.PENDING
    assert status_of(approval) == SessionStatus.WAITING_APPROVAL
    decided = decide(approval, bob)
    assert (decided.status, decided.decided_by) == (ApprovalStatus.APPROVED, bob)
    assert status_of(approval) == SessionStatus.QUEUED
    assert kinds(approval) == ["approval.requested", "approval.voted", "approval.voted", "approval.decided"]


def test_nobody_counts_twice():
    approval = request(terms=Terms(people=2))
    ada = approver(approval)
    decide(approval, ada)
    assert decide(approval, ada).status == ApprovalStatus.PENDING
    assert decisions.votes(approval).count() == 1


def test_one_who_rejects_is_enough():
    approval = request(terms=Terms(people=2))
    decide(approval, approver(approval))
    decided = decide(approval, approver(approval), Decision("reject", reason="No"))
    assert decided.status == ApprovalStatus.REJECTED
    assert status_of(approval) == SessionStatus.QUEUED


def test_only_approvals_of_the_same_arguments_count_together():
    approval = request(terms=Terms(people=2))
    ada, bob, eve = (approver(approval) for _ in range(3))
    edited = PROPOSED | {"file_name": "b.md"}
    decide(approval, ada)
    assert decide(approval, bob, Decision("approve", edited)).status == ApprovalStatus.PENDING
    decided = decide(approval, eve, Decision("approve", edited))
    assert (decided.status, decided.effective, decided.effective_digest) == (
        ApprovalStatus.APPROVED,
        edited,
        digest(edited),
    )


def test_who_changes_their_mind_counts_for_the_last_thing_said():
    approval = request(terms=Terms(people=2))
    ada, bob = approver(approval), approver(approval)
    edited = PROPOSED | {"file_name": "b.md"}
    decide(approval, ada, Decision("approve", edited))
    decide(approval, ada)
    assert decide(approval, bob).effective == PROPOSED


@pytest.mark.parametrize("loss", ["role", "membership", "account"])
def test_an_approval_of_who_may_no_more_does_not_count_any_more(loss):
    approval = request(terms=Terms(people=2))
    ada, bob, eve = (approver(approval) for _ in range(3))
    decide(approval, ada)
    assert [vote.user for vote in standing_votes(approval)] == [ada]
    member = Membership.objects.filter(user=ada)
    if loss == "role":
        member.update(role=Role.OPERATOR)
    elif loss == "membership":
        member.delete()
    else:
        User.objects.filter(pk=ada.pk).update(is_active=False)
    assert standing_votes(approval) == []
    assert decide(approval, bob).status == ApprovalStatus.PENDING
    assert decide(approval, eve).status == ApprovalStatus.APPROVED
    approval.refresh_from_db()
    assert [vote.user for vote in standing_votes(approval)] == [ada, bob, eve]  # what was said stays to be read


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_of_four_who_approve_at_once_two_are_counted_and_two_come_late(_round):
    approval = request(terms=Terms(people=2))
    people = [approver(approval) for _ in range(4)]
    outcomes = at_once(*[partial(decisions.decide, approval.pk, APPROVE, by=one, version=1) for one in people])
    assert sum(isinstance(outcome, AlreadyDecided) for outcome in outcomes) == 2
    assert Approval.objects.get().status == ApprovalStatus.APPROVED
    assert kinds(approval).count("approval.decided") == 1


def test_an_edit_to_what_more_people_must_approve_waits_for_them():
    approval = request()
    ada, bob = approver(approval), approver(approval)
    edited = Decision("approve", PROPOSED | {"file_name": "b.md"})
    stricter = Terms(people=2)
    first = decisions.decide(approval.pk, edited, by=ada, version=1, terms=stricter)
    assert first.status == ApprovalStatus.PENDING
    second = decisions.decide(approval.pk, edited, by=bob, version=1, terms=stricter)
    assert second.status == ApprovalStatus.APPROVED


def test_an_edit_to_what_is_for_one_person_is_that_persons():
    approval = request()
    ada, boss, eve = (approver(approval) for _ in range(3))
    edited = Decision("approve", PROPOSED | {"file_name": "b.md"})
    terms = Terms(person=boss.get_username())
    with pytest.raises(Forbidden, match=f"for {boss.get_username()}"):
        decisions.decide(approval.pk, edited, by=ada, version=1, terms=terms)
    Absence.objects.create(project=approval.project, user=boss, stand_in=eve)
    assert decisions.decide(approval.pk, edited, by=eve, version=1, terms=terms).status == ApprovalStatus.APPROVED


def test_an_edit_to_what_is_for_somebody_who_left_is_anybodys():
    approval = request()
    edited = Decision("approve", PROPOSED | {"file_name": "b.md"})
    decided = decisions.decide(approval.pk, edited, by=approver(approval), version=1, terms=Terms(person="nobody"))
    assert decided.status == ApprovalStatus.APPROVED


# --- who


def test_nobody_decides_what_a_mission_of_their_own_asks():
    approval = request(terms=Terms(not_own=True))
    owner = approval.session.root.user
    with pytest.raises(Forbidden, match="own mission"):
        decide(approval, owner)
    assert decide(approval, approver(approval)).status == ApprovalStatus.APPROVED


def test_what_is_for_admins_is_not_for_approvers():
    approval = request(terms=Terms(role=Role.ADMIN))
    with pytest.raises(Forbidden, match="role admin"):
        decide(approval, approver(approval))
    assert decide(approval, approver(approval, Role.ADMIN)).status == ApprovalStatus.APPROVED


def test_a_role_that_was_taken_away_decides_nothing():
    approval = request()
    ada = approver(approval)
    Membership.objects.filter(user=ada).update(role=Role.VIEWER)
    with pytest.raises(Forbidden, match="yours is viewer"):
        decide(approval, ada)
    Membership.objects.filter(user=ada).delete()
    with pytest.raises(Forbidden, match="not belong"):
        decide(approval, ada)


def assigned():
    """A request, whom it is for, and somebody else."""
    first = request()
    ada, bob = approver(first, name="ada"), approver(first)
    Approval.objects.filter(pk=first.pk).update(assigned_to=ada)
    return first, ada, bob


def test_what_is_for_one_person_is_not_for_others():
    approval, ada, bob = assigned()
    with pytest.raises(Forbidden, match="This is for ada"):
        decide(approval, bob)
    assert decide(approval, ada).status == ApprovalStatus.APPROVED


@pytest.mark.parametrize(
    ("away", "may"),
    [
        ({}, True),
        ({"until": timedelta(hours=1)}, True),
        ({"since": timedelta(hours=1)}, False),
        ({"since": timedelta(hours=-2), "until": timedelta(hours=-1)}, False),
        ({"ended_at": timedelta(0)}, False),
    ],
)
def test_who_stands_in_decides_while_the_other_is_away(away, may):
    approval, ada, bob = assigned()
    times = {name: timezone.now() + span for name, span in away.items()}
    Absence.objects.create(project=approval.project, user=ada, stand_in=bob, **times)
    if may:
        assert decide(approval, bob).status == ApprovalStatus.APPROVED
    else:
        with pytest.raises(Forbidden):
            decide(approval, bob)


# --- several actions of one interrupt


def test_a_batch_is_answered_when_all_of_it_is_decided_by_position():
    first, second, third = batch(
        {"tool_name": "pay", "proposed": {"cents": 5}},
        {"tool_name": "mail", "proposed": {"to": "ada"}, "allowed": ("approve", "edit", "reject", "respond")},
        {"tool_name": "mail", "proposed": {"to": "bob"}, "may_change_tool": True},
    )
    ada = approver(first)
    decide(third, ada, Decision("approve", {"who": "bob"}, tool="call"))
    decide(first, ada)
    assert status_of(first) == SessionStatus.WAITING_APPROVAL
    decided = decide(second, ada, Decision("respond", reason="Ask her tomorrow"))
    assert decided.status == ApprovalStatus.ANSWERED
    assert status_of(first) == SessionStatus.QUEUED
    assert SessionWait.objects.get().answer["value"] == {
        "decisions": [
            {"type": "approve"},
            {"type": "respond", "message": "Ask her tomorrow"},
            {"type": "edit", "edited_action": {"name": "call", "args": {"who": "bob"}}},
        ]
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_a_batch_that_is_decided_all_at_once_is_answered_once(_round):
    made = batch(*[{"proposed": {"cents": number}} for number in range(4)])
    ada = approver(made[0])
    at_once(*[partial(decisions.decide, one.pk, APPROVE, by=ada, version=1) for one in made])
    assert len(SessionWait.objects.get().answer["value"]["decisions"]) == 4
    assert status_of(made[0]) == SessionStatus.QUEUED


def test_a_batch_waits_for_what_can_still_be_taken_back():
    first, second = batch({"risk": Risk.LOW}, {"risk": Risk.MEDIUM})
    ada = approver(first)
    decide(first, ada)
    decide(second, ada)
    assert status_of(first) == SessionStatus.WAITING_APPROVAL
    pass_time(first, 5)
    decisions.dispatch(first.pk)
    assert status_of(first) == SessionStatus.QUEUED


@pytest.mark.parametrize(
    ("changes", "decision", "field"),
    [
        ({}, Decision("respond", reason="hello"), None),
        ({}, Decision("maybe"), None),
        ({}, Decision("reject", reason=" "), "reason"),
        ({}, Decision("approve", {"cents": 1}, tool="mail"), ""),
        ({"allowed": ("approve", "reject")}, Decision("approve", {"cents": 1}), None),
        ({"allowed": ("edit",)}, APPROVE, None),
        ({}, Decision("again", {"cents": 1}), None),
        ({}, Decision("done", {"cents": 1}), None),
        ({"may_change_tool": True}, Decision("again", tool="mail"), None),
        ({"schema": {"properties": {"cents": {"type": "integer"}}}}, Decision("approve", {"cents": "1"}), "cents"),
    ],
)
def test_an_answer_that_its_graph_could_not_take_is_refused_and_the_request_stays_open(changes, decision, field):
    (approval,) = batch({"proposed": {"cents": 5}, **changes})
    with pytest.raises(InvalidInput) as refused:
        decide(approval, approver(approval), decision)
    if field is not None:
        assert list(refused.value.data["fields"]) == [field]
    approval.refresh_from_db()
    assert (approval.status, approval.version) == (ApprovalStatus.PENDING, 1)
    assert not Vote.objects.exists()


def test_a_request_that_was_changed_meanwhile_is_not_decided():
    approval = request(kind=WaitKind.APPROVAL)
    Approval.objects.filter(pk=approval.pk).update(version=2)
    with pytest.raises(StaleVersion):
        decisions.decide(approval.pk, APPROVE, by=approver(approval), version=1)


ODD = [10**20, -(10**30), 2**64, 1e16, 1e20, 1e300, -0.0, 5e-324, 0.1]


@pytest.mark.parametrize("number", ODD, ids=repr)
@pytest.mark.parametrize("is_edited", [False, True])
def test_what_is_approved_has_the_digest_of_what_the_agent_is_told_whatever_numbers_it_has(number, is_edited):
    approval = request(proposed={"cents": 1} if is_edited else {"cents": number, "all": [number]})
    decide(approval, approver(approval), Decision("approve", {"cents": number} if is_edited else None))
    told = SessionWait.objects.get().answer["value"]
    assert float(told["args"]["cents"]) == float(number)
    approval.refresh_from_db()
    assert json_digest(told["args"]) == json_digest(approval.effective) == told["digest"] == approval.effective_digest


def test_long_numbers_that_differ_a_little_are_not_the_same():
    approval = request(terms=Terms(people=2), proposed={"wei": 1})
    ada, bob = approver(approval), approver(approval)
    decide(approval, ada, Decision("approve", {"wei": 10**20 + 1}))
    assert decide(approval, bob, Decision("approve", {"wei": 10**20 + 2})).status == ApprovalStatus.PENDING
    decided = decide(approval, ada, Decision("approve", {"wei": 10**20 + 2}))
    assert (decided.status, decided.effective) == (ApprovalStatus.APPROVED, {"wei": 10**20 + 2})


def test_true_is_no_1_and_is_an_edit_that_the_graph_is_told_of():
    (approval,) = batch({"proposed": {"n": 1, "all": [0]}})
    decided = decide(approval, approver(approval), Decision("approve", {"n": 1, "all": [False]}))
    assert repr(decided.edited) == "{'n': 1, 'all': [False]}"
    (told,) = SessionWait.objects.get().answer["value"]["decisions"]
    assert (told["type"], repr(told["edited_action"]["args"]["all"])) == ("edit", "[False]")


def test_the_same_number_written_otherwise_is_what_was_proposed():
    (approval,) = batch({"proposed": {"n": 1}, "allowed": ("approve",)})
    decided = decide(approval, approver(approval), Decision("approve", {"n": 1.0}))
    assert (decided.edited, decided.effective_digest) == (None, json_digest({"n": 1}))


DEEP: list = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value", ["a\0b", "\ud800", {"a\0": 1}, float("nan"), float("inf"), DEEP], ids=lambda one: ascii(one)[:20]
)
def test_what_cannot_be_kept_is_refused_beside_its_cause(value):
    (approval,) = batch({"proposed": {"note": "x"}})
    open_ = asked(kind=WaitKind.FOREIGN, form=Form.OPEN, tool_name="", allowed=("respond",))
    (question,) = put(running(make_mission()), open_, kind=WaitKind.FOREIGN)
    text = value if isinstance(value, str) else "a\0"
    for one, decision, field in (
        (approval, Decision("approve", {"note": value}), "note"),
        (approval, Decision("reject", reason=text), "reason"),
        (approval, Decision("approve", {"note": "y"}, tool=text), ""),
        (question, Decision("respond", answer=value), "a" if isinstance(value, dict) else "answer"),
    ):
        with pytest.raises(InvalidInput) as refused:
            decide(one, approver(one), decision)
        assert list(refused.value.data["fields"]) == [field]
    assert not Vote.objects.exists()


@pytest.mark.parametrize("number", [10**400, -(10**400) - 1])
def test_a_number_of_any_length_is_kept(number):
    approval = request(proposed={"n": 1})
    assert decide(approval, approver(approval), Decision("approve", {"n": number})).effective == {"n": number}
    approval.refresh_from_db()
    assert json_digest(approval.effective) == approval.effective_digest


def test_odd_numbers_are_decided_together_with_others():
    ada = make_member(request().project)
    made = [put(running(make_mission(Project.objects.get())), asked(proposed={"n": number}))[0] for number in ODD]
    assert len(decisions.decide_together({one.pk: (APPROVE, 1) for one in made}, by=ada)) == len(ODD)
