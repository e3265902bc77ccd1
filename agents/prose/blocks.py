"""The blocks of a text: headings, paragraphs, list items, code, tables, and what is not read at all.

One pass down the lines, linear in the text, for Markdown (those parts of CommonMark and of GitHub's tables
that decide where a block begins and ends) and for plain text with the customs of README files,
reStructuredText and RFCs. Offsets are exact; cleaning what a block says is for `markup`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from agents.prose.headings import HeadingReader, underline


class Kind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    CODE = "code"
    TABLE = "table"
    ASIDE = "aside"  # front matter, comments, rules, badges, link targets


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` up to `end`. Of headings also the level, from 1, and the words without marks."""

    kind: Kind
    start: int
    end: int
    level: int = 0
    title: str = ""


_FENCE = re.compile(r"[ \t]{0,12}(`{3,}|~{3,})([^`]*)\Z")
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]|\(?(?P<number>\d{1,3})[.)])(?:[ \t]+\S|[ \t]*\Z)")
_RULE = re.compile(r"[ \t]{0,3}([-*_=])(?:[ \t]*\1){2,}[ \t]*\Z")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_GRID_RULE = re.compile(r"[ \t]*(?:\+(?:[-=]+\+)+|=+(?:[ \t]+=+)+)[ \t]*\Z")
_FRONT_MATTER_LINE = re.compile(r"[\w-]+:|[ \t]|-[ \t]|#|\Z")
_LINK_TARGET = re.compile(r"[ \t]{0,3}\[[^\]\n]+\]:[ \t]*\S")
_BADGE = re.compile(
    r"""\[!\[[^\[\]\n]*\]\([^()\n]*\)\]\([^()\n]*\)  # [![image](address)](target)
      | !\[[^\[\]\n]*\]\([^()\n]*\)
      | <[^<>\n]*> | &nbsp; | [|\u00b7\u2022]""",
    re.VERBOSE,
)
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?!(?:note|tip|hint|warning|caution|important|attention|seealso)::)\S.*")
_MARKED_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
_MAX_FRONT_MATTER = _MAX_COMMENT = 100  # lines


def blocks(text: str, *, markdown: bool) -> Iterator[Block]:
    """The blocks of `text` in order. Between them is only white space, and lines end with a line feed."""
    return _Reader(text, markdown=markdown).read()


class _Reader:
    """Goes down the lines; `at` is the next line to read."""

    def __init__(self, text: str, *, markdown: bool) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.headings = HeadingReader(self.lines, markdown=markdown)
        self.markdown = markdown
        self.at = 0
        self.in_list = False
        self.announced = False  # the block before ended with "::", so indented lines are code

    def read(self) -> Iterator[Block]:
        after_matter = self._front_matter()
        if after_matter:
            yield self._block(Kind.ASIDE, after_matter)
        while self.at < len(self.lines):
            if self.lines[self.at].strip():
                yield self._next()
            else:
                self.at += 1

    def _next(self) -> Block:
        for attempt in (self._fence, self._comment, self._heading, self._table, self._aside, self._code):
            block = attempt()
            if block:
                return block
        first = _ITEM.match(self.lines[self.at])
        return self._block(Kind.ITEM, self._until(self._ends_item)) if first else self._paragraph()

    def _paragraph(self) -> Block:
        return self._block(Kind.PARAGRAPH, self._until(self._ends_paragraph))

    def _block(self, kind: Kind, after: int, level: int = 0, title: str = "") -> Block:
        """The block of lines `at` up to `after`, where reading goes on."""
        first, last = self.at, after - 1
        while last > first and not self.lines[last].strip():
            last -= 1
        start = self.starts[first] + len(self.lines[first]) - len(self.lines[first].lstrip())
        end = self.starts[last] + len(self.lines[last].rstrip())
        self.at = after
        self.in_list = kind is Kind.ITEM or (self.in_list and kind is not Kind.HEADING)
        self.announced = kind is not Kind.HEADING and self.lines[last].rstrip().endswith("::")
        return Block(kind, start, end, level, title)

    def _front_matter(self) -> int:
        """The line after a head of settings between two rules; 0 where there is none."""
        if not self.markdown or self.lines[0].rstrip() != "---":
            return 0
        for number, line in enumerate(self.lines[1:_MAX_FRONT_MATTER], start=1):
            if line.rstrip() in {"---", "..."}:
                return number + 1
            if not _FRONT_MATTER_LINE.match(line):
                return 0
        return 0

    def _fence(self) -> Block | None:
        opened = _FENCE.match(self.lines[self.at])
        if not opened:
            return None
        for number in range(self.at + 1, len(self.lines)):
            closed = _FENCE.match(self.lines[number])
            if closed and closed[1].startswith(opened[1]) and not closed[2].strip():
                return self._block(Kind.CODE, number + 1)
        return self._block(Kind.CODE, len(self.lines))

    def _comment(self) -> Block | None:
        if not self.markdown or not self.lines[self.at].lstrip().startswith("<!--"):
            return None
        for number in range(self.at, min(self.at + _MAX_COMMENT, len(self.lines))):
            if "-->" in self.lines[number]:
                return self._block(Kind.ASIDE, number + 1)
        return self._block(Kind.ASIDE, self.at + 1)

    def _heading(self) -> Block | None:
        item = _ITEM.match(self.lines[self.at])
        listed = item is not None and (self.markdown or item["number"] is None)
        found = None if listed else self.headings.at(self.at)
        return self._block(Kind.HEADING, self.at + found.lines, found.level, found.title) if found else None

    def _table(self) -> Block | None:
        line, below = self.lines[self.at], self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        if "|" in line and "|" in below and _TABLE_RULE.match(below):
            return self._block(Kind.TABLE, self._until(lambda text: "|" not in text))
        if _GRID_RULE.match(line):
            return self._block(Kind.TABLE, self._until(lambda _: False))
        return None

    def _aside(self) -> Block | None:
        line = self.lines[self.at]
        if _aside(line):
            return self._block(Kind.ASIDE, self.at + 1)
        if self.markdown or not _DIRECTIVE.match(line):
            return None
        directive = self._block(Kind.ASIDE, self._until(lambda text: not text.startswith(" ")))
        self.announced = True
        return directive

    def _code(self) -> Block | None:
        """Indented lines: code in Markdown outside of lists, and in plain text after a double colon."""
        if not (self.announced or (self.markdown and not self.in_list)) or not _indented(self.lines[self.at]):
            return None
        after = self.at
        for number in range(self.at, len(self.lines)):
            if self.lines[number].strip():
                if not _indented(self.lines[number]):
                    break
                after = number + 1
        return self._block(Kind.CODE, after)

    def _until(self, ends: Callable[[str], bool]) -> int:
        """The line after the block that begins here: a blank one, or the first that `ends` it."""
        for number in range(self.at + 1, len(self.lines)):
            if not self.lines[number].strip() or ends(self.lines[number]):
                return number
        return len(self.lines)

    def _ends_item(self, line: str) -> bool:
        return bool(_ITEM.match(line)) or self._ends_prose(line)

    def _ends_paragraph(self, line: str) -> bool:
        item = _ITEM.match(line)  # a wrapped line may begin with a number, a list begins with 1
        return (item is not None and item["number"] in {None, "1"}) or self._ends_prose(line)

    def _ends_prose(self, line: str) -> bool:
        if _FENCE.match(line) or underline(line.strip()) or _RULE.match(line):
            return True
        return self.markdown and bool(line.lstrip().startswith("<!--") or _MARKED_HEADING.match(line))


def _aside(line: str) -> bool:
    return (
        bool(_RULE.match(line) or _LINK_TARGET.match(line) or underline(line.strip()))
        or not _BADGE.sub("", line).strip()
    )


def _indented(line: str) -> bool:
    return line.startswith(("    ", "\t"))
