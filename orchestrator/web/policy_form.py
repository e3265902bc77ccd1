"""The form in which an admin edits a policy: a block a rule, or the whole as JSON."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from agents.errors import InvalidInput
from agents.lifecycle import Policy
from agents.policies.policy import Document, parse
from orchestrator.actions.json_text import parse_json
from orchestrator.web import drafts, rule_texts
from orchestrator.web.drafts import Part
from orchestrator.web.rule_texts import Draft, Reader, text

_TERMS = rule_texts.terms_draft({})
NEW: Mapping[str, Draft] = {
    "rules": {"policy": Policy.ASK.value, "terms": {**_TERMS}},
    "arguments": {"comparison": "equals"},
    "escalations": {"role": "admin"},
}


class PolicyForm:
    """What an admin sees and types. In the raw form `json` is the whole document, else None."""

    def __init__(self, draft: Draft, json: str | None = None) -> None:
        """Nothing is wrong yet."""
        self.draft, self.json = draft, json
        self.errors: dict[str, str] = {}
        self.focus = ""

    @classmethod
    def of(cls, document: Document) -> "PolicyForm":
        """The form of a policy; raw, where its fields could not hold it as it is."""
        given = document.model_dump(mode="json", exclude_defaults=True)
        draft = {
            "rules": [_rule_draft(rule) for rule in given.get("rules", ())],
            "terms": rule_texts.terms_draft(given.get("terms") or {}),
        }
        made = cls(draft)
        try:
            is_whole = parse(made.read()) == document
        except InvalidInput:
            is_whole = False
        return made if is_whole else cls(draft, rule_texts.pretty(given))

    @classmethod
    def sent(cls, form: QueryDict) -> "PolicyForm":
        """The form as it was sent."""
        return cls(drafts.sent(form), str(form["json"]) if "json" in form else None)  # a list by its type

    @property
    def whole(self) -> Part:
        """For templates."""
        return Part(self.draft, self.errors)

    def read(self) -> Any:
        """The document as JSON, not yet held against anything. Raises InvalidInput for texts that cannot be read."""
        if self.json is not None:
            try:
                return parse_json(self.json)
            except ValueError as error:
                raise InvalidInput("The policy does not fit.", fields={"json": str(error)}) from None
        reader = Reader()
        rules = [_rule(reader, draft, f"rules.{place}") for place, draft in enumerate(self.draft.get("rules", ()))]
        given = {"rules": rules, "terms": reader.terms(self.draft.get("terms", {}), "terms")}
        if reader.errors:
            raise InvalidInput("The policy does not fit.", fields=reader.errors | self._more(given, reader.errors))
        return given

    @staticmethod
    def _more(given: Any, known: Mapping[str, str]) -> dict[str, str]:
        """What else is wrong, so that all is said at once."""
        try:
            parse(given)
        except InvalidInput as error:
            found: dict[str, str] = error.data["fields"]
            return {at: words for at, words in found.items() if at not in known}
        return {}

    def change(self, act: str) -> None:
        """What a button of the form does to it: to its rows, or to which form it is. Raises InvalidInput."""
        if act == "json":
            self.json = rule_texts.pretty(self.read())
        elif act == "form":
            made = PolicyForm.of(parse(self.read()))
            self.draft, self.json = made.draft, made.json
            if made.json is not None:
                raise InvalidInput(fields={"json": "The form’s fields cannot hold this as it is."})  # noqa: RUF001  # a letter
        else:
            self.focus = drafts.change(self.draft, act, NEW)

    def tell(self, errors: Mapping[str, str]) -> None:
        """Put each message beside what it is about; in the raw form all stand above it."""
        self.errors = dict(errors) if self.json is not None else drafts.placed(errors, self.draft)


def _rule_draft(given: Mapping[str, Any]) -> Draft:
    own = given.get("terms")
    return {
        "name": given["name"],
        "policy": given["policy"],
        "reason": given.get("reason", ""),
        "when": rule_texts.conditions_draft(given.get("when") or {}),
        "own": "" if own is None else "on",
        "terms": rule_texts.terms_draft(own or {}),
    }


def _rule(reader: Reader, draft: Draft, at: str) -> dict[str, Any]:
    """A rule as JSON. Terms that were typed count only where people are asked."""
    given: dict[str, Any] = {
        "name": text(draft, "name"),
        "policy": text(draft, "policy"),
        "reason": text(draft, "reason"),
        "when": reader.conditions(draft.get("when", {})),
    }
    if draft.get("own") and given["policy"] == Policy.ASK:
        given["terms"] = reader.terms(draft.get("terms", {}), f"{at}.terms")
    return given
