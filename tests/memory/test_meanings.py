"""What of a request is embedded."""

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from agents.schemas import secrets
from memory import embedders, meanings


def text(arguments: Any, **changes: Any) -> str:
    known = {"tool": "mail", "title": "Send a mail", "intent": "I want to.", "goal": "Find out"}
    return meanings.of_request(**{**known, **changes}, arguments=arguments)


def test_it_says_what_with_what_why_and_for_whom_short_arguments_first():
    arguments = {"body": "word " * 99, "to": "ada@example.org", "cc": None, "items": [{"price": 3}, "b"]}
    lines = text(arguments).split("\n")
    assert lines[:2] == ["Send a mail (mail)", "I want to."]
    assert lines[2].startswith("items: price 3 b; to: ada@example.org; body: word word")
    assert lines[3] == "Find out"
    assert text({}, tool="", intent="").split("\n") == ["Send a mail", "Find out"]


def deep() -> Any:
    value: Any = "end"
    for _ in range(5_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, ["many"] * 1_000_000, {str(n): n for n in range(100_000)}, deep(), {"a": [{"b": {}}]},
     "a\0b\ud800c", {"k\0\ud800": "v"}, "\u202e\u0000\uffff", "🐝" * 999, 10**400, float("inf"), True, "", [[]]],
)  # fmt: skip
def test_huge_deep_and_odd_arguments_are_taken_in_bounded(value):
    found = text({"value": value, "to": "ada"}, intent="a\0\udfff" * 5_000, goal="b" * 10**6, title="c" * 10**6)
    assert len(found) <= 1_300
    assert "\0" not in found
    assert found.encode()
    assert "to: ada" in found
    assert embedders.active().embed([found]).shape == (1, 384)


class Login(BaseModel):
    name: str
    word: SecretStr


class Call(BaseModel):
    to: str
    key: SecretStr | None = None
    login: Login
    logins: list[Login] = []


def test_what_a_schema_marks_as_secret_is_left_out_with_all_around_it():
    schema = Call.model_json_schema()
    assert secrets(schema) == {"key", "login", "logins"}
    arguments = {"to": "ada", "key": "hunter2", "login": {"name": "x", "word": "hunter2"}, "logins": ["hunter2"]}
    found = text(arguments, secret=secrets(schema))
    assert "hunter2" not in found and "to: ada" in found


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({}, set()),
        ({"properties": []}, set()),
        ({"properties": {"a": {"type": "string"}, "b": {"writeOnly": True}, "c": {"format": "password"}}}, {"b", "c"}),
        ({"properties": {"format": {"type": "string"}, "a": {"properties": {"writeOnly": {}}}}}, set()),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}, set()),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"items": {"writeOnly": True}}}}, {"a"}),
        ({"properties": {"a": {"$ref": "#/nothing/there"}, "b": True, "c": None}}, set()),
        ({"properties": {"a": {"enum": list(range(5000))}}}, {"a"}),  # too much to be looked through
    ],
)
def test_schemas_of_all_kinds_are_looked_through(schema, found):
    assert secrets(schema) == found
