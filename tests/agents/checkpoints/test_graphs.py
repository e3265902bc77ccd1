"""Real graphs on the saver: branches, questions, sub-graphs, in both colours and every durability."""

import asyncio
import operator
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Durability, Send, interrupt

from agents.checkpoints import QueenrightSaver, scoped
from agents.models import AgentSession, AgentState
from tests.agents.checkpoints.checkpoints import config_for
from tests.pools import pool_of

TEXT = "a long text that no checkpoint repeats " * 10
BRANCHES = 3


class State(TypedDict, total=False):
    plan: str
    done: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


class Reviewed(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Branch(TypedDict):
    number: int


def plan(state: State) -> State:
    return {"plan": TEXT, "messages": [AIMessage("planned", id="plan")]}


def split(state: State) -> list[Send]:
    return [Send("work", {"number": number}) for number in range(BRANCHES)]


def work(branch: Branch) -> State:
    number = branch["number"]
    answer = interrupt({"ask": number}) if number else "nobody asked"
    return {"done": [f"{number}: {answer}"]}


def review(state: State) -> State:
    return {"messages": [AIMessage(f"reviewed {len(state['done'])}", id="review")]}


async def work_async(branch: Branch) -> State:
    await asyncio.sleep(0)
    return work(branch)


async def review_async(state: State) -> State:
    await asyncio.sleep(0)
    return review(state)


def graph_on(saver: BaseCheckpointSaver[str], is_async: bool) -> CompiledStateGraph[Any, Any, Any, Any]:
    reviewing = StateGraph(State, output_schema=Reviewed)
    reviewing.add_node("review", review_async if is_async else review)
    reviewing.add_edge(START, "review")
    graph = StateGraph(State)
    graph.add_node("plan", plan)
    do_work: Any = work_async if is_async else work
    graph.add_node("work", do_work)
    graph.add_node("reviewing", reviewing.compile())
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", split, ["work"])
    graph.add_edge("work", "reviewing")
    graph.add_edge("reviewing", END)
    return graph.compile(saver)


class Told(TypedDict):
    """What a run told, in a form that does not depend on ids."""

    asked: list[list[int]]
    result: dict[str, Any]
    history: list[tuple[object, ...]]


async def run(saver: BaseCheckpointSaver[str], durability: Durability, is_async: bool) -> Told:
    """The whole story: plan, three branches of which two ask, one answer after the other, review."""
    graph, config = graph_on(saver, is_async), config_for()
    asked = []
    command: Any = {"done": ["start"]}
    while True:
        if is_async:
            result = await graph.ainvoke(command, config, durability=durability)
            state = await graph.aget_state(config)
            history = [snapshot async for snapshot in graph.aget_state_history(config)]
        else:
            result = await asyncio.to_thread(graph.invoke, command, config, durability=durability)
            state = await asyncio.to_thread(graph.get_state, config)
            history = await asyncio.to_thread(lambda: list(graph.get_state_history(config)))
        if not state.interrupts:
            break
        asked.append(sorted(one.value["ask"] for one in state.interrupts))
        first = min(state.interrupts, key=lambda one: one.value["ask"])
        command = Command(resume={first.id: f"answer {first.value['ask']}"})
    assert state.tasks == ()
    result.pop("__interrupt__", None)
    return {
        "asked": asked,
        "result": result,
        "history": [
            (s.values, s.next, s.metadata["step"], s.metadata["source"], s.parent_config is None)
            for s in history
            if s.metadata is not None
        ],
    }


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync nodes", "async nodes"])
def test_a_graph_runs_as_on_the_in_memory_saver(saver: QueenrightSaver, durability: Durability, is_async: bool):
    ours = asyncio.run(run(saver, durability, is_async))
    theirs = asyncio.run(run(InMemorySaver(), durability, is_async))
    assert ours == theirs
    assert ours["asked"] == [[1, 2], [2]]
    assert ours["result"]["done"] == ["start", "0: nobody asked", "1: answer 1", "2: answer 2"]
    assert [message.content for message in ours["result"]["messages"]] == ["planned", "reviewed 4"]
    assert AgentState.objects.filter(checkpoint_ns="", is_current=True).count() == 1


def test_another_process_takes_over_at_a_question(saver: QueenrightSaver):
    config = config_for()
    graph_on(saver, is_async=False).invoke({"done": []}, config, durability="sync")
    elsewhere = graph_on(QueenrightSaver(), is_async=False)
    answers = {one.id: "yes" for one in elsewhere.get_state(config).interrupts}
    result = elsewhere.invoke(Command(resume=answers), config, durability="sync")
    assert result["done"] == ["0: nobody asked", "1: yes", "2: yes"]


def test_a_fork_goes_its_own_way_and_leaves_the_first(saver: QueenrightSaver):
    graph, config = graph_on(saver, is_async=False), config_for()
    graph.invoke({"done": []}, config)
    planned = next(s for s in graph.get_state_history(config) if s.next == ("work",) * BRANCHES)
    fork = graph.update_state(planned.config, {"plan": "another"}, as_node="plan")
    values = graph.get_state(fork).values
    assert values["plan"] == "another"
    assert graph.get_state(planned.config).values["plan"] == TEXT
    assert [message.content for message in values["messages"]] == ["planned"]


@pytest.fixture
def small_pool(transactional_db: None) -> Iterator[int]:
    """The database behind a pool of this many connections, which gives up soon."""
    size = 3
    with pool_of(size, timeout=5):
        yield size


@pytest.mark.parametrize("is_async", [False, True], ids=["sync nodes", "async nodes"])
def test_many_parallel_nodes_get_along_with_few_connections(small_pool: int, saver: QueenrightSaver, is_async: bool):
    @scoped()
    def count(branch: Branch) -> State:
        AgentSession.objects.count()
        return {"done": [str(branch["number"])]}

    async def count_async(branch: Branch) -> State:
        return await asyncio.to_thread(count, branch)

    graph = StateGraph(State)
    node: Any = count_async if is_async else count
    graph.add_node("work", node)
    graph.add_conditional_edges(START, lambda state: [Send("work", {"number": n}) for n in range(12)], ["work"])
    compiled = graph.compile(saver)
    for _ in range(4):
        config = config_for()
        if is_async:
            result = asyncio.run(compiled.ainvoke({"done": []}, config))
        else:
            result = compiled.invoke({"done": []}, config)
        assert result["done"] == [str(number) for number in range(12)]
