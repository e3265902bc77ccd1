"""Tools of LangChain agents: asked for, booked and run once, as all others."""

import copy
import os
import re
from pathlib import Path
from typing import Annotated, Any, NotRequired

import pytest
from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import InjectedToolArg, InjectedToolCallId, StructuredTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from agents.graphs.ports import AgentContext
from agents.lifecycle import Choice, Policy, Risk, SessionStatus
from agents.models import AgentSession, Approval, ToolExecution
from agents.roles import Level, Role
from orchestrator.env import BASE_DIR
from orchestrator.runtime import agent_types, langchain_guard
from orchestrator.runtime.agent_types import AgentType
from orchestrator.runtime.langchain_guard import Guarded, guarded
from orchestrator.tools import registry
from orchestrator.tools.langchain import imported
from orchestrator.tools.tool import Compensation
from tests.agent_types import TRACE
from tests.factories import make_member, make_mission
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import roll_back, start_of
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import Death, effects, fresh, run_to_death
from tests.scripted import Script, calls, leave


class Result(AgentMiddleware):
    """The agent's messages are its result."""

    class State(AgentState):
        result: NotRequired[dict[str, Any]]

    state_schema = State

    def after_agent(self, state, runtime):
        return {"result": {"said": [message.text for message in state["messages"] if message.type != "human"]}}


@tool
def write_line(name: str) -> str:
    """Write a line."""
    leave(name)
    return f"wrote {name}"


@tool
def strike_line(name: str) -> str:
    """Take lines out again."""
    path = Path(os.environ[TRACE])
    path.write_text("".join(f"{line}\n" for line in path.read_text().split() if line != name))
    return "struck"


@tool
def write_by_key(name: str, key: Annotated[str, InjectedToolArg]) -> str:
    """Ask a service that does what it is asked with one key once."""
    leave(key)
    return "wrote"


@tool(response_format="content_and_artifact")
def measure(name: str) -> tuple[str, Any]:
    """Something that JSON cannot hold."""
    leave(name)
    return f"about {name}\0", {"sizes": {1, 2}}


@tool
def remember(name: str, call: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Write into the state."""
    leave(name)
    return Command(update={"messages": [ToolMessage(f"noted {name}", tool_call_id=call)], "result": {"noted": name}})


described = StructuredTool(
    name="described",
    description="A tool that only a schema describes, as an MCP server's.",
    args_schema={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    func=lambda name: write_line.invoke({"name": name}),
)
TOOLS = [write_line, write_by_key, measure, remember, described]


@pytest.fixture
def agent(transactional_db, trace, own_types, monkeypatch):
    """A LangChain agent that makes these calls and says that it is done; `policies` are those of its tools."""
    monkeypatch.setattr(registry, "_TOOLS", dict(registry._TOOLS))

    def make(*lines: AIMessage, policy: Policy = Policy.RUN, build=None, **known: Any) -> AgentSession:
        for one in TOOLS:
            key = "key" if one is write_by_key else ""
            registry.register(imported(one, policy=policy, key_argument=key, **known))
        model = Script(lines=[*lines, AIMessage("done")])
        kind = AgentType("test.langchain", Level.WORKER, lambda: (build or built)(model))
        agent_types.register(kind)
        return make_mission(
            agent_type=kind.name, level=kind.level, run_input={"messages": [{"role": "user", "content": "Go"}]}
        )

    return make


def built(model: Script) -> StateGraph[Any, Any, Any, Any]:
    return create_agent(model, TOOLS, middleware=[Result(), Guarded()], context_schema=AgentContext).builder


def said(root: AgentSession) -> list[str]:
    ended = fresh(root)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    return ended.current_run.output["said"]


def test_an_imported_tool_runs_once_and_is_in_the_ledger(agent, trace):
    root = agent(calls(("write_line", {"name": "a"}), ("write_line", {"name": "b"})))
    run_all()
    assert said(root) == ["I will", "wrote a", "wrote b", "done"]
    assert effects(trace) == ["a", "b"]
    rows = ToolExecution.objects.order_by("created_at")
    assert {(row.tool_name, row.status, row.intent) for row in rows} == {("write_line", "completed", "I will")}
    assert sorted(row.input_data["name"] for row in rows) == ["a", "b"]
    assert sorted(row.output_data["content"] for row in rows) == ["wrote a", "wrote b"]


def test_a_tool_of_which_nothing_is_known_asks_a_person(agent):
    made = imported(write_line)
    assert (made.policy, made.risk, made.idempotent) == (Policy.ASK, Risk.HIGH, False)


def test_several_calls_of_a_message_are_decided_one_by_one(agent, trace):
    names = ["a", "b", "c"]
    root = agent(calls(*(("write_line", {"name": name}) for name in names)), policy=Policy.ASK)
    run_all()
    waiting = {one.proposed["name"]: one for one in Approval.objects.all()}
    assert (sorted(waiting), effects(trace)) == (names, [])
    assert {one.intent for one in waiting.values()} == {"I will"}
    decide(waiting["c"], "approve")
    run_all()
    assert effects(trace) == ["c"]
    decide(waiting["b"], "reject", reason="not this")
    run_all()
    decide(waiting["a"], "approve", arguments={"name": "x"})
    run_all()
    assert effects(trace) == ["c", "x"]
    edited = 'wrote x\n\nIt was called with other arguments, as a person decided: {"name":"x"}'
    assert said(root) == ["I will", edited, "This call was refused: not this", "wrote c", "done"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("write_line", "wrote a"), ("measure", "about a"), ("remember", "noted a"), ("described", "wrote a")],
)
def test_a_result_that_was_not_saved_is_the_same_when_its_step_is_redone(agent, trace, monkeypatch, name, told):
    """The worker dies after the tool's row was completed and before its message was in a state."""
    root = agent(calls((name, {"name": "a"})))
    given = []

    def die_once(request, handler):
        made = guarded(request, handler)
        given.append(copy.deepcopy(made))  # its message is given an id later
        if len(given) == 1:
            raise Death
        return made

    monkeypatch.setattr(langchain_guard, "guarded", die_once)
    run_to_death()
    run_all()
    assert effects(trace) == ["a"]
    assert given[0] == given[1]
    assert said(root) == ["I will", told, "done"]
    if name == "measure":
        assert (given[1].content, given[1].artifact) == ("about a\0", {"sizes": {1, 2}})


@pytest.mark.parametrize(("verdict", "ran"), [("again", ["a", "a"]), ("done", ["a"])])
def test_a_call_whose_worker_died_in_it_is_asked_about(agent, trace, monkeypatch, verdict, ran):
    root = agent(calls(("write_line", {"name": "a"})))

    def die(name: str) -> str:
        leave(name)
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(write_line, "func", die)
        run_to_death()
    run_all()
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    assert pending().allowed == ["again", "done", "stop"]
    decide(pending(), verdict)
    run_all()
    assert effects(trace) == ran
    told = (
        "wrote a" if verdict == "again" else "A person says that this call has happened. What it came to is not known."
    )
    assert said(root)[1] == told


def test_one_that_takes_a_key_is_called_again_with_the_same_key(agent, trace, monkeypatch):
    root = agent(calls(("write_by_key", {"name": "a"})))
    run = write_by_key.func

    def die(name: str, key: str) -> str:
        run(name, key)
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(write_by_key, "func", die)
        run_to_death()
    run_all()
    row = ToolExecution.objects.get()
    assert said(root)[1] == "wrote"
    assert effects(trace) == [str(row.pk)] * 2
    assert row.input_data == {"name": "a"}


@pytest.mark.parametrize("name", ["write_line", "described"])
def test_bad_arguments_are_told_to_the_model_and_nothing_is_booked(agent, trace, name):
    root = agent(calls((name, {"name": 1})), calls((name, {"name": "a"})))
    run_all()
    assert "The arguments of" in said(root)[1]
    assert "name" in said(root)[1]
    assert (effects(trace), ToolExecution.objects.count()) == (["a"], 1)


def test_a_tool_that_nobody_has_is_told_to_the_model(agent, trace):
    root = agent(calls(("fly", {})))
    run_all()
    assert "fly is not a valid tool" in said(root)[1]


def test_a_tool_that_is_not_registered_fails_the_agent_before_it_runs(agent, trace):
    root = agent(calls(("write_line", {"name": "a"})))
    del registry._TOOLS["write_line"]
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.error) == (SessionStatus.FAILED, "There is no tool “write_line”.")
    assert effects(trace) == []


def test_a_call_is_taken_back_by_another_imported_tool(agent, trace):
    registry.register(imported(strike_line, policy=Policy.RUN, idempotent=True))
    by = Compensation("strike_line", lambda arguments, output: {"name": arguments["name"]})
    root = agent(calls(("write_line", {"name": "a"})), compensation=by)
    run_all()
    roll_back(root, start_of(root), Choice.UNDO)
    assert effects(trace) == []


def test_the_same_ids_of_calls_in_two_messages_are_two_calls(agent, trace):
    root = agent(calls(("write_line", {"name": "a"})), calls(("write_line", {"name": "a"})))
    run_all()
    assert (effects(trace), ToolExecution.objects.count()) == (["a", "a"], 2)
    assert said(root).count("wrote a") == 2


@pytest.mark.parametrize("odd", ["call\0", "x" * 10_000])
def test_a_model_may_say_anything_and_give_any_id(agent, trace, odd):
    asking = calls(("write_line", {"name": "a"}), saying=odd)
    asking.tool_calls[0]["id"] = odd
    root = agent(asking)
    run_all()
    assert said(root)[1] == "wrote a"
    assert (effects(trace), ToolExecution.objects.count()) == (["a"], 1)


def test_a_tool_node_of_a_graph_of_ones_own_is_guarded_too(agent, trace):
    def build(model):
        def think(state: MessagesState) -> dict[str, Any]:
            return {"messages": [model.invoke(state["messages"])]}

        graph = StateGraph(MessagesState, context_schema=AgentContext)
        graph.add_node("think", think)
        graph.add_node("act", ToolNode(TOOLS, wrap_tool_call=guarded))
        graph.add_edge(START, "think")
        graph.add_edge("think", "act")
        graph.add_edge("act", END)
        return graph

    root = agent(calls(("write_line", {"name": "a"})), policy=Policy.ASK, build=build)
    run_all()
    assert (fresh(root).status, effects(trace)) == (SessionStatus.WAITING_APPROVAL, [])
    decide(pending(), "approve")
    run_all()
    assert (fresh(root).status, effects(trace)) == (SessionStatus.SUCCEEDED, ["a"])


def test_the_example_of_the_page_about_tools_is_asked_for_and_given_its_key(agent, trace, monkeypatch):
    agent()
    (example,) = re.findall(r"```python\n(.*?)```", (BASE_DIR / "docs" / "tools.md").read_text(), re.DOTALL)
    world: dict[str, Any] = {}
    exec(compile(example, "docs/tools.md", "exec"), world)
    lines = [
        calls(("balance", {"account": "a"}), ("pay", {"account": "b", "cents": 5})),
        AIMessage("done"),
    ]
    world["init_chat_model"] = lambda name: Script(lines=lines)
    keys = []
    monkeypatch.setattr(world["pay"], "func", lambda account, cents, key: keys.append(key) or f"paid {cents}")
    run_input = {"messages": [{"role": "user", "content": "Go"}]}
    root = make_mission(agent_type="bank.clerk", level=Level.WORKER, run_input=run_input)
    run_all()
    asked = pending()
    assert (asked.tool_name, asked.proposed, asked.risk) == ("pay", {"account": "b", "cents": 5}, Risk.HIGH)
    decide(asked, "approve", arguments={"account": "b", "cents": 6})
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert keys == [str(asked.execution_id)]
    state = agent_types.graph_for("bank.clerk").get_state({"configurable": {"thread_id": str(root.pk)}})
    said = [message.text for message in state.values["messages"] if message.type == "tool"]
    assert said[0] == "a has 100"
    assert said[1].startswith("paid 6\n\nIt was called with other arguments")


@pytest.mark.parametrize("name", ["write_line", "described"])
def test_a_person_decides_on_the_page_with_a_form_of_the_tools_own_schema(agent, trace, client, name):
    root = agent(calls((name, {"name": "a"})), policy=Policy.ASK)
    run_all()
    client.force_login(make_member(root.project, Role.APPROVER))
    asked = pending()
    assert 'id="arg-name"' in client.get(f"/approvals/{asked.pk}/").content.decode()
    client.post(f"/approvals/{asked.pk}/decide/", {"verdict": "approve", "version": 1, "arg-name": "b"})
    run_all()
    assert effects(trace) == ["b"]
    assert said(root)[1].startswith("wrote b")
