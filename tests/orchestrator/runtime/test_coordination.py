"""Agents that ask and tell each other: answered once while they wait, and nobody waits for ever."""

import operator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, TypedDict

import pytest
from django.db import OperationalError
from django.db.models.functions import Now
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.actor import SYSTEM
from agents.errors import AlreadyDecided, Fenced, InvalidInput
from agents.events.verification import Verification
from agents.graphs.colleagues import PassOn
from agents.graphs.findings import Piece
from agents.graphs.ports import AgentContext, ChildTask
from agents.ids import new_id
from agents.lifecycle import RewindKind, SessionStatus
from agents.models import (
    AgentCommunication,
    AgentEvent,
    AgentMessage,
    AgentRun,
    AgentSession,
    Approval,
    SessionLease,
    SessionWait,
)
from agents.roles import Level
from agents.services import control, requests, rewinds, subtrees, timers
from agents.services.leases import Holding
from agents.services.rewinds import Request as RewindRequest
from agents.words import CommunicationType
from orchestrator import sweeper
from orchestrator.actions import approvals
from orchestrator.actions.events import PROJECTIONS
from orchestrator.runtime import agent_types, colleagues, rewinding, runner
from orchestrator.runtime.agent_types import AgentType
from tests.factories import make_mission, running
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_runner import fresh
from tests.races import at_once

VALIDATION = CommunicationType.VALIDATION
KNOWLEDGE = CommunicationType.KNOWLEDGE_SHARING


class Part(Piece):
    """What one agent of a play does, node after node."""

    plays: tuple[str, ...] = ()
    below: tuple[tuple[str, ...], ...] = ()


class State(TypedDict, total=False):
    plays: list[str]
    below: list[list[str]]
    heard: Annotated[list[Any], operator.add]
    result: dict[str, Any]


Context = Runtime[AgentContext]
BELOW = {Level.QUEEN: "play.architect", Level.ARCHITECT: "play.specialist", Level.SPECIALIST: "play.worker"}
ANSWERED: list[str] = []
PASSING: list[bool] = []


def peer_named(context: AgentContext, name: str):
    return next(one for one in context.colleagues.peers() if one.name == name)


def lead(context: AgentContext, level: Level, state: State) -> Any:
    tasks = [
        ChildTask(
            agent_type=BELOW[level], name=plays[0].partition(" ")[2], goal="play", input=Part(plays=tuple(plays[1:]))
        )
        for plays in state["below"]
    ]
    return [child.output or child.error for child in context.team.delegate(tasks, key="play", reason="they play")]


def ask(context: AgentContext, whom: str) -> Any:
    to = peer_named(context, whom).session_id
    reply = context.colleagues.request(VALIDATION, {"n": 0}, to=to, key="ask", reason="doubt", seconds=60)
    return [reply.outcome, reply.by, reply.content, reply.missing]


def escalate(context: AgentContext, whom: str) -> Any:
    advice = context.colleagues.escalate("it is hard", key="hard", reason="it is stuck", seconds=60)
    return [advice.verdict, advice.words, advice.by]


def rest(context: AgentContext, whom: str) -> Any:
    context.waiting.sleep(3600, key="wait", reason="it has time")
    return "wait"


def broadcast(context: AgentContext, fact: str) -> Any:
    context.colleagues.broadcast(KNOWLEDGE, {"fact": fact}, key=fact)
    return "broadcast"


def read(context: AgentContext, times: str) -> Any:
    told = [one for _ in (times or "once").split() for one in context.colleagues.read()]
    return [f"{one.sender.name}: {one.content['fact']}" for one in told]


def fail(context: AgentContext, whom: str) -> Any:
    raise RuntimeError("it was told to fail")


ACTS = {"ask": ask, "escalate": escalate, "wait": rest, "broadcast": broadcast, "read": read, "fail": fail}


def play(level: Level, number: int, state: State, runtime: Context) -> State:
    """One act, in words: what it does, and with whom."""
    if number >= len(state["plays"]):
        return {}
    act, _, whom = state["plays"][number].partition(" ")
    if act == "lead":
        return {"heard": lead(runtime.context, level, state)}
    return {"heard": [ACTS[act](runtime.context, whom) if act in ACTS else act]}


def end(state: State, runtime: Context) -> State:
    return {"result": {"heard": state.get("heard", [])}}


def graph(level: Level) -> StateGraph[State, AgentContext, State, State]:
    made = StateGraph(State, context_schema=AgentContext)
    last = START
    for number in range(4):
        made.add_node(f"act{number}", partial(play, level, number))
        made.add_edge(last, f"act{number}")
        last = f"act{number}"
    made.add_node("end", end)
    made.add_edge(last, "end")
    made.add_edge("end", END)
    return made


def answers(respondent: Any, message: Any, state: Any) -> Any:
    ANSWERED.append(f"{respondent.name} to {message.sender.name}")
    if message.kind == CommunicationType.ESCALATION:
        return (
            PassOn(f"{respondent.name} does not know")
            if PASSING
            else {
                "verdict": "skip",
                "words": f"{respondent.name} says so",
            }
        )
    return {"heard": state.get("heard", []), "asked": message.content["n"]}


for level in Level:
    agent_types.register(AgentType(f"play.{level}", level, partial(graph, level), answers=answers))
agent_types.register(AgentType("play.mute", Level.SPECIALIST, partial(graph, Level.SPECIALIST)))


@pytest.fixture(autouse=True)
def nobody_has_answered():
    ANSWERED.clear()
    PASSING.clear()


@pytest.fixture
def play_of(transactional_db):
    """An architect over specialists, each given as "name" and what it plays."""

    def make(*below: tuple[str, ...], plays: tuple[str, ...] = ("lead",)) -> AgentSession:
        part = Part(plays=plays, below=tuple((f"_ {name}", *acts) for name, *acts in below))
        return make_mission(agent_type="play.architect", level=Level.ARCHITECT, run_input=part.model_dump(mode="json"))

    return make


def named(name: str) -> AgentSession:
    return AgentSession.objects.select_related("current_run").get(name=name)


def heard(name: str) -> Any:
    return named(name).current_run.output["heard"]


def request_of(name: str) -> AgentCommunication:
    return AgentCommunication.objects.get(sender_session__name=name, wait__isnull=False)


def let_pass(name: str) -> None:
    """The time of whoever waits has passed."""
    SessionWait.objects.filter(session__name=name, answered_at=None, due_at__isnull=False).update(
        due_at=Now() - timedelta(seconds=1)
    )


def let_wake(name: str) -> None:
    let_pass(name)
    sweeper.fire_timers()
    run_all()


def ask_who_is_paused(play_of) -> None:
    """a asks b, who does not answer."""
    play_of(("a", "wait", "ask b"), ("b", "wait"))
    run_all()
    control.pause(named("b").pk, actor=SYSTEM, reason="")
    let_wake("a")


def run(session: AgentSession) -> None:
    runner.run_next(Level(session.level))


def test_a_peer_that_waits_answers_and_waits_on(play_of):
    play_of(("a", "ask b"), ("b", "note", "wait"))
    run_all()
    assert heard("a") == [["answered", "b", {"heard": ["note"], "asked": 0}, ""]]
    b = named("b")
    assert b.status == SessionStatus.WAITING_TIMER
    assert b.waits.get().answered_at is None
    request = request_of("a")
    assert (request.outcome, request.requires_response) == ("answered", True)
    assert request.processed_at
    reply = request.followers.get()
    assert (reply.message_type, reply.sender_session, reply.receiver_session) == ("reply", b, named("a"))


def test_answering_changes_no_state_of_who_answers(play_of):
    play_of(("a", "wait", "ask b"), ("b", "note", "wait"))
    run_all()
    before = list(named("b").states.order_by("pk").values_list("pk", "state_hash"))
    let_wake("a")
    assert list(named("b").states.order_by("pk").values_list("pk", "state_hash")) == before
    assert ANSWERED == ["b to a"]
    assert AgentMessage.objects.filter(session=named("b")).count() == 0


def test_two_that_ask_each_other_both_get_their_answer(play_of):
    play_of(("a", "ask b"), ("b", "ask a"))
    run_all()
    assert heard("a")[0][:2] == ["answered", "b"]
    assert heard("b")[0][:2] == ["answered", "a"]


def test_the_agent_above_answers_while_it_waits_for_those_below(play_of):
    root = play_of(("a", "escalate"))
    run_all()
    assert heard("a") == [["skip", "Mission says so", "Mission"]]
    assert fresh(root).status == SessionStatus.SUCCEEDED


def test_nobody_who_waits_for_an_answer_holds_anything_and_time_outs_name_who_was_silent(play_of):
    ask_who_is_paused(play_of)
    asker = named("a")
    assert asker.status == SessionStatus.WAITING_EVENT
    assert not SessionLease.objects.filter(session=asker).exists()
    assert asker.waits.get(answered_at=None).reason == "doubt"
    let_pass("a")
    sweeper.sweep()
    run_all()
    assert heard("a")[-1] == ["timed_out", "b", None, "b: it did not answer in time"]
    assert request_of("a").outcome == "timed_out"
    control.resume(named("b").pk, actor=SYSTEM)
    run_all()
    assert (ANSWERED, named("b").status) == ([], SessionStatus.WAITING_TIMER)


def test_a_paused_agent_answers_when_it_goes_on(play_of):
    ask_who_is_paused(play_of)
    control.resume(named("b").pk, actor=SYSTEM)
    run_all()
    assert heard("a")[-1][0] == "answered"
    assert named("b").status == SessionStatus.WAITING_TIMER


def test_who_has_ended_is_answered_for_at_once(play_of):
    play_of(("a", "wait", "ask b"), ("b", "note"))
    run_all()
    let_wake("a")
    assert heard("a")[-1] == ["declined", "b", None, "b: it had ended: succeeded"]


def test_an_agent_that_ends_answers_from_its_last_state(play_of):
    play_of(("a", "ask b"), ("b", "note", "note"))
    run(AgentSession.objects.get(name="Mission"))
    AgentSession.objects.filter(name="b").update(priority=-5)
    run(named("a"))
    assert request_of("a").outcome == ""
    run(named("b"))
    assert named("b").status == SessionStatus.SUCCEEDED
    run_all()
    assert heard("a") == [["answered", "b", {"heard": ["note", "note"], "asked": 0}, ""]]


def test_who_fails_with_a_request_open_is_answered_for(play_of, monkeypatch):
    play_of(("a", "ask b"), ("b", "wait", "fail"))
    monkeypatch.setattr(runner, "answer_open", lambda *_: None)
    for _ in range(6):
        run(AgentSession.objects.get(name="Mission"))
        run(named("a"))
    control.cancel(named("b").pk, actor=SYSTEM, reason="enough")
    run_all()
    assert heard("a") == [["declined", "b", None, "b: it had ended: cancelled"]]


def test_an_agent_without_an_answer_says_so_at_once(play_of):
    play_of(("a", "ask b"), ("b", "wait"))
    run(AgentSession.objects.get(name="Mission"))
    AgentSession.objects.filter(name="b").update(agent_type="play.mute")
    run_all()
    assert heard("a") == [["declined", "b", None, "b: it answers no requests"]]


def test_an_error_in_an_answer_is_told_to_who_asked_and_harms_nobody_else(play_of, monkeypatch):
    monkeypatch.setitem(globals(), "ANSWERED", None)
    play_of(("a", "ask b"), ("b", "wait"))
    run_all()
    assert heard("a")[0][0] == "declined"
    assert "it could not answer" in heard("a")[0][3]
    assert named("b").status == SessionStatus.WAITING_TIMER


@pytest.mark.parametrize("given", [{1, 2}, {"x": "y" * 70_000}, {"x": "\0"}, ["a"]])
def test_an_answer_that_cannot_be_handed_on_is_an_error_of_who_answers(play_of, monkeypatch, given):
    kind = agent_types.agent_type("play.specialist")
    monkeypatch.setitem(agent_types._TYPES, kind.name, replace(kind, answers=lambda *_: given))
    play_of(("a", "ask b"), ("b", "wait"))
    run_all()
    assert heard("a")[0][0] == "declined"


def test_the_more_urgent_request_is_answered_first(play_of):
    play_of(("a", "ask c"), ("b", "ask c"), ("c", "wait"))
    run_all()
    control.pause(named("c").pk, actor=SYSTEM, reason="")
    ANSWERED.clear()
    for name in "ab":
        reopen(name, priority={"a": 0, "b": 5}[name])
    control.resume(named("c").pk, actor=SYSTEM)
    run_all()
    assert ANSWERED == ["c to b", "c to a"]


def reopen(name: str, priority: int) -> None:
    """The request of this agent is open again."""
    AgentCommunication.objects.filter(message_type="reply").delete()
    AgentCommunication.objects.filter(pk=request_of(name).pk).update(outcome="", processed_at=None, priority=priority)


def test_an_asker_that_is_stopped_takes_its_request_back(play_of):
    ask_who_is_paused(play_of)
    control.cancel(named("a").pk, actor=SYSTEM, reason="enough")
    assert request_of("a").outcome == "withdrawn"
    control.resume(named("b").pk, actor=SYSTEM)
    assert named("b").status == SessionStatus.WAITING_TIMER
    assert not ANSWERED


def test_a_retried_asker_puts_its_request_again_with_all_its_time(play_of):
    test_an_asker_that_is_stopped_takes_its_request_back(play_of)
    let_pass("a")
    control.retry(named("a").pk, actor=SYSTEM)
    run_all()
    assert heard("a")[-1][0] == "answered"
    made = AgentCommunication.objects.filter(sender_session__name="a", wait__isnull=False).order_by("created_at")
    assert [one.outcome for one in made] == ["withdrawn", "answered"]


def test_a_death_between_answer_and_its_saving_answers_once(play_of, monkeypatch):
    play_of(("a", "ask b"), ("b", "wait"))
    was = requests.answer

    def die(*_: Any) -> bool:
        monkeypatch.setattr(requests, "answer", was)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(requests, "answer", die)
    run_all()
    assert ANSWERED == ["b to a"]
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    sweeper.requeue_lost()
    run_all()
    assert ANSWERED == ["b to a", "b to a"]
    assert heard("a")[0][0] == "answered"
    assert AgentCommunication.objects.filter(message_type="reply").count() == 1
    assert AgentEvent.objects.filter(event_type="communication.closed").count() == 1


def asked(play_of) -> tuple[AgentCommunication, AgentSession]:
    """An open request of a to b, who runs."""
    ask_who_is_paused(play_of)
    return request_of("a"), running(named("b"), 9)


def test_an_attempt_that_was_overtaken_answers_nothing(play_of):
    request, b = asked(play_of)
    with pytest.raises(Fenced):
        requests.answer(Holding(b.pk, 8), request.pk, {"late": True})
    assert request_of("a").outcome == ""


@pytest.mark.parametrize("turn", range(4))
def test_of_an_answer_a_time_out_and_an_end_exactly_one_counts(play_of, turn):
    request, b = asked(play_of)
    let_pass("a")
    rivals = [
        partial(requests.answer, Holding(b.pk, 9), request.pk, {"heard": "you"}),
        partial(timers.fire, request.wait_id),
        partial(control.cancel, named("a").pk, actor=SYSTEM, reason="enough"),
        partial(requests.answer, Holding(b.pk, 9), request.pk, {"heard": "twice"}),
    ]
    assert not [one for one in at_once(*rivals[turn:], *rivals[:turn]) if isinstance(one, Exception)]
    closed = AgentEvent.objects.filter(event_type="communication.closed")
    (outcome,) = closed.values_list("event_data__outcome", flat=True)
    assert request_of("a").outcome == outcome
    assert AgentCommunication.objects.filter(message_type="reply").count() == (outcome == "answered")


def test_two_that_answer_each_other_at_once_do_not_block_each_other(play_of):
    play_of(("a", "ask b"), ("b", "ask a"))
    run(AgentSession.objects.get(name="Mission"))
    for name in "ab":
        AgentSession.objects.exclude(name=name).filter(status="queued").update(status="paused")
        run(named(name))
        AgentSession.objects.filter(status="paused").update(status="queued")
    a, b = running(named("a"), 9), running(named("b"), 9)
    to_b, to_a = request_of("a"), request_of("b")
    for _ in range(5):
        AgentCommunication.objects.filter(message_type="reply").delete()
        AgentCommunication.objects.filter(wait__isnull=False).update(processed_at=None, outcome="")
        SessionWait.objects.filter(kind="reply").update(answered_at=None)
        done = at_once(
            partial(requests.answer, Holding(b.pk, 9), to_b.pk, {}),
            partial(requests.answer, Holding(a.pk, 9), to_a.pk, {}),
        )
        assert done == [True, True]


def test_a_request_that_comes_while_the_agent_parks_is_not_left_lying(play_of, monkeypatch):
    """It is there after the running agent looked for requests, and before it rests."""
    play_of(("a", "ask b"), ("b", "wait"))
    run(AgentSession.objects.get(name="Mission"))
    was = runner.settle

    def ask_meanwhile(lease: Any, stopped: Any) -> Any:
        if lease.holding.session_id == named("b").pk:
            monkeypatch.setattr(runner, "settle", was)
            run(named("a"))
            assert named("a").status == SessionStatus.WAITING_EVENT
        return was(lease, stopped)

    monkeypatch.setattr(runner, "settle", ask_meanwhile)
    AgentSession.objects.filter(name="a").update(status="paused")
    AgentSession.objects.filter(name="b").update(priority=5)
    AgentSession.objects.filter(name="a").update(status="queued")
    run(named("b"))
    assert named("b").status == SessionStatus.QUEUED
    run_all()
    assert heard("a")[0][0] == "answered"


def test_whom_a_dead_process_did_not_wake_the_sweeper_wakes(play_of, monkeypatch):
    monkeypatch.setattr(requests, "attend", lambda session_id: None)
    play_of(("a", "wait", "ask b"), ("b", "wait"))
    run_all()
    let_wake("a")
    assert named("a").status == SessionStatus.WAITING_EVENT
    assert named("b").status == SessionStatus.WAITING_TIMER
    monkeypatch.undo()
    assert requests.unattended() == [named("b").pk]
    sweeper.attend_requests()
    run_all()
    assert heard("a")[-1][0] == "answered"
    assert requests.unattended() == []


def test_a_fork_of_who_asks_asks_for_itself_and_one_of_who_answers_is_not_asked(play_of):
    ask_who_is_paused(play_of)
    a = named("a")
    copy = rewinding.fork(a.pk, rewind_request(a), by=a.user)
    b = named("b")
    other = rewinding.fork(b.pk, rewind_request(b), by=b.user)
    run_all()
    asked_by = AgentCommunication.objects.filter(wait__isnull=False).values_list("sender_session", "outcome")
    assert set(asked_by) == {(a.pk, ""), (copy.pk, "")}
    control.resume(b.pk, actor=SYSTEM)
    run_all()
    for asker in (a, copy):
        assert fresh(asker).current_run.output["heard"][-1][0] == "answered"
    assert ANSWERED == ["b to a", "b to a"]
    assert not other.received.exists()


def rewind_request(session: AgentSession, kind: RewindKind = RewindKind.FORK, step: int | None = None) -> Any:
    """To go back to a state of this agent; by default its current one."""
    current = session.states.get(checkpoint_ns="", is_current=True)
    to = current if step is None else session.states.get(checkpoint_ns="", metadata__step=step)
    return RewindRequest(new_id(), kind, to.checkpoint_id, current.checkpoint_id)


def test_who_is_rolled_back_takes_its_request_back_and_asks_anew(play_of):
    play_of(("a", "note", "wait", "ask b"), ("b", "wait"))
    run_all()
    control.pause(named("b").pk, actor=SYSTEM, reason="")
    let_wake("a")
    a = named("a")
    rewind = rewinds.begin(a.pk, rewind_request(a, RewindKind.ROLLBACK, 1), by=a.user)
    rewinding.carry_out(rewind)
    assert request_of("a").outcome == "withdrawn"
    control.resume(a.pk, actor=SYSTEM)
    control.resume(named("b").pk, actor=SYSTEM)
    run_all()
    let_wake("a")
    assert heard("a")[-1][0] == "answered"


def test_a_broadcast_is_read_once_a_step_and_again_where_the_step_is_redone(play_of):
    play_of(("a", "broadcast dance", "broadcast honey"), ("b", "wait", "read one two", "read"))
    run_all()
    let_pass("b")
    sweeper.fire_timers()
    run_all()
    told = ["a: dance", "a: honey"]
    assert heard("b") == ["wait", [*told, *told], []]


def test_what_is_told_after_a_step_first_read_is_for_the_next_one(play_of, monkeypatch):
    """The step dies after it read; meanwhile more is told. Redone, it reads what it read before."""
    play_of(("a", "broadcast dance", "wait", "broadcast honey"), ("b", "wait", "read", "read"))
    run_all()
    let_pass("b")
    sweeper.fire_timers()
    was = colleagues.SessionColleagues.read

    def die(self: Any) -> Any:
        was(self)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(colleagues.SessionColleagues, "read", die)
    run_all()
    monkeypatch.setattr(colleagues.SessionColleagues, "read", was)
    let_wake("a")
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    sweeper.requeue_lost()
    run_all()
    assert heard("b") == ["wait", ["a: dance"], ["a: honey"]]


def test_who_is_rolled_back_reads_again_and_a_fork_reads_what_its_origin_had_not(play_of):
    play_of(("a", "broadcast dance"), ("b", "wait", "read", "wait", "read"))
    run_all()
    let_pass("b")
    sweeper.fire_timers()
    run_all()
    b = named("b")
    fork = rewinding.fork(b.pk, rewind_request(b), by=b.user)
    earlier = rewinding.fork(b.pk, rewind_request(b, step=1), by=b.user)
    rewind = rewinds.begin(b.pk, rewind_request(b, RewindKind.ROLLBACK, 1), by=b.user)
    rewinding.carry_out(rewind)
    control.resume(b.pk, actor=SYSTEM)
    for _ in range(3):
        run_all()
        SessionWait.objects.filter(answered_at=None, due_at__isnull=False).update(due_at=Now() - timedelta(seconds=1))
        sweeper.fire_timers()
    read = [fresh(one).current_run.output["heard"] for one in (b, fork, earlier)]
    assert read[0] == ["wait", ["a: dance"], "wait", []]
    assert read[1] == ["wait", ["a: dance"], "wait", []]
    assert read[2] == ["wait", ["a: dance"], "wait", []]


def test_the_events_of_a_conversation_verify_and_hold_no_word_of_it(play_of):
    root = play_of(("a", "ask b", "broadcast secret"), ("b", "ask a"))
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert not list(Verification(PROJECTIONS, root.pk).faults())
    events = AgentEvent.objects.filter(aggregate_type="communication")
    talk = events.filter(aggregate_id=request_of("a").wait_id).order_by("version")
    assert [(one.event_type, one.event_data.get("kind")) for one in talk] == [
        ("communication.sent", "validation"),
        ("communication.closed", None),
        ("communication.sent", "reply"),
    ]
    assert "secret" not in str(list(events.values_list("event_data", flat=True)))
    kinds = events.filter(event_type="communication.sent").values_list("event_data__kind", flat=True)
    assert {"task_assignment", "result", "knowledge_sharing"} <= set(kinds)


@pytest.fixture
def stuck(transactional_db, nobody_has_answered) -> AgentSession:
    """A worker three levels below its queen that escalates; nobody above it knows."""
    PASSING.append(True)
    part = Part(plays=("lead",), below=(("_ ann", "lead"),))
    queen = make_mission(agent_type="play.queen", run_input=part.model_dump(mode="json"))
    run(queen)
    for name, below in (("ann", "cat"), ("cat", "eve")):
        above = named(name)
        acts = ["escalate"] if below == "eve" else ["lead"]
        AgentRun.objects.filter(session=above).update(input={"plays": ["lead"], "below": [[f"_ {below}", *acts]]})
        run(above)
    run(named("eve"))
    return queen


def test_what_no_level_knows_is_asked_of_people_whose_answer_goes_to_who_asked(stuck):
    run_all()
    approval = Approval.objects.get()
    assert (approval.session, approval.status, approval.intent) == (named("eve"), "pending", "it is hard")
    assert named("eve").status == SessionStatus.WAITING_APPROVAL
    assert [one["text"] for one in approval.effects][:3] == [
        f"{n} does not know." for n in ("cat: cat", "ann: ann", "Mission: Mission")
    ]
    assert ANSWERED == ["cat to eve", "ann to cat", "Mission to ann"]
    assert [named(name).status for name in ("cat", "ann", "Mission")] == [SessionStatus.WAITING_CHILDREN] * 3
    with pytest.raises(InvalidInput):
        approvals.decide(stuck.user, approval.pk, verdict="approve", version=1, arguments={"advice": " "})
    approvals.decide(stuck.user, approval.pk, verdict="approve", version=1, arguments={"advice": "Read it twice."})
    with pytest.raises(AlreadyDecided):
        approvals.decide(stuck.user, approval.pk, verdict="again", version=1)
    run_all()
    assert heard("eve") == [["advice", "Read it twice.", "people"]]
    chain = AgentCommunication.objects.filter(wait__isnull=False).order_by("created_at")
    assert list(chain.values_list("sender_session__name", "receiver_session__name", "outcome")) == [
        ("eve", "cat", "passed_on"),
        ("cat", "ann", "passed_on"),
        ("ann", "Mission", "passed_on"),
        ("Mission", None, "answered"),
    ]
    assert fresh(stuck).status == SessionStatus.SUCCEEDED
    assert not list(Verification(PROJECTIONS, stuck.pk).faults())


@pytest.mark.parametrize(
    ("verdict", "reason", "heard_of"),
    [("again", "", ["retry", "", "people"]), ("reject", "Leave it.", ["skip", "Leave it.", "people"])],
)
def test_people_may_let_an_agent_try_again_or_do_without(stuck, verdict, reason, heard_of):
    run_all()
    approvals.decide(stuck.user, Approval.objects.get().pk, verdict=verdict, version=1, reason=reason)
    run_all()
    assert heard("eve") == [heard_of]


def test_a_time_out_names_the_level_that_was_silent(stuck):
    control.pause(named("ann").pk, actor=SYSTEM, reason="")
    run_all()
    let_pass("eve")
    sweeper.fire_timers()
    control.resume(named("ann").pk, actor=SYSTEM)
    run_all()
    assert heard("eve") == [["", "ann: it did not answer in time", "ann"]]


def test_people_who_do_not_answer_in_time_are_named_and_their_question_is_withdrawn(stuck):
    run_all()
    let_pass("eve")
    sweeper.fire_timers()
    assert Approval.objects.get().status == "withdrawn"
    run_all()
    assert heard("eve") == [["", "people: it did not answer in time", "people"]]


def test_an_agent_that_is_stopped_takes_its_question_back_from_people_and_a_retry_asks_anew(stuck):
    run_all()
    subtrees.cancel(stuck.pk, actor=SYSTEM, reason="enough")
    assert Approval.objects.get().status == "withdrawn"
    assert not AgentCommunication.objects.filter(wait__isnull=False, processed_at=None).exists()
    subtrees.retry(stuck.pk, actor=SYSTEM)
    run_all()
    again = Approval.objects.get(status="pending")
    approvals.decide(stuck.user, again.pk, verdict="again", version=1)
    run_all()
    assert heard("eve") == [["retry", "", "people"]]
