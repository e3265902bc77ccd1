"""Choosing what a mission will read."""

from __future__ import annotations

from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from agents import access
from agents.models import User
from agents.roles import Role
from memory import documents
from memory.documents import Limits
from memory.models import MissionSource
from memory.services import sources
from memory.services.sources import Draft, FolderOutcome
from orchestrator.conf import source_limits


def stage_file(user: User, project_id: UUID, *, draft_id: UUID, file: UploadedFile[bytes]) -> MissionSource:
    """Keep an uploaded file for a draft. Raises NotFound or Forbidden, a SourceRefused that says why not."""
    draft = _draft(user, project_id, draft_id)
    name = documents.clean_name(file.name or "")
    documents.check_size(name, file.size or 0, limits=_limits())  # before a byte of it is in memory
    return sources.stage(draft, name, file.read(), limits=_limits())


def stage_folder(user: User, project_id: UUID, *, draft_id: UUID, folder: str) -> FolderOutcome:
    """Keep the files of a folder on the server for a draft. Raises NotFound or Forbidden, FolderRefused."""
    draft = _draft(user, project_id, draft_id)
    return sources.stage_folder(draft, folder, roots=source_limits().roots, limits=_limits())


def unstage(user: User, project_id: UUID, *, draft_id: UUID, source_id: UUID) -> None:
    """Take a source out of a draft again."""
    access.project_for(user, project_id, role=Role.OPERATOR)
    sources.unstage(source_id, draft_id=draft_id, user=user)


def _draft(user: User, project_id: UUID, draft_id: UUID) -> Draft:
    project = access.project_for(user, project_id, role=Role.OPERATOR)
    return Draft(draft_id, project, user, source_limits().max_files)


def _limits() -> Limits:
    return Limits(max_bytes=source_limits().max_bytes)
