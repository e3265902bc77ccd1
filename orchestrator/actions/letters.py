"""Replaying and discarding dead letters."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import person
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
