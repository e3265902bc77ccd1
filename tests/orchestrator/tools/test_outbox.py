"""Publishing into the outbox and taking it back: exactly the file that was written, and only while it is that."""

import os

import pytest

from agents.errors import InvalidInput
from agents.ids import new_id
from orchestrator.tools import outbox
from orchestrator.tools.outbox import PUBLISH_REPORT, UNPUBLISH_REPORT
from orchestrator.tools.tool import Caller

ARGUMENTS = {"file_name": "bees.md", "title": "Bees", "content": "They hum."}


@pytest.fixture
def caller(tmp_path, monkeypatch) -> Caller:
    monkeypatch.setattr(outbox, "outbox_dir", lambda: tmp_path)
    return Caller(new_id(), "garden", new_id(), new_id(), new_id())


def publish(caller: Caller) -> dict:
    return PUBLISH_REPORT.run(caller, PUBLISH_REPORT.parse(ARGUMENTS))


def take_back(caller: Caller, output: dict) -> dict:
    assert PUBLISH_REPORT.compensation and PUBLISH_REPORT.compensation.tool == UNPUBLISH_REPORT.name
    arguments = PUBLISH_REPORT.compensation.arguments(ARGUMENTS, output)
    return UNPUBLISH_REPORT.run(caller, UNPUBLISH_REPORT.parse(arguments))


def test_what_was_published_is_taken_back_once_and_nothing_else(caller, tmp_path):
    other = tmp_path / "garden" / "other.md"
    output = publish(caller)
    other.write_text("mine")
    assert take_back(caller, output) == {"file_name": "bees.md", "removed": True}
    assert [path.name for path in (tmp_path / "garden").iterdir()] == ["other.md"]
    assert take_back(caller, output) == {"file_name": "bees.md", "removed": False}


def test_a_file_that_was_changed_since_is_left_and_it_says_so(caller, tmp_path):
    output = publish(caller)
    path = tmp_path / "garden" / "bees.md"
    path.write_text("# Bees\n\nThey sting.\n")
    with pytest.raises(InvalidInput, match="not what was published any more"):
        take_back(caller, output)
    assert path.read_text() == "# Bees\n\nThey sting.\n"


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_file_of_ours_is_left(caller, tmp_path, kind):
    output = publish(caller)
    path = tmp_path / "garden" / "bees.md"
    if kind == "link":
        path.rename(tmp_path / "elsewhere.md")
        path.symlink_to(tmp_path / "elsewhere.md")
    else:
        path.unlink()
        path.mkdir()
    with pytest.raises(InvalidInput):
        take_back(caller, output)
    assert os.path.lexists(path)


@pytest.mark.parametrize("name", ["../bees.md", "/etc/passwd", "bees.txt", ".hidden.md"])
def test_only_names_that_can_be_published_can_be_taken_back(caller, name):
    with pytest.raises(InvalidInput):
        UNPUBLISH_REPORT.parse({"file_name": name, "sha256": "0" * 64})


def test_a_call_that_was_taken_as_done_can_be_taken_back_too(caller, tmp_path):
    publish(caller)
    assert take_back(caller, {"taken_as_done": True})["removed"]
