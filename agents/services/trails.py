"""What happened to a request: who asked, who saw it, who decided on what, what ran and what came of it.

It is read from the request's own chain of events, which says whether anything of it was changed or taken away.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.events import reading, store
from agents.events.digests import json_digest
from agents.events.reading import Stored
from agents.events.types import (
    ApprovalAssigned,
    ApprovalDecided,
    ApprovalDispatched,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSeen,
    ApprovalUndone,
    ApprovalVoted,
    Event,
)
from agents.lifecycle import ApprovalStatus
from agents.models import AgentSession, Approval, User

READ_AT_ONCE = 100  # requests


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `digest` is that of what it was about."""

    version: int
    at: datetime
    who: str
    what: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Trail:
    """All that happened to a request. `broken_at`: the first version that is missing or was changed; None: sound."""

    approval: Approval
    lines: Sequence[Line]
    broken_at: int | None

    def as_json(self) -> dict[str, Any]:
        """As a file has it."""
        one, call = self.approval, self.approval.execution
        return {
            "approval_id": str(one.pk),
            "mission_id": str(one.session.root_id),
            "session_id": str(one.session_id),
            "agent": one.session.name,
            "title": one.title,
            "tool": one.tool_name,
            "risk": one.risk,
            "asked_at": one.created_at.isoformat(),
            "status": one.status,
            "decided_by": one.decider if one.status != ApprovalStatus.PENDING else "",
            "decided_at": one.decided_at.isoformat() if one.decided_at else "",
            "reason": one.reason,
            "policy": {"version": one.policy_version, "rule": one.policy_rule},
            "proposed_digest": json_digest(one.proposed),
            "effective_digest": one.effective_digest,
            "ran": call.status if call else "",
            "ran_at": call.completed_at.isoformat() if call and call.completed_at else "",
            "came_to": json_digest(call.output_data) if call and call.output_data is not None else "",
            "error": call.error_message if call else "",
            "lines": [
                {
                    "version": line.version,
                    "at": line.at.isoformat(),
                    "who": line.who,
                    "what": line.what,
                    "digest": line.digest,
                }
                for line in self.lines
            ],
            "chain": "sound" if self.broken_at is None else f"broken at version {self.broken_at}",
        }


def of(approval: Approval) -> Trail:
    """The trail of one request."""
    stored = list(reading.load(approval.pk))
    names = _names(stored)
    told = zip(stored, _for_whom(stored), strict=True)
    lines = [Line(one.version, one.at, names.get(one.actor, "the system"), *_told(one, to, names)) for one, to in told]
    return Trail(approval, lines, store.first_break(approval.pk))


def of_project(project_id: UUID, since: datetime, until: datetime) -> Iterator[Trail]:
    """The trails of the requests that were made in a time, the oldest first."""
    made = Approval.objects.filter(project_id=project_id, created_at__gte=since, created_at__lt=until)
    found = made.select_related("session", "execution", "decided_by", "rule").order_by("created_at", "pk")
    for approval in found.iterator(chunk_size=READ_AT_ONCE):
        yield of(approval)


def _for_whom(stored: Sequence[Stored]) -> list[str]:
    """The actor that the request was for at each of these events; empty for those of a role."""
    found, now = [], ""
    for one in stored:
        match one.event:
            case ApprovalRequested(assigned_to=user_id) | ApprovalAssigned(user_id=user_id):
                now = f"person:{user_id}" if user_id else ""
        found.append(now)
    return found


def _told(one: Stored, for_whom: str, names: Mapping[str, str]) -> tuple[str, str]:
    """What an event says. What is for one person, nobody else decides but who stands in while that one is away."""
    what, digest = _words(one.event)
    is_stand_in = (
        isinstance(one.event, ApprovalDecided) and one.actor.startswith("person:") and one.event.how == "person"
    )
    if is_stand_in and for_whom and one.actor != for_whom:
        what += f", standing in for {names.get(for_whom, 'somebody')}"
    return what, digest


def _names(stored: Sequence[Stored]) -> dict[str, str]:
    """What the actors of events, and whom the request was for, are called."""
    ids: dict[str, list[str]] = {"person": [], "agent": []}
    for actor in {one.actor for one in stored} | set(_for_whom(stored)):
        kind, _, named = actor.partition(":")
        if named and kind in ids:
            ids[kind].append(named)
    people = User.objects.filter(pk__in=ids["person"]).values_list("pk", User.USERNAME_FIELD)
    agents = AgentSession.objects.filter(pk__in=ids["agent"]).values_list("pk", "name")
    return {f"person:{pk}": name for pk, name in people} | {f"agent:{pk}": name for pk, name in agents}


_DONE: Mapping[type[Event], str] = {
    ApprovalRequested: "asked",
    ApprovalSeen: "saw it",
    ApprovalUndone: "took the decision back",
    ApprovalDispatched: "told the agent",
    ApprovalReminded: "reminded who decides",
}


def _words(event: Event) -> tuple[str, str]:
    """What an event says, and the digest of what it is about."""
    match event:
        case ApprovalVoted(verdict=verdict, digest=digest):
            return f"said “{verdict}”", digest
        case ApprovalDecided(status=status, edited=edited, how=how, digest=digest):
            by = f" by its {how}" if how not in ("person", "") and status != ApprovalStatus.WITHDRAWN else ""
            return f"{status}{' with edits' if edited else ''}{by}", digest
        case ApprovalAssigned(role=role, user_id=user_id):
            return f"gave it to {'one person' if user_id else f'whoever is {role}'}", ""
        case ApprovalRequested(digest=digest):
            return _DONE[ApprovalRequested], digest
    return _DONE.get(type(event), event.event_type), ""
