"""From a page's lines back to paragraphs: a PDF knows where letters stand, not what belongs together."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

_EDGE = 2  # lines at a page's top and bottom that may be running heads
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_DIVIDED = re.compile(r"(?<![^\W\d_])([^\W\d_]+)[-\u00ad\u2010]\n([a-z\u00df-\u00ff][^\W\d_]*)")
_ITEM = re.compile(r"(?:[-*+\u2022\u25aa\u25cf\u2013]|\(?\d{1,3}[.)])[ \t]+\S")
_SENTENCE_END = re.compile(r"[.!?:][\"'\u201d\u2019)]*\Z")
_SHORT = 0.8  # of the usual length: such a line may be a paragraph's last


def flow(pages: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The pages as one text with an empty line between paragraphs, and the offset at which each page begins.

    Running heads and page numbers go, words that were divided at a line's end are joined.
    """
    words = Counter(word.lower() for page in pages for word in _WORD.findall(page))
    pieces: list[str] = []
    starts: list[int] = []
    length, before = 0, ""
    for lines in _without_running_heads([page.split("\n") for page in pages]):
        page = _DIVIDED.sub(lambda found: _joined(found, words), _paragraphs(lines))
        if before and page:
            pieces.append("\n" if _goes_on(before, page) else "\n\n")
            length += len(pieces[-1])
        starts.append(length)
        pieces.append(page)
        length += len(page)
        before = page or before
    return "".join(pieces), tuple(starts)


def _joined(divided: re.Match[str], words: Counter[str]) -> str:
    """A word divided at a line's end, whole: with its hyphen where both parts are words of the text."""
    first, second = divided[1], divided[2]
    whole = first + second
    if not words[whole.lower()] and words[second.lower()] > 1 and words[first.lower()] > 1:
        return f"{first}-{second}"
    return whole


def _goes_on(before: str, page: str) -> bool:
    """Does the last paragraph of the page before go on at the top of this one?"""
    return not _SENTENCE_END.search(before[-3:]) and page[0].islower()


def _without_running_heads(pages: Sequence[list[str]]) -> Iterator[list[str]]:
    """The pages' lines without those that stand at the same edge of most pages, numbers apart."""
    stripped = [[" ".join(line.split()) for line in page] for page in pages]
    full = [[line for line in page if line] for page in stripped]
    tops = Counter(key for page in full for key in {_DIGITS.sub("#", line) for line in page[:_EDGE]})
    ends = Counter(key for page in full for key in {_DIGITS.sub("#", line) for line in page[-_EDGE:]})
    enough = max(3, len(pages) // 2)
    for lines, printed in zip(stripped, full, strict=True):
        heads = {line for line in printed[:_EDGE] if tops[_DIGITS.sub("#", line)] >= enough}
        feet = {line for line in printed[-_EDGE:] if ends[_DIGITS.sub("#", line)] >= enough}
        yield [line for line in lines if line not in heads | feet]


def _paragraphs(lines: Sequence[str]) -> str:
    """The lines of a page with an empty line wherever a paragraph seems to end."""
    lengths = sorted(len(line) for line in lines if line)
    usual = lengths[3 * len(lengths) // 4] if lengths else 0
    kept: list[str] = []
    for line, following in pairwise([*lines, ""]):
        kept.append(line)
        if line and following and _breaks(line, following, usual):
            kept.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def _breaks(line: str, following: str, usual: int) -> bool:
    """Does a new paragraph begin between two lines? `usual` is the page's usual length of a line."""
    if _ITEM.match(following):
        return True
    if following[0].islower() or len(line) >= _SHORT * usual:
        return False
    return bool(_SENTENCE_END.search(line)) or _headed(line)


def _headed(line: str) -> bool:
    """Could this short line without a full stop be a heading?"""
    return line[0].isupper() or line[0].isdigit()
