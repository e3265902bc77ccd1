"""Whatever stands in a source, the brain without a model goes on, and quotes only what stands there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.graphs.brains.extractive import ExtractiveBrain
from agents.graphs.findings import Answer, PassageText, Question, SourceOutline
from memory import embedders

QUESTION = "How long does the queen live?"
GOOD = "A queen lives for up to five years. She lays two thousand eggs a day."
HOSTILE = {
    "empty": "",
    "one word": "queen",
    "no space": "x" * 50_000,
    "marks only": "?!. " * 5_000,
    "code only": "```python\nqueen = Queen(age=5)\n```",
    "open fence": "~~~~\nThe queen lives long.",
    "table only": "| queen | years |\n|---|---|\n| old | 5 |",
    "links only": "[queen](http://q.example) [bee](http://b.example)\n\n[1]: http://c.example",
    "right to left": (
        "\u05de\u05dc\u05db\u05d4 \u05d7\u05d9\u05d4 \u05d7\u05de\u05e9 \u05e9\u05e0\u05d9\u05dd."
        " \u202equeen\u202c " * 20
    ),
    "combining": "q\u0301u\u0308e\u0327e\u0330n " * 400,
    "emoji": "\U0001f41d\u200d\U0001f451 " * 900,
    "Chinese": "\u8702\u738b\u53ef\u4ee5\u6d3b\u4e94\u5e74\u3002\u5de5\u8702\u53ea\u6d3b\u516d\u5468\u3002",
    "half a pair": "the queen lives \ud83d five years or so, they say",
    "marks of ours": "The queen lives five years [1], they say [2][3]. [4] And then she dies [5].",
    "one long sentence": "the queen lives and " * 4_000 + "dies.",
    "deep list": "".join(f"{'  ' * depth}- the queen of level {depth} lives on\n" for depth in range(60)),
}
OUTLINES = [SourceOutline(source_id="s", name="bees.md", words=10)]


@pytest.fixture(scope="module")
def brain() -> ExtractiveBrain:
    return ExtractiveBrain(embedders.active())


def passage(text: str, number: int = 0, heading: str = "") -> PassageText:
    return PassageText(passage_id=f"p{number}", source_id="s", source="bees.md", heading=heading, text=text)


def through(brain: ExtractiveBrain, passages: list[PassageText]) -> list[Answer]:
    """A whole mission over `passages`."""
    known = {one.passage_id: one for one in passages}
    answers = []
    for domain in brain.plan(QUESTION, OUTLINES, passages, most=4).domains:
        for question in brain.split(QUESTION, domain, [known[key] for key in domain.passage_ids], most=4):
            items = brain.analyse(question, passages, most=3)
            read = [known[key] for item in items for key in item.passage_ids]
            answers.append(brain.synthesise(question.text, brain.extract(question.text, read), passages))
    assert brain.summarise(QUESTION, "Bees", answers)
    assert 0 <= brain.judge(QUESTION, answers).score <= 1
    return answers


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_passage_breaks_nothing_and_is_quoted_as_it_is(brain, name):
    for answer in through(brain, [passage(HOSTILE[name])]):
        for citation in answer.citations:
            assert citation.quote in HOSTILE[name]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_passage_does_not_hide_a_good_one(brain, name):
    passages = [passage(HOSTILE[name], 0), passage(GOOD, 1), passage(HOSTILE[name], 2, heading="\u203a # **`")]
    answers = through(brain, passages)
    assert any("up to five years" in answer.text for answer in answers)


@pytest.mark.parametrize(
    "objective", ["", " ", "?", "\u202e", "how", "x" * 3_000, "[1] **bold** `code`", "\u8702\u738b"]
)
def test_any_objective_gets_a_plan_with_questions(brain, objective):
    passages = [passage(GOOD), passage("Workers live for six weeks in summer.", 1)]
    plan = brain.plan(objective, OUTLINES, passages, most=4)
    for domain in plan.domains:
        assert domain.title.strip()
        assert domain.key
        assert all(question.text.strip() for question in brain.split(objective, domain, passages, most=4))


def test_marks_of_a_source_are_no_citations(brain):
    answer = brain.synthesise(
        QUESTION, brain.extract(QUESTION, [passage(HOSTILE["marks of ours"])]), [passage(HOSTILE["marks of ours"])]
    )
    numbers = {f"[{citation.number}]" for citation in answer.citations}
    assert answer.text.count("[") == len(numbers)
    assert all(number in answer.text for number in numbers)


@settings(max_examples=40)
@given(
    st.lists(
        st.text(st.sampled_from(list("queen lives.\n-*`#|[](1)?!:")) | st.characters(codec="utf-8"), max_size=120),
        max_size=4,
    )
)
def test_whatever_is_found_stands_in_its_passage(texts):
    brain = ExtractiveBrain(embedders.active())
    passages = [passage(text, number) for number, text in enumerate([*texts, GOOD])]
    known = {one.passage_id: one.text for one in passages}
    findings = brain.extract(QUESTION, passages)
    assert all(finding.quote in known[finding.passage_id] for finding in findings)
    assert all(finding.statement.strip() and 0 <= finding.relevance <= 1 for finding in findings)
    items = brain.analyse(Question(key="q", text=QUESTION, domain="d"), passages, most=3)
    read = [key for item in items for key in item.passage_ids]
    assert len(read) == len(set(read))
