"""Delta channels: stored as writes, rebuilt from an ancestor's snapshot."""

import asyncio
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Durability, Send

from agents.checkpoints import QueenrightSaver, StateDamaged
from agents.models import AgentState, StateValue
from tests.agents.checkpoints.checkpoints import config_for, put

LONG = "a text that is stored once " * 20
STEPS = 12
CHANNELS = ["items", "rare", "never", "plan"]

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")


def extended(items: list[str], writes: list[list[str]]) -> list[str]:
    return [*items, *(one for write in writes for one in write)]


class State(TypedDict, total=False):
    items: Annotated[list[str], DeltaChannel(extended, snapshot_frequency=5)]
    rare: Annotated[list[str], DeltaChannel(extended, snapshot_frequency=1000)]
    plan: str
    step: int


class Part(TypedDict):
    number: int


def loop(state: State) -> State:
    step = state.get("step", 0) + 1
    return {"step": step, "items": [f"{step} {LONG}", "short"], "rare": [f"rare {step}"] if step % 4 == 0 else []}


def split(state: State) -> Any:
    return END if state["step"] >= STEPS else [Send("part", {"number": number}) for number in (10, 9)]


def part(given: Part) -> State:
    return {"items": [f"part {given['number']}"]}


def graph_on(saver: BaseCheckpointSaver[str]):
    graph = StateGraph(State)
    graph.add_node("loop", loop)
    do_part: Any = part
    graph.add_node("part", do_part)
    graph.add_edge(START, "loop")
    graph.add_conditional_edges("loop", split, ["part", END])
    graph.add_edge("part", "loop")
    return graph.compile(saver)


def states(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> list[tuple]:
    history = graph_on(saver).get_state_history(config)
    return [(one.values, one.next, one.metadata["step"]) for one in history if one.metadata]


@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_a_graph_with_delta_channels_tells_the_history_that_the_in_memory_saver_tells(
    saver: QueenrightSaver, durability: Durability
):
    told = []
    for one in (saver, InMemorySaver()):
        config = config_for()
        graph_on(one).invoke({"plan": LONG, "items": ["start"]}, config, durability=durability)
        told.append(states(QueenrightSaver() if one is saver else one, config))
    assert told[0] == told[1]
    assert len(told[0][0][0]["items"]) == 1 + 2 * STEPS + 2 * (STEPS - 1)


def test_each_history_is_what_the_walk_over_checkpoints_finds(saver: QueenrightSaver):
    config = config_for()
    graph = graph_on(saver)
    graph.invoke({"plan": LONG, "items": ["start"]}, config)
    fork = graph.update_state(list(graph.get_state_history(config))[4].config, {"items": ["forked"]}, as_node="part")
    graph.invoke(None, fork)
    seeded = 0
    for found in [config, *(found.config for found in saver.list(config))]:
        expected = BaseCheckpointSaver.get_delta_channel_history(saver, config=found, channels=CHANNELS)
        assert saver.get_delta_channel_history(config=found, channels=CHANNELS) == expected
        assert asyncio.run(saver.aget_delta_channel_history(config=found, channels=CHANNELS)) == expected
        seeded += "seed" in expected["items"]
    assert seeded > 5
    assert expected["never"] == {"writes": []}


def test_nothing_is_found_where_there_is_nothing(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"items": LONG})
    thread = stored["configurable"]["thread_id"]
    for config in (config_for(), stored, config_for(thread, checkpoint_id="one"), config_for(thread, "child")):
        assert saver.get_delta_channel_history(config=config, channels=["items"]) == {"items": {"writes": []}}
        assert saver.get_delta_channel_history(config=config, channels=[]) == {}


@pytest.mark.parametrize("keep", [1, 3])
def test_a_pruned_thread_still_rebuilds_all_that_is_left(saver: QueenrightSaver, keep: int):
    config = config_for()
    graph_on(saver).invoke({"plan": LONG, "items": ["start"]}, config)
    before = states(saver, config)
    saver.prune([config["configurable"]["thread_id"]], keep=keep)
    after = states(QueenrightSaver(), config)
    assert after == before[: len(after)]
    assert len(after) >= keep
    more = graph_on(saver).update_state(config, {"items": ["more"]}, as_node="loop")
    assert graph_on(saver).get_state(more).values["items"] == [*before[0][0]["items"], "more"]


def test_a_prune_goes_back_to_the_last_snapshots(saver: QueenrightSaver):
    class Frequent(TypedDict, total=False):
        items: Annotated[list[str], DeltaChannel(extended, snapshot_frequency=5)]
        step: int

    graph = StateGraph(Frequent)
    graph.add_node("loop", lambda state: {"step": state.get("step", 0) + 1, "items": [LONG]})
    graph.add_edge(START, "loop")
    graph.add_conditional_edges("loop", lambda state: END if state["step"] >= STEPS else "loop", ["loop", END])
    compiled, config = graph.compile(saver), config_for()
    compiled.invoke({}, config)
    count = AgentState.objects.count()
    saver.prune([config["configurable"]["thread_id"]])
    assert 1 < AgentState.objects.count() <= 6 < count
    assert compiled.get_state(config).values["items"] == [LONG] * STEPS


def test_a_lost_value_is_reported(saver: QueenrightSaver):
    config = config_for()
    graph_on(saver).invoke({"plan": LONG, "items": ["start"]}, config)
    StateValue.objects.all().delete()
    with pytest.raises(StateDamaged):
        QueenrightSaver().get_delta_channel_history(config=config, channels=["items"])
