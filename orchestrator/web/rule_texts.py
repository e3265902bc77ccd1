"""Conditions and terms as the texts of a form, and back.

Texts are as nested as the JSON that they stand for; a text that cannot be read is told at its path and left out.
"""

import json
from collections.abc import Mapping
from typing import Any

from agents.policies.conditions import Comparison
from agents.policies.policy import Terms
from orchestrator.web import durations

Draft = dict[str, Any]  # texts, lists of texts where a form can choose several, and drafts of parts
_LISTED = (Comparison.ONE_OF, Comparison.NONE_OF)
_PATTERNS = (Comparison.LIKE, Comparison.UNLIKE)
_BARE = (Comparison.PRESENT, Comparison.ABSENT)


class Reader:
    """Reads drafts; `errors` maps a path to what is wrong there."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.errors: dict[str, str] = {}

    def conditions(self, draft: Draft) -> dict[str, Any]:
        """Conditions as JSON: what was left empty is left out."""
        rows = [_argument(row) for row in draft.get("arguments", ()) if row.get("at") or row.get("value")]
        return _filled(
            {
                "tools": _names(text(draft, "tools")),
                "risks": draft.get("risks") or [],
                "levels": draft.get("levels") or [],
                "agents": _names(text(draft, "agents")),
                "arguments": rows,
                "cost_at_least": text(draft, "cost_at_least").lstrip("$ "),
                "hours": _filled(
                    {
                        **{name: text(draft.get("hours", {}), name) for name in ("since", "until", "zone")},
                        "days": draft.get("hours", {}).get("days") or [],
                    }
                ),
            }
        )

    def terms(self, draft: Draft, at: str) -> dict[str, Any]:
        """Terms as JSON, likewise."""
        escalations = [
            self._escalation(row, f"{at}.escalations.{place}") for place, row in enumerate(draft.get("escalations", ()))
        ]
        deadline = self._seconds(text(draft, "deadline"), f"{at}.deadline")
        return _filled(
            {
                **{name: text(draft, name) for name in ("people", "role", "person", "undo")},
                "not_own": bool(draft.get("not_own")),
                "deadline": deadline,
                "at_deadline": text(draft, "at_deadline"),
                "reminders": [self._seconds(one, f"{at}.reminders") for one in _names(text(draft, "reminders"))],
                "escalations": escalations,
            }
        )

    def _escalation(self, row: Draft, at: str) -> dict[str, Any]:
        after = self._seconds(text(row, "after"), f"{at}.after")
        if after is None and f"{at}.after" not in self.errors:
            self.errors[f"{at}.after"] = "Say after how long."
        return _filled({"after": after, "role": text(row, "role"), "person": text(row, "person")})

    def _seconds(self, typed: str, at: str) -> int | None:
        if not typed:
            return None
        try:
            return durations.read(typed)
        except ValueError as error:
            self.errors[at] = str(error)
            return None


def _argument(row: Draft) -> dict[str, Any]:
    comparison = text(row, "comparison") or Comparison.EQUALS.value
    read = {"at": text(row, "at"), "comparison": comparison}
    typed = text(row, "value")
    return read if not typed and comparison in _BARE else {**read, "value": value(comparison, typed)}


def text(draft: Mapping[str, Any], name: str) -> str:
    """One text of a draft, without spaces around it."""
    return str(draft.get(name) or "").strip()


def value(comparison: str, typed: str) -> Any:
    """The value that a text means: JSON where it is some, else the text itself."""
    typed = typed.strip()
    if comparison in _PATTERNS:
        return typed
    if comparison in _LISTED and not typed.startswith("["):
        return [_json_or_text(one) for one in _names(typed)]
    return _json_or_text(typed)


def _json_or_text(typed: str) -> Any:
    try:
        return json.loads(typed, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return typed


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def value_text(comparison: str, given: Any) -> str:
    """The text that `value` reads as this value."""
    if comparison in _PATTERNS:
        return str(given)
    if comparison in _LISTED and isinstance(given, list):
        texts = [_text_of(one) for one in given]
        joined = ", ".join(texts)
        return joined if value(comparison, joined) == given else _json(given)
    return "" if given is None and comparison in _BARE else _text_of(given)


def _text_of(given: Any) -> str:
    is_plain = isinstance(given, str) and given == given.strip() and _json_or_text(given) == given
    return given if is_plain else _json(given)


def pretty(given: Any) -> str:
    """JSON to read and edit."""
    return json.dumps(given, ensure_ascii=False, indent=2)


def _json(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False)


def conditions_draft(given: Mapping[str, Any]) -> Draft:
    """Conditions that fit, from JSON, as texts."""
    rows = [{**row, "value": value_text(row["comparison"], row.get("value"))} for row in given.get("arguments", ())]
    hours = given.get("hours") or {}
    return {
        "tools": ", ".join(given.get("tools", ())),
        "risks": list(given.get("risks", ())),
        "levels": list(given.get("levels", ())),
        "agents": ", ".join(given.get("agents", ())),
        "arguments": rows,
        "cost_at_least": str(given.get("cost_at_least") or ""),
        "hours": {
            **{name: _clock(hours.get(name, "")) for name in ("since", "until")},
            "zone": hours.get("zone", ""),
            "days": list(hours.get("days", ())),
        },
    }


def terms_draft(given: Mapping[str, Any]) -> Draft:
    """Terms that fit, from JSON, as texts."""
    known = Terms.model_validate(given)
    return {
        "people": str(known.people),
        "role": known.role.value,
        "person": known.person,
        "not_own": "on" if known.not_own else "",
        "deadline": _long(known.deadline),
        "at_deadline": known.at_deadline.value,
        "reminders": ", ".join(map(durations.words, known.reminders)),
        "escalations": [
            {"after": durations.words(one.after), "role": one.role.value, "person": one.person}
            for one in known.escalations
        ],
        "undo": "" if known.undo is None else f"{known.undo:g}",
    }


def _clock(given: str) -> str:
    """A time of day without seconds where it has none."""
    return given[:5] if given.endswith(":00") else given


def _long(seconds: int | None) -> str:
    return "" if seconds is None else durations.words(seconds)


def _names(typed: str) -> list[str]:
    """Names with commas or line ends between them."""
    return [name for one in typed.replace("\n", ",").split(",") if (name := one.strip())]


def _filled(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty or not chosen; a zero is not empty."""
    return {name: one for name, one in parts.items() if one or (one == 0 and one is not False)}
