"""The form of a rule that decides requests: for one tool, when conditions hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from agents.errors import InvalidInput
from agents.lifecycle import RuleVerdict
from agents.models import Approval
from agents.policies import suggestions
from agents.schemas import secrets
from orchestrator.web import drafts, durations, rule_words
from orchestrator.web.drafts import Part
from orchestrator.web.rule_texts import Draft, Reader, text

NEW: Mapping[str, Draft] = {"arguments": {"comparison": "equals"}}
_MOST = 20  # suggestions


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An argument of a request that a rule could ask to be equal. `at` is its path."""

    at: str
    value: Any
    is_picked: bool

    @property
    def words(self) -> str:
        """The value in a sentence."""
        return rule_words.value_words(self.value)


class RuleForm:
    """What a person sees and types. `request` is the one that it is made from."""

    def __init__(self, draft: Draft, request: Approval | None = None) -> None:
        """Nothing is wrong yet."""
        self.draft, self.request = draft, request
        self.errors: dict[str, str] = {}

    @classmethod
    def begun(cls, request: Approval | None, suggested: suggestions.Suggestion | None = None) -> "RuleForm":
        """A new one; from a request it has that one's tool, and what is `suggested` there."""
        tool = request.tool_name if request else ""
        verdict = suggested.verdict if suggested else RuleVerdict.APPROVE
        draft: Draft = {"tool": tool, "verdict": verdict.value, "lasts": "7 days"}
        draft["name"] = f"{'Never' if verdict is RuleVerdict.REJECT else 'Always'} {tool}" if tool else ""
        if suggested:
            draft["picked"] = [one.at for one in suggested.conditions]
            draft["reason"] = suggested.reason if verdict is RuleVerdict.REJECT else ""
        return cls(draft, request)

    @classmethod
    def sent(cls, form: QueryDict, request: Approval | None) -> "RuleForm":
        """The form as it was sent."""
        return cls(drafts.sent(form), request)

    @property
    def whole(self) -> Part:
        """For templates."""
        return Part(self.draft, self.errors)

    @property
    def suggestions(self) -> list[Suggestion]:
        """Arguments of the request to pick from."""
        picked = self.draft.get("picked", [])
        found = suggestions.plain(self.request.proposed) if self.request else iter(())
        secret = secrets(self.request.schema) if self.request else frozenset()
        known = [Suggestion(at, value, at in picked) for at, value in found if at.split(".")[0] not in secret]
        return sorted(known, key=lambda one: not one.is_picked)[:_MOST]

    def read(self) -> dict[str, Any]:
        """What it says, for the action. Raises InvalidInput for texts that cannot be read."""
        conditions = Reader().conditions(self.draft.get("conditions", {}))
        equal = [
            {"at": one.at, "comparison": "equals", "value": one.value} for one in self.suggestions if one.is_picked
        ]
        if equal:
            conditions["arguments"] = [*conditions.get("arguments", ()), *equal]
        return {
            "tool": text(self.draft, "tool"),
            "verdict": text(self.draft, "verdict"),
            "conditions": conditions,
            "seconds": self._seconds(),
        }

    def _seconds(self) -> int | None:
        lasts = text(self.draft, "lasts")
        try:
            return durations.read(lasts) if lasts else None
        except ValueError as error:
            raise InvalidInput(fields={"lasts": str(error)}) from None

    def change(self, act: str) -> None:
        """What a button of the form does to its rows."""
        drafts.change(self.draft, act, NEW)

    def tell(self, errors: Mapping[str, str]) -> None:
        """Put each message beside what it is about."""
        named = {"tool_name": "tool", "seconds": "lasts"}
        self.errors = drafts.placed({named.get(at, at): words for at, words in errors.items()}, self.draft)
