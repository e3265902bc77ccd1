"""manage.py events: what was changed is found and named, and written back where events tell it."""

import re
import threading
import time
from datetime import timedelta
from io import StringIO

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from agents.actor import SYSTEM
from agents.events import history, store, verification
from agents.events.types import SessionControlled
from agents.ids import new_id
from agents.lifecycle import SessionStatus
from agents.models import (
    AgentEvent,
    AgentRun,
    AgentSession,
    Approval,
    EventHead,
    EventSnapshot,
    SessionLease,
    ToolExecution,
)
from agents.roles import Level, Role
from agents.services import leases, sessions
from memory.models import AgentMemory
from tests.factories import make_member, make_mission
from tests.orchestrator.runtime.conftest import mission, run_all, trace
from tests.orchestrator.runtime.test_research import decide, operator, start
from tests.races import at_once

__all__ = ["mission", "operator", "trace"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


def events(*arguments: str) -> tuple[int, list[str]]:
    """The exit code of the command and what it printed."""
    out = StringIO()
    try:
        call_command("events", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def execute(statement: str, *parameters) -> None:
    """Change rows past everything that keeps them right."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.fixture
def chain():
    """A mission with five events."""
    mission = make_mission()
    with transaction.atomic():
        for control in ("pause", "", "pause", ""):
            store.record(SessionControlled(control=control), mission, actor=SYSTEM)
    return mission


@pytest.fixture
def asked(mission):
    """A worker that has an approval behind it and has ended."""
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(make_member(root.project, Role.ADMIN), "approve")
    run_all()
    return AgentSession.objects.get(pk=root.pk)


def test_a_whole_mission_is_sound_and_its_tables_are_as_its_events_tell(operator):
    mission = start(operator)
    run_all()
    decide(operator, "approve")
    run_all()
    code, lines = events("verify")
    assert code == 0, lines
    assert re.fullmatch(r"\d+ events of \d+ aggregates: all is well\.", lines[-1])
    of_mission = events("verify", "--mission", str(mission.pk))
    assert of_mission == (code, lines)  # there is nothing else
    assert events("rebuild") == (0, ["All is as the events tell."])


ATTACKS = {
    "its data": ('UPDATE agent_events SET event_data = \'{"control": "cancel"}\' WHERE version = 3', 3, "was changed"),
    "its type": ("UPDATE agent_events SET event_type = 'session.said' WHERE version = 3", 3, "was changed"),
    "its actor": ('UPDATE agent_events SET metadata = \'{"actor": "person"}\' WHERE version = 3', 3, "was changed"),
    "its time": ("UPDATE agent_events SET timestamp = timestamp - interval '1 us' WHERE version = 3", 3, "was changed"),
    "its cause": ("UPDATE agent_events SET causation_id = event_id WHERE version = 3", 3, "was changed"),
    "its mission": ("UPDATE agent_events SET correlation_id = event_id WHERE version = 3", 3, "was changed"),
    "its hash": ("UPDATE agent_events SET hash = sha256(hash) WHERE version = 3", 3, "was changed"),
    "the first": ("DELETE FROM agent_events WHERE version = 1", 1, "is missing"),
    "one in the middle": ("DELETE FROM agent_events WHERE version = 3", 3, "is missing"),
    "two in the middle": ("DELETE FROM agent_events WHERE version IN (3, 4)", 3, "to 4 are missing"),
    "the last": ("DELETE FROM agent_events WHERE version = 5", 5, "is missing"),
    "the last two": ("DELETE FROM agent_events WHERE version > 3", 4, "to 5 are missing"),
    "all": ("DELETE FROM agent_events", 1, "to 5 are missing"),
    "its aggregate type": ("UPDATE agent_events SET aggregate_type = 'memory' WHERE version = 4", 4, "is missing"),
    "the head's version": ("UPDATE agent_event_heads SET version = 4", 6, "is not the one that the head names"),
    "the head's hash": ("UPDATE agent_event_heads SET hash = sha256(hash)", 6, "is not the one that the head names"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_change_by_hand_is_found_and_the_first_broken_link_named(chain, attack):
    statement, version, words = ATTACKS[attack]
    execute(statement)
    code, lines = events("verify")
    assert code == 1
    assert lines[0] == f"session {chain.pk}: version {version} {words}"
    assert events("verify", "--mission", str(chain.pk))[0] == 1
    assert events("rebuild")[0] == 1  # what a broken chain says is not written anywhere


def test_two_events_that_change_places_are_found(chain):
    execute("UPDATE agent_events SET version = 30 WHERE version = 3")
    execute("UPDATE agent_events SET version = 3 WHERE version = 4")
    execute("UPDATE agent_events SET version = 4 WHERE version = 30")
    assert events("verify")[1][0] == f"session {chain.pk}: version 3 was changed"


def test_events_whose_head_is_gone_are_found(chain):
    EventHead.objects.all().delete()
    assert f"session {chain.pk}: has events but no head" in events("verify")[1]


def test_a_row_whose_events_are_all_gone_is_found(chain):
    AgentEvent.objects.all().delete()
    EventHead.objects.all().delete()
    assert events("verify") == (
        1,
        [f"session {chain.pk}: the row has no events", "0 events of 0 aggregates: 1 faults."],
    )
    assert events("rebuild")[0] == 1


def test_a_fault_in_one_mission_is_no_fault_of_another(chain):
    other = make_mission()
    execute("DELETE FROM agent_events WHERE aggregate_id = %s AND version = 2", chain.pk)
    assert events("verify", "--mission", str(other.pk)) == (0, ["1 events of 1 aggregates: all is well."])
    assert events("verify")[0] == 1


def test_rows_from_before_the_hash_covered_the_time_are_sound(chain):
    """As they were written until then: the hash over version and body, without project and time."""
    execute("DELETE FROM agent_events WHERE version > 1")
    execute(
        """UPDATE agent_events SET hash = sha256(convert_to('1:' || %s, 'UTF8'))""",
        _old_body(chain),
    )
    execute("UPDATE agent_event_heads h SET version = 1, hash = e.hash FROM agent_events e")
    with transaction.atomic():
        store.record(SessionControlled(control="pause"), chain, actor=SYSTEM)
        store.record(SessionControlled(control=""), chain, actor=SYSTEM)
    assert events("verify")[0] == 0
    execute("UPDATE agent_events SET metadata = '{}' WHERE version = 1")
    assert events("verify")[1][0] == f"session {chain.pk}: version 1 was changed"


def _old_body(chain) -> str:
    row = AgentEvent.objects.get(aggregate_id=chain.pk)
    covered = [
        row.event_id,
        row.event_type,
        row.aggregate_id,
        row.event_data,
        row.metadata,
        row.correlation_id,
        row.causation_id,
    ]
    return orjson.dumps(covered, option=orjson.OPT_SORT_KEYS).decode()


def test_an_unknown_event_is_named(chain, monkeypatch):
    monkeypatch.delitem(verification.apply.__globals__["APPLY"], type(next(store.load(chain.pk)).event))
    code, lines = events("verify")
    assert code == 1
    assert lines[0].startswith(f"session {chain.pk}: version 1 cannot be read: Nothing says what session.created")


def test_a_snapshot_that_was_changed_is_found(chain, monkeypatch):
    monkeypatch.setattr(history, "EVERY", 2)
    history.take_snapshots()
    assert events("verify")[0] == 0
    execute("UPDATE event_snapshots SET snapshot_data = jsonb_set(snapshot_data, '{state,status}', '\"failed\"')")
    assert f"session {chain.pk}: version 2 the snapshot is not what the events add up to" in events("verify")[1]
    assert events("rebuild") == (
        0,
        [
            f"session {chain.pk}: version {version} the snapshot is not what the events add up to: rebuilt"
            for version in (2, 4)
        ]
        + ["All is as the events tell."],
    )
    assert not EventSnapshot.objects.exists()
    assert events("verify")[0] == 0


CHANGES = {
    "a status": ("UPDATE agent_sessions SET status = 'failed'", "status is failed, by its events succeeded"),
    "a level": ("UPDATE agent_sessions SET level = 'queen'", "level is queen, by its events worker"),
    "an attempt": ("UPDATE agent_sessions SET attempt = 9", "attempt is 9, by its events 2"),
    "a priority": ("UPDATE agent_sessions SET priority = 5", "priority is 5, by its events 0"),
    "a control": ("UPDATE agent_sessions SET control = 'pause'", "control is pause, by its events "),
    "a run": ("UPDATE agent_runs SET status = 'cancelled'", "status is cancelled, by its events succeeded"),
    "a call": ("UPDATE tool_executions SET status = 'running'", "status is running, by its events completed"),
    "a tool": ("UPDATE tool_executions SET tool_name = 'look'", "tool_name is look, by its events ask_to_trace"),
    "a verdict": ("UPDATE approvals SET verdict = 'again'", "verdict is again, by its events approve"),
    "a digest": ("UPDATE approvals SET effective_digest = ''", "effective_digest is , by its events "),
    "a request": (
        "UPDATE approvals SET status = 'pending', decided_at = NULL, effective_at = NULL",
        "status is pending, by its events approved",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_live_row_that_was_changed_is_found_and_written_back(asked, change):
    statement, words = CHANGES[change]
    before = tables()
    execute(statement)
    changed = tables()
    code, lines = events("verify", "--mission", str(asked.pk))
    assert code == 1
    assert any(words in line for line in lines), lines
    assert events("rebuild", "--dry-run")[1][:-1] == lines[:-1]
    assert tables() == changed
    assert events("rebuild")[0] == 0
    assert tables() == before
    assert events("verify")[0] == 0


def tables() -> list:
    """What projections tell of, and what depends on it."""
    return [
        list(AgentSession.objects.values_list("status", "level", "attempt", "priority", "control", "current_run_id")),
        list(AgentSession.objects.filter(finished_at__isnull=False).values_list("pk")),
        list(AgentRun.objects.values_list("status", "number")),
        list(ToolExecution.objects.values_list("status", "tool_name", "attempt", "input_digest")),
        list(Approval.objects.values_list("status", "verdict", "effective_digest", "decided_by", "reason")),
        list(Approval.objects.filter(decided_at__isnull=False).values_list("pk")),
    ]


def test_a_lost_rejection_is_written_back_and_says_that_its_reason_is_lost(mission):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    decide(make_member(root.project, Role.ADMIN), "reject", reason="Not today.")
    execute(
        "UPDATE approvals SET status = 'pending', reason = '',"
        " decided_at = NULL, effective_at = NULL, decided_by_id = NULL"
    )
    assert events("rebuild")[0] == 0
    approval = Approval.objects.get()
    assert (approval.status, approval.reason) == ("rejected", "The reason is lost.")
    execute("UPDATE approvals SET status = 'pending', decided_at = NULL, effective_at = NULL, reason = 'Not today.'")
    assert events("rebuild")[0] == 0
    assert Approval.objects.get().reason == "Not today."


def test_a_session_that_runs_by_its_events_is_taken_up_again_when_it_was_rebuilt(mission):
    root = mission("test.worker")
    session = leases.claim(Level.WORKER, holder="here", lease=timedelta(seconds=6), max_running=9)
    execute("UPDATE agent_sessions SET status = 'succeeded', finished_at = now()")
    SessionLease.objects.all().delete()
    assert events("rebuild")[0] == 0
    session.refresh_from_db()
    assert (session.status, session.finished_at) == (SessionStatus.RUNNING, None)
    assert leases.requeue_expired() == [root.pk]


def test_missing_and_untold_rows_are_named_and_not_made_up(asked):
    stranger = ToolExecution.objects.get()
    known, stranger.pk, stranger.call_key = stranger.pk, new_id(), "another"
    stranger.save(force_insert=True)
    Approval.objects.all().delete()
    ToolExecution.objects.filter(pk=known).delete()
    code, lines = events("rebuild")
    assert code == 1
    assert any(f"tool execution {known}: the row is missing: not rebuilt" in line for line in lines)
    assert any(f"tool execution {stranger.pk}: no event tells of it: not rebuilt" in line for line in lines)
    assert any(line.startswith("approval ") and "the row is missing: not rebuilt" in line for line in lines)
    assert ToolExecution.objects.get().pk == stranger.pk


def test_a_memory_that_changed_past_its_events_is_found(operator):
    start(operator)
    run_all()
    memory, gone = AgentMemory.objects.order_by("pk")[:2]
    execute("UPDATE agent_memory SET content_hash = 'x' WHERE memory_id = %s", memory.pk)
    execute("DELETE FROM agent_memory WHERE memory_id = %s", gone.pk)
    _, lines = events("verify")
    assert any(line.startswith(f"memory {memory.pk}: content_hash is x") for line in lines)
    assert f"memory {gone.pk}: the row is missing" in lines


def test_verifying_neither_waits_for_writers_nor_lets_them_wait(chain):
    """A writer holds its rows all the while; and nothing that is not committed is taken for a fault."""
    outcome = []

    def verify() -> None:
        outcome.append(events("verify"))

    with transaction.atomic():
        execute("SET LOCAL lock_timeout = '20s'")
        store.record(SessionControlled(control="pause"), chain, actor=SYSTEM)
        AgentSession.objects.filter(pk=chain.pk).update(status="cancelled", finished_at=chain.created_at)
        at_once(verify)
        transaction.set_rollback(True)
    assert outcome == [(0, ["5 events of 1 aggregates: all is well."])]


def test_rebuilding_waits_for_who_is_just_changing_the_row(chain):
    """What a writer has not committed yet is not written over."""
    AgentSession.objects.filter(pk=chain.pk).update(priority=7)
    with transaction.atomic():
        session = AgentSession.objects.select_for_update().get(pk=chain.pk)
        sessions.move(session, SessionStatus.PAUSED, actor=SYSTEM)
        thread = threading.Thread(target=lambda: at_once(lambda: events("rebuild")))
        thread.start()
        wait_for_lock()
    thread.join()
    chain.refresh_from_db()
    assert (chain.status, chain.priority) == ("paused", 0)
    assert events("verify")[0] == 0


def wait_for_lock() -> None:
    """Until somebody waits for us."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)


def test_pages_of_aggregates_are_gone_through_to_the_end(monkeypatch):
    monkeypatch.setattr(verification, "PAGE", 2)
    missions = [make_mission() for _ in range(5)]
    assert events("verify") == (0, ["5 events of 5 aggregates: all is well."])
    AgentSession.objects.filter(pk=max(one.pk for one in missions)).update(priority=3)
    assert events("verify")[0] == 1


def test_a_mission_that_is_not_there_is_an_error():
    with pytest.raises(CommandError, match="no such mission"):
        events("verify", "--mission", str(new_id()))


def test_nothing_of_what_people_wrote_stands_in_an_event(asked):
    told = str(list(AgentEvent.objects.values_list("event_data", "metadata")))
    for words in (asked.goal, asked.name, Approval.objects.get().intent):
        assert words not in told
