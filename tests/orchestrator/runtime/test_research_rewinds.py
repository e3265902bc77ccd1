"""Time travel with the agents that Queenright brings: their states are groups, and their edges look at the context."""

import pytest

from agents.errors import InvalidInput
from agents.lifecycle import Choice, SessionStatus
from agents.models import AgentSession, Approval, ToolExecution
from agents.services import control
from orchestrator.actions import time_travel
from orchestrator.conf import outbox_dir
from orchestrator.runtime.states import Change
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import edit, fork, head, replay, roll_back, start_of, states, values
from tests.orchestrator.runtime.test_research import check_citations, decide, fresh, operator, start  # noqa: F401  # a fixture
from tests.orchestrator.runtime.test_runner import SYSTEM


@pytest.fixture
def ended(operator) -> AgentSession:  # noqa: F811  # pytest's way to name a fixture
    mission = start(operator)
    run_all()
    decide(operator, "approve")
    run_all()
    return fresh(mission)


def published(session) -> list[str]:
    folder = outbox_dir() / session.project.slug
    return sorted(path.name for path in folder.iterdir())


def test_a_published_mission_is_taken_back_and_replayed_from_its_start(ended):
    point = start_of(ended)
    (report,) = published(ended)
    found = time_travel.side_effects(ended.user, ended.pk, point)
    assert {effect.call.tool_name for effect in found} == {"remember", "publish_report"}
    chosen = {
        effect.call.pk: Choice.UNDO if effect.call.tool_name == "publish_report" else Choice.KEEP for effect in found
    }
    roll_back(ended, point, chosen=chosen)
    assert published(ended) == []
    replay(ended, head(ended))
    run_all()
    decide(ended.user, "approve")
    run_all()
    again = fresh(ended)
    assert again.status == SessionStatus.SUCCEEDED, again.current_run.error
    check_citations(again.current_run.output["report"])
    assert published(ended) == [report]
    remembered = ToolExecution.objects.filter(tool_name="remember", kept_from__isnull=True)
    assert remembered.count() == len(chosen) - 1


def test_a_fork_of_a_mission_reads_the_same_sources_and_publishes_beside_it(ended):
    (report,) = published(ended)
    made = fork(ended, start_of(ended), Choice.REPEAT)
    run_all()
    decide(ended.user, "approve")
    run_all()
    forked = fresh(made)
    assert forked.status == SessionStatus.SUCCEEDED, forked.current_run.error
    check_citations(forked.current_run.output["report"])
    assert len(published(ended)) == 2
    assert fresh(ended).current_run.output == ended.current_run.output
    assert report in published(ended)


def test_an_edit_as_a_step_whose_edge_looks_at_the_context(operator):  # noqa: F811
    mission = start(operator)
    run_all()
    assert fresh(mission).status == SessionStatus.WAITING_CHILDREN
    edit(mission, Change({"performance": {"efficiency": 0.5}}, as_node="review"))
    assert values(mission)["performance"]["efficiency"] == 0.5
    assert Approval.objects.get().status == "withdrawn"
    control.resume(mission.pk, actor=SYSTEM)
    run_all()
    decide(operator, "approve")
    run_all()
    assert fresh(mission).status == SessionStatus.SUCCEEDED, fresh(mission).current_run.error


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"performance": {"efficiency": "much"}}, "efficiency"),
        ({"coordination": {"active_architects": [1]}}, "active_architects.0"),
        ({"strategic_context": {"aims": []}}, "Unknown here: aims"),
    ],
)
def test_a_group_is_held_against_its_own_schema(ended, values, told):
    with pytest.raises(InvalidInput) as refused:
        edit(ended, Change(values))
    (name,) = values
    assert told in refused.value.data["fields"][name]


def test_every_state_of_every_level_can_be_forked_or_has_nothing_left(ended):
    for session in AgentSession.objects.filter(level__in=["architect", "specialist"], forked_from__isnull=True):
        point = states(session)[-2].checkpoint_id
        fork(session, point)
    run_all()
    forks = AgentSession.objects.filter(forked_from__isnull=False)
    assert set(forks.values_list("status", flat=True)) == {SessionStatus.SUCCEEDED}
