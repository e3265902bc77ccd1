"""Edits go through the graph's own schema and reducers, or change nothing."""

import pytest

from agents.errors import InvalidInput
from agents.lifecycle import ApprovalStatus, SessionStatus
from agents.models import Approval, Rewind
from agents.services import control
from orchestrator.runtime.states import Change
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import (
    edit,
    head,
    values,
)
from tests.orchestrator.runtime.test_guard import pending
from tests.orchestrator.runtime.test_runner import SYSTEM, effects, fresh


def test_an_edit_goes_through_the_reducer_or_replaces(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    edit(root, Change({"steps": ["mine"], "name": "r"}))
    assert (values(root)["steps"], values(root)["name"]) == (["begin", "mine"], "r")
    edit(root, Change({"steps": ["only"]}, replace=("steps",)))
    assert values(root)["steps"] == ["only"]
    assert fresh(root).status == SessionStatus.PAUSED
    control.resume(root.pk, actor=SYSTEM)
    run_all()
    assert pending().proposed == {"name": "r"}


def test_an_edit_as_a_node_goes_on_after_it(mission, trace):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    edit(root, Change({"result": {"by": "hand"}}, as_node="use"))
    assert Approval.objects.get().status == ApprovalStatus.WITHDRAWN
    control.resume(root.pk, actor=SYSTEM)
    run_all()
    ended = fresh(root)
    assert (ended.status, ended.current_run.output, effects(trace)) == (SessionStatus.SUCCEEDED, {"by": "hand"}, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Change({"name": 7}), "name"),
        (Change({"steps": "begin"}), "steps"),
        (Change({"steps": [1]}), "steps"),
        (Change({"nothing": 1}), "nothing"),
        (Change({"__start__": {}}), "__start__"),
        (Change({"name": "x"}, as_node="nowhere"), "as_node"),
        (Change({"name": "x"}, as_node="__start__"), "as_node"),
        (Change(), ""),
    ],
)
def test_a_change_that_does_not_fit_is_told_by_field_and_changes_nothing(mission, trace, change, field):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    current = head(root)
    with pytest.raises(InvalidInput) as refused:
        edit(root, change)
    assert set(refused.value.data["fields"]) == {field}
    assert (head(root), fresh(root).status) == (current, SessionStatus.WAITING_APPROVAL)
    assert not Rewind.objects.exists()


@pytest.mark.parametrize("text", ["nul\0nul", "\ud800", "🐝" * 10_000])
def test_any_text_can_be_written_into_a_state(mission, trace, text):
    root = mission("test.worker", tool="ask_to_trace")
    run_all()
    edit(root, Change({"name": text}))
    assert values(root)["name"] == text
