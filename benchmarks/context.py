"""What a coordinator holds of its children's results, and what a mission asks its model with and without batches."""

import time
from dataclasses import dataclass

from django.db import connection
from django.db.models import Sum

from agents.ids import new_id
from agents.models import AgentSession, ModelCall, Project, User
from agents.roles import Level
from agents.selectors import reuse
from benchmarks import missions, tables
from memory.documents import Limits
from memory.services import sources
from orchestrator.actions import missions as actions
from tests.model_server import MODEL

CHILDREN = (10, 85, 1000)
BATCHES = ((1, 0), (3, 5_000))  # tasks in a batch, and tokens of what they read
LENGTH = 6_000  # characters of a result
PATIENCE = 300  # seconds
SECTIONS = 6
OBJECTIVE = "What do bees need in autumn? How are mites treated? When do colonies swarm? How is honey harvested?"
_HELD = """
SELECT (SELECT sum(octet_length(output::text)) FROM agent_runs JOIN agent_sessions child USING (session_id)
        WHERE child.parent_id = %(session)s),
       (SELECT sum(octet_length(answer::text)) FROM session_waits WHERE session_id = %(session)s),
       (SELECT max(size_bytes) FROM agent_states WHERE session_id = %(session)s)"""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes: of all children's results, of the answer that their coordinator got, of what its largest state added."""

    children: int
    results: int
    answer: int
    state: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a mission took until its report was written; `most` tasks, of so many `tokens`, in a batch."""

    most: int
    tokens_of_batch: int
    agents: int
    calls: int
    tokens: int
    told: reuse.Batched


def run(project: Project, user: User) -> tuple[list[Held], list[Asked]]:
    """Both, one after the other, on a stack that has a model. Raises RuntimeError where something does not end."""
    held = [_held(project, user, children) for children in CHILDREN]
    return held, [_asked(project, user, most, size) for most, size in BATCHES]


def _held(project: Project, user: User, children: int) -> Held:
    root = missions.start(project, user, "bench.gathers", Level.SPECIALIST, below=[children], length=LENGTH)
    missions.wait_for([root])
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"session": root})
        results, answer, state = cursor.fetchone()
    return Held(children, int(results), int(answer), int(state))


def _asked(project: Project, user: User, most: int, size: int) -> Asked:
    draft = sources.Draft(new_id(), project, user, 100)
    for name in ("feeding", "mites", "swarming", "honey"):
        text = "\n\n".join(f"## {name} {number}\n\n{_section(name, number)}" for number in range(SECTIONS))
        sources.stage(draft, f"{name}.md", text.encode(), limits=Limits(max_bytes=100_000))
    mission = actions.start(user, project.pk, draft_id=draft.draft_id, objective=OBJECTIVE, model=f"openai:{MODEL}")
    rule = {"most": most, "tokens": size}
    AgentSession.objects.filter(pk=mission.pk).update(metadata=mission.metadata | {"batching": rule})
    end = time.monotonic() + PATIENCE
    while not AgentSession.objects.filter(root=mission, agent_type="research.publisher").exists():
        if time.monotonic() > end:
            raise RuntimeError(f"the mission wrote no report within {PATIENCE} s")
        time.sleep(0.1)
    calls = ModelCall.objects.filter(session__root=mission)
    taken = calls.aggregate(read=Sum("input_tokens"), written=Sum("output_tokens"))
    agents = AgentSession.objects.filter(root=mission).count()
    told = reuse.batched_in_mission(mission.pk)
    return Asked(most, size, agents, calls.count(), taken["read"] + taken["written"], told)


def _section(name: str, number: int) -> str:
    return " ".join(
        f"In part {number} of {name}, sentence {place} says what bees need when {name} comes in autumn."
        for place in range(5)
    )


def table(found: tuple[list[Held], list[Asked]]) -> str:
    """Both tables."""
    held, asked = found
    alone = asked[0]
    return tables.table(
        f"Results of {LENGTH:,} characters below one coordinator",
        ("children", "results", "its answer", "its largest state", "answer, a child", "answer beside results"),
        [
            (
                f"{one.children:,}",
                _kilobytes(one.results),
                _kilobytes(one.answer),
                _kilobytes(one.state),
                f"{one.answer / one.children:.0f} B",
                f"{one.answer / one.results:.3f}",
            )
            for one in held
        ],
    ) + tables.table(
        "A mission on four short sources, with a model, up to its report",
        ("tasks in a batch", "agents", "model calls", "tokens", "tokens, ratio", "said to be saved"),
        [
            (
                f"up to {one.most}, of {one.tokens_of_batch:,} tokens" if one.most > 1 else "one",
                str(one.agents),
                str(one.calls),
                f"{one.tokens:,}",
                f"{one.tokens / alone.tokens:.2f}",
                f"{one.told.calls} calls, {one.told.tokens:,} tokens",
            )
            for one in asked
        ],
    )


def _kilobytes(count: int) -> str:
    return f"{count / 1024:,.1f} KB"
