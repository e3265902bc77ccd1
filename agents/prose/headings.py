"""Which lines are headings: Markdown's marks, underlines, and the customs of plain text."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(?P<title>.*))?\Z")
_CLOSING_MARKS = re.compile(r"(?:\A|[ \t]+)#+[ \t]*\Z")
_UNDERLINE = re.compile(r" {0,3}([-=~^\"*+#`:.'_])\1+[ \t]*\Z")
_NUMBERED = re.compile(r"\d{1,2}(?P<deeper>(?:\.\d{1,2}){0,3})\.?[ \t]+(?P<title>\S.*)\Z")
_SENTENCE_END = re.compile(r"[.!?:;,]\Z")
_MAX_CHARACTERS = 300
_MARKDOWN_STYLES = "=-"


class Heading(NamedTuple):
    """A heading of `lines` lines. Levels count from 1."""

    lines: int
    level: int
    title: str


class HeadingReader:
    """Finds headings while a text is read from top to bottom, and learns how that text marks its levels."""

    def __init__(self, lines: Sequence[str], *, markdown: bool) -> None:
        self._lines = lines
        self._markdown = markdown
        self._styles: list[str] = []  # reStructuredText: a level is a style, in the order of first use

    def at(self, number: int) -> Heading | None:
        """The heading that begins on this line, which is not blank."""
        if len(self._lines[number]) > _MAX_CHARACTERS:
            return None
        if self._markdown:
            return self._marked(number) or self._underlined(number)
        return self._overlined(number) or self._underlined(number) or self._plain(number)

    def _line(self, number: int) -> str:
        return self._lines[number].strip() if 0 <= number < len(self._lines) else ""

    def _marked(self, number: int) -> Heading | None:
        found = _ATX.match(self._lines[number])
        if not found:
            return None
        return Heading(1, len(found[1]), _CLOSING_MARKS.sub("", found["title"] or "").strip())

    def _underlined(self, number: int) -> Heading | None:
        title, style = self._line(number), underline(self._line(number + 1))
        if not style or underline(title) or (self._markdown and style not in _MARKDOWN_STYLES):
            return None
        if self._markdown:
            return Heading(2, _MARKDOWN_STYLES.index(style) + 1, title)
        if len(self._line(number + 1)) + 2 < len(title):
            return None
        return Heading(2, self._level(style), title)

    def _overlined(self, number: int) -> Heading | None:
        over, title, under = (self._line(number + ahead) for ahead in range(3))
        if not underline(over) or over != under or not title or underline(title):
            return None
        return Heading(3, self._level(underline(over) * 2), title)

    def _level(self, style: str) -> int:
        if style not in self._styles:
            self._styles.append(style)
        return min(self._styles.index(style) + 1, 6)

    def _plain(self, number: int) -> Heading | None:
        """A line alone, numbered or in capitals."""
        if self._line(number - 1) or self._line(number + 1):
            return None
        line = self._line(number)
        numbered = _NUMBERED.match(line)
        if numbered:
            listed = _depth(numbered) in self._neighbours(number)  # a list whose items are paragraphs
            return None if listed or not _titled(numbered["title"]) else Heading(1, _depth(numbered), line)
        letters = [character for character in line if character.isalpha()]
        if len(letters) > 3 and len(line.split()) < 12 and "".join(letters).isupper():
            return Heading(1, 1, line)
        return None

    def _neighbours(self, number: int) -> set[int]:
        """Depths of the numbers that begin the next lines of text above and below."""
        above = next((line for line in map(self._line, range(number - 1, number - 6, -1)) if line), "")
        below = next((line for line in map(self._line, range(number + 1, number + 6)) if line), "")
        return {_depth(found) for found in map(_NUMBERED.match, (above, below)) if found}


def underline(line: str) -> str:
    """The mark that the whole line repeats, as under a heading; empty where there is none."""
    found = _UNDERLINE.match(line)
    return found[1] if found else ""


def _titled(title: str) -> bool:
    """Could this be a heading's title? Short, with a capital, and no sentence unless of very few words."""
    words = title.split()
    if len(words) > 10 or not title[0].isupper():
        return False
    return not _SENTENCE_END.search(title) or (len(words) <= 5 and title.endswith("."))


def _depth(numbered: re.Match[str]) -> int:
    return 1 + numbered["deeper"].count(".")
