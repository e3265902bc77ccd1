"""Taking sessions out of this instance and into it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from agents import access
from agents.actor import person
from agents.errors import InvalidInput
from agents.events import causes
from agents.models import AgentSession, User
from agents.roles import Role
from agents.selectors import archives as archived
from agents.services import archives, audit
from orchestrator.runtime.saving import saver, unfenced, vault

MOST_BYTES = 64 * 1024 * 1024


def export_session(user: User, session_id: UUID) -> Iterator[bytes]:
    """The file of a session, piece by piece. Raises NotFound."""
    return archived.pieces(access.session_for(user, session_id), saver(), vault())


@causes.act()
def import_session(user: User, project_id: UUID, *, file: UploadedFile[bytes] | None) -> AgentSession:
    """A new, ended session from a file. Raises NotFound or Forbidden, InvalidInput with a message for `file`."""
    project = access.project_for(user, project_id, role=Role.OPERATOR)
    if file is None or not file.size:
        raise InvalidInput("There is no file.", fields={"file": "Choose a file that was exported from a session."})
    if file.size > MOST_BYTES:
        told = f"It has {file.size / 1024 / 1024:.1f} MB; {MOST_BYTES // 1024 // 1024} MB are the most."
        raise InvalidInput("The file is too large.", fields={"file": told})
    archive = archives.read(file.read())
    with transaction.atomic():
        session = archives.restore(archive, project, unfenced(), vault(), user=user, actor=person(user.pk))
        audit.record(user.pk, "session.import", project_id=project.pk, target=("session", session.pk))
    return session
