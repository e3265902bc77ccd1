"""What the four levels keep between steps: typed, and readable as JSON."""

import operator
from typing import Annotated, Any

from typing_extensions import TypedDict  # pydantic can check it, which it cannot for typing's before Python 3.12

Piece = dict[str, Any]  # a piece of `findings`, as JSON holds it

GROWING = frozenset(
    {
        "decision_history",
        "collaboration_history",
        "versions",
        "decision_rationale",
        "validation_checkpoints",
        "quality_scores",
        "aggregation",
    }
)


def merged(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Reducer of a group: new keys replace old ones, and histories grow."""
    known = old or {}
    return known | {key: [*known.get(key, []), *value] if key in GROWING else value for key, value in new.items()}


class StrategicContext(TypedDict, total=False):
    """What the queen is after."""

    current_objectives: list[str]
    resource_allocation: dict[str, int]
    decision_history: list[str]


class QueenCoordination(TypedDict, total=False):
    """Whom the queen has sent out, and what she checked."""

    active_architects: list[str]
    delegation_queue: list[Piece]
    validation_checkpoints: list[Piece]


class QueenPerformance(TypedDict, total=False):
    """How well it went."""

    efficiency: float
    quality_scores: list[float]
    resource_use: dict[str, int]


class QueenState(TypedDict, total=False):
    """A queen's state."""

    objective: str
    title: str
    strategic_context: Annotated[StrategicContext, merged]
    coordination: Annotated[QueenCoordination, merged]
    performance: Annotated[QueenPerformance, merged]
    plan: Piece
    outcomes: dict[str, Piece]
    gate: Piece
    report: Piece
    publication: Piece
    instructions: Annotated[list[str], operator.add]
    result: Piece


class DomainContext(TypedDict, total=False):
    """What an architect is responsible for."""

    area: str
    active_projects: list[str]
    collaboration_history: list[str]


class DesignEvolution(TypedDict, total=False):
    """How the architect's split came about."""

    versions: list[int]
    decision_rationale: list[str]
    impact: dict[str, int]


class SpecialistCoordination(TypedDict, total=False):
    """Whom an architect has sent out."""

    active_specialists: list[str]
    delegation: list[Piece]
    synthesis: str


class ArchitectState(TypedDict, total=False):
    """An architect's state."""

    objective: str
    domain: Piece
    domain_context: Annotated[DomainContext, merged]
    design_evolution: Annotated[DesignEvolution, merged]
    specialist_coordination: Annotated[SpecialistCoordination, merged]
    outcomes: dict[str, Piece]
    instructions: Annotated[list[str], operator.add]
    result: Piece


class ExpertiseContext(TypedDict, total=False):
    """What a specialist can do and does."""

    capabilities: list[str]
    active_analyses: list[str]
    quality_metrics: dict[str, float]


class Collaboration(TypedDict, total=False):
    """Whom a specialist works with, and on what."""

    peers: list[str]
    shared_resources: list[str]
    integration_points: list[str]


class WorkerCoordination(TypedDict, total=False):
    """What a specialist's workers do."""

    distribution: list[Piece]
    progress: float
    validation: Piece


class SpecialistState(TypedDict, total=False):
    """A specialist's state."""

    objective: str
    question: Piece
    expertise_context: Annotated[ExpertiseContext, merged]
    collaboration: Annotated[Collaboration, merged]
    worker_coordination: Annotated[WorkerCoordination, merged]
    outcomes: dict[str, Piece]
    instructions: Annotated[list[str], operator.add]
    result: Piece


class TaskExecution(TypedDict, total=False):
    """What a worker has to do, and how far it is."""

    assigned_tasks: list[str]
    progress: float
    resource_use: dict[str, int]


class BatchCoordination(TypedDict, total=False):
    """A worker's part in its batch."""

    batch: list[str]
    aggregation: list[str]
    self_check: Piece


class WorkerPerformance(TypedDict, total=False):
    """How a worker did."""

    speed: float
    accuracy: float
    scaling: float


class WorkerState(TypedDict, total=False):
    """The state of a worker that reads, or publishes. One with a batch has `tasks`: each a question and an item."""

    question: str
    item: Piece
    tasks: list[Piece]
    failed: Annotated[dict[str, str], operator.or_]
    report: Piece
    task_execution: Annotated[TaskExecution, merged]
    coordination: Annotated[BatchCoordination, merged]
    performance: Annotated[WorkerPerformance, merged]
    passages: list[Piece]
    findings: list[Piece]
    instructions: Annotated[list[str], operator.add]
    result: Piece
