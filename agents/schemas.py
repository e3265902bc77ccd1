"""JSON values held against JSON schemas that agents bring with them."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable


def is_schema(schema: object) -> bool:
    """Is it a JSON schema of an object or of any value?"""
    try:
        Draft202012Validator.check_schema(schema)  # type: ignore[arg-type]  # that is the question
    except SchemaError:
        return False
    return isinstance(schema, Mapping)


def faults(schema: Mapping[str, Any], value: object) -> dict[str, str]:
    """What is wrong with a value, by the path to it, `items.0.price`; empty for the value itself.

    Schemas elsewhere that this one refers to are not fetched: a value that needs one is at fault.
    """
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        found = sorted(validator.iter_errors(value), key=lambda fault: [str(step) for step in fault.absolute_path])
    except Unresolvable as error:
        return {"": f"Its schema refers to {error.ref}, which is not here."}
    return {".".join(map(str, fault.absolute_path)): f"{fault.message}." for fault in reversed(found)}
