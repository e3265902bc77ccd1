"""Dead letters: what failed for good is kept, once, until a person replays or discards it."""

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents.actor import Actor
from agents.errors import DomainError, NotFound, words_of
from agents.events.digests import digest
from agents.ids import new_id
from agents.lifecycle import LETTER_TRANSITIONS, LetterKind, LetterStatus, check_move
from agents.models import AgentSession, DeadLetter, Project, ToolExecution
from agents.storable import storable_text

LONGEST_TRACE = 20_000  # characters, the end of it: there stands where it broke
LONGEST_MESSAGE = 4_000

# One row while it is open: what fails again only counts up, and shows how it failed last.
KEEP = """
INSERT INTO dead_letters (letter_id, project_id, session_id, execution_id, kind, subject, title, task, arguments,
                          error_code, message, trace)
VALUES (%(letter_id)s, %(project_id)s, %(session_id)s, %(execution_id)s, %(kind)s, %(subject)s, %(title)s, %(task)s,
        %(arguments)s::jsonb, %(error_code)s, %(message)s, %(trace)s)
ON CONFLICT (kind, subject) WHERE status = 'open' DO UPDATE
    SET count = dead_letters.count + 1, last_at = statement_timestamp(), error_code = excluded.error_code,
        message = excluded.message, trace = excluded.trace"""


Listener = Callable[[Sequence[UUID]], None]
_listeners: list[Listener] = []


def on_changed(listener: Listener) -> None:
    """Call `listener` after each commit that kept or settled a letter, with the projects whose people may see it."""
    if listener not in _listeners:
        _listeners.append(listener)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something failed for good: the kind of error, its words, and where it broke, for engineers."""

    code: str
    message: str
    trace: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Reason":
        """The reason that an exception gives."""
        code = error.code if isinstance(error, DomainError) else type(error).__name__
        return cls(code, words_of(error), storable_text("".join(traceback.format_exception(error))))


def keep_session(session: AgentSession, reason: Reason) -> None:
    """A session failed for good. In the transaction in which it fails."""
    _keep(LetterKind.SESSION, str(session.pk), session.name, reason, session=session)


def keep_tool(row: ToolExecution, title: str, reason: Reason) -> None:
    """A tool call was given up."""
    _keep(LetterKind.TOOL, str(row.pk), title, reason, session=row.session, execution_id=row.pk)


def keep_task(name: str, arguments: Sequence[Any], reason: Reason) -> None:
    """A task raised. Tasks of one name and arguments are one letter."""
    given = json.loads(json.dumps(list(arguments), default=str))
    _keep(LetterKind.TASK, f"{name}:{digest(given)[:32]}", name, reason, task=name, arguments=given)


def _keep(
    kind: LetterKind,
    subject: str,
    title: str,
    reason: Reason,
    *,
    session: AgentSession | None = None,
    execution_id: UUID | None = None,
    task: str = "",
    arguments: Sequence[Any] = (),
) -> None:
    row = {
        "letter_id": new_id(),
        "project_id": session.project_id if session else None,
        "session_id": session.pk if session else None,
        "execution_id": execution_id,
        "kind": str(kind),
        "subject": subject,
        "title": title,
        "task": task,
        "arguments": json.dumps(list(arguments)),
        "error_code": reason.code,
        "message": reason.message[:LONGEST_MESSAGE],
        "trace": reason.trace[-LONGEST_TRACE:],
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP, {name: _clean(value) for name, value in row.items()})
    _changed(session.project_id if session else None)


def _changed(project_id: UUID | None) -> None:
    """A letter of the installation may be seen by admins of any project."""

    def tell() -> None:
        seen_in = [project_id] if project_id else list(Project.objects.values_list("pk", flat=True))
        for listener in _listeners:
            listener(seen_in)

    transaction.on_commit(tell, robust=True)


def _clean(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value


@transaction.atomic
def settle(letter_id: UUID, status: LetterStatus, *, by: UUID) -> DeadLetter:
    """Replayed or discarded by a person. Raises NotFound, and InvalidTransition for who comes second."""
    letter = DeadLetter.objects.select_for_update(no_key=True).filter(pk=letter_id).first()
    if letter is None:
        raise NotFound
    check_move(LETTER_TRANSITIONS, LetterStatus(letter.status), status)
    letter.status, letter.settled_by_id, letter.settled_at = status, by, timezone.now()
    letter.save(update_fields=["status", "settled_by", "settled_at"])
    _changed(letter.project_id)
    return letter


def replayed(session: AgentSession, *, actor: Actor) -> int:
    """A locked session is tried again: what is open of it is settled; how many letters that were."""
    settled = session.letters.filter(status=LetterStatus.OPEN).update(
        status=LetterStatus.REPLAYED,
        settled_at=timezone.now(),
        settled_by=actor.id if actor.kind == "person" else None,
    )
    if settled:
        _changed(session.project_id)
    return settled
