"""Sources: staged for a draft, from uploads and folders, adopted by a mission, embedded."""

import os
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from agents.errors import NotFound
from memory import embedders
from memory.documents import Limits
from memory.errors import (
    FolderRefused,
    PdfWithoutText,
    SourceBinary,
    SourceOutside,
    SourceTooLarge,
    SourceUnreadable,
    TooManySources,
)
from memory.models import MissionPassage, MissionSource
from memory.services import sources
from memory.services.sources import Draft
from tests.factories import make_mission, make_project, make_user
from tests.memory.pdf_files import pdf
from tests.races import at_once

LIMITS = Limits(max_bytes=100_000)
TEXT = "# Bees\n\nThey dance an eight. It says where flowers are.\n\n## Wax\n\nIt is warm in the hive."

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft() -> Draft:
    user = make_user()
    return Draft(uuid4(), make_project(user), user, max_sources=10)


def stage(draft: Draft, name: str = "bees.md", text: str = TEXT) -> MissionSource:
    return sources.stage(draft, name, text.encode(), limits=LIMITS)


def names(draft: Draft) -> list[str]:
    return [source.name for source in MissionSource.objects.staged(draft.draft_id, draft.user)]


def test_a_staged_file_has_its_text_and_passages_that_cite_it_exactly(draft):
    source = stage(draft)
    source.refresh_from_db()
    assert (source.text, source.size_bytes, source.pages) == (TEXT, len(TEXT), None)
    assert source.words == 15
    found = list(source.passages.order_by("position"))
    assert [passage.heading for passage in found] == ["Bees", "Bees \u203a Wax"]
    assert all(passage.content == source.text[passage.start : passage.end] for passage in found)
    assert all(passage.project_id == draft.project.pk and passage.content_vector is None for passage in found)


def test_a_pdf_keeps_its_pages(draft):
    data = pdf(["The waggle dance says where flowers are."], ["The queen lays eggs."])
    source = sources.stage(draft, "bees.pdf", data, limits=LIMITS)
    assert source.pages == 2
    assert source.passages.get(position=0).page == 1


def test_the_same_bytes_stand_once_under_their_first_name(draft):
    assert stage(draft).pk == stage(draft, "copy.md").pk
    assert names(draft) == ["bees.md"]


def test_a_refused_file_leaves_nothing_behind(draft):
    with pytest.raises(SourceBinary):
        sources.stage(draft, "a.md", b"\0\1\2", limits=LIMITS)
    assert not MissionSource.objects.exists()


def test_the_most_sources_of_a_mission_are_a_limit(draft):
    few = Draft(draft.draft_id, draft.project, draft.user, max_sources=2)
    stage(few, "a.md", "First words.")
    stage(few, "b.md", "Second words.")
    with pytest.raises(TooManySources, match=r"c\.md is one too many: a mission may have 2 sources"):
        stage(few, "c.md", "Third words.")
    assert stage(few, "again.md", "First words.").name == "a.md"


def test_a_draft_belongs_to_the_person_who_began_it(draft):
    stage(draft)
    stranger = Draft(draft.draft_id, draft.project, make_user(), max_sources=10)
    with pytest.raises(NotFound):
        stage(stranger, "mine.md", "Other words.")
    sources.unstage(MissionSource.objects.get().pk, draft_id=draft.draft_id, user=stranger.user)
    assert names(draft) == ["bees.md"]


def test_a_source_can_be_taken_out_of_a_draft(draft):
    source = stage(draft)
    sources.unstage(source.pk, draft_id=draft.draft_id, user=draft.user)
    assert not MissionPassage.objects.exists()
    sources.unstage(source.pk, draft_id=draft.draft_id, user=draft.user)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_uploaded_by_many_at_once_is_one_source():
    user = make_user()
    draft = Draft(uuid4(), make_project(user), user, max_sources=10)
    outcomes = at_once(*[lambda: stage(draft).pk for _ in range(6)])
    assert len(set(outcomes)) == 1
    assert MissionSource.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_files_at_once_do_not_pass_the_limit():
    user = make_user()
    draft = Draft(uuid4(), make_project(user), user, max_sources=3)
    outcomes = at_once(*[lambda n=n: stage(draft, f"{n}.md", f"Text number {n}.") for n in range(8)])
    assert sum(isinstance(outcome, TooManySources) for outcome in outcomes) == 5
    assert MissionSource.objects.count() == 3


def test_the_database_refuses_a_source_of_both_a_draft_and_a_mission(draft):
    source = stage(draft)
    with pytest.raises(IntegrityError):
        MissionSource.objects.filter(pk=source.pk).update(session=make_mission(draft.project, draft.user))


def test_a_mission_adopts_its_draft_into_its_own_project(draft):
    stage(draft)
    other = make_project(draft.user)
    mission = make_mission(other, draft.user)
    assert sources.adopt(draft.draft_id, mission, user=draft.user) == 1
    assert sources.adopt(draft.draft_id, mission, user=draft.user) == 0
    source = MissionSource.objects.of_mission(mission.pk).get()
    assert (source.project_id, source.draft_id) == (other.pk, None)
    assert vars(source)["passage_count"] == 2
    assert set(source.passages.values_list("project_id", flat=True)) == {other.pk}
    assert names(draft) == []


def test_nobody_adopts_another_persons_draft(draft):
    stage(draft)
    stranger = make_user()
    assert sources.adopt(draft.draft_id, make_mission(draft.project, stranger), user=stranger) == 0


def test_abandoned_drafts_are_dropped_and_missions_keep_their_sources(draft):
    stage(draft)
    kept = Draft(uuid4(), draft.project, draft.user, max_sources=10)
    stage(kept, "kept.md", "Kept words.")
    sources.adopt(kept.draft_id, make_mission(draft.project, draft.user), user=draft.user)
    assert sources.drop_abandoned(timezone.now() - timedelta(hours=1)) == 0
    assert sources.drop_abandoned(timezone.now() + timedelta(hours=1)) == 1
    assert [source.name for source in MissionSource.objects.all()] == ["kept.md"]


# Folders


@pytest.fixture
def root(tmp_path):
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("# A\n\nFirst words.")
    (tmp_path / "docs" / "deep" / "b.txt").write_text("Second words.")
    (tmp_path / "outside.md").write_text("Secret words.")
    return tmp_path / "docs"


def stage_folder(draft: Draft, folder: object, root: Path) -> sources.FolderOutcome:
    return sources.stage_folder(draft, str(folder), roots=[root], limits=LIMITS)


def test_a_folder_is_staged_whole_by_its_own_names(draft, root):
    outcome = stage_folder(draft, root, root)
    assert [source.name for source in outcome.staged] == ["docs/a.md", "docs/deep/b.txt"]
    assert {source.origin for source in outcome.staged} == {"folder"}
    assert not outcome.refused
    assert not outcome.ignored


def test_a_folder_may_be_given_below_a_root(draft, root):
    assert [source.name for source in stage_folder(draft, "deep", root).staged] == ["deep/b.txt"]


def test_bad_files_do_not_lose_the_good_ones(draft, root):
    (root / "binary.md").write_bytes(b"\0\1")
    (root / "big.txt").write_text("word " * 50_000)
    (root / "picture.png").write_bytes(b"\x89PNG")
    (root / "scan.pdf").write_bytes(pdf([]))
    os.mkfifo(root / "pipe.md")
    (root / "gone.md").symlink_to(root / "nowhere.md")
    outcome = stage_folder(draft, root, root)
    assert [source.name for source in outcome.staged] == ["docs/a.md", "docs/deep/b.txt"]
    assert {refused.data["name"]: type(refused) for refused in outcome.refused} == {
        "docs/big.txt": SourceTooLarge,
        "docs/binary.md": SourceBinary,
        "docs/gone.md": SourceUnreadable,
        "docs/pipe.md": SourceUnreadable,
        "docs/scan.pdf": PdfWithoutText,
    }
    assert outcome.ignored == ("docs/picture.png",)


def test_hidden_files_and_folders_are_left_out(draft, root):
    (root / ".git").mkdir()
    (root / ".git" / "note.md").write_text("Hidden words.")
    (root / ".secret.md").write_text("Hidden words too.")
    assert len(stage_folder(draft, root, root).staged) == 2


def test_a_link_to_a_file_outside_is_refused(draft, root):
    (root / "link.md").symlink_to(root.parent / "outside.md")
    outcome = stage_folder(draft, root, root)
    assert [type(refused) for refused in outcome.refused] == [SourceOutside]
    assert not MissionSource.objects.filter(text__contains="Secret").exists()


def test_a_link_to_a_file_inside_is_read(draft, root):
    (root / "link.md").symlink_to(root / "deep" / "b.txt")
    outcome = stage_folder(draft, root, root)
    assert [source.name for source in outcome.staged] == ["docs/a.md", "docs/link.md"]  # b.txt has the same bytes


def test_linked_folders_are_not_followed_and_circles_end(draft, root):
    (root / "circle").symlink_to(root)
    (root / "out").symlink_to(root.parent)
    (root / "self.md").symlink_to(root / "self.md")
    outcome = stage_folder(draft, root, root)
    assert len(outcome.staged) == 2
    assert [type(refused) for refused in outcome.refused] == [SourceUnreadable]


@pytest.mark.parametrize("folder", ["..", "/", "/etc", "../docs2", "nowhere", "a.md", "a\0b", "x" * 5000, "deep/../.."])
def test_what_is_no_folder_inside_a_root_is_refused(draft, root, folder):
    (root.parent / "docs2").mkdir()
    with pytest.raises(FolderRefused, match="no such folder among those that missions may read"):
        stage_folder(draft, folder, root)


def test_a_folder_that_is_a_link_to_the_outside_is_refused(draft, root):
    (root / "out").symlink_to(root.parent)
    with pytest.raises(FolderRefused):
        stage_folder(draft, root / "out", root)


def test_no_roots_allow_nothing(draft, root):
    with pytest.raises(FolderRefused):
        sources.stage_folder(draft, str(root), roots=[], limits=LIMITS)


def test_too_large_a_tree_is_refused_before_it_is_read(draft, root, monkeypatch):
    monkeypatch.setattr("memory.folders.MOST_ENTRIES", 2)
    with pytest.raises(FolderRefused, match="more than 2 files"):
        stage_folder(draft, root, root)


def test_a_folder_with_too_many_files_keeps_as_many_as_may_be(draft, root):
    few = Draft(draft.draft_id, draft.project, draft.user, max_sources=1)
    outcome = stage_folder(few, root, root)
    assert len(outcome.staged) == 1
    assert [type(refused) for refused in outcome.refused] == [TooManySources]


# Embedding


@pytest.fixture
def mission(draft):
    for number in range(3):
        text = "\n\n".join(f"# Part {part}\n\nWords {number} of part {part}." for part in range(30))
        stage(draft, f"{number}.md", text)
    mission = make_mission(draft.project, draft.user)
    sources.adopt(draft.draft_id, mission, user=draft.user)
    return mission


def vectors_of(mission) -> list[tuple[str, str, np.ndarray]]:
    found = MissionPassage.objects.filter(source__session=mission)
    return [(p.heading, p.content, np.array(p.content_vector)) for p in found]


def test_every_passage_gets_the_vector_of_its_heading_and_text(mission):
    told = []
    made = sources.embed_pending(mission.pk, lambda done, total: told.append((done, total)))
    assert made == 90
    assert told[-1] == (90, 90)
    assert all(before < after for before, after in pairwise(told))
    found = vectors_of(mission)
    expected = embedders.active().embed([f"{heading}\n{content}" for heading, content, _ in found])
    assert np.allclose([vector for _, _, vector in found], expected, atol=1e-5)


def test_embedding_again_does_nothing(mission):
    sources.embed_pending(mission.pk, lambda *_: None)
    assert sources.embed_pending(mission.pk, lambda *_: None) == 0


def test_embedding_goes_on_where_a_death_stopped_it(mission):
    def die(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sources.embed_pending(mission.pk, die)
    done = MissionPassage.objects.filter(content_vector__isnull=False).count()
    assert 0 < done < 90
    assert sources.embed_pending(mission.pk, lambda *_: None) == 90 - done


def test_nothing_is_locked_while_the_embedder_works(mission, monkeypatch):
    open_transactions = []

    class Watching:
        name, dimension = "watching", 384

        def embed(self, texts):
            open_transactions.append(len(connection.atomic_blocks))
            return np.zeros((len(texts), 384), np.float32)

    monkeypatch.setattr(embedders, "_active", Watching())
    sources.embed_pending(mission.pk, lambda *_: None)
    assert set(open_transactions) == {1}  # the test's own


@pytest.mark.django_db(transaction=True)
def test_two_at_once_embed_all_once_or_twice_but_right():
    user = make_user()
    draft = Draft(uuid4(), make_project(user), user, max_sources=10)
    stage(draft)
    mission = make_mission(draft.project, user)
    sources.adopt(draft.draft_id, mission, user=user)
    outcomes = at_once(*[lambda: sources.embed_pending(mission.pk, lambda *_: None) for _ in range(3)])
    assert all(isinstance(outcome, int) for outcome in outcomes)
    assert not MissionPassage.objects.filter(content_vector__isnull=True).exists()
