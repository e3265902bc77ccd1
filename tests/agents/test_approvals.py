"""Approvals are decided exactly once, by those who may, with what was asked or edited."""

from functools import partial
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from agents.actor import Actor
from agents.errors import AlreadyDecided, InvalidInput, NotFound, StaleVersion
from agents.events import store
from agents.events.digests import digest
from agents.ids import derived_id
from agents.lifecycle import ApprovalStatus, Risk, SessionStatus, WaitKind
from agents.models import AgentSession, Approval, AuditEntry, SessionWait
from agents.roles import Role
from agents.services import approvals, control, decisions, sessions, waits
from agents.services.approvals import Request
from agents.services.conclusions import Decision
from tests.factories import make_member, make_mission, make_user, running
from tests.races import at_once

QUESTION = waits.Question("i1", WaitKind.APPROVAL, "approval:publish", {}, subject="an approver", reason="risky")
PROPOSED = {"file_name": "a.md", "content": "text"}


def ask(session: AgentSession, allowed=("approve", "edit", "reject")) -> Approval:
    request = Request(
        kind="approval",
        title="Publish",
        tool_name="publish_report",
        risk=Risk.MEDIUM,
        intent="I want to",
        proposed=PROPOSED,
        allowed=allowed,
    )
    with transaction.atomic():
        locked = sessions.lock(session.pk)
        (approval,) = approvals.request(locked, QUESTION, request)
        if locked.status == SessionStatus.RUNNING:
            sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=Actor("system"))
    return approval


@pytest.fixture
def approval(db) -> Approval:
    return ask(running(make_mission()))


def test_a_request_is_made_once(approval):
    assert ask(approval.session).pk == approval.pk
    assert Approval.objects.count() == 1


def test_an_approval_queues_the_agent_with_what_was_proposed(approval):
    user = make_member(approval.project, Role.APPROVER)
    decided = decisions.decide(approval.pk, Decision("approve"), by=user, version=1)
    assert (decided.status, decided.edited, decided.effective) == (ApprovalStatus.APPROVED, None, PROPOSED)
    assert decided.effective_digest == digest(PROPOSED)
    assert AgentSession.objects.get(pk=approval.session_id).status == SessionStatus.QUEUED
    answer = SessionWait.objects.get().answer
    assert answer["key"] == "approval:publish"
    assert answer["value"]["type"] == "approve"
    assert AuditEntry.objects.get().user == user
    assert store.first_break(approval.pk) is None


def test_edited_proposed_and_effective_arguments_are_kept_apart(approval):
    edited = PROPOSED | {"file_name": "b.md"}
    decided = decisions.decide(approval.pk, Decision("approve", edited), by=make_member(approval.project), version=1)
    assert (decided.proposed, decided.edited, decided.effective) == (PROPOSED, edited, edited)
    assert SessionWait.objects.get().answer["value"]["args"] == edited


def test_a_rejection_needs_a_reason_and_hands_it_on(approval):
    with pytest.raises(InvalidInput) as caught:
        decisions.decide(approval.pk, Decision("reject", reason="  "), by=make_member(approval.project), version=1)
    assert "reason" in caught.value.data["fields"]
    decided = decisions.decide(
        approval.pk, Decision("reject", reason="Not yet"), by=make_member(approval.project), version=1
    )
    assert (decided.status, decided.effective) == (ApprovalStatus.REJECTED, None)
    assert SessionWait.objects.get().answer["value"]["message"] == "Not yet"


def test_the_second_decider_reads_who_was_first(approval):
    winner = make_member(approval.project, name="first")
    decisions.decide(approval.pk, Decision("approve"), by=winner, version=1)
    with pytest.raises(AlreadyDecided, match="Approved by first") as caught:
        decisions.decide(approval.pk, Decision("reject", reason="no"), by=make_member(approval.project), version=1)
    assert caught.value.data["by"] == "first"
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_two_people_cannot_both_decide(_round):
    approval = ask(running(make_mission()))
    people = [make_member(approval.project, Role.APPROVER) for _ in range(4)]
    verdicts = [Decision("approve"), Decision("reject", reason="no")] * 2
    outcomes = at_once(
        *[
            partial(decisions.decide, approval.pk, decision, by=person, version=1)
            for person, decision in zip(people, verdicts, strict=True)
        ]
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, Approval)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, AlreadyDecided)]
    assert (len(winners), len(losers)) == (1, 3)
    assert {loser.data["by"] for loser in losers} == {winners[0].decided_by.username}
    assert AuditEntry.objects.count() == 1
    assert SessionWait.objects.get().answer["value"]["type"] == winners[0].verdict


def test_a_request_that_changed_is_not_decided_by_what_was_seen(approval):
    with pytest.raises(StaleVersion):
        decisions.decide(approval.pk, Decision("approve"), by=make_member(approval.project), version=7)
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


def test_only_verdicts_that_the_agent_understands_are_taken(approval):
    with pytest.raises(InvalidInput, match="cannot be answered"):
        decisions.decide(approval.pk, Decision("again"), by=make_member(approval.project), version=1)


def test_what_is_not_there_is_not_found(db):
    with pytest.raises(NotFound):
        decisions.decide(uuid4(), Decision("approve"), by=make_user(), version=1)


def test_a_stopped_agent_takes_its_request_back(approval):
    control.cancel(approval.session_id, actor=Actor("system"), reason="Enough")
    approval.refresh_from_db()
    assert (approval.status, approval.reason) == (ApprovalStatus.WITHDRAWN, "Enough")
    with pytest.raises(AlreadyDecided, match="Withdrawn by the system"):
        decisions.decide(approval.pk, Decision("approve"), by=make_member(approval.project), version=1)


@pytest.mark.django_db(transaction=True)
def test_a_decision_before_the_wait_is_stored_finds_nothing_and_one_after_it_wakes_the_agent():
    """Request, wait and rest of the agent are stored together: nobody can answer one without the others."""
    mission = running(make_mission())
    approve = partial(
        decisions.decide,
        derived_id(mission.pk, "approval", "i1", 0),
        Decision("approve"),
        by=make_member(mission.project),
        version=1,
    )
    with transaction.atomic():
        ask(mission)
        (outcome,) = at_once(approve)
        assert isinstance(outcome, NotFound)
    assert AgentSession.objects.get(pk=mission.pk).status == SessionStatus.WAITING_APPROVAL
    assert approve().status == ApprovalStatus.APPROVED
    assert SessionWait.objects.get().answered_at is not None
    assert AgentSession.objects.get(pk=mission.pk).status == SessionStatus.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_decision_and_a_stop_at_once_leave_one_outcome():
    approval = ask(running(make_mission()))
    decided, _ = at_once(
        partial(decisions.decide, approval.pk, Decision("approve"), by=make_member(approval.project), version=1),
        partial(control.cancel, approval.session_id, actor=Actor("system"), reason="Enough"),
    )
    approval.refresh_from_db()
    expected = ApprovalStatus.APPROVED if isinstance(decided, Approval) else ApprovalStatus.WITHDRAWN
    assert approval.status == expected
    assert AgentSession.objects.get(pk=approval.session_id).status == SessionStatus.CANCELLED


@pytest.mark.parametrize(
    "broken",
    [
        {"status": ApprovalStatus.APPROVED},
        {"status": ApprovalStatus.REJECTED, "reason": ""},
        {"status": "maybe"},
        {"risk": "none"},
    ],
)
def test_the_database_holds_the_rules_too(approval, broken):
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(**broken)
