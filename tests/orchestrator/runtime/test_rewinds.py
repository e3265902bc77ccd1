"""Who may rewind, who is first, and what remains when a process dies in the middle."""

import pytest

from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound, RewindUnderWay, StaleVersion
from agents.events import store
from agents.ids import new_id
from agents.lifecycle import Choice, ExecutionStatus, RewindStatus, SessionStatus
from agents.models import AgentSession, AgentState, AuditEntry, Rewind, ToolExecution
from agents.roles import Level, Role
from agents.services import control, rewinds
from orchestrator.actions import time_travel
from orchestrator.runtime import agent_types, rewinding, runner
from orchestrator.runtime.states import Change
from tests.agent_types import wipe_trace
from tests.factories import make_member, make_user
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.rewinds import (
    choosing,
    edit,
    fork,
    head,
    owner,
    replay,
    roll_back,
    start_of,
)
from tests.orchestrator.runtime.test_guard import decide, pending
from tests.orchestrator.runtime.test_runner import SYSTEM, Death, effects, expire, fresh
from tests.races import at_once


def test_a_state_that_has_moved_says_who_moved_it(mission, trace):
    root = mission("test.worker")
    run_all()
    seen = head(root)
    other = make_member(root.project, Role.OPERATOR, name="olga")
    roll_back(root, start_of(root), user=other)
    with pytest.raises(StaleVersion, match="olga rolled it back since you looked"):
        roll_back(root, start_of(root), seen_id=seen)
    replay(root, head(root))
    run_all()
    with pytest.raises(StaleVersion, match="moved on since you looked"):
        edit(root, Change({"name": "x"}), seen_id=seen)


def test_a_double_click_is_one_rewind(mission, trace):
    root = mission("test.worker")
    run_all()
    point, seen, same = start_of(root), head(root), new_id()
    chosen = choosing(root, point, Choice.REPEAT)
    first = replay(root, point, chosen=chosen, seen_id=seen, rewind_id=same)
    second = replay(root, point, chosen=chosen, seen_id=seen, rewind_id=same)
    run_all()
    third = replay(root, point, chosen=chosen, seen_id=seen, rewind_id=same)
    assert first.run_id == second.run_id == third.run_id
    assert (root.runs.count(), effects(trace)) == (2, ["q", "q"])
    forks = {fork(root, point, rewind_id=chosen_id).pk for chosen_id in [new_id()] * 2}
    assert len(forks) == 1


def test_two_clicks_at_once_are_one_rewind(mission, trace):
    root = mission("test.three", tool="trace_wipeably")
    run_all()
    point, seen, same, user = start_of(root), head(root), new_id(), owner(root)
    chosen = choosing(root, point, Choice.UNDO)

    def click():
        return roll_back(root, point, chosen=chosen, seen_id=seen, rewind_id=same, user=user)

    outcomes = at_once(click, click, click)
    assert [getattr(outcome, "status", outcome) for outcome in outcomes] == [RewindStatus.DONE] * 3
    assert AgentState.objects.filter(session=root, metadata__has_key="copied_from").count() == 1
    assert effects(trace) == []


def test_of_two_people_at_once_one_wins_and_the_other_is_told(mission, trace):
    root = mission("test.worker")
    run_all()
    point, seen = start_of(root), head(root)
    chosen = choosing(root, point)
    people = [make_member(root.project, Role.OPERATOR) for _ in range(3)]
    outcomes = at_once(
        lambda: roll_back(root, point, chosen=chosen, seen_id=seen, user=people[0]),
        lambda: replay(root, point, chosen=chosen, seen_id=seen, user=people[1]),
        lambda: edit(root, Change({"name": "x"}), seen_id=seen, user=people[2]),
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, Rewind)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, StaleVersion | RewindUnderWay | InvalidTransition)]
    assert (len(won), len(lost)) == (1, 2), outcomes
    assert Rewind.objects.get().pk == won[0].pk


def test_a_running_agent_is_not_rewound_and_not_one_above_it(mission, trace, monkeypatch):
    root = mission(below=(1, 1, 1))
    seen = []

    def look(caller, arguments):
        for one in (fresh(root), AgentSession.objects.get(pk=caller.session_id)):
            with pytest.raises(InvalidTransition, match="running"):
                roll_back(one, start_of(one))
        seen.append(1)
        return {"name": arguments.name}

    run_tool(monkeypatch, "leave_trace", look)
    run_all()
    assert seen and fresh(root).status == SessionStatus.SUCCEEDED


def test_strangers_see_nothing_and_viewers_change_nothing(mission, trace):
    root = mission("test.worker")
    run_all()
    point = start_of(root)
    viewer = make_member(root.project, Role.VIEWER)
    for act in (replay, roll_back, fork):
        with pytest.raises(NotFound):
            act(root, point, user=make_user())
        with pytest.raises(Forbidden):
            act(root, point, user=viewer)
    assert time_travel.side_effects(viewer, root.pk, point)
    with pytest.raises(NotFound):
        time_travel.side_effects(make_user(), root.pk, point)


def test_another_persons_form_cannot_be_sent_again(mission, trace):
    root = mission("test.worker")
    run_all()
    rewind = roll_back(root, start_of(root))
    with pytest.raises(NotFound):
        roll_back(root, start_of(root), rewind_id=rewind.pk, user=make_member(root.project, Role.ADMIN))


def test_each_side_effect_needs_a_choice_and_only_those(mission, trace):
    root = mission("test.worker")
    run_all()
    (call,) = choosing(root, start_of(root))
    for chosen in ({}, {call: Choice.KEEP, new_id(): Choice.KEEP}, {call: Choice.UNDO}):
        with pytest.raises(InvalidInput) as refused:
            replay(root, start_of(root), chosen=chosen)
        assert len(refused.value.data["fields"]) == 1


def test_each_rewind_is_audited_and_told_as_an_event(mission, trace):
    root = mission("test.worker")
    run_all()
    roll_back(root, start_of(root))
    fork(root, head(root))
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"session.rollback", "session.fork"}
    assert store.first_break(root.pk) is None


@pytest.mark.parametrize("dies_in", ["stop_below", "undo", "undo_half", "finish"])
def test_a_rewind_whose_process_died_holds_the_agent_until_it_is_finished(mission, trace, monkeypatch, dies_in):
    root = mission("test.three", tool="trace_wipeably")
    run_all()
    control_point, seen, same = start_of(root), head(root), new_id()
    chosen = choosing(root, control_point, Choice.UNDO)

    def die(*args, **kwargs):
        raise Death

    with monkeypatch.context() as patch:
        if dies_in == "stop_below":
            patch.setattr(rewinds, "stop_below", die)
        elif dies_in == "finish":
            patch.setattr(rewinds, "leave_behind", die)
        else:

            def die_after(caller, arguments):
                if dies_in == "undo_half" and arguments.name == "q-2":
                    return wipe_trace(caller, arguments)
                wipe_trace(caller, arguments)
                raise Death

            run_tool(patch, "wipe_trace", die_after)
        with pytest.raises(Death):
            roll_back(root, control_point, chosen=chosen, seen_id=seen, rewind_id=same)
    with pytest.raises(RewindUnderWay):
        fork(root, control_point)
    other = make_member(root.project, Role.OPERATOR)
    with pytest.raises((RewindUnderWay, InvalidInput)):
        replay(root, control_point, user=other)
    assert time_travel.go_on(other, same).status == RewindStatus.DONE
    assert (effects(trace), head(root) != seen) == ([], True)
    done = ToolExecution.objects.filter(compensates__isnull=False)
    assert set(done.values_list("status", flat=True)) == {ExecutionStatus.COMPLETED}
    roll_back(root, control_point, chosen=chosen, seen_id=seen, rewind_id=same)
    assert Rewind.objects.count() == 1


def test_a_rewind_whose_process_died_can_be_given_up(mission, trace, monkeypatch):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()

    def die(*args, **kwargs):
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(rewinding, "undo_all", die)
        with pytest.raises(Death):
            replay(root, start_of(root))
    with pytest.raises(RewindUnderWay):
        control.resume(root.pk, actor=SYSTEM)
    time_travel.give_up(owner(root), Rewind.objects.get().pk)
    control.resume(root.pk, actor=SYSTEM)
    assert fresh(root).status == SessionStatus.WAITING_APPROVAL
    decide(pending(), "approve")
    run_all()
    assert effects(trace) == ["q"]


def test_what_an_agent_did_after_the_choice_is_not_passed_over(mission, trace, monkeypatch):
    root = mission(below=(1, 1, 1))
    runner.run_next(Level.QUEEN)
    point, seen = start_of(root), head(root)
    real = rewinds.stop_below

    def late(rewind):
        at_once(run_all)  # a worker was quicker than the stop
        real(rewind)

    with monkeypatch.context() as patch:
        patch.setattr(rewinds, "stop_below", late)
        with pytest.raises(StaleVersion, match="happened since you looked"):
            replay(root, point, chosen={}, seen_id=seen)
    assert (head(root), fresh(root).status) == (seen, SessionStatus.PAUSED)
    assert effects(trace) == ["q.0.0.0"]


def test_a_worker_may_die_anywhere_in_a_replay(mission, trace, monkeypatch):
    root = mission(below=(1, 1, 2))
    run_all()
    replay(root, start_of(root))
    saver = type(agent_types.graph_for("test.queen").checkpointer)
    count = {"left": 7}

    def dying(write):
        def write_or_die(*args, **kwargs):
            count["left"] -= 1
            if count["left"] % 5 == 0 and count["left"] > -20:
                raise Death
            return write(*args, **kwargs)

        return write_or_die

    with monkeypatch.context() as patch:
        for name in ("put", "put_writes"):
            patch.setattr(saver, name, dying(getattr(saver, name)))
        for _ in range(30):
            try:
                run_all()
                break
            except Death:
                expire()
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q.0.0.0", "q.0.0.1"]
