"""Publishing into the outbox folder, and taking it back."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Risk
from orchestrator.conf import outbox_dir
from orchestrator.tools.tool import Arguments, Caller, Compensation, Effect, Tool

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,110}\.md$"


FileName = Annotated[str, StringConstraints(strip_whitespace=True, pattern=FILE_NAME)]


class PublishReport(Arguments):
    """What is published under which name."""

    file_name: FileName = Field(
        title="File name", description="Ends in .md; letters, digits, spaces, dots, dashes. No folders."
    )
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(title="Title")
    content: Annotated[str, StringConstraints(min_length=1, max_length=2_000_000)] = Field(
        title="Report", description="Markdown.", json_schema_extra={"format": "markdown"}
    )

    def text(self) -> str:
        """The file's content."""
        return f"# {self.title}\n\n{self.content.strip()}\n"


class UnpublishReport(Arguments):
    """Which file, and the SHA-256 of what was written into it."""

    file_name: FileName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def folder_of(caller: Caller) -> Path:
    """The project's folder in the outbox, which is made when it is not there."""
    folder = outbox_dir() / caller.project_slug
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def publish(caller: Caller, arguments: PublishReport) -> dict[str, Any]:
    """Write the report, whole or not at all, and never over another file.

    The same content under the same name counts as published, so a second run after a crash changes nothing.
    Raises InvalidInput when the name is taken by something else.
    """
    folder = folder_of(caller)
    path = folder / arguments.file_name
    content = arguments.text().encode()
    draft = folder / f".{secrets.token_hex(8)}.draft"
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
            raise InvalidInput(fields={"file_name": _taken(arguments)}) from None
    finally:
        draft.unlink(missing_ok=True)
    return {
        "file_name": arguments.file_name,
        "folder": caller.project_slug,
        "bytes": len(content),
        "sha256": _sha256(content),
    }


def unpublish(caller: Caller, arguments: UnpublishReport) -> dict[str, Any]:
    """Remove the file if its content is still what was written; one that is gone already is as good as removed.

    Raises InvalidInput when it holds anything else, and leaves it.
    """
    path = folder_of(caller) / arguments.file_name
    if not os.path.lexists(path):
        return {"file_name": arguments.file_name, "removed": False}
    if path.is_symlink() or not path.is_file() or _sha256(path.read_bytes()) != arguments.sha256:
        raise InvalidInput(
            f"“{arguments.file_name}” in the outbox is not what was published any more, so it was left there."
        )
    path.unlink(missing_ok=True)
    return {"file_name": arguments.file_name, "removed": True}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unpublishing(arguments: dict[str, Any], _output: dict[str, Any]) -> dict[str, Any]:
    """From the arguments, not the output: a call that a person took as done has none of its own."""
    published = PublishReport.model_validate(arguments)
    return {"file_name": published.file_name, "sha256": _sha256(published.text().encode())}


def _taken(arguments: PublishReport) -> str:
    return f"The outbox holds another “{arguments.file_name}” already. Choose another name."


def _faults(caller: Caller, arguments: PublishReport) -> dict[str, str]:
    path = folder_of(caller) / arguments.file_name
    taken = os.path.lexists(path) and (not path.is_file() or path.read_bytes() != arguments.text().encode())
    return {"file_name": _taken(arguments)} if taken else {}


def _effects(caller: Caller, arguments: PublishReport) -> tuple[Effect, ...]:
    words = len(arguments.content.split())
    return (
        Effect("info", f"Writes one file, {arguments.file_name}, into the outbox folder of this project"),
        Effect("info", f"It holds {words:,} words and stays until somebody deletes it"),
        Effect("warning", "Whoever reads the outbox can take it from there: the file can be taken back, a copy cannot"),
    )


PUBLISH_REPORT = Tool(
    name="publish_report",
    version="1",
    title="Publish a report",
    risk=Risk.MEDIUM,
    policy=Policy.ASK,
    idempotent=True,
    arguments=PublishReport,
    run=publish,
    effects=_effects,
    faults=_faults,
    compensation=Compensation("unpublish_report", _unpublishing),
)
UNPUBLISH_REPORT = Tool(
    name="unpublish_report",
    version="1",
    title="Take a report back from the outbox",
    risk=Risk.MEDIUM,
    policy=Policy.ASK,
    idempotent=True,
    arguments=UnpublishReport,
    run=unpublish,
)
