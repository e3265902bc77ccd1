"""A prompt has a bound in tokens: what does not fit is named, and the model may ask for what was shortened."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.graphs.brains import chat_material as material
from agents.graphs.brains import chat_prompts as prompts
from agents.graphs.brains.chat import MOST_ROUNDS, ChatBrain
from agents.graphs.findings import Answer, Citation, Finding, PassageText
from tests.agents.chat.world import DOMAIN, OBJECTIVE, QUESTION, SOURCES, passage
from tests.model_server import ModelServer, Received, Turn

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


def pieces_of(asked: Received, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in asked.text.split("\n") if line.startswith("{")]
    return [line for line in lines if next(iter(line)) == kind]


def answers_of(count: int, words: int) -> list[Answer]:
    return [
        Answer(
            question=f"Question {number}?",
            text=f"Answer {number} begins. " + "word " * words + f"Answer {number} ends.",
            citations=(Citation(number=1, passage_id="p", quote="quoted " * 10),),
            confidence=0.5,
        )
        for number in range(1, count + 1)
    ]


def says(**answer: Any) -> Turn:
    return Turn(says=lambda _: json.dumps(answer))


@settings(max_examples=60)
@given(
    told=st.dictionaries(st.sampled_from(["Objective", "Focus"]), TEXTS.map(lambda text: text * 300)),
    texts=st.lists(st.tuples(TEXTS, st.integers(1, 2000)), max_size=30),
    left_out=st.lists(TEXTS, max_size=200),
)
def test_no_prompt_is_longer_than_its_bound_and_what_is_left_out_is_named(
    told: dict[str, str], texts: list[tuple[str, int]], left_out: list[str]
) -> None:
    pieces = [{"passage": number, "text": text * times} for number, (text, times) in enumerate(texts, 1)]
    messages = prompts.ask("Do it.", told, pieces, left_out)
    assert prompts.size(messages) <= prompts.MOST_TOKENS
    lines = [json.loads(line) for line in messages[1][1].split("\n") if line.startswith("{")]
    shown = [line for line in lines if "passage" in line]
    assert shown[1:] == pieces[1 : len(shown)]
    assert not pieces or str(pieces[0]["text"]).startswith(shown[0]["text"])  # one too long for any prompt is cut
    named = [name for line in lines for name in line.get("left_out", [])]
    more = int(named[-1].split()[1]) if named and named[-1].startswith("and ") and named[-1].endswith(" more") else 0
    assert len(named) - bool(more) + more == len(pieces) - len(shown) + len(left_out)


@pytest.mark.parametrize("sign", ["a", "蜜", "\U0001f41d", "ä ", '"'])
def test_every_purpose_keeps_the_bound_in_every_script(server: ModelServer, brain: ChatBrain, sign: str) -> None:
    long = sign * 30_000
    many: list[PassageText] = [passage(number, long, source=f"{number}.md") for number in range(30)]
    findings = [Finding(statement=long, passage_id="p", quote=long, relevance=0.5)] * 3
    brain.plan(f"{OBJECTIVE} {long}", SOURCES, many, most=2)
    brain.split(OBJECTIVE, DOMAIN, many, most=2)
    brain.analyse(QUESTION, many, most=2)
    brain.extract(f"{QUESTION.text} {sign * 50}", many[:2])
    brain.synthesise(QUESTION.text, findings, many)
    brain.judge(OBJECTIVE, [each.model_copy(update={"text": long}) for each in answers_of(40, 1)])
    for asked in server.received:
        messages = [("", message["content"]) for message in asked.body["messages"]]
        assert prompts.size(messages) <= prompts.MOST_TOKENS
        assert any(line.startswith('{"') and "left_out" not in line for line in asked.text.split("\n"))


def test_passages_that_a_specialist_is_not_shown_are_named(server: ModelServer, brain: ChatBrain) -> None:
    many = [passage(number, "word " * 1500, source=f"source-{number}.md") for number in range(30)]
    brain.analyse(QUESTION, many, most=2)
    (asked,) = server.received
    shown = {piece["from"] for piece in pieces_of(asked, "passage")}
    (left_out,) = pieces_of(asked, "left_out")
    assert 0 < len(shown) < 30
    assert {name.split()[0] for name in left_out["left_out"]} == {each.source for each in many} - shown


def test_few_answers_are_shown_whole(server: ModelServer, brain: ChatBrain) -> None:
    brain.judge(OBJECTIVE, answers_of(4, 300))
    (asked,) = server.received
    assert not any("shortened" in piece for piece in pieces_of(asked, "answer"))
    assert prompts.DETAILS.split(":")[0] not in asked.text


def test_a_judge_gets_in_full_what_it_asks_for(server: ModelServer, brain: ChatBrain) -> None:
    answers = answers_of(20, 900)
    server.script += [says(passed=True, score=1, details=[7, 99, 7]), says(passed=False, score=0.1)]
    judged = brain.judge(OBJECTIVE, answers)
    assert judged.score == 0.1
    first, second = server.received
    assert not any("Answer 7 ends" in piece["text"] for piece in pieces_of(first, "answer"))
    whole = [piece["answer"] for piece in pieces_of(second, "answer") if "shortened" not in piece]
    assert whole == [7]
    assert "Answer 7 ends." in second.text
    assert {piece["answer"] for piece in pieces_of(second, "answer")} == set(range(1, 21))


def test_a_model_that_always_wants_more_is_asked_a_bounded_number_of_times(
    server: ModelServer, brain: ChatBrain
) -> None:
    answers = answers_of(60, 900)
    server.script += [
        says(summary=f"round {number}", details=list(range(1 + number * 10, 11 + number * 10))) for number in range(9)
    ]
    assert brain.summarise(OBJECTIVE, "Bees", answers) == f"round {MOST_ROUNDS - 1}"
    assert len(server.received) == MOST_ROUNDS


def test_material_of_a_thousand_answers_stays_bounded(server: ModelServer, brain: ChatBrain) -> None:
    brain.judge(OBJECTIVE, answers_of(1000, 200))
    (asked,) = server.received
    (left_out,) = pieces_of(asked, "left_out")
    assert left_out["left_out"][-1].endswith("more")
    assert len(asked.text) < 4 * prompts.MOST_TOKENS
    assert len(pieces_of(asked, "answer")) > 40
    assert material.CONTEXT < prompts.MOST_TOKENS
