"""The extractive specialist's answer, the summary over answers, and the quality gate."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from agents.graphs.brains.chat_reading import without_marks
from agents.graphs.brains.extractive_clusters import Vectors
from agents.graphs.brains.extractive_phrases import content_words
from agents.graphs.brains.extractive_questions import asked as questions_of
from agents.graphs.brains.extractive_questions import names_subject
from agents.graphs.brains.extractive_relevance import ANSWERS, TOUCHES, choose, topic
from agents.graphs.findings import Answer, Citation, Finding, Judgement, PassageText

Embed = Callable[[Sequence[str]], Vectors]

MOST_STATEMENTS = 6
MOST_WORDS = 170
MOST_OF_SUMMARY = 4  # sentences

COVERS = 0.4  # cosine of a question and its answer from which the objective's question is taken as answered
PASSES = 0.5
_AS_GOOD = 0.6  # of the best statement's relevance: less is left out
WEAK = 0.2  # confidence below which an answer is named as weak
_CLEARLY = 0.75  # relevance of statements that leave no doubt: one answered question in ten had more

# Where a word of the question stands in no passage that was read, and the question without it is nearer to the answer
# by so much (a cosine), the answer is about something else: so with 6 of 10 questions that sources on the right
# subject do not answer, and with 4 of 92 that they do.
BESIDE_THE_POINT = 0.05
UNSURE = 0.5  # what is left of the confidence then

NOTHING_SAID = "The sources say nothing about this."
NOTHING_ANSWERED = "No question was answered."
_NOT_ANSWERED = "An answer to:"
_MARK = re.compile(r"\[(\d+)\]")
_WORD = re.compile(r"[^\W_][\w'\u2019-]*")
_HOW = re.compile(r"\bhow \w+", re.IGNORECASE)  # "how long" is answered by a number


def synthesise(question: str, findings: Sequence[Finding], passages: Sequence[PassageText], *, embed: Embed) -> Answer:
    """One cited answer: the best statements of all readers, the strongest first, then in the sources' order."""
    known = {passage.passage_id: place for place, passage in enumerate(passages)}
    told = [finding for finding in findings if finding.passage_id in known]
    if not told:
        return Answer(question=question, text=NOTHING_SAID, confidence=0, missing=f"{_NOT_ANSWERED} {question}")
    scores = np.array([finding.relevance for finding in told])
    least = _AS_GOOD * float(scores.max())
    quotes = [(finding.passage_id, finding.quote) for finding in told]
    vectors = embed([finding.statement for finding in told])
    places = choose(scores, vectors, quotes, most=MOST_STATEMENTS, least=least)
    best = _within([told[place] for place in places], MOST_WORDS)
    answers = best[0].relevance >= ANSWERS
    ordered = _ordered(best, passages, known)
    text = _written(ordered, passages, known)
    absent = _absent(question, best[0], passages, embed) if answers else []
    return Answer(
        question=question,
        text=text if answers else f"The sources do not answer this; nearest to it they say: {text}",
        citations=tuple(
            Citation(number=number, passage_id=finding.passage_id, quote=finding.quote)
            for number, finding in enumerate(ordered, start=1)
        ),
        confidence=round(_confidence(best, passages, known) * (UNSURE if absent else 1), 2),
        missing=_missing(absent) if answers else f"{_NOT_ANSWERED} {question}",
    )


def _within(best: Sequence[Finding], most: int) -> list[Finding]:
    """As many from the start as have at most so many words together; one at least."""
    kept: list[Finding] = []
    words = 0
    for finding in best:
        words += len(finding.statement.split())
        if kept and words > most:
            break
        kept.append(finding)
    return kept


def _ordered(best: Sequence[Finding], passages: Sequence[PassageText], known: dict[str, int]) -> list[Finding]:
    """The strongest passage's statements first, then the next one's; in a passage as they stand there."""
    rank = {passage_id: number for number, passage_id in enumerate(dict.fromkeys(one.passage_id for one in best))}
    sources = list(dict.fromkeys(passages[known[one.passage_id]].source_id for one in best))

    def place(finding: Finding) -> tuple[int, int, int]:
        passage = passages[known[finding.passage_id]]
        return sources.index(passage.source_id), rank[finding.passage_id], passage.text.find(finding.quote)

    return sorted(best, key=place)


def _written(ordered: Sequence[Finding], passages: Sequence[PassageText], known: dict[str, int]) -> str:
    """The statements with their marks; another source begins another paragraph."""
    text, before = "", ""
    for number, finding in enumerate(ordered, start=1):
        source = passages[known[finding.passage_id]].source_id
        gap = "" if not text else " " if source == before else "\n\n"
        statement = _MARK.sub(r"(\1)", finding.statement)  # a source's own marks are not ours
        text += f"{gap}{statement} [{number}]"
        before = source
    return text


def _confidence(best: Sequence[Finding], passages: Sequence[PassageText], known: dict[str, int]) -> float:
    """How sure the answer is, 0 to 1: by its best statement, how many bear it out, and from how many sources."""
    strength = min(max((best[0].relevance - TOUCHES) / (_CLEARLY - TOUCHES), 0), 1)
    support = min(len(best) / 4, 1)
    sources = {passages[known[finding.passage_id]].source_id for finding in best}
    return round(0.75 * strength + 0.15 * support + (0.1 if len(sources) > 1 else 0.0), 2)


def _absent(question: str, best: Finding, passages: Sequence[PassageText], embed: Embed) -> list[str]:
    """Words of the question that no passage mentions and without which the best statement would answer it better."""
    read = " ".join(f"{passage.heading} {passage.text}" for passage in passages).lower()
    words = [word for word in _WORD.findall(_HOW.sub("", question)) if content_words(word) and len(word) > 3]
    unread = [word for word in dict.fromkeys(words) if word.lower()[: max(4, len(word) - 3)] not in read]
    if not unread:
        return []
    without = [" ".join(re.sub(rf"\b{re.escape(word)}\b", "", question).split()) for word in unread]
    answer, asked, *others = embed([best.statement, question, *without])
    return [
        word for word, other in zip(unread, others, strict=True) if float((other - asked) @ answer) >= BESIDE_THE_POINT
    ]


def _missing(absent: Sequence[str]) -> str:
    return f"Any mention of {', '.join(f'“{word}”' for word in absent)}." if absent else ""


def summarise(objective: str, answers: Sequence[Answer], *, embed: Embed) -> str:
    """The leading statements of the answers that are nearest to the objective, and how much was answered."""
    answered = [answer for answer in answers if _is_answered(answer)]
    if not answers:
        return NOTHING_ANSWERED
    if not answered:
        return f"The sources answer none of the {len(answers)} questions." if len(answers) > 1 else NOTHING_SAID
    leads = [_lead(answer) for answer in answered]
    vectors = embed([topic(objective), *leads])
    near = np.maximum((vectors[1:] @ vectors[0]).astype(np.float64), 0) if names_subject(objective) else 1.0
    scores = near * np.array([0.5 + 0.5 * answer.confidence for answer in answered])
    quotes = [(answer.question, lead) for answer, lead in zip(answered, leads, strict=True)]
    places = choose(scores, vectors[1:], quotes, most=MOST_OF_SUMMARY, least=0.5 * float(scores.max()))
    text = " ".join(leads[place] for place in sorted(places))
    if len(answered) < len(answers):
        text += f" The sources answer {len(answered)} of {_counted(len(answers), 'question')}."
    return text


def _lead(answer: Answer) -> str:
    """The first statement of an answer."""
    end = _MARK.search(answer.text)
    return without_marks(answer.text[: end.start()] if end else answer.text).strip()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _is_answered(answer: Answer) -> bool:
    return bool(answer.citations) and not answer.missing.startswith(_NOT_ANSWERED)


def judge(objective: str, answers: Sequence[Answer], *, embed: Embed) -> Judgement:
    """The quality gate: is each question of the objective answered, each claim cited, and how surely?"""
    if not answers:
        return Judgement(passed=False, score=0, reasons=(NOTHING_ANSWERED,))
    asked = questions_of(objective)
    answered = [answer for answer in answers if _is_answered(answer)]
    open_questions = _uncovered(asked, answered, embed)
    uncited = [answer.question for answer in answers if not _is_cited(answer)]
    sure = float(np.mean([answer.confidence for answer in answered])) if answered else 0.0
    covered = 1 - len(open_questions) / len(asked) if asked else len(answered) / len(answers)
    score = round(0.5 * covered + 0.3 * sure + 0.2 * len(answered) / len(answers), 4)
    reasons = [
        *(f"Not answered: {question}" for question in open_questions),
        *(f"A claim without a source in the answer to: {question}" for question in uncited),
        *(f"Weakly supported: {answer.question}" for answer in answered if answer.confidence < WEAK),
    ]
    return Judgement(
        passed=score >= PASSES and not uncited,
        score=score,
        reasons=tuple(dict.fromkeys(reasons)),
        open=tuple(open_questions),
    )


def _uncovered(asked: Sequence[str], answered: Sequence[Answer], embed: Embed) -> list[str]:
    """The objective's questions that no answer is near to."""
    if not answered or not asked:
        return list(asked)
    wanted = embed([topic(question) for question in asked])
    given = embed([text for answer in answered for text in (topic(answer.question), without_marks(answer.text))])
    nearest = (wanted @ given.T).max(axis=1)
    return [question for question, near in zip(asked, nearest, strict=True) if near < COVERS]


def _is_cited(answer: Answer) -> bool:
    """Does each sentence stand before a mark, and each mark for a citation? An answer that admits a gap need not."""
    numbers = {citation.number for citation in answer.citations}
    marks = {int(mark) for mark in _MARK.findall(answer.text)}
    if not answer.citations:
        return bool(answer.missing)
    return marks == numbers and all(_MARK.search(part) for part in answer.text.split("\n\n"))
