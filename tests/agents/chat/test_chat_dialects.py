"""The ways in which a model is asked for a form, and how an answer is read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agents.errors import ModelUnavailable
from agents.graphs.brains.chat_calls import json_object
from tests.agents.chat.world import (
    OBJECTIVE,
    PASSAGES,
    SOURCES,
    Bills,
    brain_of,
    extract,
    refusal,
)
from tests.model_server import ModelServer, Turn
from tests.model_thoughts import Thought

NO_JSON = Turn(says=lambda _: "I would rather not.", in_words=True)
SPEECH = [
    (frozenset({"tools", "response_format"}), ["tools"]),
    (frozenset({"response_format"}), ["tools", "response_format"]),
    (frozenset(), ["tools", "response_format", "text"]),
]


@pytest.mark.parametrize(("speaks", "asked"), SPEECH, ids=["all", "no tools", "plain text"])
def test_server_is_asked_in_a_way_that_it_knows_and_then_kept_to(
    server: ModelServer, bills: Bills, speaks: frozenset[str], asked: Sequence[str]
) -> None:
    server.speaks = speaks
    brain = brain_of(server.base_url, bills, retries=0)
    assert brain.plan(OBJECTIVE, SOURCES, PASSAGES, most=2).domains
    assert [each.dialect for each in server.received] == asked
    assert extract(brain)
    assert [each.dialect for each in server.received] == [*asked, asked[-1]]
    assert [each.tries for each in bills.usages] == [len(asked), 1]


def test_model_that_ignores_tools_may_answer_in_words(server: ModelServer, bills: Bills) -> None:
    server.script.append(Turn(in_words=True))
    assert extract(brain_of(server.base_url, bills, retries=0))


def test_server_that_does_not_pass_the_form_on_is_asked_in_another_way(server: ModelServer, bills: Bills) -> None:
    server.script.extend([NO_JSON, NO_JSON])
    extract(brain_of(server.base_url, bills))
    assert [each.dialect for each in server.received] == ["tools", "response_format", "text"]


def test_request_that_no_dialect_makes_right_is_refused(server: ModelServer, bills: Bills) -> None:
    server.script.extend([Turn(status=400, error="The system role is not supported.")] * 3)
    error = refusal(server, bills)
    assert isinstance(error, ModelUnavailable)
    assert "(400): The system role is not supported" in str(error)


def test_refusal_in_every_dialect_is_held_against_none(server: ModelServer, bills: Bills) -> None:
    brain = brain_of(server.base_url, bills)
    server.script.extend([Turn(status=400)] * 3)
    with pytest.raises(ModelUnavailable):
        extract(brain)
    extract(brain)
    assert server.received[-1].dialect == "tools"


def fenced(good: Thought) -> str:
    return f"<think>Is {{it}} so?</think>Here:\n```json\n{json.dumps(good, indent=2)}\n```\nAnything else?"


@pytest.mark.parametrize("speaks", [speaks for speaks, _ in SPEECH], ids=["all", "no tools", "plain text"])
def test_json_in_a_markdown_fence_is_read(server: ModelServer, bills: Bills, speaks: frozenset[str]) -> None:
    server.speaks = speaks
    brain = brain_of(server.base_url, bills, retries=0)
    extract(brain)
    server.script.append(Turn(says=fenced, in_words=True))
    assert extract(brain)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1} and {"a": {"b": 2}}', {"a": {"b": 2}}),
        ('{oh} {"a": "}{"}', {"a": "}{"}),
        ("[1, 2]", None),
        ("{" * 50_000, None),
        ('{"a":' * 50_000, None),
        ("{ " * 500 + '{"a": 1}', None),
        ("", None),
    ],
    ids=["bare", "two", "after words", "list", "braces", "deep", "too many starts", "empty"],
)
def test_longest_object_of_a_text_is_taken(text: str, found: Mapping[str, Any] | None) -> None:
    assert json_object(text) == found


def test_answer_that_was_cut_for_length_is_tried_again(server: ModelServer, bills: Bills) -> None:
    server.speaks = frozenset({"response_format"})
    brain = brain_of(server.base_url, bills)
    extract(brain)
    server.script.append(Turn(says=lambda _: '{"findings": [', finish="length"))
    assert extract(brain)
    assert bills.usages[1].tries == 2
    assert bills.usages[1].input_tokens > bills.usages[0].input_tokens
