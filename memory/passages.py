"""Documents become passages: pieces of a size that an embedder takes in whole and a person reads at once.

A passage stays in one section, ends with a sentence, and keeps code and tables in one piece up to a bound. Its
offsets are those of the document's text, so that a citation can show it where it stands. Headings are kept beside
a passage, not in it; of a document that has nothing else they are the passages.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.prose.blocks import Block, Kind, blocks
from agents.prose.markup import plain
from agents.prose.sentences import sentences
from memory.documents import MARKDOWN, Document

USUAL_WORDS = 130
MAX_WORDS = 180
MAX_CHARACTERS = 2000

_HEADING_SEPARATOR = " \u203a "
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w{1,12}")  # a script without spaces counts signs
_NEARLY = 0.75


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` up to `end` of a document. `heading` is the path of its section's headings."""

    position: int
    heading: str
    page: int | None
    start: int
    end: int
    content: str


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never divided: a sentence, a table, a piece of code. `opens`: it begins a block."""

    start: int
    end: int
    words: int
    opens: bool


def split(document: Document) -> list[Passage]:
    """The passages of a document, in order. All its characters are in one, but for headings, asides and space."""
    found = list(blocks(document.text, markdown=document.media_type == MARKDOWN))
    if all(block.kind in {Kind.HEADING, Kind.ASIDE} for block in found):
        sections = [("", found)]
    else:
        sections = [(heading, list(read)) for heading, read in _sections(found)]
    spans = [
        (heading, units[0].start, units[-1].end)
        for heading, section in sections
        for units in _packed([unit for block in section for unit in _units(document.text, block)])
    ]
    return [
        Passage(position, heading, document.page_at(start), start, end, document.text[start:end])
        for position, (heading, start, end) in enumerate(spans)
    ]


def headings(document_passages: Sequence[Passage]) -> list[str]:
    """The different heading paths of a document's passages, in order."""
    return list(dict.fromkeys(passage.heading for passage in document_passages if passage.heading))


def words(text: str) -> int:
    """About how many words a text has; long unbroken stretches count as several."""
    return sum(1 for _ in _WORD.finditer(text))


def _sections(found: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Blocks of one section after another, each with its heading path."""
    path: list[tuple[int, str]] = []
    section: list[Block] = []
    for block in found:
        if block.kind is not Kind.HEADING:
            if block.kind is not Kind.ASIDE:
                section.append(block)
            continue
        if section:
            yield _joined(path), section
            section = []
        path = [(level, title) for level, title in path if level < block.level]
        path.append((block.level, block.title))
    if section:
        yield _joined(path), section


def _joined(path: Sequence[tuple[int, str]]) -> str:
    titles = [plain(title) for _, title in path]
    return _HEADING_SEPARATOR.join(title[:120] for title in titles if title)


def _units(text: str, block: Block) -> Iterator[_Unit]:
    """What of a block stays in one piece."""
    if block.kind in {Kind.CODE, Kind.TABLE}:
        spans = list(_whole_lines(text, block.start, block.end))
    else:
        spans = [(start, end) for start, end in sentences(text, block.start, block.end)]
    for start, end in spans:
        piece = text[start:end]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            finish = end - len(piece) + len(piece.rstrip())
            yield _Unit(begin, finish, words(piece), opens=start == block.start)


def _whole_lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretch in one piece where it is not too long, else in pieces of whole lines."""
    begin = line = start
    while line < end:
        following = min(text.find("\n", line, end) + 1 or end, end)
        if line > begin and _too_long(text[begin:following]):
            yield begin, line - 1
            begin = line
        for cut in range(begin + MAX_CHARACTERS, following, MAX_CHARACTERS):
            yield begin, cut  # one line that is longer than a passage
            begin = cut
        line = following
    yield begin, end


def _too_long(text: str) -> bool:
    return len(text) > MAX_CHARACTERS or words(text) > MAX_WORDS


def _packed(units: Sequence[_Unit]) -> Iterator[list[_Unit]]:
    """Units of one section in passages of about equal size, which end with a block where one ends nearby."""
    total = sum(unit.words for unit in units)
    usual = total / max(1, round(total / USUAL_WORDS))
    passage: list[_Unit] = []
    size = 0
    for unit in units:
        if passage and _closes(size, usual, unit, unit.end - passage[0].start):
            yield passage
            passage, size = [], 0
        passage.append(unit)
        size += unit.words
    if passage:
        yield passage


def _closes(size: int, usual: float, unit: _Unit, characters: int) -> bool:
    """Does a passage of `size` words end before `unit`, with which it would have so many characters?"""
    if size + unit.words > MAX_WORDS or characters > MAX_CHARACTERS:
        return True
    if unit.opens and size >= _NEARLY * usual:
        return True
    return size + unit.words / 2 > usual
