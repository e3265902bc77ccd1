"""The brain without a model among sources on different subjects: what it takes up, leaves out and admits."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import pytest

from agents.graphs.brains.extractive import ExtractiveBrain
from agents.graphs.findings import Answer, PassageText, Plan
from memory import embedders
from tests.agents.extractive.topics import TEXTS, topic_outlines, topic_passages

VAGUE = ["Summarise the documents.", "What do these sources say?", "Give me an overview of the report"]


@pytest.fixture(scope="module")
def brain() -> ExtractiveBrain:
    return ExtractiveBrain(embedders.active())


@pytest.fixture(scope="module")
def passages() -> list[PassageText]:
    return topic_passages()


def planned(brain: ExtractiveBrain, objective: str, passages: Sequence[PassageText]) -> Plan:
    return brain.plan(objective, topic_outlines(), passages, most=4)


def questions_of(brain: ExtractiveBrain, objective: str, passages: Sequence[PassageText]) -> list[str]:
    """What all architects ask."""
    known = {passage.passage_id: passage for passage in passages}
    return [
        question.text
        for domain in planned(brain, objective, passages).domains
        for question in brain.split(objective, domain, [known[key] for key in domain.passage_ids], most=4)
    ]


def answered(brain: ExtractiveBrain, question: str, passages: Sequence[PassageText]) -> Answer:
    return brain.synthesise(question, brain.extract(question, passages), passages)


@pytest.mark.parametrize("objective", VAGUE)
def test_a_vague_objective_covers_every_subject(brain, passages, objective):
    plan = planned(brain, objective, passages)
    assert sorted(domain.source_ids for domain in plan.domains) == [(name,) for name in sorted(TEXTS)]
    assert {key for domain in plan.domains for key in domain.passage_ids} == {one.passage_id for one in passages}


def test_titles_are_different_words_without_markup(brain, passages):
    titles = [domain.title for domain in planned(brain, VAGUE[0], passages).domains]
    assert len(set(titles)) == len(titles)
    assert not any(sign in title for title in titles for sign in "#*`_[]|")


def test_a_vague_objective_is_no_question_by_itself(brain, passages):
    questions = questions_of(brain, VAGUE[0], passages)
    assert len(questions) >= len(TEXTS)
    assert not any("document" in question for question in questions)
    for question in questions:
        assert answered(brain, question, passages).citations


def test_other_subjects_are_left_out(brain, passages):
    plan = planned(brain, "How are batteries recycled?", passages)
    assert {source for domain in plan.domains for source in domain.source_ids} == {"batteries.md"}


def test_two_questions_on_two_subjects_go_to_two_architects(brain, passages):
    plan = planned(brain, "What does recycling batteries cost, and why are cities hot at night?", passages)
    shares = {domain.source_ids: domain.focus for domain in plan.domains}
    assert "What does recycling batteries cost?" in shares["batteries.md",]
    assert "Why are cities hot at night?" in shares["heat.md",]


@pytest.mark.parametrize("objective", ["How do bees make honey?", "Explain how vaccines work."])
def test_nothing_else_is_asked_where_the_objective_is_foreign(brain, passages, objective):
    (question,) = questions_of(brain, objective, passages)
    answer = answered(brain, question, passages)
    assert answer.citations == ()
    assert question in answer.missing
    assert not brain.judge(objective, [answer]).passed
    assert brain.summarise(objective, "Mission", [answer]) == answer.text


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How much lithium can be got back?", "up to 95 percent of the lithium"),
        ("How expensive is it to recycle car batteries?", "1,500 to 3,000 euros"),
        ("How many people did the heat wave of 2003 kill?", "70,000 people"),
        ("How far does the cooling of a park reach?", "300 metres"),
        ("Where does the bill of exchange come from?", "Out of it grew the bill of exchange"),
    ],
)
def test_a_good_answer_is_not_called_incomplete(brain, passages, question, words):
    answer = answered(brain, question, passages)
    assert words in answer.text
    assert answer.missing == ""


def test_an_answer_beside_the_point_is_less_sure_and_names_what_no_source_mentions(brain, passages):
    answer = answered(brain, "How do heat islands affect birds?", passages)
    assert "“birds”" in answer.missing
    without = answered(brain, "How do heat islands affect?", passages)
    assert answer.confidence < 0.7 * without.confidence


def test_a_pronoun_brings_along_what_it_stands_for(brain, passages):
    findings = brain.extract("Why did plants stop accepting cells?", passages)
    assert findings[0].statement.startswith("Revenue depends on cobalt above all. When its price fell by half")


def test_readers_of_different_passages_judge_a_statement_alike(brain, passages):
    question = "How far does the cooling of a park reach?"
    (trees,) = [passage for passage in passages if passage.heading.endswith("Trees")]
    alone, among = brain.extract(question, [trees]), brain.extract(question, passages)
    assert alone[0].statement == among[0].statement
    assert alone[0].relevance == pytest.approx(among[0].relevance, abs=1e-3)


def test_findings_come_best_first_and_share_no_words(brain, passages):
    findings = brain.extract("What happens at a fair?", passages)
    shares = [finding.relevance for finding in findings]
    assert shares == sorted(shares, reverse=True)
    for one, other in combinations(findings, 2):
        assert one.passage_id != other.passage_id or one.quote not in other.quote


def test_threads_that_share_a_brain_say_the_same(brain, passages):
    objective = "How are batteries recycled, and why do people die of heat?"
    fresh = [ExtractiveBrain(embedders.active()), brain]
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(lambda one: planned(one, objective, passages), fresh * 8))
    assert all(plan == plans[0] for plan in plans)
