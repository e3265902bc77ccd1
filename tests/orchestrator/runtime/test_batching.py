"""Similar tasks are done by one agent, equal ones once; each has its own result, whatever becomes of the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from agents.graphs.ports import ChildTask
from agents.lifecycle import ApprovalStatus, SessionStatus
from agents.models import AgentSession, Approval, ToolExecution
from agents.roles import Level
from agents.selectors import reuse as selectors
from agents.services import decisions
from agents.services.conclusions import Decision
from orchestrator.runtime import runner, team
from orchestrator.runtime.agent_types import graph_for
from orchestrator.runtime.batching import Batching, Together, put_together
from tests import batchers
from tests.batchers import Job, Jobs
from tests.factories import make_member, make_mission, make_project
from tests.model_server import ModelServer
from tests.orchestrator.runtime import test_research as research
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import effects, fresh

RULE = Batching(most=3, tokens=100, alike=0.9, shared=0.5)
AXES = {"sweep": 0, "cook": 1}


def task(name: str = "a", **fields: Any) -> ChildTask:
    given: dict[str, Any] = {"agent_type": "x", "name": name, "goal": "sweep", "input": Job(name=name), "tokens": 10}
    return ChildTask(**given | fields)


def embed(texts):
    """Goals are alike where they begin with the same word."""
    return np.eye(3, dtype=np.float32)[[AXES.get(text.split()[0], 2) for text in texts]]


def made(*tasks: ChildTask, rule: Batching | None = RULE) -> list[list[list[int]]]:
    return [one.positions for one in put_together(tasks, lambda _: rule, embed)]


def test_tasks_with_goals_that_are_alike_go_together_up_to_their_number():
    assert made(*(task(name) for name in "abcd")) == [[[0], [1], [2]], [[3]]]


def test_tasks_go_together_up_to_what_they_read():
    assert made(task("a", tokens=60), task("b", tokens=50), task("c", tokens=40)) == [[[0], [2]], [[1]]]
    assert made(task("a", tokens=100), task("b", tokens=1)) == [[[0]], [[1]]]


def test_tasks_that_read_the_same_go_together_whatever_their_goals():
    tasks = [task("a", goal="sweep", reads=("p", "q")), task("b", goal="cook", reads=("q", "r", "s"))]
    assert made(*tasks) == [[[0], [1]]]
    assert made(tasks[0], replace(tasks[1], reads=("r", "s"))) == [[[0]], [[1]]]


def test_equal_tasks_are_done_once_however_long_they_are():
    twice = [task("a", tokens=999), task("b", goal="cook"), task("a", tokens=999)]
    assert made(*twice) == [[[0, 2]], [[1]]]


@pytest.mark.parametrize("own", [{"seconds": 5.0}, {"agent_type": "y"}])
def test_other_types_and_tasks_with_a_deadline_stay_apart(own):
    assert made(task("a"), task("a", **own)) == [[[0]], [[1]]]


def test_without_a_rule_every_task_has_an_agent_of_its_own():
    assert made(task("a"), task("a"), rule=None) == [[[0]], [[1]]]
    assert made(task("a"), task("b"), task("a"), rule=replace(RULE, most=1)) == [[[0, 2]], [[1]]]


@given_any(
    tasks=st.lists(
        st.builds(
            task,
            st.sampled_from("abcdef"),
            goal=st.sampled_from(["sweep", "cook", "rest"]),
            tokens=st.integers(0, 150),
            reads=st.lists(st.sampled_from("pqrs"), unique=True).map(tuple),
        ),
        max_size=20,
    ),
    most=st.integers(1, 5),
)
def test_every_task_is_done_by_one_agent_and_no_batch_is_too_large(tasks, most):
    rule = replace(RULE, most=most)
    found: list[Together] = put_together(tasks, lambda _: rule, embed)
    places = [place for one in found for positions in one.positions for place in positions]
    assert sorted(places) == list(range(len(tasks)))
    for one in found:
        assert len(one.tasks) <= most
        assert len(one.tasks) == 1 or one.tokens <= rule.tokens
        for done, positions in zip(one.tasks, one.positions, strict=True):
            assert all(tasks[place].input == done.input for place in positions)


@pytest.mark.parametrize("rule", [{"most": 0}, {"tokens": -1}])
def test_a_rule_that_makes_no_sense_is_refused(rule):
    with pytest.raises(ValueError, match="a batch has"):
        Batching(**rule)


def start(*names: str, metadata=None, **jobs) -> AgentSession:
    given_input = Jobs(names=names, **jobs).model_dump(mode="json")
    return make_mission(agent_type="test.foreman", level=Level.SPECIALIST, run_input=given_input, metadata=metadata)


def outcomes(session: AgentSession) -> list:
    return fresh(session).current_run.output["outcomes"]


def done(name: str) -> list:
    return [f"task {name}", "succeeded", {"name": name}, ""]


@pytest.fixture
def foreman(transactional_db, redis_client, trace):
    return start


def test_each_task_gets_its_own_result_in_the_order_it_was_asked(foreman, trace):
    session = foreman("d", "a", "c", "a", "b")
    run_all()
    assert outcomes(session) == [done(name) for name in "dacab"]
    assert effects(trace) == ["a", "b", "c", "d"]  # the equal one once
    batch = [[one["positions"] for one in child.batch] for child in session.children.order_by("position")]
    assert batch == [[[0], [1, 3], [2]], [[4]]]
    assert selectors.batched_in_mission(session.pk) == selectors.Batched(4, 1, 0, 0, 0)
    assert selectors.batched_in_project(session.project_id).tasks == 4


def test_a_task_that_fails_is_named_and_the_others_are_done(foreman, trace):
    session = foreman("a", "b", "c", failing=("b",))
    run_all()
    first, second, third = outcomes(session)
    assert [first, third] == [done("a"), done("c")]
    assert second == ["task b", "failed", None, "it failed: There is no floor b."]
    assert session.children.get().status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["a", "c"]


def test_when_all_fail_their_agent_has_failed_and_each_says_why(foreman):
    session = foreman("a", "b", failing=("a", "b"))
    run_all()
    assert session.children.get().status == SessionStatus.FAILED
    for name, status, output, missing in outcomes(session):
        assert (status, output) == ("failed", None)
        assert name.startswith("task ")
        assert "None of the 2 tasks could be done. a: There is no floor a." in missing


def test_a_batch_that_is_killed_half_way_does_nothing_twice(foreman, trace):
    session = foreman("a", "b", "c")
    runner.run_next(Level.SPECIALIST)
    batchers.KILLED.add("b")
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run_next(Level.WORKER)
    finally:
        batchers.KILLED.discard("b")
    assert effects(trace) == ["a"]
    child = session.children.get()
    AgentSession.objects.filter(pk=child.pk).update(status=SessionStatus.QUEUED)
    run_all()
    assert outcomes(session) == [done(name) for name in "abc"]
    assert effects(trace) == ["a", "b", "c"]
    assert ToolExecution.objects.filter(session=child).count() == 3


def test_an_answer_finds_its_tasks_even_if_they_would_be_put_together_otherwise_by_now(foreman, monkeypatch):
    session = foreman("a", "b", "c", "a")
    runner.run_next(Level.SPECIALIST)
    monkeypatch.setattr(team, "put_together", lambda tasks, rule, embed: put_together(tasks, lambda _: None, embed))
    run_all()
    assert outcomes(session) == [done(name) for name in "abca"]
    assert session.children.count() == 1


def test_an_agent_that_does_not_answer_for_each_task_has_done_none(foreman):
    session = foreman("mute", "b")
    batchers.MUTE.add("mute")
    run_all()
    assert [(status, missing) for _, status, _, missing in outcomes(session)] == [
        ("failed", "it failed: its agent gave no result for it")
    ] * 2


def test_a_mission_may_say_how_large_its_batches_are(foreman):
    apart = foreman("a", "b", "c", metadata={"batching": {"most": 1}})
    pairs = foreman("a", "b", "c", "d", metadata={"batching": {"most": 2}})
    small = foreman("a", "b", "c", metadata={"batching": {"tokens": 20}})
    run_all()
    assert [session.children.count() for session in (apart, pairs, small)] == [3, 2, 2]
    assert outcomes(apart) == [done(name) for name in "abc"]


def test_where_any_one_is_enough_every_task_has_an_agent_of_its_own(foreman):
    session = foreman("a", "b", "a", needs="any")
    runner.run_next(Level.SPECIALIST)
    assert session.children.count() == 3


def test_each_call_of_a_batch_is_approved_by_itself(foreman, trace):
    session = foreman("a", "b", "c", tool="ask_to_trace")
    run_all()
    asked = []
    while pending := Approval.objects.filter(status=ApprovalStatus.PENDING).first():
        asked.append(pending.proposed["name"])
        verdict = Decision("reject", reason="No.") if asked[-1] == "b" else Decision("approve")
        decisions.decide(pending.pk, verdict, by=session.user, version=pending.version)
        run_all()
    assert asked == ["a", "b", "c"]
    assert effects(trace) == ["a", "c"]
    assert [output for _, _, output, _ in outcomes(session)] == [{"name": "a"}, {"refused": "No."}, {"name": "c"}]


def test_a_research_mission_answers_the_same_with_batches_and_asks_its_model_less(foreman, monkeypatch):
    operator = make_member(make_project())
    found = {}
    for most in (1, 3):
        with ModelServer() as server:
            research.use_model(monkeypatch, server.base_url)
            mission = research.start(operator, "openai:thoughtful-1")
            AgentSession.objects.filter(pk=mission.pk).update(metadata=mission.metadata | {"batching": {"most": most}})
            run_all()
        queen = graph_for("research.queen").get_state({"configurable": {"thread_id": str(mission.pk)}}).values
        answers = [(answer["question"], answer["text"]) for answer in queen["report"]["answers"]]
        calls = [asked.purpose for asked in server.received if asked.purpose.startswith("extract")]
        found[most] = answers, len(calls), selectors.batched_in_mission(mission.pk)
    (alone, calls_alone, none), (together, calls_together, saved) = found[1], found[3]
    assert together == alone
    assert (none.tasks, none.calls, none.tokens) == (0, 0, 0)
    assert saved.tasks > saved.agents > 0
    assert calls_alone - calls_together == saved.calls > 0
    assert saved.tokens > 0
