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
    except RecursionError:
        return {"": "Its schema refers to itself without end, or it is nested too deeply."}
    return {".".join(map(str, fault.absolute_path)): f"{fault.message}." for fault in reversed(found)}


MOST_PARTS = 2_000  # of a schema that are looked through for secrets


def secrets(schema: Mapping[str, Any]) -> frozenset[str]:
    """The names of those arguments in which a schema marks anything as secret: `writeOnly`, or the format `password`.

    Pydantic's `SecretStr` is both. An argument that refers to too much to be looked through counts as secret.
    """
    properties = schema.get("properties")
    parts = properties if isinstance(properties, Mapping) else {}
    return frozenset(name for name, part in parts.items() if _is_secret(part, schema))


def _is_secret(part: Any, schema: Mapping[str, Any]) -> bool:
    todo, followed = [part], set()
    for _ in range(MOST_PARTS):
        if not todo:
            return False
        one = todo.pop()
        if isinstance(one, list):
            todo += one
        if not isinstance(one, Mapping):
            continue
        if one.get("writeOnly") is True or one.get("format") == "password":
            return True
        todo += one.values()
        reference = one.get("$ref")
        if isinstance(reference, str) and reference not in followed:
            followed.add(reference)
            todo.append(_referred(schema, reference))
    return True


def _referred(schema: Mapping[str, Any], reference: str) -> Any:
    """What a reference within the schema leads to; nothing where that is not there."""
    found: Any = schema
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
