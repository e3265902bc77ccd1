"""Passes that prune: what they look at, that one is under way at a time, that a killed one is taken up again."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from agents.checkpoints.retention import Retention
from agents.events import store
from agents.models import AgentEvent, AgentSession, AgentState, Pruning, StateValue, ValueSpace
from agents.services import prunings
from orchestrator import pruning, tasks
from orchestrator.env import BASE_DIR
from orchestrator.runtime import agent_types
from orchestrator.runtime.saving import RunSaver
from tests import agent_types as _agents  # noqa: F401  # makes them known
from tests.agents.checkpoints.checkpoints import config_for, put
from tests.agents.checkpoints.test_pruning import LONG
from tests.factories import make_mission
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
TYPES = ("test.worker", "test.fan", "test.three")


@pytest.fixture(autouse=True)
def types(monkeypatch):
    """Some of the agents of tests, whatever else this process knows."""
    known = {name: kind for name, kind in agent_types._TYPES.items() if name in TYPES}
    monkeypatch.setattr(agent_types, "_TYPES", known)


def session_with(states: int, *, days: float = 40, agent_type: str = "test.worker", **fields) -> AgentSession:
    """A session whose states are that old."""
    session = make_mission(agent_type=agent_type, **fields)
    config, saver = config_for(str(session.pk)), RunSaver()
    for number in range(states):
        config = put(saver, config, {"c": f"{number} {LONG}"}, number)
    AgentState.objects.filter(session=session).update(created_at=F("created_at") - timedelta(days=days))
    AgentSession.objects.filter(pk=session.pk).update(moved_at=F("moved_at") - timedelta(days=days))
    return session


def left(session: AgentSession) -> int:
    return AgentState.objects.filter(session=session).count()


def pass_time(amount: timedelta) -> None:
    """Let time pass for what was saved and pruned."""
    AgentState.objects.update(created_at=F("created_at") - amount)
    AgentSession.objects.update(moved_at=F("moved_at") - amount)
    Pruning.objects.update(
        until=F("until") - amount, held_until=F("held_until") - amount, finished_at=F("finished_at") - amount
    )


def test_a_pass_deletes_what_no_rule_keeps_and_says_what_it_freed():
    session = session_with(13)
    tasks.prune()
    assert left(session) == agent_types.USUAL_RETENTION.newest == 10
    done = Pruning.objects.get()
    assert (done.sessions, done.states, done.values, done.stage) == (1, 3, 3, "done")
    assert done.freed_bytes > 3 * len(LONG)
    assert StateValue.objects.count() == 10
    (event,) = AgentEvent.objects.filter(event_type="session.pruned")
    assert (event.aggregate_id, event.event_data) == (session.pk, {"states": 3})
    assert store.first_break(session.pk) is None


def test_each_type_has_its_own_rule_and_others_are_left_alone(monkeypatch):
    for name, rule in [("test.fan", Retention(newest=2, days=0)), ("test.three", None)]:
        kind = agent_types.agent_type(name)
        changed = agent_types.AgentType(kind.name, kind.level, kind.build, retention=rule)
        monkeypatch.setitem(agent_types._TYPES, name, changed)
    sessions = [
        session_with(12, agent_type="test.fan"),
        session_with(12, agent_type="test.three"),
        session_with(12, agent_type="nobody.knows"),
        session_with(12, metadata={"imported_from": "elsewhere"}),
        session_with(12, days=29),
        session_with(12),
    ]
    pruning.run()
    assert [left(session) for session in sessions] == [2, 12, 12, 12, 12, 10]


def test_later_passes_look_only_at_what_is_new_or_has_become_too_old():
    session_with(12, days=40)
    young = session_with(12, days=29)
    pruning.run()
    assert pruning.run().sessions == 0
    pass_time(2 * DAY)
    done = pruning.run()
    assert (done.sessions, done.states, left(young)) == (1, 2, 10)
    put(RunSaver(), config_for(str(young.pk)), {"c": LONG})
    AgentSession.objects.filter(pk=young.pk).update(moved_at=Now())
    pass_time(DAY)
    done = pruning.run()
    assert (done.sessions, done.states) == (1, 1)


def test_a_pass_is_full_when_rules_change_and_once_a_week(monkeypatch):
    session_with(1)
    assert pruning.run().since is None
    assert pruning.run().since is not None
    kind = agent_types.agent_type("test.worker")
    changed = agent_types.AgentType(kind.name, kind.level, kind.build, retention=Retention(newest=3))
    with monkeypatch.context() as patch:
        patch.setitem(agent_types._TYPES, kind.name, changed)
        assert pruning.run().since is None
        assert pruning.run().since is not None
        pass_time(8 * DAY)
        assert pruning.run().since is None


def test_values_that_nothing_names_and_spaces_without_sessions_go_in_a_full_pass():
    session = session_with(1)
    used = ValueSpace.objects.get(pk=session.space_id)
    orphan = ValueSpace.objects.create()
    for space in (used, orphan):
        StateValue.objects.create(space=space, hash=b"0" * 16, kind="json", raw=b"left over")
    assert pruning.run().values == 2
    assert list(ValueSpace.objects.all()) == [used]
    assert StateValue.objects.count() == 1


def test_a_pass_that_somebody_works_on_is_left_to_them():
    Pruning.objects.create(until="2026-01-01T00:00Z", rules="", held_until="2999-01-01T00:00Z")
    assert pruning.run() is None
    out = StringIO()
    call_command("prune", stdout=out)
    assert "Somebody else" in out.getvalue()


def test_of_many_at_once_one_prunes():
    session = session_with(12)
    outcomes = at_once(*[pruning.run] * 4)
    assert all(one is None or isinstance(one, Pruning) for one in outcomes)
    assert (left(session), sum(one.states for one in Pruning.objects.all())) == (10, 2)


def test_who_was_overtaken_stops(monkeypatch):
    sessions = [session_with(12) for _ in range(3)]

    def overtaken(session_id, retention):
        Pruning.objects.update(held_until="2999-01-01T00:00Z")
        return 0

    monkeypatch.setattr(prunings, "prune", overtaken)
    assert pruning.run() is None
    assert [left(session) for session in sessions] == [12] * 3


DYING = f"""
import os, signal
import django; django.setup()
from agents.services import prunings
from orchestrator import pruning
from orchestrator.runtime import agent_types
agent_types._TYPES = {{name: agent_types._TYPES[name] for name in {TYPES}}}
calls, prune = [], prunings.prune
def die(*arguments):
    calls.append(prune(*arguments))
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return calls[-1]
prunings.prune = die
pruning.run()
"""


def test_a_killed_pass_is_taken_up_where_it_was():
    sessions = [session_with(12) for _ in range(3)]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    died = subprocess.run(
        [sys.executable, "-c", DYING],
        cwd=BASE_DIR,
        env=os.environ
        | {
            "DATABASE_URL": url.geturl(),
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            "QUEENRIGHT_AGENT_MODULES": "tests.agent_types",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert sorted(left(session) for session in sessions) == [10, 10, 12]
    broken = Pruning.objects.get()
    assert (broken.sessions, broken.finished_at) == (1, None)
    assert pruning.run() is None
    Pruning.objects.update(held_until=F("held_until") - DAY)
    done = pruning.run()
    assert (done.pk, done.sessions, done.values) == (broken.pk, 3, 6)
    assert [left(session) for session in sessions] == [10] * 3


def test_a_dry_run_says_what_would_go_and_takes_nothing():
    session = session_with(13)
    session_with(12)
    out = StringIO()
    call_command("prune", "--dry-run", stdout=out)
    assert out.getvalue() == "test.worker: 5 states of 2 sessions would be deleted.\n"
    assert (left(session), Pruning.objects.count()) == (13, 0)
    out = StringIO()
    call_command("prune", stdout=out)
    assert out.getvalue().startswith("Looked at 2 sessions: 5 states deleted, 5 values with ")
    out = StringIO()
    call_command("prune", "--dry-run", stdout=out)
    assert out.getvalue() == "Nothing would be deleted.\n"
