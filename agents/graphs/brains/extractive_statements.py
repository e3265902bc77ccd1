"""What passages state: their sentences, cleaned for reading, each with the exact words that it stands for.

A sentence that leans on the one before it ("It also…") is taken together with it, and a list together with the
line that announces it, so that a statement can be read alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from agents.graphs.findings import PassageText
from agents.prose.blocks import Block, Kind, blocks
from agents.prose.markup import plain
from agents.prose.sentences import sentences

FEWEST_WORDS = 5
SHORT = 8
MOST_WORDS = 70
USUAL_WORDS = 45

_LEANING = re.compile(
    r"(?:it|its|this|that|these|those|they|their|them|he|she|his|her|such|both|neither|either"
    r"|the (?:former|latter|same)|however|therefore|thus|hence|also|otherwise|instead|then|but|and|or|so|yet"
    r"|moreover|furthermore|additionally|in (?:this|that|these|such) \w+|for (?:this|that) reason|as a result"
    r"|here|there(?! (?:is|are|was|were|can|may)))\b",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"(?:see|read|visit|click|check out|refer to|for (?:more|further|full|details|the full)|please|thanks?"
    r"|more (?:details|information)|copyright|all rights reserved|table of contents|back to|next:|previous:|todo"
    r"|example)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|can|cannot|could|may|might|must|will|would|shall|should|do|does|did"
    r"|makes?|takes?|gives?|gets?|uses?|needs?|works?|runs?|keeps?|holds?|lets?|allows?|means?|includes?|contains?"
    r"|provides?|supports?|returns?|requires?|\w{3,}(?:ed|izes?|ises?|ates?|ifies|ains?))\b",
    re.IGNORECASE,
)
_ITEM_MARK = re.compile(r"[ \t]*(?:[-*+\u2022]|\(?\d{1,3}[.)])[ \t]+[^\W\d_`]")
_SIGNPOST = re.compile(r"\.(?:md|html?|rst|txt)\b.*\.(?:md|html?|rst|txt)\b")
_PARAMETER = re.compile(r"\w+ ?: (?:\w+(?:, | or )?){1,3}(?:, optional)?\b")
_CHANGE_NOTE = re.compile(r"#\d{2,}|\bby @\w|\bPR\b|\b[0-9a-f]{7,40}\b")
_CODE_SIGNS = re.compile(r"[{}<>=|\\_$@#]|\(\)|::|->|\"\"\"|\w\(\w|\]\(")
_CODE_START = re.compile(
    r"@\w|(?:def|class|import|return|async|const|public|sudo|pip|npm|git|\$|>>>)\s\S+[(:=]|from \S+ import ",
    re.IGNORECASE,
)
_MOST_CODE = 0.05
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Statement:
    """`quote` stands in the passage exactly so; `text` is it in words; `quality` is 0 to 1."""

    passage: PassageText
    quote: str
    text: str
    start: int
    quality: float


def statements(passages: Sequence[PassageText]) -> list[Statement]:
    """What the passages state, in their order. Code, tables, headings and scraps are left out."""
    return [statement for passage in passages for statement in _of_passage(passage)]


def _of_passage(passage: PassageText) -> Iterator[Statement]:
    found = [block for block in blocks(passage.text, markdown=False) if block.kind in {Kind.PARAGRAPH, Kind.ITEM}]
    place = 0
    while place < len(found):
        items = _announced_items(passage.text, found, place)
        if items:
            yield from _stated(passage, found[place].start, items[-1].end)
            place += 1 + len(items)
            continue
        yield from _of_block(passage, found[place])
        place += 1


def _announced_items(text: str, found: Sequence[Block], place: int) -> list[Block]:
    """The list items that the block at `place` announces with a colon, if all together can be read at once."""
    block = found[place]
    if not text.endswith(":", block.start, block.end):
        return []
    items = []
    for following in found[place + 1 :]:
        if following.kind is not Kind.ITEM:
            break
        items.append(following)
    short = items and len(text[block.start : items[-1].end].split()) <= MOST_WORDS
    return items if short else []


def _of_block(passage: PassageText, block: Block) -> Iterator[Statement]:
    """Sentences of a paragraph or an item; one that leans goes with the one before."""
    before: tuple[int, int] | None = None
    for start, end in sentences(passage.text, block.start, block.end):
        leans = _LEANING.match(plain(passage.text[start:end]))
        begin = before[0] if leans and before else start
        if len(passage.text[begin:end].split()) > MOST_WORDS:
            begin = start
        yield from _stated(passage, begin, end)
        before = (start, end)


def _stated(passage: PassageText, start: int, end: int) -> Iterator[Statement]:
    quote = passage.text[start:end]
    text = _sentence(quote)
    quality = _quality(text, quote)
    if quality > 0:
        yield Statement(passage, quote, text, start, quality)


def _sentence(quote: str) -> str:
    """The quote as one line of prose that begins with a capital and ends with a mark."""
    parts = [plain(quote[block.start : block.end]) for block in blocks(quote, markdown=False)]
    if len(parts) > 1 and parts[0].endswith(":"):
        text = f"{parts[0]} " + "; ".join(part.rstrip(".;, ") for part in parts[1:])
    else:
        text = plain(quote)
    text = text.rstrip(";, ")
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower() and _ITEM_MARK.match(quote):  # elsewhere a small first letter is a name's
        text = text[0].upper() + text[1:]
    return text if re.search(r"[.!?:\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*\Z", text) else f"{text}."


def _quality(text: str, quote: str) -> float:
    """How good a statement is for reading alone; 0: not at all."""
    count = len(text.split())
    letters = len(_LETTER.findall(text)) + count
    code = len(_CODE_SIGNS.findall(text)) / len(text)
    if not FEWEST_WORDS <= count <= MOST_WORDS or text.endswith((":", "?")):
        return 0.0
    if letters < 0.75 * len(text) or code > _MOST_CODE or _CODE_START.match(text):
        return 0.0
    faults = (
        (count > USUAL_WORDS or count < SHORT, 0.85),
        (_LEANING.match(text), 0.75),
        (_POINTER.match(text) or _PARAMETER.match(text) or _SIGNPOST.search(text), 0.5),
        (_CHANGE_NOTE.search(quote), 0.5),
        ((count < SHORT or not quote.rstrip().endswith((".", "!"))) and not _VERB.search(text), 0.7),
    )
    return prod(factor for fault, factor in faults if fault) * (1 - 4 * code)
