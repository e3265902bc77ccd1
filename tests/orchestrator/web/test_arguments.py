"""From a JSON schema to a form and back."""

import pytest

from agents.errors import InvalidInput
from agents.models import Approval
from agents.schemas import faults
from orchestrator.web import arguments

SCHEMA = {
    "$defs": {"Mode": {"enum": ["fast", "good"], "type": "string"}},
    "required": ["name", "nodes", "mode"],
    "properties": {
        "mode": {"$ref": "#/$defs/Mode", "title": "Mode"},
        "dry": {"type": "boolean"},
        "name": {"type": "string", "maxLength": 40},
        "body": {"type": "string", "format": "markdown"},
        "nodes": {"type": "integer", "minimum": 1, "maximum": 16},
        "cutoff": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "files": {"type": "array"},
    },
}
PROPOSED = {
    "mode": "good", "dry": True, "name": "run", "body": "# A", "nodes": 12, "cutoff": None, "files": ["a", "b"],
    "extra": 1,
}  # fmt: skip


def approval(**proposed) -> Approval:
    return Approval(schema=SCHEMA, proposed={**PROPOSED, **proposed})


def sent(**changes: str | None) -> dict[str, str]:
    """What a browser sends when only `changes` were typed; None: a box that is not ticked."""
    form = {f"arg-{field.name}": field.value for field in arguments.fields(approval()) if field.value != "false"}
    for name, value in changes.items():
        form.pop(f"arg-{name}", None)
        if value is not None:
            form[f"arg-{name}"] = value
    return form


def read(**changes):
    return arguments.read(approval(), arguments.given_in(approval(), sent(**changes)))


def test_each_type_has_its_control_and_what_the_schema_does_not_know_is_shown_too():
    kinds = {field.name: field.kind for field in arguments.fields(approval())}
    assert kinds == {
        "name": "text", "nodes": "number", "mode": "choice", "dry": "check", "body": "area", "cutoff": "number",
        "files": "json", "extra": "json",
    }  # fmt: skip


def test_required_arguments_come_first_in_their_declared_order():
    assert [field.name for field in arguments.fields(approval())][:3] == ["name", "nodes", "mode"]


def test_types_are_said_in_words():
    words = {field.name: field.type_words for field in arguments.fields(approval())}
    assert words["nodes"] == "whole number, 1 to 16"
    assert words["name"] == "text, up to 40 characters"
    assert words["mode"] == "one of 2"
    assert words["body"] == "Markdown"


def test_a_form_that_nobody_touched_proposes_nothing_else():
    assert read() is None
    assert arguments.read(approval(), {}) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "other"}, {"name": "other"}),
        ({"nodes": "8"}, {"nodes": 8}),
        ({"cutoff": "520.5"}, {"cutoff": 520.5}),
        ({"cutoff": "-.5e1"}, {"cutoff": -5.0}),
        ({"cutoff": "9007199254740993"}, {"cutoff": 9007199254740993}),
        ({"nodes": "123456789012345678901"}, {"nodes": 123456789012345678901}),
        ({"dry": None}, {"dry": False}),
        ({"mode": "fast"}, {"mode": "fast"}),
        ({"files": '["c"]'}, {"files": ["c"]}),
        ({"extra": '{"a": null}'}, {"extra": {"a": None}}),
        ({"body": "# A\r\nmore"}, {"body": "# A\nmore"}),
    ],
)
def test_an_edit_becomes_a_value_of_its_type(changes, expected):
    assert read(**changes) == {**PROPOSED, **expected}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes", "many"),
        ("nodes", "1.5"),
        ("nodes", ""),
        ("nodes", "1_0"),
        ("nodes", "9" * 5000),
        ("cutoff", "x"),
        ("cutoff", "nan"),
        ("cutoff", "Infinity"),
        ("cutoff", "1e400"),
        ("cutoff", "1_0.5"),
        ("files", "[1,"),
        ("files", "[NaN]"),
        ("extra", "nope"),
    ],
)
def test_a_text_that_is_no_value_of_its_type_is_said_at_its_field(name, text):
    with pytest.raises(InvalidInput) as error:
        read(**{name: text})
    assert list(error.value.data["fields"]) == [name]


def test_a_field_that_is_not_part_of_the_call_is_not_taken():
    given = arguments.given_in(approval(), {**sent(), "arg-password": "x", "verdict": "approve"})
    assert "password" not in given


def test_what_was_typed_stands_in_the_form_again_with_its_error():
    fields = arguments.fields(approval(), {"nodes": "many"}, {"nodes": "No number."})
    nodes = next(field for field in fields if field.name == "nodes")
    assert (nodes.value, nodes.error, nodes.is_changed) == ("many", "No number.", True)


def test_a_call_without_a_schema_is_shown_as_data():
    bare = Approval(schema={}, proposed={"text": "a", "number": 3})
    assert {field.name: field.kind for field in arguments.fields(bare)} == {"text": "text", "number": "json"}


MIXED = ["1", 1, True, "true", None, "", " a  b ", 1.5]


@pytest.mark.parametrize("value", MIXED, ids=repr)
@pytest.mark.parametrize("proposed", MIXED, ids=repr)
def test_each_of_a_list_of_values_of_several_types_can_be_chosen_and_is_of_its_type(proposed, value):
    one = Approval(schema={"properties": {"of": {"enum": MIXED}}}, proposed={"of": proposed})
    (field,) = arguments.fields(one)
    text_of = {repr(choice): option for option, choice in zip(field.options, field.choices, strict=True)}
    assert field.value == text_of[repr(proposed)]
    text = text_of[repr(value)]
    read = arguments.read(one, {"of": text})
    assert read is None if value is proposed else repr(read["of"]) == repr(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"n": True}},
        {"properties": {"n": {"anyOf": [True, {"type": "null"}]}}},
        {"properties": {"n": {"$ref": "#/properties/m"}}},
        {"properties": {"n": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}},
        {"properties": {"n": {"$ref": "#/$defs/A"}}, "$defs": {"A": False}},
        {"$ref": "#", "properties": {"n": {"$ref": "#"}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["batch", "open"])
def test_a_schema_that_says_little_or_goes_round_in_a_circle_has_a_form(schema, form):
    one = Approval(schema=schema, proposed={"n": 1}, form=form)
    assert len(arguments.fields(one)) == 1
    assert isinstance(faults(schema, {"n": 1}), dict)
