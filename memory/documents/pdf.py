"""PDF files: their pages' text, read in a process of its own, and put back into paragraphs.

A PDF is a program of sorts, and a hostile one can take hours and all memory. So another process reads it
under limits of the operating system, and is killed when its time is up.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.documents import plain
from memory.documents.flow import flow
from memory.documents.limits import Limits
from memory.errors import PdfBroken, PdfEncrypted, PdfTooCostly, PdfWithoutText, SourceRefused, SourceTooLong

SIGNATURE = b"%PDF-"

_READER = Path(__file__).with_name("pdf_reader.py")
_REFUSALS: dict[str, type[SourceRefused]] = {
    "encrypted": PdfEncrypted,
    "broken": PdfBroken,
    "costly": PdfTooCostly,
}


@dataclass(frozen=True, slots=True)
class PdfText:
    """Text, the offset at which each page begins, and the numbers of the pages that could not be read."""

    text: str
    page_starts: tuple[int, ...]
    unread_pages: tuple[int, ...]


def read(name: str, data: bytes, *, limits: Limits) -> PdfText:
    """The text of a PDF. Raises a SourceRefused that says why not."""
    if SIGNATURE not in data[:1024]:
        raise PdfBroken(f"{name} is not a PDF.", name=name)
    answer = _ask(data, limits)
    refusal = answer.get("refused")
    if refusal in {"pages", "characters"}:
        limit = limits.max_pages if refusal == "pages" else limits.max_characters
        raise SourceTooLong(f"{name} has more than {limit:,} {refusal}.", name=name, limit=limit, unit=refusal)
    if refusal:
        raise _refused(_REFUSALS[refusal], name)
    text, page_starts = flow([plain.tidy(page) for page in answer["pages"]])
    if not any(character.isalpha() for character in text):
        raise _refused(PdfWithoutText, name)
    return PdfText(text, page_starts, tuple(answer["unread"]))


def _refused(error: type[SourceRefused], name: str) -> SourceRefused:
    return error(f"{name}: {error.__doc__}", name=name)


def _ask(data: bytes, limits: Limits) -> dict[str, Any]:
    """What the reading process answers; see `pdf_reader`."""
    arguments = (limits.max_pages, limits.max_characters, limits.pdf_seconds, limits.pdf_memory)
    command = [sys.executable, "-P", str(_READER), *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program, numbers as arguments
            command, input=data, capture_output=True, timeout=limits.pdf_seconds, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        return {"refused": "costly"}
    if done.returncode < 0 or b"MemoryError" in done.stderr:
        return {"refused": "costly"}
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
