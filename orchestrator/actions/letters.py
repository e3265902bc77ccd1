"""Replaying and discarding dead letters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import person
from agents.errors import DomainError, NotFound
from agents.lifecycle import LetterStatus
from agents.models import DeadLetter, User
from agents.roles import Role
from agents.services import audit, control, letters, sessions
from agents.services.letters import Reason
from orchestrator import dispatch


@transaction.atomic
def replay(user: User, letter_id: UUID) -> DeadLetter:
    """Do again what failed: an agent goes on from its last state, a task is sent again.

    Raises NotFound, Forbidden, and InvalidTransition when it was settled before or the agent cannot be tried again.
    """
    letter = access.letter_for(user, letter_id, role=Role.OPERATOR)
    if letter.session_id is not None:
        sessions.lock(letter.session_id)  # before the letter, as whoever tries the agent again does
    settled = letters.settle(letter.pk, LetterStatus.REPLAYED, by=user.pk)
    if letter.session_id is not None:
        control.retry(letter.session_id, actor=person(user.pk))
    else:
        transaction.on_commit(lambda: dispatch.send(letter.task, letter.arguments))
    _audit(user, settled, "letter.replay")
    return settled


@transaction.atomic
def discard(user: User, letter_id: UUID) -> DeadLetter:
    """Leave it at that. Raises NotFound, Forbidden, and InvalidTransition when it was settled before."""
    letter = access.letter_for(user, letter_id, role=Role.OPERATOR)
    settled = letters.settle(letter.pk, LetterStatus.DISCARDED, by=user.pk)
    _audit(user, settled, "letter.discard")
    return settled


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter; `why` says in words why it was not settled, and is empty where it was."""

    letter_id: UUID
    title: str
    why: str = ""


def settle_all(user: User, letter_ids: Sequence[UUID], verb: str) -> list[Outcome]:
    """Replay or discard each letter in a transaction of its own; what became of each. One that fails stops no other.

    Raises NotFound for another verb.
    """
    if verb not in ACTS:
        raise NotFound
    return [_settled(user, letter_id, ACTS[verb]) for letter_id in dict.fromkeys(letter_ids)]


def _settled(user: User, letter_id: UUID, act: Callable[[User, UUID], DeadLetter]) -> Outcome:
    try:
        return Outcome(letter_id, act(user, letter_id).title)
    except DomainError as error:
        found = DeadLetter.objects.filter(pk=letter_id).first() if not isinstance(error, NotFound) else None
        return Outcome(letter_id, found.title if found else "A letter", str(error))


ACTS: Mapping[str, Callable[[User, UUID], DeadLetter]] = {"replay": replay, "discard": discard}


def task_failed(name: str, arguments: Sequence[Any], error: BaseException) -> None:
    """Keep what a task raised."""
    letters.keep_task(name, arguments, Reason.of(error))


def _audit(user: User, letter: DeadLetter, action: str) -> None:
    audit.record(
        user.pk,
        action,
        project_id=letter.project_id,
        target=("letter", letter.pk),
        detail={"kind": letter.kind, "error": letter.error_code},
    )
