"""The forms in which graphs ask people, and their answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents.middleware.human_in_the_loop import _decision_schema
from langchain_core.tools import tool
from pydantic import TypeAdapter

from agents import interrupts
from agents.errors import InvalidInput
from agents.interrupts import Action, Decided, Form

INBOX = {
    "action_request": {"action": "send_mail", "args": {"to": "ada", "copies": 1}},
    "config": {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True},
    "description": "Mail to *Ada*",
}
BATCH: dict[str, list[dict[str, Any]]] = {
    "action_requests": [
        {"name": "pay", "args": {"cents": 5}, "description": "Pay five"},
        {"name": "mail", "args": {"to": "ada"}},
    ],
    "review_configs": [
        {"action_name": "pay", "allowed_decisions": ["approve", "reject"]},
        {"action_name": "mail", "allowed_decisions": ["approve", "edit", "reject", "respond"]},
    ],
}
CALL = {"type": "tool_approval", "tool_call_id": "c1", "name": "pay", "args": {"cents": 5}, "description": "Pay five"}


@tool
def pay(cents: int, to: str = "ada") -> str:
    """Pay somebody."""
    return f"paid {cents} to {to}"


def schema_of(*allowed: str) -> dict[str, Any]:
    """As LangChain's middleware publishes it."""
    return TypeAdapter(_decision_schema(allowed, "pay", pay)).json_schema()  # type: ignore[arg-type]  # as its config has them


def test_the_inbox_form_is_read():
    assert interrupts.read(INBOX) == interrupts.Interrupt(
        Form.INBOX,
        (
            Action(
                "send_mail",
                "Send mail",
                {"to": "ada", "copies": 1},
                ("approve", "edit", "reject", "respond"),
                "Mail to *Ada*",
                may_change_tool=True,
            ),
        ),
    )


def test_bytes_in_a_question_are_shown_as_text():
    (action,) = interrupts.read({"question": "Is this it?", "picture": b"\xff"}).actions
    assert action.arguments == {"question": "Is this it?", "picture": "_w=="}


def test_several_requests_of_an_inbox_are_several_actions():
    other = {**INBOX, "action_request": {"action": "call", "args": None}, "config": {"allow_accept": True}}
    read = interrupts.read([INBOX, other])
    assert [(one.tool, one.arguments, one.allowed) for one in read.actions] == [
        ("send_mail", {"to": "ada", "copies": 1}, ("approve", "edit", "reject", "respond")),
        ("call", {}, ("approve",)),
    ]


def test_the_batched_form_is_read():
    read = interrupts.read(BATCH)
    assert read.form is Form.BATCH
    assert [(one.tool, one.arguments, one.allowed, one.description) for one in read.actions] == [
        ("pay", {"cents": 5}, ("approve", "reject"), "Pay five"),
        ("mail", {"to": "ada"}, ("approve", "edit", "reject", "respond"), ""),
    ]


@pytest.mark.parametrize(
    "allowed", [("approve", "edit", "reject", "respond"), ("approve", "reject"), ("edit",), ("respond",)]
)
def test_the_form_of_one_call_is_read_with_what_its_schema_allows(allowed):
    read = interrupts.read(CALL, schema_of(*allowed))
    (action,) = read.actions
    assert read.form is Form.CALL
    assert action.allowed == allowed
    assert ("properties" in action.schema) == ("edit" in allowed)
    if "edit" in allowed:
        assert action.schema["properties"]["cents"]["type"] == "integer"


def test_without_a_schema_one_call_may_be_answered_in_every_way():
    (action,) = interrupts.read(CALL).actions
    assert action.allowed == ("approve", "edit", "reject", "respond")


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("How old are you?", "How old are you?"),
        ({"question": "Which one?", "options": [1, 2]}, "Which one?"),
        (17, "The agent asks for an answer"),
        (None, "The agent asks for an answer"),
        ([], "The agent asks for an answer"),
        ({}, "The agent asks for an answer"),
        ({**INBOX, "config": {}}, "The agent asks for an answer"),
        ({**INBOX, "config": {"allow_accept": "yes"}}, "The agent asks for an answer"),
        (
            {"action_request": {"action": 3, "args": {}}, "config": {"allow_accept": True}},
            "The agent asks for an answer",
        ),
        ([INBOX, 3], "The agent asks for an answer"),
        ({**BATCH, "action_requests": []}, "The agent asks for an answer"),
        ({**BATCH, "action_requests": [{"name": "pay", "args": "5"}]}, "The agent asks for an answer"),
        ({**BATCH, "review_configs": []}, "The agent asks for an answer"),
        ({**CALL, "args": [5]}, "The agent asks for an answer"),
        ({**CALL, "type": "approval"}, "The agent asks for an answer"),
        ("line\n" * 200, "line " * 39 + "line…"),
    ],
)
def test_all_else_is_open(value, title):
    read = interrupts.read(value)
    assert read.form is Form.OPEN
    assert [(one.title, one.allowed, one.tool) for one in read.actions] == [(title, ("respond",), "")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*INBOX, *BATCH, *CALL, "x"]), inner),
    )
)
def test_anything_at_all_can_be_read_and_has_something_to_decide(value):
    read = interrupts.read(value, value)
    assert read.actions
    assert all(action.allowed for action in read.actions)


def test_what_is_no_json_is_shown_as_text():
    (action,) = interrupts.read({"who": object, "text": "a\0b"}).actions
    assert action.arguments == {"who": str(object), "text": "ab"}


def test_a_schema_that_is_none_or_goes_round_is_left_out():
    assert interrupts.read("?", {"type": "nonsense"}).actions[0].schema == {}
    assert interrupts.read("?", "text").actions[0].schema == {}
    round_and_round = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert interrupts.read(CALL, round_and_round).actions[0].allowed == ("approve", "edit", "reject", "respond")


APPROVED = Decided("approve", "pay", {"cents": 5})
EDITED = Decided("edit", "pay", {"cents": 4})
REJECTED = Decided("reject", words="too much")
SAID = Decided("respond", words="ask me later")


def test_an_inbox_is_answered_in_its_own_form():
    assert interrupts.answer(Form.INBOX, [APPROVED, EDITED, REJECTED, SAID]) == [
        {"type": "accept", "args": None},
        {"type": "edit", "args": {"action": "pay", "args": {"cents": 4}}},
        {"type": "ignore", "args": None},
        {"type": "response", "args": "ask me later"},
    ]


def test_a_batch_is_answered_by_position():
    assert interrupts.answer(Form.BATCH, [APPROVED, EDITED, REJECTED, SAID]) == {
        "decisions": [
            {"type": "approve"},
            {"type": "edit", "edited_action": {"name": "pay", "args": {"cents": 4}}},
            {"type": "reject", "message": "too much"},
            {"type": "respond", "message": "ask me later"},
        ]
    }


@pytest.mark.parametrize("decided", [APPROVED, EDITED, REJECTED, SAID])
def test_one_call_is_answered_with_what_langchain_itself_takes(decided):
    answer = interrupts.answer(Form.CALL, [decided])
    kinds = TypeAdapter(_decision_schema(interrupts.EVERY, "pay", pay))
    assert kinds.validate_python(answer) == answer


@pytest.mark.parametrize("value", ["ada", 17, 17.5, None, [1], {"a": True}])
def test_an_open_question_is_answered_with_the_value_as_it_is(value):
    answer = interrupts.answer(Form.OPEN, [Decided("respond", value=value)])
    assert type(answer) is type(value)
    assert answer == value


@pytest.mark.parametrize(
    ("value", "schema", "decided", "field"),
    [
        (BATCH, None, EDITED, None),
        (CALL, schema_of("approve"), REJECTED, None),
        (CALL, schema_of("edit"), Decided("edit", "pay", {"cents": "many"}), "cents"),
        (CALL, schema_of("edit"), Decided("edit", "pay", {}), ""),
        (CALL, schema_of("edit"), Decided("edit", "mail", {"cents": 4}), ""),
        (CALL, None, Decided("edit", "pay", None), ""),
        (CALL, None, Decided("respond", words="  "), "reason"),
        ("How old?", {"type": "integer"}, Decided("respond", value="17"), ""),
        (
            "How old?",
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            Decided("respond", value={"a": "1"}),
            "a",
        ),
        ("How old?", {"$ref": "http://example.org/s.json"}, Decided("respond", value=17), ""),
        ("How old?", {"type": "integer"}, APPROVED, None),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(value, schema, decided, field):
    read = interrupts.read(value, schema)
    with pytest.raises(InvalidInput) as refused:
        interrupts.check(read.actions[0], read.form, decided)
    assert field is None or field in refused.value.data["fields"]


@pytest.mark.parametrize(
    ("value", "schema", "decided"),
    [
        (BATCH, None, APPROVED),
        (INBOX, None, Decided("edit", "call_her", {"anything": 1})),
        (CALL, schema_of(*interrupts.EVERY), EDITED),
        (CALL, schema_of(*interrupts.EVERY), SAID),
        ("How old?", {"type": "integer"}, Decided("respond", value=17)),
        ("How old?", None, Decided("respond", value="as old as I am")),
    ],
)
def test_an_answer_that_fits_is_taken(value, schema, decided):
    read = interrupts.read(value, schema)
    interrupts.check(read.actions[0], read.form, decided)
