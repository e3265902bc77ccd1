"""What a prune takes and what it leaves."""

import operator
from typing import Annotated, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agents.checkpoints import QueenrightSaver
from agents.models import AgentState, ChannelVersion, StateValue, StateWrite
from tests.agents.checkpoints.checkpoints import at, checkpoint_of, config_for, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread

LONG = "a text that is stored once " * 20


def thread_of(config: RunnableConfig) -> str:
    return config["configurable"]["thread_id"]


def line(saver: QueenrightSaver, length: int, start: RunnableConfig | None = None) -> list[RunnableConfig]:
    """Checkpoints one on top of the other, with a long text and a write of their own each."""
    made: list[RunnableConfig] = []
    for step in range(length):
        made.append(put(saver, made[-1] if made else start or config_for(), {"c": f"{step} {LONG}"}, step))
        saver.put_writes(made[-1], [("c", f"write {step} {LONG}")], "task")
    return made


def left(saver: QueenrightSaver, made: list[RunnableConfig]) -> list[int]:
    """Which of these checkpoints are still there, by their place."""
    assert all((saver.get_tuple(one) is None) is (QueenrightSaver().get_tuple(one) is None) for one in made)
    return [place for place, one in enumerate(made) if saver.get_tuple(one) is not None]


@pytest.mark.parametrize("keep", [1, 2, 3, 9])
def test_the_newest_stay_as_they_are(saver: QueenrightSaver, keep: int):
    made = line(saver, 5)
    before = {str(found.config): found for found in saver.list(config_for(thread_of(made[0])))}
    saver.prune([thread_of(made[0])], keep=keep)
    assert left(saver, made) == list(range(max(0, 5 - keep), 5))
    for one in made[-keep:]:
        assert read(QueenrightSaver(), one) == before[str(one)]
    kept = min(keep, 5)
    assert (ChannelVersion.objects.count(), StateWrite.objects.count(), StateValue.objects.count()) == (
        kept,
        kept,
        2 * kept,
    )


def test_each_namespace_keeps_its_newest(saver: QueenrightSaver):
    root = line(saver, 3)
    child = line(saver, 3, config_for(thread_of(root[0]), "child:1"))
    saver.prune([thread_of(root[0])])
    assert left(saver, root) == left(saver, child) == [2]


def test_a_named_checkpoint_stays(saver: QueenrightSaver):
    made = line(saver, 4)
    AgentState.objects.filter(checkpoint_id=made[1]["configurable"]["checkpoint_id"]).update(checkpoint_name="good")
    for _ in range(2):
        saver.prune([thread_of(made[0])])
        assert left(saver, made) == [1, 3]
    assert values_of(QueenrightSaver(), made[1]) == {"c": f"1 {LONG}"}


def test_the_base_of_a_fork_stays_when_its_branches_are_gone(saver: QueenrightSaver):
    made = line(saver, 3)
    made.append(put(saver, made[0], {"c": LONG}))
    for _ in range(2):
        saver.prune([thread_of(made[0])])
        assert left(saver, made) == [0, 3]


def test_what_goes_on_after_a_prune_elsewhere_builds_on_what_is_left(saver: QueenrightSaver):
    made = line(saver, 3)
    versions = read(saver, made[2]).checkpoint["channel_versions"]
    QueenrightSaver().prune([thread_of(made[0])])
    after = saver.put(made[2], checkpoint_of({}, versions), {}, {})
    assert values_of(QueenrightSaver(), after) == {"c": f"2 {LONG}"}


def test_a_checkpoint_put_on_top_of_a_pruned_one_keeps_all_it_was_given(ensure_thread: EnsureThread):
    saver = QueenrightSaver(ensure_thread=ensure_thread)
    made = line(saver, 2)
    checkpoint = read(saver, made[0]).checkpoint
    saver.prune([thread_of(made[0])])
    again = checkpoint_of(checkpoint["channel_values"], checkpoint["channel_versions"])
    stored = QueenrightSaver().put(made[0], again, {}, {})
    assert values_of(QueenrightSaver(), stored) == {"c": f"0 {LONG}"}


class State(TypedDict):
    done: Annotated[list[str], operator.add]


def asking(saver: QueenrightSaver):
    """A graph that asks in a sub-graph, then goes on."""
    inner = StateGraph(State)
    inner.add_node("ask", lambda state: {"done": [interrupt("may I?")]})
    inner.add_edge(START, "ask")
    graph = StateGraph(State)
    graph.add_node("before", lambda state: {"done": ["before"]})
    graph.add_node("inner", inner.compile())
    graph.add_node("after", lambda state: {"done": ["after"]})
    for one, other in [(START, "before"), ("before", "inner"), ("inner", "after"), ("after", END)]:
        graph.add_edge(one, other)
    return graph.compile(saver)


def test_a_question_that_waits_on_an_old_branch_can_still_be_answered(saver: QueenrightSaver):
    graph, config = asking(saver), config_for()
    graph.invoke({"done": []}, config)
    asked = graph.get_state(config)
    graph.update_state(asked.parent_config, {"done": ["another way"]}, as_node="after")
    for _ in range(2):
        saver.prune([thread_of(config)])
    assert graph.get_state(config).next == ()
    still = graph.get_state(asked.config)
    assert [one.value for one in still.interrupts] == ["may I?"]
    assert asking(QueenrightSaver()).invoke(Command(resume="yes"), asked.config)["done"][-2:] == ["yes", "after"]


def test_a_question_that_was_answered_goes_with_the_rest(saver: QueenrightSaver):
    graph, config = asking(saver), config_for()
    graph.invoke({"done": []}, config)
    saver.prune([thread_of(config)])
    asked = graph.get_state(config).config
    result = graph.invoke(Command(resume="yes"), config)
    saver.prune([thread_of(config)])
    assert saver.get_tuple(asked) is None
    assert graph.get_state(config).values == result
    assert len(list(saver.list(config_for(thread_of(config))))) == 1


def test_a_prune_that_takes_nothing_leaves_plans_valid(saver: QueenrightSaver, django_assert_num_queries):
    made = line(saver, 1)
    saver.prune([thread_of(made[0])])
    with django_assert_num_queries(0):  # the saver's own cursors are not counted, so none is Django's
        put(saver, made[0], {"c": 1})
    assert values_of(saver, config_for(thread_of(made[0]))) == {"c": 1}


@pytest.mark.parametrize("bad", [{"strategy": "keep_all"}, {"keep": 0}, {"keep": -1}])
def test_a_prune_that_makes_no_sense_is_refused(saver: QueenrightSaver, bad: dict):
    with pytest.raises(ValueError, match="cannot prune"):
        saver.prune(["thread"], **bad)
    with pytest.raises(ValueError, match="cannot prune"):
        saver.prune("thread")


def test_deleting_the_newest_run_makes_the_one_before_it_current(saver: QueenrightSaver):
    config = config_for()
    runs = []
    for run in ("one", "two", "two"):
        checkpoint = checkpoint_of({"c": f"{run} {LONG}"}, {"c": saver.get_next_version(None, None)})
        stored = saver.put(config, checkpoint, {"run_id": run}, checkpoint["channel_versions"])
        saver.put_writes(stored, [("d", LONG)], "task")
        runs.append(stored)
        config = stored
    saver.delete_for_runs(["two", "three"])
    assert left(saver, runs) == [0]
    assert at(saver, config_for(thread_of(config))) == runs[0]
    assert (AgentState.objects.get().is_current, StateWrite.objects.count(), StateValue.objects.count()) == (True, 1, 2)
    put(saver, runs[0], {"c": "next"})
    assert AgentState.objects.filter(is_current=True).count() == 1
