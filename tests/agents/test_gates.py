"""The quality gate, a peer's validation and architects' scopes: what they decide, from plain data."""

from uuid import UUID

import numpy as np
import pytest

from agents.graphs import escalation, gates, scopes, validation
from agents.graphs.colleagues import Colleague, PassOn, Reply, Told
from agents.graphs.findings import Answer, Citation, Domain, Judgement, Question
from agents.graphs.gates import Verdict
from agents.words import CommunicationType

GOOD = Answer(
    question="Why?", text="So [1].", citations=(Citation(number=1, passage_id="p", quote="So"),), confidence=0.9
)
DOUBTFUL = GOOD.model_copy(update={"confidence": 0.1})
NOTHING = Answer(question="Why?", text="Nothing.", confidence=0, missing="all of it")
FAILED = Judgement(passed=False, score=0.2, reasons=("Not answered: How?",), open=("How?",))
PASSED = Judgement(passed=True, score=0.9)


def came_back(*answers: Answer) -> dict:
    return {"name": "A domain", "output": {"answers": [answer.model_dump(mode="json") for answer in answers]}}


@pytest.mark.parametrize(
    ("judgement", "outcomes", "rounds", "verdict", "weak"),
    [
        (PASSED, {"a": came_back(NOTHING)}, 0, Verdict.PASS, []),
        (FAILED, {"a": came_back(GOOD), "b": came_back(NOTHING)}, 0, Verdict.REDIRECT, ["b"]),
        (FAILED, {"a": came_back(GOOD), "b": came_back(DOUBTFUL)}, 0, Verdict.REDIRECT, ["b"]),
        (FAILED, {"a": came_back(GOOD), "b": came_back(NOTHING)}, 1, Verdict.PASS, []),
        (FAILED, {"a": came_back(GOOD)}, 0, Verdict.PASS, []),
        (FAILED, {"a": came_back(NOTHING), "b": {"output": None}}, 0, Verdict.REDIRECT, ["a", "b"]),
        (FAILED, {"a": came_back(NOTHING), "b": {"output": None}}, 1, Verdict.HALT, []),
        (FAILED, {"a": came_back(DOUBTFUL)}, 1, Verdict.PASS, []),
    ],
)
def test_the_gate_sends_back_once_and_halts_only_where_nothing_cites_a_source(
    judgement, outcomes, rounds, verdict, weak
):
    gate = gates.decide(judgement, outcomes, rounds=rounds)
    assert (gate["verdict"], gate["weak"], gate["score"]) == (verdict, weak, judgement.score)
    assert gate["round"] == rounds + (verdict is Verdict.REDIRECT)
    assert type(gate["verdict"]) is str  # a state holds plain data


def test_who_is_sent_back_is_asked_what_is_open_or_told_what_was_wrong():
    domain = Domain(key="a", title="A", focus="What is it?")
    assert gates.redirected(domain, {"open": ["How?", "When?"], "reasons": []}).focus == "How? When?"
    assert gates.redirected(domain, {"reasons": ["Too thin."]}).focus == "What is it? Better than before: Too thin."


def test_a_later_outcome_counts_unless_the_earlier_one_cites_more():
    weak, good, failed = came_back(NOTHING), came_back(GOOD), {"name": "A domain", "output": None}
    assert gates.better(None, failed) is failed
    assert gates.better(failed, weak) is weak
    assert gates.better(weak, good) is good
    assert gates.better(good, weak) == good
    assert gates.better(weak, failed) == weak


def test_a_problem_is_done_without_where_others_work_and_goes_up_where_nobody_does():
    assert escalation.do_without([1, 2, 3], "read on") == {"verdict": "skip", "words": "2 more read on."}
    assert isinstance(escalation.do_without([1], "read on"), PassOn)
    assert isinstance(escalation.do_without([], "read on"), PassOn)


class Peers:
    """Two peers, of whom one has ended; what is asked of the other is answered with `reply`."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply
        self.asked: list = []

    def peers(self):
        return [
            Colleague(UUID(int=1), "ann", "specialist", is_at_work=False),
            Colleague(UUID(int=2), "bob", "specialist"),
        ]

    def request(self, kind, content, **how):
        self.asked.append((kind, content["answer"]["question"], how["to"]))
        return self.reply


def test_only_a_doubtful_answer_with_sources_is_shown_to_a_peer_and_only_to_one_at_work():
    assert validation.peer_for(GOOD, Peers()) is None
    assert validation.peer_for(NOTHING, Peers()) is None
    assert validation.peer_for(DOUBTFUL, Peers()) == str(UUID(int=2))


@pytest.mark.parametrize(
    ("reply", "verdict", "missing"),
    [
        (Reply("answered", "bob", {"passed": True, "reasons": []}), {"by": "bob", "verdict": "validated"}, ""),
        (
            Reply("answered", "bob", {"passed": False, "reasons": ["Thin."]}),
            {"by": "bob", "verdict": "doubted"},
            "Doubted by bob: Thin.",
        ),
        (
            Reply("timed_out", "bob", None, "bob: it did not answer in time"),
            {"verdict": "not validated"},
            "Not validated: bob: it did not answer in time.",
        ),
    ],
)
def test_what_a_peer_says_or_does_not_say_is_named_in_the_answer(reply, verdict, missing):
    peers = Peers(reply)
    found, answer = validation.by_peer(str(UUID(int=2)), peers, DOUBTFUL)
    assert (found, answer.missing) == (verdict, missing)
    assert peers.asked == [(CommunicationType.VALIDATION, "Why?", UUID(int=2))]


def test_an_answer_that_nobody_is_there_to_validate_says_so():
    found, answer = validation.by_peer("", Peers(), DOUBTFUL)
    assert (found["verdict"], answer.missing) == ("not validated", "Not validated: nobody else is at work.")


def letters(texts):
    """Texts with the same first letter mean the same."""
    return np.array([[1.0, 0.0] if text[0] == "a" else [0.0, 1.0] for text in texts], dtype=np.float32)


def scope(number: int, *questions: str, is_at_work: bool = True) -> Told:
    sender = Colleague(UUID(int=number), f"peer {number}", "architect", is_at_work)
    return Told(CommunicationType.DESIGN_CONSISTENCY, sender, {"domain": "", "questions": list(questions)})


QUESTIONS = [Question(key="q1", text="a?", domain="d"), Question(key="q2", text="b?", domain="d")]


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ([], {}),
        ([scope(1, "a too?")], {"q1": ("a?", "peer 1")}),
        ([scope(9, "a too?")], {}),
        ([scope(1, "a too?", is_at_work=False)], {}),
        ([scope(1, "a too?", "b too?")], {"q1": ("a?", "peer 1")}),
        ([scope(1)], {}),
    ],
)
def test_a_question_that_a_peer_asks_is_left_to_it_and_never_all_of_them(heard, left):
    assert scopes.left_to_peers(UUID(int=5), QUESTIONS, heard, letters) == left


def test_of_two_that_ask_the_same_exactly_one_keeps_it():
    kept = [
        "q1" not in scopes.left_to_peers(UUID(int=own), QUESTIONS, [scope(other, "a?")], letters)
        for own, other in ((3, 4), (4, 3))
    ]
    assert sorted(kept) == [False, True]
