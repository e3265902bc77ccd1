"""Several readings in one call: each with its own findings, each passage shown once, and what that saved."""

import json
from decimal import Decimal
from typing import Any

import pytest

from agents.errors import ModelMisbehaved
from agents.graphs.brains.chat import ChatBrain
from agents.graphs.findings import Reading
from tests.agents.chat.world import DANCE, QUEEN, WAX, Bills, brain_of, passage
from tests.model_server import ModelServer, Turn

EGGS = Reading(question="What does the queen lay?", passages=(QUEEN, WAX))
DANCES = Reading(question="What does the dance tell?", passages=(DANCE, QUEEN))


def says(**answer: Any) -> Turn:
    return Turn(says=lambda _: json.dumps(answer))


def test_each_reading_gets_what_it_would_have_got_alone(server: ModelServer, brain: ChatBrain) -> None:
    together = brain.extract_all([EGGS, DANCES])
    (asked,) = server.received
    assert asked.text.count(QUEEN.text) == 1
    assert together == [brain.extract(one.question, one.passages) for one in (EGGS, DANCES)]
    assert all(together)


def test_a_call_for_several_says_how_many_and_what_that_saved(server: ModelServer, bills: Bills) -> None:
    brain = brain_of(server.base_url, bills)
    brain.extract_all([EGGS, DANCES])
    brain.extract(EGGS.question, EGGS.passages)
    brain.extract(DANCES.question, DANCES.passages)
    together, *alone = bills.usages
    assert (together.tasks, together.tries) == (2, 1)
    assert [(one.tasks, one.saved_tokens) for one in alone] == [(1, 0), (1, 0)]
    saved = sum(one.input_tokens for one in alone) - together.input_tokens
    assert saved > 0
    assert together.saved_tokens == pytest.approx(saved, rel=0.35)
    assert Decimal(together.saved_cost) == Decimal(together.saved_tokens) * Decimal("0.25") / 1_000_000


def test_tries_that_did_not_fit_save_nothing_more(server: ModelServer, bills: Bills) -> None:
    brain = brain_of(server.base_url, bills)
    brain.extract_all([EGGS, DANCES])
    server.script.append(Turn(says=lambda _: "nonsense"))
    brain.extract_all([EGGS, DANCES])
    once, twice = bills.usages
    assert (once.tries, twice.tries) == (1, 2)
    assert twice.input_tokens > 2 * once.input_tokens
    assert once.saved_tokens <= twice.saved_tokens < 2 * once.saved_tokens


def test_a_task_that_the_answer_leaves_out_is_asked_alone(server: ModelServer, brain: ChatBrain) -> None:
    finding = {"statement": "Eggs.", "passage": 1, "quote": "The queen lays eggs.", "relevance": 0.5}
    server.script.append(says(tasks=[{"task": 2, "findings": []}, {"task": 9, "findings": [finding]}]))
    found = brain.extract_all([EGGS, DANCES])
    assert found == [brain.extract(EGGS.question, EGGS.passages), []]
    assert [asked.purpose for asked in server.received] == ["extractall", "extract", "extract"]


def test_a_finding_from_another_task_s_passage_is_left_out(server: ModelServer, brain: ChatBrain) -> None:
    quote = {"statement": "It dances.", "passage": 3, "quote": DANCE.text, "relevance": 1}
    server.script.append(says(tasks=[{"task": 1, "findings": [quote]}, {"task": 2, "findings": [quote]}]))
    eggs, dances = brain.extract_all([EGGS, DANCES])
    assert eggs == []
    assert [finding.passage_id for finding in dances] == [DANCE.passage_id]


def test_what_does_not_fit_into_one_call_goes_into_several(server: ModelServer, brain: ChatBrain) -> None:
    readings = [
        Reading(question=f"What is said in {n}?", passages=(passage(n, f"Bees of {n} are busy. " * 400),))
        for n in range(6)
    ]
    found = brain.extract_all(readings)
    assert len(found) == 6
    assert 1 < len(server.received) < 6


def test_an_answer_that_never_fits_is_told_so_that_each_can_be_asked_alone(
    server: ModelServer, brain: ChatBrain
) -> None:
    server.script += [Turn(says=lambda _: '{"no": 1}')] * 9
    with pytest.raises(ModelMisbehaved):
        brain.extract_all([EGGS, DANCES])


def test_one_reading_and_none_are_no_batch(server: ModelServer, brain: ChatBrain) -> None:
    assert brain.extract_all([]) == []
    assert brain.extract_all([EGGS]) == [brain.extract(EGGS.question, EGGS.passages)]
    assert {asked.purpose for asked in server.received} == {"extract"}
