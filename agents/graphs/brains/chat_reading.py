"""What of a chat model's answer is kept: our keys and ids, quotes that stand in sources, known citations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from agents.graphs.findings import Citation, Finding, PassageText
from agents.prose.slugs import slug

SHORTEST_QUOTE = 8  # characters; less says nothing
ALIKE = 0.6  # share of words, in order, from which a sentence passes for what a model misquoted
TITLE_LENGTH = 120  # characters
TEXT_LENGTH = 500
KEY_LENGTH = 40

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n\s*\n")
_AROUND_QUOTES = " \t\n\"'“”„‘’«»…."  # noqa: RUF001 - the quotation marks of many languages
_MARKS = re.compile(r"\s*\[(\d+(?:\s*[,;]\s*\d+)*)\]")


def line(text: str, longest: int) -> str:
    """`text` on one line, cut at a word to `longest` characters."""
    flat = " ".join(text.split())
    if len(flat) <= longest:
        return flat
    cut = flat[: max(longest - 1, 0)]
    return (cut.rsplit(" ", 1)[0] or cut) + "…"


def keys(titles: Iterable[str]) -> list[str]:
    """A key for each title: letters, digits and dashes, no two alike."""
    taken: list[str] = []
    for title in titles:
        stem = slug(title, KEY_LENGTH) or "part"
        number = 1
        while (key := stem if number == 1 else f"{stem}-{number}") in taken:
            number += 1
        taken.append(key)
    return taken


def ids(numbers: Iterable[int], passages: Sequence[PassageText]) -> tuple[str, ...]:
    """The ids of the passages that a model calls by `numbers`, from 1; unknown numbers are dropped."""
    known = (passages[number - 1].passage_id for number in numbers if 1 <= number <= len(passages))
    return tuple(dict.fromkeys(known))


def standing(quote: str, statement: str, text: str) -> str | None:
    """The words of `text` that are `quote` but for white space, else its nearest sentence, else None."""
    for words in (quote.split(), quote.strip(_AROUND_QUOTES).split()):
        found = re.search(r"\s+".join(map(re.escape, words)), text)
        if found and len(found[0]) >= SHORTEST_QUOTE:
            return found[0]
    wanted = [_words(quote), _words(statement)]
    sentences = (sentence.strip() for sentence in _SENTENCE_END.split(text))
    likeness = {each: max(_likeness(words, _words(each)) for words in wanted) for each in sentences}
    nearest = max(likeness, key=likeness.__getitem__)
    return nearest if likeness[nearest] >= ALIKE else None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def cited(text: str, findings: Sequence[Finding]) -> tuple[str, tuple[Citation, ...]]:
    """`text` with its marks counted anew from 1, and what they stand for; unknown marks are taken out."""
    citations: dict[tuple[str, str], Citation] = {}

    def renumbered(mark: re.Match[str]) -> str:
        numbers = []
        for number in map(int, re.findall(r"\d+", mark[1])):
            if not 1 <= number <= len(findings):
                continue
            origin = (findings[number - 1].passage_id, findings[number - 1].quote)
            fresh = Citation(number=len(citations) + 1, passage_id=origin[0], quote=origin[1])
            numbers.append(citations.setdefault(origin, fresh).number)
        return " " + "".join(f"[{number}]" for number in dict.fromkeys(numbers)) if numbers else ""

    return _MARKS.sub(renumbered, text).strip(), tuple(citations.values())


def without_marks(text: str) -> str:
    """`text` without citation marks, for where nothing is cited."""
    return _MARKS.sub("", text).strip()
