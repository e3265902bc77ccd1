"""Forms of nested parts and lists: `rules.0.when.tools` names a field; buttons add, drop and move parts."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django.http import QueryDict

from orchestrator.web.forms import parse_number
from orchestrator.web.rule_texts import Draft

LISTS = frozenset({"rules", "arguments", "escalations"})
PARTS = frozenset({"when", "conditions", "hours", "terms"})
CHOICES = frozenset({"risks", "levels", "days", "picked"})
_DEEPEST = 6
_MOST = 200  # parts of a list


class Field:
    """One field of a form: the path that names it, its texts, and what is wrong with it."""

    def __init__(self, path: str, given: Any, error: str) -> None:
        """`given` is a text, or a list of texts where several can be chosen."""
        self.path = path
        self.id = path.replace(".", "-")
        self.values = given if isinstance(given, list) else [given]
        self.value = "" if isinstance(given, list) else given
        self.error = error


class Part:
    """A part of a form, as a template reads it: `rule.when.tools.value`. Its own error is `fault`."""

    def __init__(self, draft: Draft, errors: Mapping[str, str], path: str = "", place: int = 0) -> None:
        """`errors` are by path; `place` counts from 0 in a list."""
        self._draft, self._errors = draft, errors
        self._own = {
            "path": path, "id": path.replace(".", "-"), "place": place, "number": place + 1,
            "fault": errors.get(path, ""), "is_wrong": any(_is_below(at, path) for at in errors),
        }  # fmt: skip

    def __getitem__(self, name: str) -> Any:
        """A field, a part, or the parts of a list."""
        if name in self._own:
            return self._own[name]
        path = f"{self._own['path']}.{name}".removeprefix(".")
        if name in LISTS:
            rows = self._draft.get(name, [])
            return [Part(row, self._errors, f"{path}.{place}", place) for place, row in enumerate(rows)]
        if name in PARTS:
            return Part(self._draft.get(name, {}), self._errors, path)
        return Field(path, self._draft.get(name, [] if name in CHOICES else ""), self._errors.get(path, ""))


def _is_below(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(f"{above}.")


def sent(form: QueryDict) -> Draft:
    """What a form sent. Names that no form of ours has are left out."""
    draft: Draft = {}
    for name in form:
        steps = name.split(".")
        if len(steps) <= _DEEPEST:
            _put(draft, steps, form.getlist(name))
    return _listed(draft)


def _put(draft: Draft, steps: list[str], texts: list[str]) -> None:
    *above, last = steps
    for step in above:
        inside = draft.setdefault(step, {})
        if not isinstance(inside, dict):
            return
        draft = inside
    if last not in LISTS | PARTS:
        draft[last] = texts if last in CHOICES else texts[-1].replace("\r\n", "\n")


def _listed(draft: Draft) -> Draft:
    """Rows in the order of their numbers."""
    made: Draft = {}
    for name, one in draft.items():
        if name in LISTS:
            numbers = sorted((key for key in one if key.isdecimal() and len(key) < 5), key=int)[:_MOST]
            made[name] = [_listed(one[key]) for key in numbers if isinstance(one[key], dict)]
        elif name in PARTS:
            made[name] = _listed(one)
        elif not isinstance(one, dict):
            made[name] = one
    return made


def change(draft: Draft, act: str, new: Mapping[str, Draft]) -> str:
    """Add, drop or move a part of a list, as a button says: `add:rules`, `up:rules.2`. The path to look at then.

    `new` has what an added part is at first, by its list's name. What is not there changes nothing.
    """
    verb, _, path = act.partition(":")
    steps = path.split(".")
    if verb == "add":
        rows = _rows(draft, steps)
        if rows is None or len(rows) >= _MOST:
            return ""
        rows.append(deepcopy(dict(new.get(steps[-1], {}))))
        return f"{path}.{len(rows) - 1}"
    rows, at = _rows(draft, steps[:-1]), steps[-1]
    if rows is None or (place := parse_number(at, _MOST)) >= len(rows):
        return ""
    return _act(rows, ".".join(steps[:-1]), verb, place)


def _act(rows: list[Draft], path: str, verb: str, at: int) -> str:
    row = rows.pop(at)
    if verb == "drop":
        return f"{path}.{min(at, len(rows) - 1)}" if rows else ""
    to = max(at - 1, 0) if verb == "up" else at + 1 if verb == "down" else at
    rows.insert(to, row)
    return f"{path}.{min(to, len(rows) - 1)}"


def _rows(draft: Any, steps: list[str]) -> list[Draft] | None:
    """The list at a path, made where it can be."""
    if not steps:
        return None
    for step in steps[:-1]:
        if isinstance(draft, list):
            draft = draft[place] if (place := parse_number(step, _MOST)) < len(draft) else None
        elif isinstance(draft, dict) and step in LISTS | PARTS:
            draft = draft.setdefault(step, [] if step in LISTS else {})
        else:
            return None
    if not isinstance(draft, dict) or steps[-1] not in LISTS:
        return None
    rows: list[Draft] = draft.setdefault(steps[-1], [])
    return rows


def placed(errors: Mapping[str, str], draft: Draft) -> dict[str, str]:
    """Errors at the nearest part or field that a form of this draft has, so that each is shown."""
    made: dict[str, str] = {}
    for path, words in errors.items():
        at = _nearest(path, draft)
        made[at] = f"{made[at]} {words}" if at in made and words not in made[at] else words
    return made


def _nearest(path: str, draft: Any) -> str:
    steps: list[str] = []
    for step in path.split(".") if path else []:
        if isinstance(draft, list):
            if not step.isdecimal() or int(step) >= len(draft):
                break
            draft = draft[int(step)]
        elif step in LISTS:
            draft = draft.get(step, [])
        elif step in PARTS:
            draft = draft.get(step, {})
        else:
            return ".".join([*steps, step])
        steps.append(step)
    while steps and steps[-1] in LISTS | {"hours"}:  # these show no error of their own
        steps.pop()
    return ".".join(steps)
