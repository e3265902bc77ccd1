"""What stays when sessions are pruned by age and number, and what must stay whatever the rule."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.actor import SYSTEM
from agents.checkpoints import QueenrightSaver, deletion
from agents.checkpoints.deletion import prune_some, sweep
from agents.checkpoints.retention import Retention
from agents.ids import new_id
from agents.lifecycle import RewindKind
from agents.models import AgentSession, AgentState, Rewind, StateValue, StateWrite, ValueSpace
from agents.services import checkpoint_names
from tests.agents.checkpoints.checkpoints import config_for, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread
from tests.agents.checkpoints.test_pruning import LONG, asking, left, line, thread_of
from tests.agents.checkpoints.test_writers import assert_whole
from tests.races import at_once

NEWEST = Retention(newest=1, days=0)
MANY = 1000


def session_of(made: list[RunnableConfig]) -> UUID:
    return UUID(thread_of(made[0]))


def id_of(config: RunnableConfig) -> UUID:
    return UUID(config["configurable"]["checkpoint_id"])


def age(made: list[RunnableConfig], days: float) -> None:
    """Let that many days pass for these."""
    AgentState.objects.filter(checkpoint_id__in=map(id_of, made)).update(
        created_at=F("created_at") - timedelta(days=days)
    )


@pytest.mark.parametrize(
    ("newest", "days", "stay"),
    [(1, 0, [5]), (2, 0, [4, 5]), (1, 10, [3, 4, 5]), (4, 10, [2, 3, 4, 5]), (1, 30.5, [0, 1, 2, 3, 4, 5])],
)
def test_the_newest_stay_and_the_young(saver: QueenrightSaver, newest, days, stay):
    made = line(saver, 6)
    age(made[:3], 20)
    retention = Retention(newest=newest, days=days)
    expected = 6 - len(stay)
    assert deletion.prunable(session_of(made), retention) == expected
    assert prune_some(session_of(made), retention, MANY) == expected
    assert left(saver, made) == stay
    assert_whole()


@pytest.mark.parametrize(
    "bad", [{"newest": 0}, {"newest": True}, {"newest": 1.5}, {"days": -1}, {"days": float("nan")}, {"days": 10**6}]
)
def test_a_rule_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="not "):
        Retention(**bad)


def test_little_at_a_time_the_oldest_first(saver: QueenrightSaver):
    made = line(saver, 6)
    assert [prune_some(session_of(made), NEWEST, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert left(saver, made) == [5]
    space = AgentSession.objects.get(pk=session_of(made)).space_id
    freed = [sweep(space, 4) for _ in range(4)]
    assert [one.values for one in freed] == [4, 4, 2, 0]
    assert all(one.bytes > one.values * len(LONG) for one in freed[:3])
    assert StateValue.objects.count() == 2
    assert values_of(QueenrightSaver(), made[5]) == {"c": f"5 {LONG}"}


def test_a_name_and_a_question_stay(saver: QueenrightSaver):
    made = line(saver, 5)
    AgentState.objects.filter(checkpoint_id=id_of(made[1])).update(checkpoint_name="good")
    saver.put_writes(made[3], [("__interrupt__", "may I?")], "task")
    AgentState.objects.filter(parent_id=id_of(made[3])).update(metadata={"source": "update"}, seal=None)
    prune_some(session_of(made), NEWEST, MANY)
    assert left(saver, made) == [1, 3, 4]


def test_what_forks_copies_and_open_rewinds_go_back_to_stays(saver: QueenrightSaver, ensure_thread: EnsureThread):
    made = line(saver, 7)
    origin = AgentSession.objects.get(pk=session_of(made))
    ensure_thread(new_id(), None)
    fork = AgentSession.objects.exclude(pk=origin.pk).get()
    AgentSession.objects.filter(pk=fork.pk).update(forked_from=origin, forked_at=id_of(made[1]))
    AgentState.objects.filter(checkpoint_id=id_of(made[6])).update(
        metadata={"copied_from": str(id_of(made[2]))}, seal=None
    )
    rewind = Rewind.objects.create(
        rewind_id=new_id(),
        project=origin.project,
        session=origin,
        user=origin.user,
        kind=RewindKind.ROLLBACK,
        checkpoint_id=id_of(made[3]),
        seen_id=id_of(made[5]),
    )
    prune_some(origin.pk, NEWEST, MANY)
    assert left(saver, made) == [1, 2, 3, 5, 6]
    rewind.delete()
    AgentSession.objects.filter(pk=fork.pk).update(forked_from=None, forked_at=None)
    AgentState.objects.filter(checkpoint_id=id_of(made[6])).update(metadata={"copied_from": "nobody knows"}, seal=None)
    prune_some(origin.pk, NEWEST, MANY)
    assert left(saver, made) == [6]


def test_what_was_forked_stays_and_is_counted_so_before_it_is_marked(saver: QueenrightSaver):
    made = line(saver, 3)
    made.append(put(saver, made[0], {"c": LONG}))
    assert deletion.prunable(session_of(made), NEWEST) == prune_some(session_of(made), NEWEST, MANY) == 2
    assert left(saver, made) == [0, 3]


def test_states_of_a_sub_graph_go_with_the_state_that_it_ran_on(saver: QueenrightSaver):
    graph, config = asking(saver), config_for()
    given: list[Any] = [{"done": []}, Command(resume="yes"), {"done": []}]
    for one in given:
        graph.invoke(one, config)
    asked = graph.get_state(config)
    inner = AgentState.objects.filter(checkpoint_ns__startswith="inner:")
    assert inner.values("checkpoint_ns").distinct().count() == 2
    prune_some(UUID(thread_of(config)), NEWEST, MANY)
    assert {one.metadata["parents"][""] for one in inner} == {asked.config["configurable"]["checkpoint_id"]}
    assert [one.value for one in asking(QueenrightSaver()).get_state(config, subgraphs=True).interrupts] == ["may I?"]


def test_writes_of_a_step_that_never_got_a_state_go_when_the_graph_is_beyond_it(saver: QueenrightSaver):
    config = config_for()
    made = line(saver, 1, config)
    lost = config_for(thread_of(config), checkpoint_id=str(read_next_id(saver, made[0])))
    saver.put_writes(lost, [("c", LONG)], "task")
    prune_some(session_of(made), NEWEST, MANY)
    assert StateWrite.objects.filter(checkpoint_id=id_of(lost)).count() == 1  # it may yet get one
    made.append(put(saver, made[0], {"c": LONG}))
    prune_some(session_of(made), NEWEST, MANY)
    assert not StateWrite.objects.filter(checkpoint_id=id_of(lost)).exists()
    assert_whole()


def read_next_id(saver: QueenrightSaver, config: RunnableConfig) -> UUID:
    """An id between this checkpoint's and the next one's."""
    return UUID(int=UUID(read(saver, config).checkpoint["id"]).int + 1)


def test_prunes_beside_writers_take_nothing_that_is_needed(saver: QueenrightSaver):
    """Writers go on from their own latest state while others prune and sweep: each reads what it wrote."""
    threads = [line(saver, 1) for _ in range(2)]
    space = AgentSession.objects.get(pk=session_of(threads[0])).space_id

    def write(made: list[RunnableConfig]):
        mine = QueenrightSaver()
        for step in range(25):  # texts that were garbage a moment ago come back
            made.append(put(mine, made[-1], {"c": f"{step % 3} {LONG}"}, step))
            mine.put_writes(made[-1], [("c", f"write {step % 2} {LONG}")], "task")
            assert values_of(QueenrightSaver(), made[-1]) == {"c": f"{step % 3} {LONG}"}

    def clear():
        for _ in range(25):
            for made in threads:
                prune_some(session_of(made), NEWEST, 3)
            sweep(space, 3)

    assert at_once(*(lambda made=made: write(made) for made in threads), clear, clear) == [None] * 4
    assert_whole()
    for made in threads:
        assert values_of(QueenrightSaver(), made[-1]) == {"c": f"0 {LONG}"}


def test_a_name_given_while_it_is_pruned_counts_or_comes_too_late(saver: QueenrightSaver):
    for _ in range(5):
        made = line(saver, 4)
        session, named = session_of(made), id_of(made[1])
        outcome, _pruned = at_once(
            partial(checkpoint_names.give, session, named, "good", actor=SYSTEM),
            partial(prune_some, session, NEWEST, MANY),
        )
        assert (outcome is True) is (1 in left(saver, made))


def test_a_sweep_that_takes_too_long_is_given_up(saver: QueenrightSaver):
    made = line(saver, 3)
    space = AgentSession.objects.get(pk=session_of(made)).space_id
    prune_some(session_of(made), NEWEST, MANY)
    with transaction.atomic(), connection.cursor() as cursor:  # a writer that is slow to commit
        cursor.execute("SELECT FROM agent_value_spaces WHERE space_id = %s FOR KEY SHARE", [space])
        (outcome,) = at_once(lambda: sweep(space, MANY, milliseconds=50))
    assert isinstance(outcome, OperationalError)
    assert sweep(space, MANY).values == 4


def test_a_space_without_sessions_and_values_can_go_and_no_other(saver: QueenrightSaver):
    made = line(saver, 1)
    used = AgentSession.objects.get(pk=session_of(made)).space_id
    orphan = ValueSpace.objects.create()
    StateValue.objects.create(space=orphan, hash=b"0" * 16, kind="json", raw=b"x")
    assert [deletion.drop_space(used), deletion.drop_space(orphan.pk)] == [False, False]
    assert sweep(orphan.pk, MANY).values == 1
    assert [deletion.drop_space(used), deletion.drop_space(orphan.pk)] == [False, True]
