"""What passages state: their sentences, cleaned for reading, each with the exact words that it stands for.

A sentence that leans on the one before it ("It also…", "At its height…") is taken together with it, and a short
list together with the line that announces it, so that a statement can be read alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter

from agents.graphs.findings import PassageText
from agents.prose.blocks import Block, Kind, blocks
from agents.prose.markup import plain
from agents.prose.sentences import Span, sentences
from agents.prose.wordlists import word_set

FEWEST_WORDS = 4
MOST_CHARACTERS = 480  # of sentences taken together: three of usual length
MOST_WORDS = 150  # of one sentence; more is a list or a table in disguise
UNMARKED_HEADING = 12  # words of a lone line without a full stop from which it is no heading

_UNSOUND = 0.8  # quality of what is no full sentence, or needs what stands before it
_POOR = 0.5  # of a mere pointer, of a line of a change log, of a parameter's description

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_CLOSING = r"[\"'\u2019\u201d\u00bb)\]*_`]*\Z"
_END = re.compile(rf"[.!\u3002\uff01]{_CLOSING}")
_UNFINISHED = re.compile(r"(?:[:,;\u2026]|\.\.\.)\Z")
_NO_STATEMENT = re.compile(rf"(?:[:,;?\u2026\uff1f]|\.\.\.){_CLOSING}")
_OPENING_MARK = re.compile(
    r"""(?:[-*+\u2022]|\(?\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?  # of a list's item
      | (?:!!!|\?\?\?\+?)[ \t]+\w+(?:[ \t]+"[^"\n]*")?\s+  # of a note in MkDocs
      | >[ \t]*\[![A-Za-z]+\]\s+  # of a note on GitHub""",
    re.VERBOSE,
)
_REFERENCE = re.compile(r"(?<=\w)\[\d+(?:\s*[,;\u2013-]\s*\d+)*\]|\s\[\d+(?:\s*[,;\u2013-]\s*\d+)*\](?=\W|\Z)")
_POINTER = re.compile(
    r"""(?:for\ (?:more|further|additional|details|an?\ (?:full|complete|comprehensive|list))\b | see(?:\ also)?\b
      | read\ more\b | click\b | learn\ more\b | refer\ to\b | (?:please\ )?(?:visit|check\ out)\b | todo\b
      | all\ rights\ reserved | (?:table\ of\ )?contents\b | (?:back\ to|next:|previous:)
      | (?:this|the\ (?:next|following))\ (?:page|section|chapter|document|guide|file|article|list|table|figure)s?\b
      )""",
    re.IGNORECASE | re.VERBOSE,
)
_LINKER = re.compile(
    r"""(?:however|but|and|or(?:\ else)?|so|yet|also|moreover|furthermore|therefore|thus|hence|instead|nevertheless
      |still|similarly|finally|indeed|besides|meanwhile|additionally|likewise|consequently|in\ addition|in\ fact
      |of\ course|for\ (?:example|instance)|as\ a\ result|on\ the\ other\ hand),?\s+""",
    re.IGNORECASE | re.VERBOSE,
)
_PARAMETER = re.compile(r"\w+ ?: (?:\w+(?:, | or )?){1,3}(?:, optional)?\b")
_CHANGE_NOTE = re.compile(r"#\d{2,}|\bby @\w|\bPR\b|\b[0-9a-f]{7,40}\b")
_CODE_SIGNS = re.compile(r"[{}<>=|\\_$@#]|\(\)|::|->|\"\"\"|\w\(\w|\]\(")
_CODE_START = re.compile(
    r"@\w|:::|(?:def|class|import|return|async|const|public|sudo|pip|npm|git|\$|>>>)\s\S+[(:=]|from \S+ import ",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|can|cannot|could|may|might|must|will|would|shall|should|do|does|did"
    r"|makes?|takes?|gives?|gets?|uses?|needs?|works?|runs?|keeps?|holds?|lets?|allows?|means?|includes?|contains?"
    r"|provides?|supports?|returns?|requires?|\w{3,}(?:ed|izes?|ises?|ates?|ifies|ains?))\b",
    re.IGNORECASE,
)
_SHORT = 8  # words of a sentence whose verb shows
_TO_DO = re.compile(r"To [^,]+\Z")
_MOST_CODE = 0.1  # signs a character

_EXPLETIVE = re.compile(
    r"(?:it|there)(?:'s|\u2019s|\s+(?:is|are|was|were|has|have|can|may|will|must))\b", re.IGNORECASE
)
_POINTING_BACK = re.compile(
    r"(?:it|they|he|she|this|these|those|that|such|both|its|their|his|her|here|then|otherwise"
    r"|the\s+(?:former|latter|rest|same|others?))\b",
    re.IGNORECASE,
)
_PRONOUNS = word_set("it its they them their he him his she her these those this")
_DETERMINERS = word_set("this these")
_SUBJECTS = word_set("it they")
_BEFORE_PRONOUNS = word_set(
    """in of at on by to for from with without within among between under over after before during when while if
    because since as although though unless until"""
)
_OPENING = 8  # words in which a pronoun has hardly room for what it stands for


@dataclass(frozen=True, slots=True)
class Statement:
    """`quote` stands in the passage exactly so; `text` is it in words; `quality` is 0 to 1."""

    passage: PassageText
    quote: str
    text: str
    start: int
    quality: float


def statements(passages: Sequence[PassageText]) -> list[Statement]:
    """What the passages state, in their order.

    Headings, code, tables, link lists and questions state nothing.
    """
    return [statement for passage in passages for statement in _of_passage(passage)]


def _of_passage(passage: PassageText) -> Iterator[Statement]:
    text = passage.text
    groups = [(kind, list(group)) for kind, group in groupby(blocks(text, markdown=False), attrgetter("kind"))]
    opening: Span | None = None  # the last sentence before a list
    for (kind, group), (following, _) in pairwise([*groups, (None, [])]):
        spans = [_spans(text, block) for block in group]
        if kind is Kind.ITEM:
            yield from _of_list(passage, opening, spans)
        elif kind is Kind.PARAGRAPH:
            for paragraph in spans:
                if not _is_heading(text, paragraph):
                    yield from _of_block(passage, paragraph, shown=following is Kind.CODE)
        opening = spans[-1][-1] if kind is Kind.PARAGRAPH and spans[-1] else None


def _text(text: str, span: Span) -> str:
    return text[span.start : span.end]


def _spans(text: str, block: Block) -> list[Span]:
    mark = _OPENING_MARK.match(text, block.start, block.end)
    return list(sentences(text, mark.end() if mark else block.start, block.end))


def _is_heading(text: str, paragraph: Sequence[Span]) -> bool:
    """Is this short line without a full stop a heading that nothing marks?"""
    line = _text(text, paragraph[0]) if len(paragraph) == 1 else ""
    is_open = not _END.search(line) and not _NO_STATEMENT.search(line)
    return len(paragraph) == 1 and is_open and len(line.split()) < UNMARKED_HEADING


def _of_block(
    passage: PassageText, spans: Sequence[Span], *, shown: bool = False, listed: bool = False
) -> Iterator[Statement]:
    """A block's statements.

    `shown`: what follows it is code, and may be what its last sentence announces. `listed`: it is a list's item, and
    may begin with a small letter.
    """
    for at, span in enumerate(spans):
        sentence = plain(_text(passage.text, span))
        announces = shown and at == len(spans) - 1 and _UNFINISHED.search(sentence)
        if not _states(_UNFINISHED.sub(".", sentence) if announces else sentence) or _TO_DO.match(sentence):
            continue
        first = _support(passage.text, spans, at)
        words = _words(passage.text[spans[first].start : span.end])
        words = _begun(words) if listed else words
        sound = bool(_END.search(words)) and not words[0].islower() and (first < at or not leans(sentence))
        yield from _made(passage, spans[first].start, span.end, words, sound=sound)


def _of_list(passage: PassageText, opening: Span | None, items: Sequence[Sequence[Span]]) -> Iterator[Statement]:
    """A short list together with the sentence that opens it; else what its items state by themselves."""
    head = _words(_text(passage.text, opening)) if opening else ""
    end = items[-1][-1].end if items[-1] else 0
    if opening and _UNFINISHED.search(head) and end and end - opening.start <= MOST_CHARACTERS:
        parts = [_words(passage.text[item[0].start : item[-1].end]).rstrip(".:;, ") for item in items if item]
        words = f"{_UNFINISHED.sub('', head)}: {'; '.join(filter(None, parts))}."
        if _states(words):
            yield from _made(passage, opening.start, end, words, sound=not leans(head))
            return
    for item in items:
        yield from _of_block(passage, item, listed=True)


def _made(passage: PassageText, start: int, end: int, words: str, *, sound: bool) -> Iterator[Statement]:
    quote = passage.text[start:end]
    sound = sound and (len(words.split()) >= _SHORT or bool(_VERB.search(words)))
    is_poor = _POINTER.match(words) or _PARAMETER.match(words) or _CHANGE_NOTE.search(quote)
    quality = (1 if sound else _UNSOUND) * (_POOR if is_poor else 1)
    text = _UNFINISHED.sub(".", words)
    yield Statement(passage, quote, text if _END.search(text) else f"{text}.", start, quality)


def _states(words: str) -> bool:
    """Could this sentence be a statement?"""
    if len(words.split()) > MOST_WORDS or _NO_STATEMENT.search(words):
        return False
    if _CODE_START.match(words) or len(_CODE_SIGNS.findall(words)) > _MOST_CODE * len(words):
        return False
    letters = sum(map(len, _WORD.findall(words)))
    return sum(map(bool, map(_WORD.search, words.split()))) >= FEWEST_WORDS and letters > len(words) / 2


def _support(text: str, spans: Sequence[Span], at: int) -> int:
    """The sentence from which on the one `at` can be understood; itself where there is none near enough."""
    first = at
    while leans(plain(_text(text, spans[first]))):
        first -= 1
        if first < 0 or spans[at].end - spans[first].start > MOST_CHARACTERS:
            return at
    return first if first == at or _states(plain(_text(text, spans[first]))) else at


def leans(words: str) -> bool:
    """Does this sentence need the one before it? "They cost little" does, and "When its price fell" too."""
    linker = _LINKER.match(words)
    rest = words[linker.end() :] if linker else words
    if _EXPLETIVE.match(rest):
        return False
    opening = [word.lower() for word in _WORD.findall(rest[:80])[:_OPENING]]
    if _POINTING_BACK.match(rest) or not _SUBJECTS.isdisjoint(opening[:3]) or not _DETERMINERS.isdisjoint(opening):
        return True
    return any(word in _PRONOUNS and before in _BEFORE_PRONOUNS for before, word in pairwise(opening))


def _words(quote: str) -> str:
    """The quote's words without marks, without a linker to what came before, and without the numbers of notes."""
    words = _REFERENCE.sub("", plain(quote))
    linker = _LINKER.match(words)
    if linker and linker.end() < len(words):
        return _begun(words[linker.end() :])
    return words


def _begun(words: str) -> str:
    """With a capital, unless the first word is a name of code."""
    return words[0].upper() + words[1:] if words.split(maxsplit=1)[0].rstrip(",;").isalpha() else words
