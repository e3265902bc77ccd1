"""Copies of threads."""

from functools import partial
from uuid import UUID

import pytest

from agents.checkpoints import QueenrightSaver, ThreadNotEmpty, UnknownThread
from agents.ids import new_id
from agents.models import AgentState, StateValue
from tests.agents.checkpoints.checkpoints import config_for, put, values_of
from tests.agents.checkpoints.conftest import make_session
from tests.agents.checkpoints.test_writers import assert_whole, at_once

LONG = "a text that is stored once " * 20


def fill(saver: QueenrightSaver, thread: str) -> None:
    """Two branches in one namespace, one checkpoint in another, writes."""
    first = put(saver, config_for(thread), {"c": LONG, "d": [1], "e": 1})
    for text in ("one", "two"):
        saver.put_writes(put(saver, first, {"c": f"{text} {LONG}"}), [("c", f"write {text} {LONG}")], "task")
    put(saver, config_for(thread, "child:1"), {"c": LONG})


def history(saver: QueenrightSaver, thread: str) -> list[tuple]:
    """All that can be read of a thread but its name."""
    return [
        (
            found.checkpoint,
            found.metadata,
            found.pending_writes,
            found.config["configurable"]["checkpoint_ns"],
            (found.parent_config or {}).get("configurable", {}).get("checkpoint_id"),
        )
        for found in saver.list({"configurable": {"thread_id": thread}})
    ]


@pytest.mark.parametrize("is_shared", [True, False], ids=["one mission", "two missions"])
def test_a_copy_reads_as_its_source_and_lives_on_without_it(transactional_db: None, space_id: UUID, is_shared: bool):
    saver = QueenrightSaver()
    source, target = (
        str(make_session(new_id(), space).session_id) for space in (space_id, space_id if is_shared else new_id())
    )
    fill(saver, source)
    values = StateValue.objects.count()
    saver.copy_thread(source, target)
    expected = history(saver, source)
    assert len(expected) == 4
    assert history(saver, target) == expected
    assert StateValue.objects.count() == values * (1 if is_shared else 2)
    saver.delete_thread(source)
    assert history(QueenrightSaver(), target) == expected
    assert StateValue.objects.count() == values
    put(saver, config_for(target), {"c": "next"})
    assert values_of(saver, config_for(target)) == {"c": "next"}
    assert_whole()


def test_a_thread_that_has_states_is_not_copied_over(saver: QueenrightSaver):
    for thread in ("one", "two"):
        put(saver, config_for(thread), {"c": thread})
    for target in ("two", "one"):
        with pytest.raises(ThreadNotEmpty):
            saver.copy_thread("one", target)
    assert values_of(saver, config_for("two")) == {"c": "two"}


def test_a_copy_that_nobody_may_hold_is_refused(saver: QueenrightSaver):
    put(saver, config_for("one"), {})
    with pytest.raises(UnknownThread):
        QueenrightSaver().copy_thread("one", "nobody's")


def test_of_two_copies_to_one_thread_one_is_made(saver: QueenrightSaver):
    fill(saver, "one")
    outcomes: list[str] = []

    def copy() -> None:
        try:
            saver.copy_thread("one", "two")
            outcomes.append("made")
        except ThreadNotEmpty:
            outcomes.append("refused")

    at_once(*[partial(copy)] * 3)
    assert sorted(outcomes) == ["made", "refused", "refused"]
    assert history(saver, "two") == history(saver, "one")
    assert AgentState.objects.filter(is_current=True).count() == 4
    assert_whole()
