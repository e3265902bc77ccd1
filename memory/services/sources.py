"""A mission's sources: staged for a draft, taken over by its mission, made searchable."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from agents.errors import NotFound
from agents.models import AgentSession, Project, User
from memory import documents, embedders, folders, passages
from memory.documents import Document, Limits
from memory.errors import SourceEmpty, SourceRefused, TooManySources
from memory.models import MissionPassage, MissionSource
from memory.words import SourceOrigin

BATCH = 32


@dataclass(frozen=True, slots=True)
class Draft:
    """A mission that is being written: whose it is, where, and how many sources it may have."""

    draft_id: UUID
    project: Project
    user: User
    max_sources: int


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """What became of a folder's files: staged, refused with reasons, or of no type that is read."""

    staged: tuple[MissionSource, ...]
    refused: tuple[SourceRefused, ...]
    ignored: tuple[str, ...]


def stage(
    draft: Draft, name: str, data: bytes, *, limits: Limits, origin: SourceOrigin = SourceOrigin.UPLOAD
) -> MissionSource:
    """Keep a file's text and passages for a draft; the same bytes stand once, under their first name.

    Raises a SourceRefused that says why the file cannot be read, TooManySources, NotFound for another's draft.
    """
    document = documents.read(name, data, limits=limits)
    pieces = passages.split(document)
    if not pieces:
        raise SourceEmpty(f"There is nothing to read in {document.name}.", name=document.name)
    sha256 = hashlib.sha256(data).hexdigest()
    with transaction.atomic():
        lock_draft(draft.draft_id)
        if MissionSource.objects.filter(draft_id=draft.draft_id).exclude(user=draft.user).exists():
            raise NotFound
        known = MissionSource.objects.filter(draft_id=draft.draft_id, sha256=sha256).first()
        if known is not None:
            return known
        if MissionSource.objects.filter(draft_id=draft.draft_id).count() >= draft.max_sources:
            message = f"{document.name} is one too many: a mission may have {draft.max_sources} sources."
            raise TooManySources(message, name=document.name, limit=draft.max_sources)
        return _create(draft, document, pieces, sha256=sha256, size=len(data), origin=origin)


def lock_draft(draft_id: UUID) -> None:
    """One change to a draft at a time, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"draft {draft_id}"])


def _create(
    draft: Draft,
    document: Document,
    pieces: Sequence[passages.Passage],
    *,
    sha256: str,
    size: int,
    origin: SourceOrigin,
) -> MissionSource:
    source = MissionSource.objects.create(
        project=draft.project,
        user=draft.user,
        draft_id=draft.draft_id,
        name=document.name,
        media_type=document.media_type,
        origin=origin,
        sha256=sha256,
        size_bytes=size,
        text=document.text,
        words=sum(passages.words(piece.content) for piece in pieces),
        pages=len(document.page_starts) or None,
        metadata={"unread_pages": list(document.unread_pages)} if document.unread_pages else {},
    )
    MissionPassage.objects.bulk_create(
        [
            MissionPassage(
                project=draft.project,
                source=source,
                position=piece.position,
                heading=piece.heading,
                page=piece.page,
                start=piece.start,
                end=piece.end,
                content=piece.content,
            )
            for piece in pieces
        ],
        batch_size=500,
    )
    return source


def stage_folder(draft: Draft, folder: str, *, roots: Sequence[Path], limits: Limits) -> FolderOutcome:
    """Stage the files of a folder that lies in one of `roots`. A file that is refused does not stop the others.

    Names are relative to the folder's parent, so that they say where a file stood. Raises FolderRefused.
    """
    root, place = folders.locate(folder, roots)
    kept: dict[UUID, MissionSource] = {}
    refused: list[SourceRefused] = []
    ignored: list[str] = []
    for path in folders.files(place):
        name = documents.clean_name(str(path.relative_to(place.parent)))
        if not documents.is_readable(name):
            ignored.append(name)
            continue
        try:
            data = folders.read(path, name=name, root=root, limits=limits)
            source = stage(draft, name, data, limits=limits, origin=SourceOrigin.FOLDER)
            kept.setdefault(source.pk, source)
        except TooManySources as error:
            refused.append(error)
            break
        except SourceRefused as error:
            refused.append(error)
    return FolderOutcome(tuple(kept.values()), tuple(refused), tuple(ignored))


def unstage(source_id: UUID, *, draft_id: UUID, user: User) -> None:
    """Take a source out of a draft. Nothing happens if it is not there."""
    MissionSource.objects.filter(pk=source_id, draft_id=draft_id, user=user).delete()


def drop_abandoned(before: datetime) -> int:
    """Delete what was staged before that time for drafts that never became missions; how many sources."""
    _, counts = MissionSource.objects.filter(session__isnull=True, created_at__lt=before).delete()
    return counts.get(MissionSource._meta.label, 0)


@transaction.atomic
def adopt(draft_id: UUID, mission: AgentSession, *, user: User) -> int:
    """Give a draft's sources to its mission, in the mission's project; how many there were.

    It waits for a file that is just being staged.
    """
    lock_draft(draft_id)
    mine = MissionSource.objects.filter(draft_id=draft_id, user=user)
    MissionPassage.objects.filter(source__in=mine).exclude(project_id=mission.project_id).update(
        project_id=mission.project_id
    )
    return mine.update(session=mission, project_id=mission.project_id, draft_id=None)


def embed_pending(mission_id: UUID, progress: Callable[[int, int], None]) -> int:
    """Give every passage of a mission its vector; how many it made. `progress` is told (done, total) as it goes.

    May be called again, or by two at once: each batch is written in one statement, and equal values twice do no
    harm. Nothing is locked while the embedder works.
    """
    every = MissionPassage.objects.filter(source__session_id=mission_id)
    pending = every.filter(content_vector__isnull=True).order_by("source_id", "position")
    total, made = every.count(), 0
    while batch := list(pending.only("passage_id", "heading", "content")[:BATCH]):
        embedder = embedders.active()
        vectors = embedder.embed([_text(passage) for passage in batch])
        for passage, vector in zip(batch, vectors, strict=True):
            passage.content_vector, passage.embedder = vector, embedder.name
        MissionPassage.objects.bulk_update(batch, ["content_vector", "embedder"])
        made += len(batch)
        progress(total - pending.count(), total)
    return made


def _text(passage: MissionPassage) -> str:
    return f"{passage.heading}\n{passage.content}" if passage.heading else passage.content
