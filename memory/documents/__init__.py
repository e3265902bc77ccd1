"""Files of a mission become documents: text with exact offsets, and where its pages begin."""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePath

from memory.documents import pdf, plain
from memory.documents.limits import Limits
from memory.errors import SourceEmpty, SourceTooLarge, SourceTooLong, SourceTypeUnknown

__all__ = ["ACCEPTED", "Document", "Limits", "check_size", "clean_name", "is_readable", "read"]

MARKDOWN = "text/markdown"
PLAIN = "text/plain"
PDF = "application/pdf"

MEDIA_TYPES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".rst": PLAIN,
    ".pdf": PDF,
    "": PLAIN,  # README, LICENSE
}
ACCEPTED = "Markdown (.md, .markdown), text (.txt, .text, .rst) and PDF (.pdf)"

_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Document:
    """A source's text. `page_starts` has the offset of each page, if it has pages; they count from 1."""

    name: str
    media_type: str
    text: str
    page_starts: tuple[int, ...] = ()
    unread_pages: tuple[int, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Number, from 1, of the page that `offset` stands on."""
        return bisect_right(self.page_starts, offset) or None


def read(name: str, data: bytes, *, limits: Limits) -> Document:
    """The document in a file, judged by name and first bytes. Raises a SourceRefused that says why not."""
    name = clean_name(name)
    media_type = _media_type(name, data)
    check_size(name, len(data), limits=limits)
    if not data.strip():
        raise SourceEmpty(f"{name} is empty.", name=name)
    if media_type == PDF:
        found = pdf.read(name, data, limits=limits)
        return Document(name, media_type, found.text, found.page_starts, found.unread_pages)
    text = plain.decode(name, data)
    if len(text) > limits.max_characters:
        message = f"{name} has more than {limits.max_characters:,} characters."
        raise SourceTooLong(message, name=name, limit=limits.max_characters, unit="characters")
    if not any(character.isalnum() for character in text):
        raise SourceEmpty(f"There are no words in {name}.", name=name)
    return Document(name, media_type, text)


def check_size(name: str, size: int, *, limits: Limits) -> None:
    """Raise SourceTooLarge if a file of so many bytes is; whoever reads a file asks before."""
    if size > limits.max_bytes:
        message = f"{name} has {_megabytes(size)}; at most {_megabytes(limits.max_bytes)} can be read."
        raise SourceTooLarge(message, name=name, size=size, limit=limits.max_bytes)


def is_readable(name: str) -> bool:
    """Does the name end as one of the types that can be read?"""
    return PurePath(name).suffix.lower() in MEDIA_TYPES


def clean_name(name: str) -> str:
    """The name on one line, without control characters, of at most 200 characters, its ending kept."""
    name = "".join(character for character in name if character.isprintable()).strip() or "unnamed"
    if len(name) <= _MAX_NAME:
        return name
    suffix = PurePath(name).suffix[:20]
    return name[: _MAX_NAME - len(suffix) - 1] + "\u2026" + suffix


def _media_type(name: str, data: bytes) -> str:
    if data.startswith(pdf.SIGNATURE):
        return PDF
    found = MEDIA_TYPES.get(PurePath(name).suffix.lower())
    if found is None:
        raise SourceTypeUnknown(f"{name} is of a type that cannot be read. Readable are {ACCEPTED}.", name=name)
    return found


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"
