"""Where sentences end, for text in languages that end them with marks.

Rules instead of a model: a mark, closing quotes, a space and the start of something new end a sentence,
unless what stands before the mark is an abbreviation, an initial or a list number. Offsets are exact, so that
a citation can show the sentence where it stands.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.prose.wordlists import word_set

MAX_CHARACTERS = 2000  # text without marks is cut here, at a space where there is one


_ABBREVIATIONS = word_set(
    """approx assn ca capt cf chap dept dr ed eds e.g eg eq eqs esp est fig figs gen gov hon i.e ie incl
    jan feb apr jun jul aug sep sept oct nov dec lt messrs mr mrs ms mt nos nr op pp para prof ref refs rep
    resp rev sect sen tab univ v viz vol vols vs w.r.t"""
)
_BEFORE_NUMBERS = word_set("art app ch col ex max min mar no p sec st")  # "no. 5", but "The answer is no. Then"
_OFTEN_LAST = word_set("al co corp etc inc ltd jr sr")  # these end a sentence where a word like the next ones follows
_STARTERS = word_set(
    """a after all although an and as at because before both but by each every few for from he here his how
    however i if in it its many most no not of on once only our she since so some such that the their then
    there these they this those though to under until we what when where which while who why with you your"""
)

_END = re.compile(
    r"""(?<![.!?\u2026])(?P<mark>[.!?\u2026]++["'\u2019\u201d\u00bb)\]*_`]*+)(?=\s)  # marks, what they close
      | (?P<wide>[\u3002\uff01\uff1f]++[\u300d\u300f\u201d\uff09]*+)  # Chinese and Japanese use no space""",
    re.VERBOSE,
)
_NEXT_WORD = re.compile(r"""[\s"'\u2018\u201c\u00ab(\[*_`\#<>\-\u2013\u2014\u2022]*(?P<word>\w+|\S|)""")
_LAST_WORD = re.compile(r"[^\s\"'\u2018\u201c(\[*_`]*\Z")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|Ph\.D")
_LIST_NUMBER = re.compile(r"\s*[\(\[]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})\Z")


class Span(NamedTuple):
    """Characters `start` up to `end` of a text."""

    start: int
    end: int


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Sentences of text[start:end], in order, without the space around them.

    Line breaks count as spaces, so give it one paragraph at a time. Every character but space is in one span.
    """
    end = len(text) if end is None else end
    begin = start
    for match in _END.finditer(text, start, end):
        if match["wide"] or _ends(text, begin, match.start("mark"), match.end("mark"), end):
            yield from _cut(text, begin, match.end())
            begin = match.end()
    yield from _cut(text, begin, end)


def _ends(text: str, begin: int, mark: int, after: int, end: int) -> bool:
    """Does the mark at `mark` end the sentence that began at `begin`?"""
    found = _NEXT_WORD.match(text, after, end)
    following = found["word"] if found else ""
    if not following:
        return True
    if following[0].islower():
        return False
    if text[mark] != "." or text.startswith("..", mark):
        return True
    return not _shortened(text, begin, mark, following)


def _shortened(text: str, begin: int, mark: int, following: str) -> bool:
    """Is the full stop at `mark` part of an abbreviation, an initial or a list number?"""
    if mark - begin <= 8 and _LIST_NUMBER.match(text, begin, mark):
        return True
    found = _LAST_WORD.search(text, max(begin, mark - 40), mark)
    word = found.group() if found else ""
    starts = following.lower() in _STARTERS
    if word.lower() in _BEFORE_NUMBERS:
        return following[0].isdigit()
    if word.lower() in _OFTEN_LAST or _DOTTED.fullmatch(word):
        return not starts
    if word.lower() in _ABBREVIATIONS:
        return True
    return len(word) == 1 and word.isupper() and word != "I" and following[0].isupper() and not starts


def _cut(text: str, begin: int, end: int) -> Iterator[Span]:
    """The stretch without space around it, in pieces of at most MAX_CHARACTERS."""
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    while end - begin > MAX_CHARACTERS:
        limit = begin + MAX_CHARACTERS
        cut = max((text.rfind(space, begin + 1, limit) for space in (" ", "\n", "\t")), default=-1)
        piece = cut if cut > begin else limit
        yield Span(begin, piece)
        begin = piece
        while text[begin].isspace():
            begin += 1
    if begin < end:
        yield Span(begin, end)
