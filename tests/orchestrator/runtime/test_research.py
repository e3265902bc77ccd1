"""The built-in mission, run in this process: with and without a model, with a model server that is down."""

import socket
from decimal import Decimal

import pytest

from agents.events.verification import Verification
from agents.ids import new_id
from agents.lifecycle import ApprovalStatus, SessionStatus
from agents.models import AgentCommunication, AgentEvent, AgentSession, Approval, ModelCall, ToolExecution
from agents.roles import Role
from memory.documents import Limits
from memory.models import AgentMemory, MissionPassage
from memory.services import sources
from orchestrator.actions import agents, approvals, missions
from orchestrator.actions.events import PROJECTIONS
from orchestrator.conf import ModelSettings
from orchestrator.runtime import brains, runner
from tests.factories import make_member, make_project
from tests.model_server import ModelServer
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.test_pauses import run_through

OBJECTIVE = "How should bees be fed in autumn, and when must feeding stop?"
FEEDING = """# Feeding bees

Honey bees need sugar syrup in autumn, when nothing flowers any more. A colony that has less than fifteen kilograms
of stores in October will starve before spring. Feed two parts of sugar to one part of water.

## When to stop

Stop feeding as soon as the nights are colder than five degrees. Bees cannot dry cold syrup, and it ferments in the
comb. A fermented store gives the colony dysentery.
"""
MITES = """The varroa mite weakens bees in late summer. Treat the colony with formic acid after the last honey harvest,
before feeding begins. A colony full of mites does not survive the winter, however well it is fed.
"""
TEXTS = {"feeding.md": FEEDING, "mites.txt": MITES}


@pytest.fixture
def operator(transactional_db):
    return make_member(make_project(), Role.ADMIN)


def start(user, model: str = "", objective: str = OBJECTIVE) -> AgentSession:
    project = user.memberships.get().project
    draft = sources.Draft(new_id(), project, user, 10)
    for name, text in TEXTS.items():
        sources.stage(draft, name, text.encode(), limits=Limits(max_bytes=100_000))
    return missions.start(user, project.pk, draft_id=draft.draft_id, objective=objective, model=model)


def fresh(session: AgentSession) -> AgentSession:
    return AgentSession.objects.select_related("current_run").get(pk=session.pk)


def use_model(monkeypatch, address: str) -> None:
    """The settings of an instance whose chat model lives at `address`."""
    known = ModelSettings(
        name="openai:thoughtful-1",
        base_url=address,
        api_key="key",
        timeout=20,
        retries=1,
        input_price=Decimal(1),
        output_price=Decimal(2),
    )
    monkeypatch.setattr(brains, "model_settings", lambda: known)


def nobody_s_address() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def decide(user, verdict: str, **decision) -> None:
    approval = Approval.objects.get(status=ApprovalStatus.PENDING)
    approvals.decide(user, approval.pk, verdict=verdict, version=approval.version, **decision)


def check_citations(report: dict) -> None:
    """Each citation's quote stands in its passage."""
    cited = [citation for answer in report["answers"] for citation in answer["citations"]]
    assert cited
    for citation in cited:
        passage = MissionPassage.objects.get(pk=citation["passage_id"])
        assert " ".join(citation["quote"].split()) in " ".join(passage.content.split())


def test_a_mission_without_a_model_answers_from_its_sources(operator):
    mission = start(operator)
    run_all()
    assert fresh(mission).status == SessionStatus.WAITING_CHILDREN
    decide(operator, "approve")
    run_all()
    ended = fresh(mission)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    report = ended.current_run.output["report"]
    check_citations(report)
    told = " ".join(answer["text"] for answer in report["answers"])
    assert "two parts of sugar" in told.lower()
    assert "five degrees" in told
    assert ended.current_run.output["publication"]["published"]
    levels = set(AgentSession.objects.filter(root=mission).values_list("level", flat=True))
    assert levels == {"queen", "architect", "specialist", "worker"}
    assert AgentMemory.objects.filter(session__root=mission).exists()
    tools = set(ToolExecution.objects.values_list("tool_name", flat=True))
    assert tools == {"search_sources", "read_passage", "remember", "publish_report"}


def test_an_ordinary_mission_tells_what_it_does_and_wakes_hardly_anybody_for_it(operator):
    mission = start(operator)
    run_all()
    decide(operator, "approve")
    run_all()
    told = AgentCommunication.objects.filter(sender_session__root=mission)
    assert {
        "strategic_decision",
        "quality_gate",
        "performance",
        "design_consistency",
        "knowledge_sharing",
        "synthesis",
        "batch",
    } <= set(told.values_list("message_type", flat=True))
    doubtful = told.filter(wait__isnull=False).count()
    woken = AgentEvent.objects.filter(correlation_id=mission.pk, event_data__cause="asked_by_agent").count()
    assert woken <= doubtful <= 2
    assert not list(Verification(PROJECTIONS, mission.pk).faults())


def test_the_gate_sends_domains_back_once_and_halts_a_report_that_cites_nothing(operator):
    mission = start(operator, objective="How do volcanoes erupt, and why does magma rise?")
    run_all()
    ended = fresh(mission)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    publication = ended.current_run.output["publication"]
    assert not publication["published"]
    assert publication["reason"].startswith("The quality gate halted it: no answer cites a source.")
    assert ended.current_run.output["report"]["answers"]
    gates = AgentCommunication.objects.filter(message_type="quality_gate").order_by("created_at")
    assert [gate.message_content["verdict"] for gate in gates] == ["redirect", "halt"]
    architects = AgentSession.objects.filter(root=mission, level="architect")
    assert architects.count() == 2 * len(gates[0].message_content["domains"])


def test_a_rejected_report_is_kept_and_says_that_it_was_not_published(operator):
    mission = start(operator)
    run_all()
    decide(operator, "reject", reason="Not yet")
    run_all()
    ended = fresh(mission)
    assert ended.status == SessionStatus.SUCCEEDED
    assert ended.current_run.output["publication"] == {"published": False, "reason": "Not yet"}
    assert "not published: Not yet" in ended.activity
    assert ended.current_run.output["report"]["answers"]


def test_a_mission_with_a_model_accounts_for_its_calls(operator, monkeypatch):
    with ModelServer() as server:
        use_model(monkeypatch, server.base_url)
        mission = start(operator, "openai:thoughtful-1")
        run_all()
        decide(operator, "approve")
        run_all()
    ended = fresh(mission)
    assert ended.status == SessionStatus.SUCCEEDED, ended.current_run.error
    check_citations(ended.current_run.output["report"])
    purposes = set(ModelCall.objects.filter(session__root=mission).values_list("purpose", flat=True))
    assert {"plan", "split", "extract"} <= purposes
    assert all(call.input_tokens > 0 and call.cost > 0 for call in ModelCall.objects.all())


def test_a_mission_whose_model_is_down_says_so_and_can_be_retried(operator, monkeypatch):
    address = nobody_s_address()
    use_model(monkeypatch, address)
    mission = start(operator, "openai:thoughtful-1")
    run_through()
    failed = fresh(mission)
    assert (failed.status, failed.current_run.error_code) == (SessionStatus.FAILED, "model_unavailable")
    assert address in failed.current_run.error
    with ModelServer() as server:
        use_model(monkeypatch, server.base_url)
        agents.retry(operator, mission.pk)
        run_all()
        assert fresh(mission).status == SessionStatus.WAITING_CHILDREN
        decide(operator, "approve")
        run_all()
    ended = fresh(mission)
    assert (ended.status, ended.current_run.number) == (SessionStatus.SUCCEEDED, 2)


def test_a_model_that_dies_on_the_way_leaves_something_to_take_up(operator, monkeypatch):
    """Every specialist fails; the retry asks again only for what is missing."""
    with ModelServer() as server:
        use_model(monkeypatch, server.base_url)
        mission = start(operator, "openai:thoughtful-1")
        while not AgentSession.objects.filter(root=mission, level="specialist").exists():
            runner.run_next(AgentSession.objects.filter(status=SessionStatus.QUEUED).first().level)
    use_model(monkeypatch, nobody_s_address())
    run_through()
    failed = fresh(mission)
    assert failed.status == SessionStatus.FAILED
    assert "Nobody below came back with a result" in failed.current_run.error
    with ModelServer() as server:
        use_model(monkeypatch, server.base_url)
        agents.retry(operator, mission.pk)
        run_all()
        decide(operator, "approve")
        run_all()
    assert fresh(mission).status == SessionStatus.SUCCEEDED
