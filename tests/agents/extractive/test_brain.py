"""The brain without a model, on real texts with the real embedder."""

from collections.abc import Sequence
from itertools import combinations

import pytest

from agents.graphs.brains.extractive import ExtractiveBrain
from agents.graphs.findings import Answer, Citation, Domain, Finding, PassageText, Question
from memory import embedders
from tests.agents.bees import bee_outlines, bee_passages

OBJECTIVE = "How do bees tell each other where flowers are, and what happens when the queen dies?"


@pytest.fixture(scope="module")
def brain() -> ExtractiveBrain:
    return ExtractiveBrain(embedders.active())


@pytest.fixture(scope="module")
def passages() -> list[PassageText]:
    return bee_passages()


def named(passages: Sequence[PassageText], ids: Sequence[str]) -> list[PassageText]:
    known = {passage.passage_id: passage for passage in passages}
    return [known[passage_id] for passage_id in ids]


def answer_to(brain: ExtractiveBrain, question: str, passages: Sequence[PassageText]) -> Answer:
    """What a specialist and her workers come to."""
    asked = Question(key="q", text=question, domain="d")
    findings: list[Finding] = []
    for item in brain.analyse(asked, passages, most=3):
        findings += brain.extract(item.question, named(passages, item.passage_ids))
    return brain.synthesise(question, findings, passages)


# Planning


def test_an_objective_is_split_by_what_belongs_together(brain, passages):
    plan = brain.plan(OBJECTIVE, bee_outlines(), passages, most=4)
    assert 1 <= len(plan.domains) <= 4
    owners = {domain.source_ids for domain in plan.domains}
    assert ("dance.md",) in owners
    assert any("queen.md" in sources for sources in owners)
    assert len({domain.title for domain in plan.domains}) == len({d.key for d in plan.domains}) == len(plan.domains)
    assert all(domain.title in plan.approach for domain in plan.domains)


def test_each_question_of_the_objective_falls_to_the_domain_that_answers_it(brain, passages):
    plan = brain.plan(OBJECTIVE, bee_outlines(), passages, most=4)
    (dance,) = [domain for domain in plan.domains if "How do bees tell each other where flowers are?" in domain.focus]
    (queen,) = [domain for domain in plan.domains if "What happens when the queen dies?" in domain.focus]
    assert "dance.md" in dance.source_ids
    assert "queen.md" in queen.source_ids


def test_no_passage_is_in_two_domains_and_sections_stay_whole(brain, passages):
    plan = brain.plan(OBJECTIVE, bee_outlines(), passages, most=4)
    ids = [passage_id for domain in plan.domains for passage_id in domain.passage_ids]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {passage.passage_id for passage in passages}
    for first, second in combinations(plan.domains, 2):
        sections = [{(p.source, p.heading) for p in named(passages, d.passage_ids)} for d in (first, second)]
        assert not sections[0] & sections[1]


def test_few_passages_are_one_domain(brain, passages):
    plan = brain.plan("What is a swarm?", bee_outlines()[:1], passages[:3], most=4)
    assert len(plan.domains) == 1


def test_sources_without_passages_give_a_plan_all_the_same(brain):
    plan = brain.plan("What is a swarm?", [], [], most=4)
    assert [domain.focus for domain in plan.domains] == ["What is a swarm?"]
    questions = brain.split("What is a swarm?", plan.domains[0], [], most=4)
    assert [question.text for question in questions] == ["What is a swarm?"]
    assert [item.passage_ids for item in brain.analyse(questions[0], [], most=3)] == [()]


def test_the_same_input_gives_the_same_plan(brain, passages):
    plans = [brain.plan(OBJECTIVE, bee_outlines(), passages, most=4) for _ in range(2)]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_domains_than_allowed(brain, passages, most):
    assert len(brain.plan(OBJECTIVE, bee_outlines(), passages * 3, most=most).domains) <= most


# Questions


def test_a_domain_asks_what_falls_to_it_and_what_its_sections_answer(brain, passages):
    dance = [passage for passage in passages if passage.source == "dance.md"]
    domain = Domain(key="dance", title="Dance", focus="How do bees tell each other where flowers are?")
    questions = brain.split(OBJECTIVE, domain, dance, most=4)
    assert questions[0].text == "How do bees tell each other where flowers are?"
    assert 1 < len(questions) <= 3
    assert len({question.key for question in questions}) == len(questions)
    assert all(question.domain == "dance" and question.passage_ids for question in questions)
    for question in questions:
        assert answer_to(brain, question.text, dance).citations


def test_a_domain_without_a_question_of_the_objective_asks_by_its_headings(brain, passages):
    honey = [passage for passage in passages if passage.source == "honey.md"]
    domain = Domain(key="honey", title="Honey", focus="What “Honey” adds to the objective.")
    texts = [question.text for question in brain.split("How is honey made?", domain, honey, most=4)]
    assert texts
    assert all(text.endswith("?") for text in texts)
    assert any("ripening" in text.lower() or "honey" in text.lower() for text in texts)


def test_text_without_headings_is_asked_about_by_its_phrases(brain, passages):
    bare = [passage.model_copy(update={"heading": ""}) for passage in passages]
    domain = Domain(key="all", title="All", focus="What it adds.")
    questions = brain.split("What do bees do?", domain, bare, most=4)
    assert questions
    assert all(question.text.startswith("What do") for question in questions)


# Answers


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How do bees learn the direction of food?", "read direction and distance"),
        ("How do workers react to the loss of their mother?", "raise a new queen"),
        ("Why does honey not spoil?", "so little water that nothing grows"),
        ("How do swarms decide on a home?", "quorum"),
        ("Who found out what the dance means?", "Karl von Frisch"),
        ("How much water is in nectar?", "80 percent"),
    ],
)
def test_a_question_in_other_words_than_the_text_is_answered_by_it(brain, passages, question, words):
    answer = answer_to(brain, question, passages)
    assert words in answer.text
    assert answer.confidence > 0.2
    assert not answer.missing.startswith("An answer to")


def test_each_citation_quotes_its_passage_exactly_and_is_marked_in_the_text(brain, passages):
    answer = answer_to(brain, "How is honey made?", passages)
    texts = {passage.passage_id: passage.text for passage in passages}
    assert len(answer.citations) > 2
    for number, citation in enumerate(answer.citations, start=1):
        assert citation.number == number
        assert citation.quote in texts[citation.passage_id]
        assert f"[{number}]" in answer.text
    assert answer.text.count("[") == len(answer.citations)


def test_headings_code_and_tables_are_not_said(brain, passages):
    text = answer_to(brain, "How much water is in nectar and in honey?", passages).text
    assert "water = 0.8" not in text
    assert "|" not in text
    assert "#" not in text


def test_nothing_is_said_twice(brain, passages):
    doubled = [p.model_copy(update={"passage_id": f"{p.passage_id}+", "source_id": "copy"}) for p in passages]
    answer = answer_to(brain, "What happens when the queen dies?", [*passages, *doubled])
    quotes = [" ".join(citation.quote.split()) for citation in answer.citations]
    assert len(quotes) == len(set(quotes))
    assert not any(first in second for first, second in combinations(sorted(quotes, key=len), 2))


@pytest.mark.parametrize(
    "question", ["What is the capital of France?", "How is diabetes treated?", "Which tyres fit a Volvo V70?"]
)
def test_what_the_sources_do_not_answer_is_said_to_be_missing(brain, passages, question):
    answer = answer_to(brain, question, passages)
    assert answer.citations == ()
    assert answer.confidence == 0
    assert answer.text == "The sources say nothing about this."
    assert question in answer.missing


def test_what_only_touches_the_question_is_not_passed_off_as_an_answer(brain, passages):
    finding = Finding(
        statement="A colony has one queen.", passage_id="queen.md:0", quote="A colony has one queen.", relevance=0.3
    )
    answer = brain.synthesise("How old does a queen get?", [finding], passages)
    assert answer.text.startswith("The sources do not answer this; nearest to it they say:")
    assert "How old does a queen get?" in answer.missing
    assert answer.confidence < 0.4


def test_words_of_the_question_that_no_source_has_are_named(brain, passages):
    answer = answer_to(brain, "What happens when the queen dies in Antarctica?", passages)
    assert "raise a new queen" in answer.text
    assert "“Antarctica”" in answer.missing


def test_marks_in_a_source_are_not_taken_for_citations(brain):
    text = "The waggle dance shows the direction of flowers [7] as Frisch found [12]."
    passage = PassageText(passage_id="p", source_id="s", source="a.md", text=text)
    answer = answer_to(brain, "What does the waggle dance show?", [passage])
    assert "[7]" not in answer.text
    assert answer.citations == (Citation(number=1, passage_id="p", quote=text),)


def test_findings_of_unknown_passages_are_not_used(brain, passages):
    finding = Finding(statement="Bees are green.", passage_id="elsewhere", quote="Bees are green.", relevance=0.9)
    assert brain.synthesise("Which colour are bees?", [finding], passages).citations == ()


# Work


def test_work_is_cut_by_source_and_leaves_out_what_is_far(brain, passages):
    question = Question(key="q", text="What happens when the queen dies?", domain="d")
    items = brain.analyse(question, passages, most=3)
    first = items[0].passage_ids
    assert "queen.md:1" in [passage_id for item in items for passage_id in item.passage_ids]
    assert first
    assert len({item.key for item in items}) == len(items) <= 3
    read = [passage_id for item in items for passage_id in item.passage_ids]
    assert len(read) == len(set(read)) < len(passages)


def test_too_few_passages_are_searched_for_further(brain, passages):
    question = Question(key="q", text="What happens when the queen dies?", domain="d")
    (item,) = brain.analyse(question, passages[-1:], most=3)
    assert item.queries == ("queen dies",)


# The gate


def good(question: str, text: str) -> Answer:
    citation = Citation(number=1, passage_id="p", quote=text)
    return Answer(question=question, text=f"{text} [1]", citations=(citation,), confidence=0.8)


DANCE = good("How do bees tell where flowers are?", "The angle of the dance is the direction of the flowers.")
QUEEN = good("What happens when the queen dies?", "The workers raise a new queen from a young larva.")


def test_answers_to_all_questions_pass(brain):
    judgement = brain.judge(OBJECTIVE, [DANCE, QUEEN])
    assert judgement.passed
    assert judgement.score > 0.9
    assert judgement.reasons == ()


def test_an_unanswered_question_of_the_objective_is_named(brain):
    judgement = brain.judge(OBJECTIVE, [DANCE])
    assert "Not answered: What happens when the queen dies?" in judgement.reasons
    assert judgement.score < brain.judge(OBJECTIVE, [DANCE, QUEEN]).score


def test_a_claim_without_a_source_fails_the_gate(brain):
    bare = Answer(question="What happens when the queen dies?", text="Everybody is sad.", confidence=0.9)
    judgement = brain.judge(OBJECTIVE, [DANCE, bare])
    assert not judgement.passed
    assert "A claim without a source in the answer to: What happens when the queen dies?" in judgement.reasons


def test_nothing_answered_fails_the_gate(brain, passages):
    assert not brain.judge(OBJECTIVE, []).passed
    empty = answer_to(brain, "What is the capital of France?", passages)
    assert not brain.judge(OBJECTIVE, [empty]).passed


def test_a_summary_says_only_what_answers_say_and_how_much_is_answered(brain, passages):
    empty = answer_to(brain, "What is the capital of France?", passages)
    summary = brain.summarise(OBJECTIVE, "Bees", [DANCE, empty, QUEEN])
    assert "The angle of the dance is the direction of the flowers." in summary
    assert summary.endswith("The sources answer 2 of 3 questions.")
    assert "[" not in summary


def test_a_summary_of_nothing_says_so(brain, passages):
    assert brain.summarise(OBJECTIVE, "Bees", []) == "No question was answered."
    empty = answer_to(brain, "What is the capital of France?", passages)
    assert brain.summarise(OBJECTIVE, "Bees", [empty]) == "The sources say nothing about this."


# Naming


def section(source: str, heading: str, text: str, number: int) -> PassageText:
    return PassageText(passage_id=f"{source}:{number}", source_id=source, source=source, heading=heading, text=text)


def test_a_domain_with_a_heading_that_says_nothing_alone_is_named_with_the_one_above(brain):
    texts = ["Put the smoker on the grass.", "Light the smoker with dry grass.", "Blow cool smoke at the hive."]
    found = [section("smoker.md", "The smoker \u203a Usage", text, number) for number, text in enumerate(texts)]
    plan = brain.plan("How is it done?", [], found, most=2)
    assert [domain.title for domain in plan.domains] == ["The smoker: usage"]


def test_a_domain_without_headings_is_named_by_its_phrases(brain, passages):
    bare = [passage.model_copy(update={"heading": ""}) for passage in passages if passage.source == "honey.md"]
    (domain,) = brain.plan("How is honey made?", [], bare, most=3).domains
    words = " ".join(passage.text.lower() for passage in bare)
    assert all(word in words for word in domain.title.lower().replace(" and ", " ").split())


def test_a_group_too_small_for_an_architect_goes_to_the_nearest(brain, passages):
    stray = section("tax.md", "Tax", "The tax office wants the form by the end of May.", 0)
    plan = brain.plan("What is said here?", [], [*passages, stray], most=4)
    assert all(len(domain.passage_ids) >= 3 for domain in plan.domains)
