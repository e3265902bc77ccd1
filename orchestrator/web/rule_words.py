"""Policies and rules in sentences that a person reads."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.lifecycle import Policy, RuleVerdict
from agents.models import ApprovalRule
from agents.policies.conditions import Argument, Comparison, Conditions, Day, Hours
from agents.policies.policy import AtDeadline, Document, Rule, Terms
from agents.roles import Level, Role
from orchestrator.web import durations, words

OUTCOMES = {Policy.RUN: "Run", Policy.ASK: "Ask", Policy.REFUSE: "Refuse"}
VERDICTS = {RuleVerdict.APPROVE: "Approve", RuleVerdict.REJECT: "Reject"}
ROLES = {Role.APPROVER: "an approver", Role.ADMIN: "an admin"}
COMPARISONS = {
    Comparison.EQUALS: "is",
    Comparison.DIFFERS: "is not",
    Comparison.ONE_OF: "is one of",
    Comparison.NONE_OF: "is none of",
    Comparison.LIKE: "is like",
    Comparison.UNLIKE: "is not like",
    Comparison.CONTAINS: "contains",
    Comparison.MORE_THAN: "is more than",
    Comparison.AT_LEAST: "is at least",
    Comparison.LESS_THAN: "is less than",
    Comparison.AT_MOST: "is at most",
    Comparison.PRESENT: "is there",
    Comparison.ABSENT: "is not there",
}
AT_DEADLINES = {
    AtDeadline.REJECT: "rejected",
    AtDeadline.APPROVE: "approved",
    AtDeadline.ESCALATE: "passed on once more",
}
_ALL_DAYS = tuple(Day)
_LONGEST = 120  # characters of a value


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one rule, or of the terms of all, from one version to the next."""

    what: str  # added, removed, changed or ordered
    name: str
    before: str = ""
    after: str = ""


def rule(one: Rule, usual: Terms) -> str:
    """A rule of a policy: “Ask two admins when pay is called”. `usual`: the terms of all."""
    outcome = OUTCOMES[one.policy]
    if one.policy is Policy.ASK:
        outcome = f"Ask {whom(one.terms or usual)}"
    return f"{outcome} {conditions(one.when)}"


def approval_rule(one: ApprovalRule) -> str:
    """A rule that decides for people: “Approve when pay is called”."""
    when = Conditions.model_validate({**one.conditions, "tools": [one.tool_name]})
    return f"{VERDICTS[RuleVerdict(one.verdict)]} {conditions(when)}"


def whom(terms: Terms) -> str:
    """Who is asked."""
    if terms.person:
        return terms.person
    return ROLES[terms.role] if terms.people == 1 else f"{words.spelled(terms.people)} {terms.role}s"


def conditions(when: Conditions) -> str:
    """When something holds; for everything: “whatever is called”."""
    tools = _either(when.tools)
    clauses = []
    if when.arguments:
        first, *others = map(_argument, when.arguments)
        clauses.append(" and its ".join([f"{tools or 'any tool'}’s {first}", *others]))  # noqa: RUF001  # a letter
    elif tools:
        clauses.append(f"{tools} is called")
    clauses += _others(when)
    return f"when {' and '.join(clauses)}" if clauses else "whatever is called"


def _others(when: Conditions) -> Iterator[str]:
    if when.risks:
        yield f"the risk is {_either(when.risks)}"
    if when.levels:
        yield f"{_either([Level(level).with_article for level in when.levels])} calls"
    if when.agents:
        yield f"an agent of type {_either(when.agents)} calls"
    if when.cost_at_least is not None:
        yield f"it costs at least {words.dollars(when.cost_at_least)}"
    if when.hours is not None:
        yield f"it is {_hours(when.hours)}"


def _argument(one: Argument) -> str:
    said = f"{one.at} {COMPARISONS[one.comparison]}"
    if one.comparison in (Comparison.PRESENT, Comparison.ABSENT):
        return said
    values = one.value if one.comparison in (Comparison.ONE_OF, Comparison.NONE_OF) else [one.value]
    return f"{said} {_either([value_words(value) for value in values])}"  # type: ignore[union-attr]  # a list


def value_words(value: Any) -> str:
    """A value in a sentence: texts in quotes, all else as JSON."""
    text = f"“{value}”" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _hours(hours: Hours) -> str:
    days = "" if set(hours.days) == set(_ALL_DAYS) else _either([day.capitalize() for day in hours.days])
    span = "" if hours.since == hours.until else f"between {hours.since:%H:%M} and {hours.until:%H:%M}"
    return f"{' '.join(filter(None, [days, span])) or 'any time'} ({hours.zone})"


def _either(names: Sequence[Any]) -> str:
    """One, two or three."""
    *first, last = [str(name) for name in names] or [""]
    return f"{', '.join(first)} or {last}" if first else last


def terms(one: Terms) -> list[str]:
    """How a request is decided, a sentence each; nothing where one person decides whenever."""
    return list(_terms(one))


def _terms(one: Terms) -> Iterator[str]:
    if one.people > 1:
        yield f"{words.spelled(one.people).capitalize()} people must approve the same; one who rejects is enough"
    if one.not_own:
        yield "Nobody decides what a mission of their own asks"
    yield from (f"Reminded after {durations.words(after)}" for after in one.reminders)
    for escalation in one.escalations:
        yield f"After {durations.words(escalation.after)} it goes to {escalation.person or f'{escalation.role}s'}"
    if one.deadline is not None:
        yield f"{AT_DEADLINES[one.at_deadline].capitalize()} after {durations.words(one.deadline)}"
    if one.undo is not None:
        yield f"A decision can be taken back for {one.undo:g} s" if one.undo else "A decision cannot be taken back"


def changes(before: Document, after: Document) -> list[Change]:
    """What one version made of the one before it."""
    old, new = ({one.name: one for one in document.rules} for document in (before, after))
    found = [Change("removed", name, rule(one, before.terms)) for name, one in old.items() if name not in new]
    for name, one in new.items():
        if name not in old:
            found.append(Change("added", name, after=rule(one, after.terms)))
        elif old[name] != one:
            found.append(Change("changed", name, _whole(old[name], before.terms), _whole(one, after.terms)))
    if [name for name in old if name in new] != [name for name in new if name in old]:
        found.append(Change("ordered", "", after=", ".join(new)))
    if before.terms != after.terms:
        found.append(Change("changed", "how requests are decided", _asked(before.terms), _asked(after.terms)))
    return found


def _whole(one: Rule, usual: Terms) -> str:
    told = [rule(one, usual), *(terms(one.terms) if one.terms else ()), *([one.reason] if one.reason else ())]
    return "; ".join(told)


def _asked(one: Terms) -> str:
    return "; ".join([f"Ask {whom(one)}", *terms(one)])
