"""The chat brain against a model that answers over HTTP: what it makes of answers, good and bad."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from agents.graphs.brains.chat import ChatBrain
from agents.graphs.findings import Answer
from tests.agents.chat.world import (
    CITED,
    COMB,
    DANCE,
    DOMAIN,
    EGGS,
    OBJECTIVE,
    PASSAGES,
    QUEEN,
    QUESTION,
    SOURCES,
    WAX,
    Bills,
    brain_of,
    passage,
)
from tests.model_server import ModelServer, Turn

UNCITED = Answer(question="Why?", text="Because.", confidence=0.9)


def says(**answer: Any) -> Turn:
    return Turn(says=lambda _: json.dumps(answer))


def finding(**fields: Any) -> Mapping[str, Any]:
    return {"statement": "Eggs.", "passage": 1, "quote": "The queen lays eggs.", "relevance": 0.5, **fields}


def test_plan_gives_domains_of_known_sources_and_passages(brain: ChatBrain) -> None:
    plan = brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=4)
    assert [domain.key for domain in plan.domains] == ["bees-md", "wax-md"]
    assert plan.domains[0].source_ids == ("id-of-bees.md",)
    assert plan.domains[0].passage_ids == (DANCE.passage_id, QUEEN.passage_id)
    assert plan.domains[1].passage_ids == (WAX.passage_id,)
    assert plan.approach


def test_plan_keeps_at_most_what_was_asked_for(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(domains=[{"title": f"T{n}", "focus": "f"} for n in range(9)]))
    assert len(brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=3).domains) == 3


def test_plan_adds_the_rest_of_a_chosen_source_that_was_not_shown(server: ModelServer, brain: ChatBrain) -> None:
    many = [passage(number, f"Text {number}.") for number in range(500)]
    server.script.append(says(domains=[{"title": "All", "focus": "f", "sources": [1]}]))
    assert len(brain.plan(OBJECTIVE, SOURCES, many, most=1).domains[0].passage_ids) == 500


def test_domain_of_which_nothing_is_known_gets_all_passages(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(domains=[{"title": "X", "focus": "f", "sources": [0, 7, -1], "passages": [99]}]))
    domain = brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=2).domains[0]
    assert domain.source_ids == ()
    assert domain.passage_ids == tuple(each.passage_id for each in PASSAGES)


def test_keys_are_unique_and_plain_whatever_the_titles_are(server: ModelServer, brain: ChatBrain) -> None:
    titles = ["The Wax!", "the  wax", "蜜蜂", "___", "The wax 2", "x" * 300]
    server.script.append(says(domains=[{"title": title, "focus": "f"} for title in titles]))
    domains = brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=9).domains
    expected = ["the-wax", "the-wax-2", "part", "part-2", "the-wax-2-2", "x" * 40]
    assert [domain.key for domain in domains] == expected
    assert len(domains[-1].title) <= 120


def test_split_gives_questions_of_the_domain(brain: ChatBrain) -> None:
    questions = brain.split(OBJECTIVE, DOMAIN, PASSAGES, most=2)
    assert [question.text for question in questions] == [
        "What is said about Dance?",
        "What is said about Queen?",
    ]
    assert questions[1].passage_ids == (QUEEN.passage_id,)
    assert {question.domain for question in questions} == {DOMAIN.key}


def test_analyse_deals_the_passages_out(brain: ChatBrain) -> None:
    items = brain.analyse(QUESTION, PASSAGES, most=2)
    assert [item.passage_ids for item in items] == [(DANCE.passage_id, WAX.passage_id), (QUEEN.passage_id,)]
    assert all(item.queries and item.question == QUESTION.text for item in items)
    assert len({item.key for item in items}) == 2


def test_item_without_known_passages_reads_all(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(items=[{"title": "t", "question": "q", "queries": ["a"] * 9 + [" "], "passages": [4]}]))
    (item,) = brain.analyse(QUESTION, PASSAGES, most=2)
    assert item.passage_ids == tuple(each.passage_id for each in PASSAGES)
    assert item.queries == ("a",)


def test_extract_quotes_the_passage_that_answers_best_first(brain: ChatBrain) -> None:
    findings = brain.extract(QUESTION.text, PASSAGES)
    assert findings[0].passage_id == QUEEN.passage_id
    assert findings[0].quote in QUEEN.text
    relevances = [each.relevance for each in findings]
    assert relevances == sorted(relevances, reverse=True)


def test_extract_of_nothing_asks_nobody(server: ModelServer, brain: ChatBrain) -> None:
    assert brain.extract(QUESTION.text, []) == []
    assert server.received == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The queen lays eggs.", "The queen lays eggs."),
        ("  “The queen\n lays eggs”… ", "The queen lays eggs"),
        ("The queen lays many eggs", "The queen lays eggs."),
        ("", "The queen lays eggs."),
        ("The moon is made of cheese.", None),
        (".", "The queen lays eggs."),
        ("The", "The queen lays eggs."),
    ],
    ids=["verbatim", "other-spaces-and-marks", "misquoted", "none", "invented", "a-sign", "a-word"],
)
def test_quote_stands_in_its_passage_or_the_finding_is_dropped(
    server: ModelServer, brain: ChatBrain, said: str, kept: str | None
) -> None:
    statement = "The queen lays eggs" if kept else "All of it is cheese"
    server.script.append(says(findings=[finding(quote=said, statement=statement)]))
    findings = brain.extract("eggs?", [QUEEN])
    assert [each.quote for each in findings] == ([kept] if kept else [])


def test_quote_keeps_the_white_space_of_its_passage(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(findings=[finding(quote="show the way. The dance")]))
    assert brain.extract("dance?", [DANCE])[0].quote == "show the way.\nThe dance"


def test_finding_of_an_unknown_passage_is_dropped(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(findings=[finding(passage=number) for number in (0, -1, 2, 10**9)]))
    assert brain.extract("eggs?", [QUEEN]) == []


def test_same_quote_counts_once_and_relevance_stays_in_its_range(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(findings=[finding(relevance=85), finding(), finding(relevance=-3)]))
    assert [each.relevance for each in brain.extract("eggs?", [QUEEN])] == [1]


def test_best_passages_are_read_first_and_the_rest_only_if_they_say_nothing(
    server: ModelServer, brain: ChatBrain
) -> None:
    filler = " Nothing here." * 1500
    low = passage(7, f"Zebras lay eggs.{filler}", score=0.1)
    high = passage(8, f"Yaks graze.{filler}", score=0.9)
    findings = brain.extract("Which zebras exist?", [low, high])
    assert [each.passage_id for each in findings] == [low.passage_id]
    assert ["Yaks" in asked.text for asked in server.received] == [True, False]
    server.received.clear()
    brain.extract("Which yaks exist?", [low, high])
    assert len(server.received) == 1


def test_signs_that_the_database_refuses_do_not_come_through(server: ModelServer, brain: ChatBrain) -> None:
    answer = '{"findings": [{"statement": "E\\u0000g\\ud800gs", "passage": 1, "quote": "", "relevance": 1}]}'
    server.script.append(Turn(says=lambda _: answer.replace('"quote": ""', '"quote": "The queen lays eggs."')))
    assert brain.extract("eggs?", [QUEEN])[0].statement == "Eggs"


def test_synthesise_cites_findings(brain: ChatBrain) -> None:
    answer = brain.synthesise(QUESTION.text, [COMB, EGGS], PASSAGES)
    assert answer.text == "2000 a day [1]. Of wax [2]."
    assert [citation.passage_id for citation in answer.citations] == [QUEEN.passage_id, WAX.passage_id]
    assert answer.citations[0].quote == EGGS.quote
    assert answer.question == QUESTION.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("B [2]. A [1]. B [2].", "B [1]. A [2]. B [1]."),
        ("Both [1, 2].", "Both [1][2]."),
        ("Both [1][2].", "Both [1] [2]."),
        ("A [1][7]. X [9].", "A [1]. X."),
    ],
)
def test_citations_are_counted_in_order_and_unknown_ones_taken_out(
    server: ModelServer, brain: ChatBrain, text: str, kept: str
) -> None:
    server.script.append(says(text=text, confidence=0.5))
    answer = brain.synthesise("q", [EGGS, COMB], PASSAGES)
    assert answer.text == kept
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))


def test_answer_without_citation_is_asked_again(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(text="Trust me [9].", confidence=1))
    assert brain.synthesise("q", [EGGS], PASSAGES).citations
    assert "cite the findings" in server.received[1].text


def test_answer_may_say_that_something_is_missing_instead_of_citing(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(text="That is not said.", confidence=0.9, missing="The year."))
    answer = brain.synthesise("q", [EGGS], PASSAGES)
    assert (answer.citations, answer.missing, answer.confidence) == ((), "The year.", 0)


def test_no_findings_make_an_answer_that_claims_nothing(server: ModelServer, brain: ChatBrain) -> None:
    answer = brain.synthesise("How old?", [], PASSAGES)
    assert (answer.confidence, answer.citations, answer.missing) == (0, (), "How old?")
    assert server.received == []


def test_summary_has_no_citation_marks(server: ModelServer, brain: ChatBrain) -> None:
    assert brain.summarise(OBJECTIVE, "Bees", [CITED]) == "2000."
    assert brain.summarise(OBJECTIVE, "Bees", []) == "No question was answered."
    assert len(server.received) == 1


def test_judge_passes_answers_that_are_cited(brain: ChatBrain) -> None:
    judgement = brain.judge(OBJECTIVE, [CITED])
    assert (judgement.passed, judgement.score) == (True, 1)
    assert judgement.reasons


def test_judge_never_passes_an_answer_without_citation(server: ModelServer, brain: ChatBrain) -> None:
    server.script.append(says(passed=True, score=1, reasons=["All is well."]))
    judgement = brain.judge(OBJECTIVE, [CITED, UNCITED])
    assert not judgement.passed
    assert judgement.reasons == ("No source is cited for: Why?", "All is well.")


def test_judge_without_answers_fails_them_unasked(server: ModelServer, brain: ChatBrain) -> None:
    assert not brain.judge(OBJECTIVE, []).passed
    assert server.received == []


def test_model_server_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.model_server", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        model, _, address = process.stdout.readline().split()
        brain = brain_of(address, Bills(), name=f"openai:{model}")
        findings = brain.extract(QUESTION.text, PASSAGES)
        process.send_signal(signal.SIGINT)
    assert findings
    assert process.returncode == 0


def test_nothing_of_the_client_is_imported_before_a_brain_is_made() -> None:
    code = (
        "import sys, agents.graphs.brains.chat;"
        "print(sorted({'langchain', 'langchain_core', 'openai', 'httpx'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
