"""manage.py events: what agents told each other is compared with its events, and written back where they tell it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from agents.actor import SYSTEM
from agents.events import history, store
from agents.events.digests import json_digest
from agents.events.folds import ConversationState, ToldState
from agents.events.types import CommunicationSent
from agents.ids import new_id
from agents.lifecycle import SessionStatus
from agents.models import AgentCommunication, AgentEvent, AgentSession, Approval
from agents.roles import Level
from agents.services import control, coordination, sessions
from agents.services.projections import Communications
from agents.words import CommunicationType
from orchestrator.actions import approvals
from tests.agents.test_communications import below, tell
from tests.agents.test_sharing import limited
from tests.factories import make_mission, running
from tests.orchestrator.runtime import test_coordination as plays
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_coordination import (
    PASSING,
    let_wake,
    named,
    nobody_has_answered,
    play_of,
)
from tests.orchestrator.test_events_command import events, execute

__all__ = ["nobody_has_answered", "play_of"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

K = CommunicationType


def check_well() -> None:
    """Nothing is wrong."""
    code, lines = events("verify")
    assert code == 0, lines


@pytest.fixture
def whole(play_of, monkeypatch) -> AgentSession:
    """A mission that has ended, of agents that say everything that can be said; all is well at each of its rests."""
    monkeypatch.setitem(plays.ACTS, "share", lambda context, _: dict(context.colleagues.hand_over(key="share")))
    root = play_of(
        ("a", "ask b", "broadcast dance", "escalate"),
        ("b", "wait", "read", "share"),
        ("c", "wait", "ask d"),
        ("d", "wait"),
        ("e", "wait", "escalate"),
        ("f", "wait", "ask d"),
        ("g", "wait", "ask a", "fail"),
    )
    run_all()
    check_well()
    control.pause(named("d").pk, actor=SYSTEM, reason="")
    for name in "cfg":
        let_wake(name)
    check_well()
    let_wake("c")
    control.cancel(named("f").pk, actor=SYSTEM, reason="enough")
    check_well()
    PASSING.append(True)
    let_wake("e")
    check_well()
    approvals.decide(root.user, Approval.objects.get().pk, verdict="approve", version=1, arguments={"advice": "Read."})
    control.resume(named("d").pk, actor=SYSTEM)
    control.retry(named("f").pk, actor=SYSTEM)
    run_all()
    check_well()
    for name in "bd":
        limited(named(name), tokens=1000)
    let_wake("b")
    let_wake("d")
    return AgentSession.objects.get(pk=root.pk)


def test_a_mission_that_says_everything_is_sound_live_and_archived(whole):
    assert whole.status == SessionStatus.SUCCEEDED
    check_well()
    said = AgentCommunication.objects.all()
    assert set(said.values_list("message_type", flat=True)) == {
        "task_assignment",
        "result",
        "error",
        "validation",
        "reply",
        "knowledge_sharing",
        "escalation",
        "resource_sharing",
    }
    outcomes = set(said.filter(wait__isnull=False).values_list("outcome", flat=True))
    assert outcomes == {"answered", "declined", "timed_out", "withdrawn", "passed_on"}
    assert said.filter(sender_session=named("f"), message_type__in=("error", "result")).count() == 2

    AgentSession.objects.update(moved_at=timezone.now() - timedelta(days=100))
    assert events("archive", "--older-than", "90d")[0] == 0
    assert not AgentEvent.objects.exists()
    check_well()
    assert events("verify", "--mission", str(whole.pk)) == events("verify")
    execute("UPDATE agent_communications SET outcome = 'declined' WHERE outcome = 'timed_out'")
    assert "outcome is declined, by its events timed_out" in events("verify")[1][0]
    assert events("rebuild")[0] == 0
    check_well()


@pytest.fixture
def asked(play_of) -> AgentSession:
    """a has asked b, which answered, told its peers something and ended; b waits. b leads a group of its own."""
    root = play_of(("a", "ask b", "broadcast dance"), ("b", "wait"))
    run_all()
    with transaction.atomic():
        coordination.group_of(sessions.lock(named("b").pk))
    check_well()
    return root


REQUEST = "WHERE wait_id IS NOT NULL"
REPLY = "WHERE message_type = 'reply'"
TOLD = "WHERE message_type = 'knowledge_sharing'"
TASK = "WHERE message_type = 'task_assignment' AND processed_at IS"
GROUP_OF_B = """(SELECT coordination_id FROM agent_coordination
    JOIN agent_sessions ON session_id = coordinator_session_id WHERE name = 'b')"""
CHANGES = {
    "an outcome": (f"outcome = 'declined' {REQUEST}", "outcome is declined, by its events answered"),
    "an outcome of what is no request": (f"outcome = 'answered' {TOLD}", "outcome is answered, by its events "),
    "an end": (f"processed_at = NULL {REQUEST}", "processed_at is not set, by its events it is"),
    "an end of what is no request": (f"processed_at = now() {TOLD}", ", by its events None"),
    "an end of a task": (f"processed_at = NULL {TASK} NOT NULL", "processed_at is not set, by its events it is"),
    "an end of an open task": (f"processed_at = now() {TASK} NULL", ", by its events None"),
    "a sender": (f"sender_session_id = receiver_session_id {REPLY}", "sender_session_id is "),
    "a receiver": (f"receiver_session_id = NULL {REPLY}", "receiver_session_id is None, by its events "),
    "a receiver of all": (f"receiver_session_id = sender_session_id {TOLD}", ", by its events None"),
    "a kind": (f"message_type = 'synthesis' {TOLD}", "message_type is synthesis, by its events knowledge_sharing"),
    "a wait": (f"wait_id = NULL {REQUEST}", "wait_id is None, by its events "),
    "what it answers": (f"parent_communication_id = NULL {REPLY}", "parent_communication_id is None, by its events "),
    "a priority": (f"priority = 7 {REQUEST}", "priority is 7, by its events 0"),
    "whether it wants an answer": (f"requires_response = false {REQUEST}", "requires_response is False, by its events"),
    "a time": (f"response_timeout = '1 s' {REQUEST}", "response_timeout is 0:00:01, by its events 0:01:00"),
    "a time of what is no request": (f"response_timeout = '1 s' {TOLD}", "response_timeout is 0:00:01, by its events"),
    "a group": (f"coordination_id = {GROUP_OF_B} {TOLD}", "coordination_id is "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named_and_written_back(asked, change):
    statement, words = CHANGES[change]
    before = table()
    execute(f"UPDATE agent_communications SET {statement}")
    changed = table()
    assert changed != before
    code, lines = events("verify", "--mission", str(asked.pk))
    assert code == 1
    assert any(words in line for line in lines), lines
    assert all(line.startswith("communication ") for line in lines[:-1])
    assert events("rebuild", "--dry-run")[1] == lines
    assert table() == changed
    assert events("rebuild")[0] == 0
    assert table() == before
    check_well()


def table() -> list[dict[str, Any]]:
    """All that was told. Of an end it is known in the row alone when it was, to the microsecond."""
    rows = AgentCommunication.objects.order_by("pk").values()
    return [{**row, "processed_at": row["processed_at"] is not None} for row in rows]


@pytest.mark.parametrize("content", ["""'{"n": 1}'""", "'[]'", "('{\"n\": 1' || repeat('0', 400) || '}')"])
def test_words_that_were_changed_are_named_and_left(asked, content):
    """What was said stands in no event; but its digest does."""
    execute(f"UPDATE agent_communications SET message_content = {content}::jsonb {TOLD}")
    told = AgentCommunication.objects.get(message_type=K.KNOWLEDGE_SHARING)
    known = json_digest({"fact": "dance"})
    code, lines = events("rebuild")
    assert code == 1
    assert lines[0].startswith(f"communication {told.pk}: the digest of message_content is ")
    assert lines[0].endswith(f", by its events {known}: not rebuilt")
    assert lines[1:] == ["1 faults are left."]
    assert AgentCommunication.objects.get(pk=told.pk).message_content == told.message_content


def test_what_is_missing_is_named_and_not_made_up(asked):
    reply = AgentCommunication.objects.get(message_type=K.REPLY)
    told = AgentCommunication.objects.get(message_type=K.KNOWLEDGE_SHARING)
    conversation = reply.parent_communication.wait_id
    AgentCommunication.objects.filter(pk__in=[reply.pk, told.pk]).delete()
    assert set(events("rebuild")[1]) == {
        f"communication {conversation}: agent communication {reply.pk}: the row is missing: not rebuilt",
        f"communication {told.pk}: the row is missing: not rebuilt",
        "2 faults are left.",
    }


def test_a_conversation_that_is_gone_from_its_rows_is_named_row_by_row(asked):
    request = AgentCommunication.objects.get(wait__isnull=False)
    reply = request.followers.get()
    place = f"communication {request.wait_id}: agent communication"
    missing = [f"{place} {pk}: the row is missing" for pk in (request.pk, reply.pk)]
    request.delete()
    assert events("verify")[1][:-1] == missing


def test_what_no_event_tells_of_is_named_where_it_stands(asked):
    request = AgentCommunication.objects.get(wait__isnull=False)
    task = AgentCommunication.objects.get(message_type=K.TASK_ASSIGNMENT, processed_at=None)
    told = AgentCommunication.objects.get(message_type=K.KNOWLEDGE_SHARING)
    foreign = named("b").waits.get().pk
    places = {
        "in the conversation of a request": ({"wait_id": request.wait_id}, request.wait_id, "no event tells of it"),
        "on a request": ({"parent_communication": request}, request.wait_id, "no event tells of it"),
        "on a task": ({"parent_communication": task}, task.pk, "no event tells of it"),
        "on what was told": ({"parent_communication": told}, told.pk, "no event tells of it"),
        "on another wait": ({"wait_id": foreign}, foreign, "the row has no events"),
        "alone": ({}, None, "the row has no events"),
    }
    expected = {f"{len(places)} faults are left."}
    for columns, conversation, words in places.values():
        row = AgentCommunication.objects.get(pk=told.pk)
        row.pk = new_id()
        for name, value in columns.items():
            setattr(row, name, value)
        row.save(force_insert=True)
        place = f"{conversation}: agent communication {row.pk}" if conversation else f"{row.pk}"
        expected.add(f"communication {place}: {words}: not rebuilt")
    assert set(events("rebuild", "--mission", str(asked.pk))[1]) == expected
    assert AgentCommunication.objects.filter(message_type=K.KNOWLEDGE_SHARING).count() == 1 + len(places)


def test_what_would_have_to_name_a_row_that_is_missing_is_left(asked):
    """The reply was cut off its request, so that this could be deleted."""
    request = AgentCommunication.objects.get(wait__isnull=False)
    reply = request.followers.get()
    execute(f"UPDATE agent_communications SET parent_communication_id = NULL {REPLY}")
    execute("DELETE FROM agent_communications WHERE communication_id = %s", request.pk)
    execute(f"UPDATE agent_communications SET priority = 7 {TOLD}")
    code, lines = events("rebuild")
    assert code == 1
    assert any(line.endswith("priority is 7, by its events 0: rebuilt") for line in lines)
    place = f"communication {request.wait_id}: agent communication {reply.pk}: parent_communication_id is None"
    assert f"{place}, by its events {request.pk}: not rebuilt" in lines
    assert f"communication {reply.pk}: the row has no events: not rebuilt" in lines


def test_of_what_an_old_event_does_not_say_nothing_is_compared(asked):
    """It said neither group nor priority, nor until when a request waits."""
    told = AgentCommunication.objects.get(message_type=K.KNOWLEDGE_SHARING)
    told.pk, told.priority = new_id(), 3
    with transaction.atomic():
        told.save(force_insert=True)
        event = CommunicationSent(
            communication_id=told.pk,
            session_id=told.sender_session_id,
            receiver_id=None,
            kind=told.message_type,
            digest=json_digest(told.message_content),
        )
        store.record(event, named("a"), actor=SYSTEM, aggregate_id=told.pk)
    check_well()
    old = ToldState(told.sender_session_id, None, K.VALIDATION, "", True, None, None, None, None)
    (row,) = Communications().rows(told.pk, ConversationState({told.pk: old}))
    assert not {"coordination_id", "priority", "response_timeout"} & row.columns.keys()


def test_snapshots_of_conversations_are_what_their_events_add_up_to(asked, monkeypatch):
    monkeypatch.setattr(history, "EVERY", 2)
    request = AgentCommunication.objects.get(wait__isnull=False)
    before = history.state_at(request.wait_id)
    assert history.take_snapshots()
    assert history.state_at(request.wait_id) == before
    assert before.told[request.pk].outcome == "answered"
    assert history.state_at(request.wait_id, version=1).told[request.pk].closed_at is None
    check_well()


@pytest.mark.parametrize(
    "value",
    [
        *(0.1, -0.0, 1e15, 1e16, -1e16, 1.2345678901234567e18, 10**18 + 1, 2**63, 6.02214076e23, -1e300, 5e-324),
        "“ü” \U0001f41d \\",
        {"10": 1, "9": [None, True, ()]},
    ],
)
def test_a_digest_is_the_same_after_the_database_kept_what_was_said(value):
    ann, bob = below(running(make_mission()), Level.ARCHITECT, "ann", "bob")
    assert tell(ann, bob, K.PEER_MESSAGE, value=value)
    told = AgentCommunication.objects.get(message_type=K.PEER_MESSAGE)
    (event,) = store.load(told.pk)
    assert json_digest(told.message_content) == event.event.digest
    assert not [line for line in events("verify")[1] if line.startswith("communication ")]
