"""A model's replies are reused for the same question: nothing is sent and nothing is charged."""

from typing import Any

import pytest

from agents.graphs.ports import Usage
from tests.agents.chat.world import PASSAGES, QUESTION, Bills, OpenLine, brain_of
from tests.model_server import MODEL, ModelServer, Turn


class Shelf:
    """Kept replies in a list."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def find(self, model: str, purpose: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The reply to the same question."""
        return next((reply for name, question, reply in self.kept if (name, question) == (model, asked)), None)

    def keep(self, model: str, asked: dict[str, Any], reply: dict[str, Any], usage: Usage) -> None:
        """Keep it."""
        self.kept.append((model, asked, reply))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_the_same_question_is_asked_once(server: ModelServer, bills: Bills, shelf: Shelf):
    brain = brain_of(server.base_url, bills, recall=shelf)
    first = brain.extract(QUESTION.text, PASSAGES)
    assert brain.extract(QUESTION.text, PASSAGES) == first
    assert (len(server.received), len(bills.usages)) == (1, 1)


def test_another_question_is_asked(server: ModelServer, bills: Bills, shelf: Shelf):
    brain = brain_of(server.base_url, bills, recall=shelf)
    brain.extract(QUESTION.text, PASSAGES)
    brain.extract(QUESTION.text + " Why?", PASSAGES)
    assert len(server.received) == 2


def test_a_kept_reply_that_does_not_fit_any_more_is_asked_anew(server: ModelServer, bills: Bills, shelf: Shelf):
    brain = brain_of(server.base_url, bills, recall=shelf)
    brain.extract(QUESTION.text, PASSAGES)
    shelf.kept = [(name, asked, {"old": "form"}) for name, asked, _ in shelf.kept]
    assert brain.extract(QUESTION.text, PASSAGES)
    assert len(server.received) == 2


def test_only_what_fitted_is_kept(server: ModelServer, bills: Bills, shelf: Shelf):
    server.script.append(Turn(in_words=True, says=lambda _: "I would rather not."))
    brain_of(server.base_url, bills, recall=shelf).extract(QUESTION.text, PASSAGES)
    assert len(shelf.kept) == 1
    assert "findings" in shelf.kept[0][2]


def test_the_line_hears_whether_the_server_works(server: ModelServer, bills: Bills):
    line = OpenLine()
    server.script.extend([Turn(status=503), Turn(status=429)])
    brain_of(server.base_url, bills, line=line).extract(QUESTION.text, PASSAGES)
    assert line.outcomes == ["failed", "", ""]
    assert [(next_try, reason) for _, next_try, reason in line.rests] == [
        (2, "The model failed"),
        (3, "The model has too many requests"),
    ]


def test_a_server_that_wants_more_time_than_a_call_may_pause_is_given_up_at_once(server: ModelServer, bills: Bills):
    line = OpenLine()
    server.script.append(Turn(status=429, headers={"Retry-After": "31"}))
    with pytest.raises(Exception, match="asks to wait 31 s"):
        brain_of(server.base_url, bills, line=line).extract(QUESTION.text, PASSAGES)
    assert line.rests == []


def test_the_temperature_reaches_the_server(server: ModelServer, bills: Bills):
    brain_of(server.base_url, bills, temperature=0).extract(QUESTION.text, PASSAGES)
    assert server.received[0].body["temperature"] == 0
    assert server.received[0].body["model"] == MODEL
