"""A langgraph.json: what is read of it, and what is refused when Queenright starts, with file, graph and cause."""

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agents.lifecycle import Policy, SessionStatus
from agents.roles import Level
from orchestrator.env import BASE_DIR, Environment, inherited
from orchestrator.runtime import agent_types, imported_graphs
from orchestrator.tools import registry
from orchestrator.tools.langchain import imported
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import fresh

HEAD = """
from typing import TypedDict
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
class State(TypedDict, total=False):
    number: int
    result: object
def work(state):
    return {"number": state["number"] + 1}
builder = StateGraph(State)
builder.add_node("work", work)
builder.add_edge(START, "work")
builder.add_edge("work", END)
"""


@pytest.fixture
def imports(tmp_path, own_types, monkeypatch):
    """Imports a graph of this code; the kind of agent that it makes."""
    monkeypatch.setattr(registry, "_TOOLS", dict(registry._TOOLS))
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(code: str, variable: str = "graph", **more: Any) -> agent_types.AgentType:
        (tmp_path / "made.py").write_text(HEAD + code)
        told = {"dependencies": ["."], "graphs": {"made": f"./made.py:{variable}"}, **more}
        file = tmp_path / "langgraph.json"
        file.write_text(json.dumps(told))
        imported_graphs.register(file)
        return agent_types.agent_type("graph.made")

    return make


GOOD = {
    "a graph": "graph = builder",
    "a compiled graph": "graph = builder.compile()",
    "a compiled graph with settings": "graph = builder.compile().with_config(recursion_limit=5)",
    "a function": "def graph(): return builder",
    "a function that takes a config": "def graph(config): return builder if config['configurable'] == {} else 0",
    "a function that may take one": "def graph(config=None): return builder.compile()",
}


@pytest.mark.parametrize("code", GOOD.values(), ids=GOOD)
def test_a_graph_is_run_and_its_output_is_its_result(imports, transactional_db, code):
    kind = imports(code)
    assert kind.level is Level.WORKER
    root = make_mission(agent_type=kind.name, level=kind.level, run_input={"number": 1})
    run_all()
    assert fresh(root).current_run.output == {"number": 2}


BAD = {
    "graph = 5": "“graph” is of type int, and not a StateGraph",
    "other = builder": "./made.py has no variable “graph”.",
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "def graph(:": "SyntaxError: invalid syntax",
    "raise SystemExit(3)": "SystemExit: 3",
    "open('/no/such/file')": "FileNotFoundError",
    "async def graph(): return builder": "“graph” is asynchronous",
    "def graph(): raise ValueError('no key')": "“graph” makes no graph: ValueError: no key",
    "def graph(one, two): return builder": "“graph” makes no graph: TypeError",
    "def graph(): pass": "“graph” is of type NoneType",
    "graph = StateGraph(State)": "it does not compile: Graph must have an entrypoint",
    "graph = builder.compile(interrupt_before=['work'])": "Call interrupt() in the node instead.",
    "async def wait(state): pass\nbuilder.add_node('wait', wait)\ngraph = builder": "its node wait has only an async",
    "@tool\nasync def fetch(url: str):\n    'Fetch.'\nbuilder.add_node('act', ToolNode([fetch]))\ngraph = builder": (
        "its tool fetch has only an asynchronous form"
    ),
    "@tool\ndef remember(it: str):\n    'Remember.'\nbuilder.add_node('act', ToolNode([remember]))\ngraph = builder": (
        "there is another tool that is called remember"
    ),
}


@pytest.mark.parametrize(("code", "cause"), BAD.items(), ids=list(BAD))
def test_what_cannot_be_imported_is_refused_with_file_graph_and_cause(imports, tmp_path, code, cause):
    with pytest.raises(ImproperlyConfigured) as refused:
        imports(code)
    assert f"{tmp_path / 'langgraph.json'}: the graph “made” cannot be imported: " in str(refused.value)
    assert cause in str(refused.value)
    assert not agent_types.is_known("graph.made")


BAD_FILES = {
    "{": "Invalid JSON",
    "[]": "should be an object",
    "{}": "graphs: Field required",
    '{"graphs": {}}': "graphs: Dictionary should have at least 1 item",
    '{"graphs": {"a": 5}}': "graphs.a",
    '{"graphs": {"a": {"description": "x"}}}': "graphs.a.path: Field required",
    '{"graphs": {"a": "./a.py"}}': "“./a.py” is not of the form path/file.py:variable.",
    '{"graphs": {"a": "./a.py:b.c"}}': "is not of the form",
    '{"graphs": {"a b": "./a.py:b"}}': "a name has up to 100 letters",
    '{"graphs": {"a": "./a.py:b"}}': "there is no file",
    '{"graphs": {"a": "no.such.module:b"}}': "No module named 'no'",
    '{"graphs": {"a": "./a.py:b"}, "queenright": {"c": {}}}': "queenright names c, which is no graph of the file.",
    '{"graphs": {"a": "./a.py:b"}, "queenright": {"a": {"level": "king"}}}': "queenright.a.level: Input should be",
    '{"graphs": {"a": "./a.py:b"}, "queenright": {"a": {"rank": "queen"}}}': "queenright.a.rank: Extra inputs",
}


@pytest.mark.parametrize(("text", "cause"), BAD_FILES.items(), ids=list(BAD_FILES))
def test_a_file_that_does_not_fit_is_refused(tmp_path, own_types, monkeypatch, text, cause):
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "langgraph.json"
    file.write_text(text)
    with pytest.raises(ImproperlyConfigured) as refused:
        imported_graphs.register(file)
    assert str(file) in str(refused.value)
    assert cause in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"none\.json cannot be read: No such file"):
        imported_graphs.register(tmp_path / "none.json")


def test_two_graphs_of_one_name_are_refused(imports):
    imports("graph = builder")
    with pytest.raises(ImproperlyConfigured, match="another graph has this name"):
        imports("graph = builder")


def test_a_tool_that_somebody_registered_is_what_they_said_if_it_is_the_same(imports):
    code = "@tool\ndef look({}):\n    'Look.'\nbuilder.add_node('act', ToolNode([look]))\ngraph = builder"
    imports(code.format("at: str"))
    registry.register(imported(_tool_of("look"), policy=Policy.RUN))
    agent_types._TYPES.pop("graph.made")
    imports(code.format("at: str"))
    assert registry.tool_named("look").policy is Policy.RUN


def _tool_of(name: str) -> Any:
    (module,) = [one for key, one in sys.modules.items() if key.startswith("queenright_graph_") and hasattr(one, name)]
    return getattr(module, name)


def test_modules_beside_the_file_and_in_the_folders_that_it_depends_on_can_be_imported(imports, tmp_path):
    (tmp_path / "beside_it.py").write_text("ONE = 1")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "deeper_still.py").write_text("TWO = 2")
    imports("import beside_it, deeper_still\ngraph = builder", dependencies=["./parts", "langchain"])


@dataclass
class Odd:
    size: float = math.nan


ODD = object()
SAID = [HumanMessage("hi"), AIMessage("Well."), ToolMessage("x", tool_call_id="1")]


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ({"result": {"a": 1}, "messages": SAID}, {"a": 1}),
        ({"result": "words"}, "words"),
        ({"result": 0}, 0),
        ({"result": None, "messages": SAID}, {"text": "Well."}),
        ({"structured_response": Odd(), "messages": SAID}, {"size": None}),
        ({"messages": [AIMessage([{"type": "text", "text": "In parts."}])]}, {"text": "In parts."}),
        ({"messages": [HumanMessage("hi")], "number": 1, "own": 2}, {"number": 1}),
        ({"messages": None, "number": b"\xff"}, {"number": "_w=="}),
        ({"number": "a\0\ud800"}, {"number": "a?"}),
        ({"number": ODD}, {"number": str(ODD)}),
        ({"number": {1, 2}}, {"number": [1, 2]}),
        ([1, 2], [1, 2]),
    ],
    ids=range(12),
)
def test_whatever_a_graph_leaves_its_result_is_json(values, result):
    assert imported_graphs.result_of(["number"])(values) == result


def test_what_goes_round_in_a_circle_has_no_end_and_is_no_result():
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    with pytest.raises(ValueError, match="ircular"):
        imported_graphs.result_of(["number"])({"number": circle})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("def fail(state): raise RuntimeError('broken')", "RuntimeError: broken"),
        ("def fail(state): return 5", "InvalidUpdateError"),
        ("def fail(state): return {'number': 1 / 0}", "ZeroDivisionError"),
        ("from langgraph.types import Command\ndef fail(state): return Command(goto='fail')", "more than 200 steps"),
    ],
)
def test_a_graph_that_fails_or_never_ends_fails_as_any_agent(imports, transactional_db, code, error):
    kind = imports(f"{code}\nbuilder.add_node('fail', fail)\nbuilder.add_edge('work', 'fail')\ngraph = builder")
    root = make_mission(agent_type=kind.name, level=kind.level, run_input={"number": 1})
    run_all()
    ended = fresh(root)
    assert ended.status == SessionStatus.FAILED
    assert error in ended.current_run.error


def test_an_input_that_the_graph_does_not_take_fails_it(imports, transactional_db):
    kind = imports("graph = builder")
    root = make_mission(agent_type=kind.name, level=kind.level, run_input={"other": 1})
    run_all()
    assert fresh(root).status == SessionStatus.FAILED


def test_paths_are_meant_from_where_the_command_was_given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUEENRIGHT_GRAPHS", "one/langgraph.json, ~/two.json")
    first, second = Environment().graphs
    assert first == tmp_path / "one" / "langgraph.json"
    assert second.is_absolute()
    assert "~" not in str(second)


def started(graphs: str) -> "subprocess.CompletedProcess[str]":
    code = "import orchestrator.celery; import django; django.setup(); "
    code += "from orchestrator.runtime import agent_types; print(agent_types.is_known('graph.inbox'))"
    variables = inherited(QUEENRIGHT_GRAPHS=graphs, QUEENRIGHT_SECRET_KEY="none")
    variables["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, env=variables, capture_output=True, text=True, timeout=60
    )


def test_every_process_knows_the_graphs(tmp_path):
    assert started("tests/graphs/langgraph.json").stdout == "True\n"


def test_no_process_starts_with_a_graph_that_cannot_be_imported(tmp_path):
    missing = tmp_path / "langgraph.json"
    variables = {**os.environ, "QUEENRIGHT_GRAPHS": str(missing), "QUEENRIGHT_SECRET_KEY": "none"}
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=BASE_DIR, env=variables, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"{missing} cannot be read: No such file or directory"
