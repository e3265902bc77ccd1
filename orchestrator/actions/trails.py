"""The trails of requests, on a page and as files."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from agents import access
from agents.models import Approval, User
from agents.roles import Role
from agents.services import trails
from agents.services.trails import Trail

COLUMNS = (
    "approval_id",
    "mission_id",
    "session_id",
    "agent",
    "title",
    "tool",
    "risk",
    "asked_at",
    "seen_by",
    "status",
    "decided_by",
    "decided_at",
    "reason",
    "proposed_digest",
    "effective_digest",
    "ran",
    "ran_at",
    "came_to",
    "error",
    "chain",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would compute


def show(approval: Approval) -> Trail:
    """What happened to a request that a person may see."""
    return trails.of(approval)


def as_json(user: User, project_id: UUID, since: datetime, until: datetime) -> Iterator[bytes]:
    """The trails of a project's requests of a time, as one JSON list, piece by piece. Raises NotFound, Forbidden."""
    access.project_for(user, project_id, role=Role.APPROVER)
    return _json(trails.of_project(project_id, since, until))


def _json(found: Iterator[Trail]) -> Iterator[bytes]:
    before = b"["
    for trail in found:
        yield before + orjson.dumps(trail.as_json())
        before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


def as_csv(user: User, project_id: UUID, since: datetime, until: datetime) -> Iterator[bytes]:
    """The same as a table, a line each. Raises NotFound, Forbidden."""
    access.project_for(user, project_id, role=Role.APPROVER)
    return _csv(trails.of_project(project_id, since, until))


def _csv(found: Iterator[Trail]) -> Iterator[bytes]:
    yield _line(COLUMNS)
    for trail in found:
        told = trail.as_json()
        told["seen_by"] = ", ".join(dict.fromkeys(line.who for line in trail.lines if line.what == "saw it"))
        yield _line([_cell(told[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()
