"""The typed form of a request: arguments from a tool's JSON schema, and back from what the form sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.errors import InvalidInput
from agents.interrupts import Form
from agents.models import Approval
from agents.storable import is_same
from orchestrator.web.typed_form import Field, field, kind_of, resolved, text_of, unified

PREFIX = "arg-"  # of a field's name in the form
ANSWER = "answer"  # the one field of a question that is answered by a single value


def fields(
    approval: Approval, given: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> list[Field]:
    """The form of a request: proposed arguments, or the texts that a person `given` before, with their errors."""
    proposed = _proposed(approval)
    return [
        field(name, schema, proposed.get(name)).given((given or {}).get(name), (errors or {}).get(name, ""))
        for name, schema in _properties(approval).items()
    ]


def given_in(approval: Approval, form: Mapping[str, Any]) -> dict[str, str]:
    """The texts that a form sent. A form without any arguments proposes nothing else."""
    if not any(name.startswith(PREFIX) for name in form):
        return {}
    texts = {}
    for name, schema in _properties(approval).items():
        is_check = kind_of(schema, _proposed(approval).get(name)) == "check"
        sent = form.get(f"{PREFIX}{name}")
        if is_check:
            texts[name] = "true" if sent else "false"
        elif sent is not None:
            texts[name] = unified(str(sent))
    return texts


def decided(approval: Approval) -> dict[str, str]:
    """The texts that a decision put in place of the proposed ones; none where it changed nothing."""
    if approval.form == Form.OPEN or approval.edited is None:
        return {}
    proposed = _proposed(approval)
    return {
        name: text_of(approval.edited.get(name), kind_of(schema, proposed.get(name)))
        for name, schema in _properties(approval).items()
    }


def read(approval: Approval, given: Mapping[str, str]) -> Any:
    """The arguments that the texts mean, None when they are those proposed; of an open question the answer.

    An untouched field keeps its proposed value to the letter, whatever a browser did to its line ends. Raises
    InvalidInput with a message for each text that is no value of its type.
    """
    values, errors = dict(_proposed(approval)), {}
    for one in fields(approval, given):
        if not one.is_changed and not (approval.form == Form.OPEN and one.kind == "check"):
            continue
        try:
            values[one.name] = one.read()
        except ValueError as error:
            errors[one.name] = str(error)
    if errors:
        raise InvalidInput("Some arguments cannot be read.", fields=errors)
    if approval.form == Form.OPEN:
        return values if _asks_for_parts(approval) else values.get(ANSWER, "")
    return None if is_same(values, approval.proposed) else values


@dataclass(frozen=True, slots=True)
class Comparison:
    """One argument as it was proposed, as a person had it, as it is in effect."""

    name: str
    proposed: str
    yours: str
    effective: str


def compare(approval: Approval, mine: Sequence[Field]) -> list[Comparison]:
    """A person's arguments beside those that somebody else's decision put into effect."""
    effective = approval.effective or {}
    return [Comparison(one.label, one.proposed, one.value, text_of(effective.get(one.name), one.kind)) for one in mine]


def _asks_for_parts(approval: Approval) -> bool:
    """Is an open question answered by an object, part by part?"""
    return approval.schema.get("type") == "object" and bool(approval.schema.get("properties"))


def _proposed(approval: Approval) -> dict[str, Any]:
    """What stands in the form at first: of an open question what its schema says."""
    if approval.form != Form.OPEN:
        return dict(approval.proposed)
    parts = {name: resolved(part, approval.schema) for name, part in approval.schema.get("properties", {}).items()}
    return {name: part["default"] for name, part in parts.items() if "default" in part}


def _properties(approval: Approval) -> dict[str, dict[str, Any]]:
    """The schema of each argument; what the schema does not know is shown as it is."""
    if approval.form == Form.OPEN and not _asks_for_parts(approval):
        whole = resolved(approval.schema, approval.schema) if approval.schema else {"type": "string"}
        return {ANSWER: {"title": "Answer", **whole}}
    schema = approval.schema
    parts = schema.get("properties", {})
    # PostgreSQL does not keep the order of an object's keys, but that of a list
    in_order = [*schema.get("required", ()), *parts]
    known = {name: resolved(parts[name], schema) for name in in_order if name in parts}
    return known | {name: {} for name in _proposed(approval) if name not in known}
