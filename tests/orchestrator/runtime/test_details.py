"""Long results are handed over by reference: kept once, fetched whole, for the agents of the mission alone."""

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from agents.checkpoints.encryption import Vault
from agents.checkpoints.retention import Retention
from agents.errors import DetailMissing, Fenced, InvalidInput
from agents.graphs import delegation
from agents.graphs.findings import Reference
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Detail, SessionWait
from agents.roles import Level
from agents.services import details, leases, prunings
from orchestrator.actions import archives
from orchestrator.runtime import runner
from orchestrator.runtime.agent_types import graph_for
from orchestrator.runtime.details import SessionDetails
from orchestrator.runtime.leases import Lease
from tests import hoarders
from tests.factories import make_member, make_mission, make_project, running
from tests.hoarders import LENGTH, Errand
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import fork, replay, states
from tests.orchestrator.runtime.test_runner import fresh

pytestmark = pytest.mark.django_db(transaction=True)
OPEN = Vault()
LATER = timedelta(days=2)


def start(agent_type: str, level: Level = Level.WORKER, project=None, **errand) -> AgentSession:
    return make_mission(project, agent_type=agent_type, level=level, run_input=Errand(**errand).model_dump(mode="json"))


def state_of(session: AgentSession) -> dict:
    return graph_for(session.agent_type).get_state({"configurable": {"thread_id": str(session.pk)}}).values


def test_a_long_result_is_a_reference_in_the_state_and_whole_when_it_is_fetched():
    session = start("test.gatherer", Level.SPECIALIST, children=2)
    run_all()
    assert fresh(session).current_run.output == {"lengths": [LENGTH, LENGTH], "names": ["All of b0", "All of b1"]}
    for outcome, child in zip(
        state_of(session)["outcomes"], session.children.select_related("current_run").order_by("position"), strict=True
    ):
        told = Reference.model_validate(outcome)
        assert told.summary == f"3 parts; All of {child.name}"
        assert told.size > LENGTH
        assert details.fetch(session.space_id, told.detail, vault=OPEN) == child.current_run.output
    assert "much to say" not in json.dumps(SessionWait.objects.get(session=session).answer)
    assert not Detail.objects.exclude(body=None).exists()  # a result stays in its run: it is stored once


def test_a_short_result_is_handed_over_whole():
    session = start("test.gatherer", Level.SPECIALIST, children=2, length=100)
    run_all()
    assert [len(one["text"]) for one in state_of(session)["outcomes"]] == [100, 100]
    assert not Detail.objects.exists()


def test_the_more_children_there_are_the_less_each_may_hand_over_whole():
    session = start("test.gatherer", Level.SPECIALIST, children=60, length=1200)
    run_all()
    assert fresh(session).current_run.output["lengths"] == [1200] * 60
    assert Detail.objects.count() == 60
    assert len(json.dumps(state_of(session)["outcomes"])) < details.TOGETHER
    answer = SessionWait.objects.get(session=session).answer
    assert len(json.dumps(answer)) < 60 * 600


def test_equal_results_are_kept_once():
    session = running(start("test.looker"))
    for _ in range(2):
        told = details.shortened(session, [details.Result(session.current_run, {"text": "x" * LENGTH})] * 3)
    assert len({one["detail"] for one in told}) == 1
    assert Detail.objects.count() == 1


def test_a_step_keeps_and_a_later_one_fetches():
    session = start("test.keeper", name="k")
    run_all()
    assert fresh(session).current_run.output == {"length": LENGTH}
    kept = Detail.objects.get()
    assert (kept.kind, kept.summary, kept.session_id) == ("notes", "notes of k", session.pk)
    assert state_of(session)["note"]["detail"] == kept.reference


def killed(name: str) -> AgentSession:
    """An agent whose worker died after it kept something and before its state was saved."""
    session = start("test.keeper", name=name)
    hoarders.BREAK.add(name)
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run_next(Level.WORKER)
    finally:
        hoarders.BREAK.discard(name)
    return session


def test_a_step_that_is_redone_after_a_death_keeps_the_same_once():
    session = killed("k")
    before = Detail.objects.get()
    AgentSession.objects.filter(pk=session.pk).update(status=SessionStatus.QUEUED)
    run_all()
    assert fresh(session).current_run.output == {"length": LENGTH}
    assert Detail.objects.get().reference == before.reference


def test_a_step_that_is_replayed_or_goes_on_in_a_fork_fetches_the_same():
    session = start("test.gatherer", Level.SPECIALIST, children=2)
    run_all()
    before = fresh(session).current_run.output
    weighing = states(session)[-2].checkpoint_id
    replay(session, weighing)
    run_all()
    replayed = fresh(session).current_run
    assert (replayed.number, replayed.output) == (2, before)
    forked = fork(session, weighing)  # a mission of its own that shares what the first one stored
    run_all()
    assert forked.root_id == forked.pk
    assert fresh(forked).current_run.output == before
    assert session.children.count() == Detail.objects.count() == 2


def age_all() -> None:
    Detail.objects.update(kept_at=timezone.now() - LATER)


def test_what_a_killed_step_left_is_removed_and_what_a_state_names_stays():
    session = killed("gone")
    named = start("test.keeper", name="stays")
    gatherer = start("test.gatherer", Level.SPECIALIST, children=2)
    run_all()
    assert details.forget_unnamed(session.space_id).values == 0  # its step may still be under way
    age_all()
    assert details.forget_unnamed(session.space_id).values == 1
    assert details.forget_unnamed(named.space_id).values == 0
    assert details.forget_unnamed(gatherer.space_id).values == 0
    assert Detail.objects.count() == 3


def test_a_detail_that_only_another_detail_names_stays():
    session = running(start("test.looker"))
    inner = details.keep(session, "notes", "inner", ["i" * 300], vault=OPEN)
    outer = details.keep(session, "notes", "outer", {"see": inner.model_dump(mode="json")}, vault=OPEN)
    session.current_run.input = {"reference": outer.detail}
    session.current_run.save()
    age_all()
    assert details.forget_unnamed(session.space_id).values == 0
    session.current_run.input = {}
    session.current_run.save()
    assert [details.forget_unnamed(session.space_id).values for _ in range(3)] == [1, 1, 0]


def test_a_pass_that_prunes_collects_them_and_counts_them():
    killed("gone")
    start("test.keeper", name="stays")
    run_all()
    age_all()
    size = len(Detail.objects.get(summary="notes of gone").body)
    done = prunings.run({"test.keeper": Retention()})
    assert (done.values, done.freed_bytes) == (1, size)
    assert Detail.objects.get().summary == "notes of stays"


def test_nothing_is_removed_where_states_cannot_be_searched():
    session = killed("gone")
    secret = Vault(b"k" * 16)
    locked = AgentSession.objects.get(pk=session.pk)
    kept = details.keep(locked, "notes", "secret", {"text": "secret words"}, vault=secret)
    row = Detail.objects.get(reference=kept.detail)
    assert b"secret" not in bytes(row.body)
    assert details.fetch(session.space_id, kept.detail, vault=secret) == {"text": "secret words"}
    age_all()
    assert details.forget_unnamed(session.space_id).values == 0


def test_another_mission_s_reference_is_refused_and_the_agent_goes_on():
    keeper = start("test.keeper", name="k")
    run_all()
    reference = Detail.objects.get().reference
    stranger = start("test.looker", project=keeper.project, reference=reference)
    other_project = start("test.looker", reference=reference)
    broken = start("test.looker", reference="../../etc/passwd")
    run_all()
    for session in (stranger, other_project, broken):
        ended = fresh(session)
        assert ended.status == SessionStatus.SUCCEEDED
        assert ended.current_run.output["found"] is None
        assert "no such detail in this mission" in ended.current_run.output["missing"]


def test_a_result_that_is_not_kept_any_more_is_named_as_missing():
    class Context:
        """What `delegation.fetched` reaches."""

        def __init__(self, session):
            self.details = SessionDetails(Lease(leases.Holding(session.pk, 1)), session)

    session = start("test.gatherer", Level.SPECIALIST, children=2)
    run_all()
    first, second = state_of(session)["outcomes"]
    outcomes = {
        key: {"name": key, "output": output, "error": "", "status": "succeeded", "missing": ""}
        for key, output in (("one", first), ("two", second))
    }
    Detail.objects.filter(reference=first["detail"]).delete()
    whole = delegation.fetched(Context(session), outcomes)
    assert [len(result["text"]) for result in delegation.results(whole)] == [LENGTH]
    assert delegation.missing(whole) == [f"one: its result is not kept any more (it was: {first['summary']})"]


def test_a_worker_that_was_taken_over_keeps_nothing():
    session = running(start("test.keeper"), attempt=2)
    late = SessionDetails(Lease(leases.Holding(session.pk, 1)), session)
    with pytest.raises(Fenced):
        late.keep("notes", "late", {"text": "late"})
    assert not Detail.objects.exists()


def test_a_file_carries_what_its_session_names_to_another_project():
    session = start("test.gatherer", Level.SPECIALIST, children=2)
    run_all()
    file = b"".join(archives.export_session(session.user, session.pk))
    assert [len(one["body"]["text"]) for one in json.loads(file)["details"]] == [LENGTH, LENGTH]
    user = make_member(make_project())
    new = archives.import_session(
        user, user.memberships.get().project_id, file=SimpleUploadedFile("session.json", file)
    )
    for outcome in state_of(session)["outcomes"]:
        old = details.fetch(session.space_id, outcome["detail"], vault=OPEN)
        assert details.fetch(new.space_id, outcome["detail"], vault=OPEN) == old
    assert b"".join(archives.export_session(user, new.pk)).count(b"much to say") == file.count(b"much to say")


@pytest.mark.parametrize("body", [float("nan"), {"a": object()}, {1: {2}}])
def test_what_is_no_json_is_refused(body):
    session = running(start("test.keeper"))
    with pytest.raises(InvalidInput):
        details.keep(session, "notes", "", body, vault=OPEN)


@pytest.mark.parametrize("body", ["a\0b", "\ud800", {"big": 10**40, "small": -0.0, "": None}, [[]], ""])
def test_every_json_comes_back_as_it_was(body):
    session = running(start("test.keeper"))
    kept = details.keep(session, "kind", "of\0it", body, vault=OPEN)
    assert details.fetch(session.space_id, kept.detail, vault=OPEN) == body
    with pytest.raises(DetailMissing):
        details.fetch(None, kept.detail, vault=OPEN)
