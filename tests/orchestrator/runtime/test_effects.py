"""Which side effects lie behind a state, and what can be done about each."""

import pytest

from agents.errors import NotFound
from agents.ids import new_id
from agents.lifecycle import Choice, Reversal, RewindKind
from agents.models import AgentState
from orchestrator.runtime.effects import effects_since
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_guard import die_in
from tests.orchestrator.runtime.test_runner import run_to_death


def states(session) -> list[AgentState]:
    return list(AgentState.objects.filter(session=session).order_by("checkpoint_id"))


def names(session, state) -> list[str]:
    return sorted(effect.call.input_data["name"] for effect in effects_since(session.pk, state.checkpoint_id))


def test_effects_of_the_agents_below_belong_to_the_states_before_them(mission, trace):
    root = mission(below=(2, 1, 1))
    run_all()
    before, after = states(root)[1], states(root)[-1]  # before and after it delegated
    assert names(root, before) == ["q.0.0.0", "q.1.0.0"]
    assert names(root, after) == []


def test_reading_is_no_effect_and_what_was_refused_is_none(mission, trace):
    for tool in ("look_around", "never_trace"):
        root = mission("test.worker", tool=tool)
        run_all()
        assert names(root, states(root)[0]) == []


@pytest.mark.parametrize(
    ("tool", "reversal", "in_replay"),
    [
        ("leave_trace", Reversal.NEITHER, [Choice.KEEP, Choice.REPEAT]),
        ("trace_again", Reversal.REPEATABLE, [Choice.KEEP, Choice.REPEAT]),
        ("trace_wipeably", Reversal.UNDOABLE, [Choice.KEEP, Choice.REPEAT, Choice.UNDO]),
    ],
)
def test_each_effect_says_what_can_be_done_about_it(mission, trace, tool, reversal, in_replay):
    root = mission("test.worker", tool=tool)
    run_all()
    (effect,) = effects_since(root.pk, states(root)[0].checkpoint_id)
    assert (effect.reversal, effect.is_certain, effect.answers) == (reversal, True, True)
    assert effect.choices(RewindKind.REPLAY) == in_replay
    assert Choice.UNDO not in effect.choices(RewindKind.FORK)
    assert Choice.REPEAT not in effect.choices(RewindKind.ROLLBACK)


def test_a_call_of_which_nobody_knows_is_listed_and_cannot_be_undone(mission, trace, monkeypatch):
    root = mission("test.worker", tool="trace_wipeably")
    die_in(monkeypatch, "trace_wipeably", after=True)
    run_to_death()
    run_all()
    (effect,) = effects_since(root.pk, states(root)[0].checkpoint_id)
    assert not effect.is_certain
    assert effect.choices(RewindKind.REPLAY) == [Choice.KEEP, Choice.REPEAT]


def test_a_state_of_another_session_is_not_found(mission, trace):
    root, other = mission("test.worker"), mission("test.worker")
    run_all()
    for checkpoint_id in (new_id(), states(other)[0].checkpoint_id):
        with pytest.raises(NotFound):
            effects_since(root.pk, checkpoint_id)
