"""Checking, rebuilding and archiving events: for whoever runs the installation, who may see everything."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.errors import NotFound
from agents.events import archives, history
from agents.events.archives import Archived
from agents.events.projections import Projection
from agents.events.verification import Fault, Verification, Where
from agents.models import AgentSession
from agents.services import projections
from memory.services.projections import Memories

PROJECTIONS: tuple[Projection, ...] = (
    projections.Sessions(),
    projections.Approvals(),
    projections.Communications(),
    Memories(),
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a fault. `left` is what could not be written back, in words; empty when all was."""

    fault: Fault
    left: str


def verification(mission_id: UUID | None = None) -> Verification:
    """A pass over the events of a mission, or of all. Raises NotFound."""
    if mission_id and not AgentSession.objects.missions().filter(pk=mission_id).exists():
        raise NotFound("There is no such mission.")
    return Verification(PROJECTIONS, mission_id)


def rebuild(mission_id: UUID | None = None) -> Iterator[Rebuilt]:
    """Write back every row that is not as its events tell, an aggregate a transaction; what became of each fault.

    Wrong snapshots are deleted. What a broken chain says is worth nothing: its aggregate is left. Raises NotFound.
    """
    for fault in verification(mission_id).faults():
        yield Rebuilt(fault, "" if _is_mended(fault) else "not rebuilt")


def _is_mended(fault: Fault) -> bool:
    if fault.where is Where.SNAPSHOT:
        history.drop_snapshots(fault.aggregate_id)
        return True
    if fault.where is Where.CHAIN:
        return False
    projection = next(one for one in PROJECTIONS if one.aggregate_type == fault.aggregate_type)
    return fault.words not in {one.words for one in projections.rebuild(projection, fault.aggregate_id)}


def archive(before: datetime, *, dry_run: bool = False) -> Iterator[Archived]:
    """Archive the missions that ended before a time, one by one; with `dry_run` say how many events each has."""
    for mission_id in archives.due(before):
        if dry_run:
            yield Archived(mission_id, archives.extent(mission_id))
        else:
            yield archives.archive(mission_id, before)


def take_snapshots() -> int:
    """Take the snapshots that are due; how many."""
    return history.take_snapshots()
