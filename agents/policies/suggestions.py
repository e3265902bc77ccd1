"""When people keep deciding alike: the rule that would have decided so for them. It is only ever suggested."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any
from uuid import UUID

from agents.lifecycle import RuleVerdict
from agents.policies.conditions import LONGEST, Argument, Comparison
from agents.policies.parts import EACH
from agents.storable import is_finite, is_same

LEAST = 5  # decisions alike
FURTHER = 10  # of them since somebody did not want the suggestion
MOST_CONDITIONS = 20
_DEEPEST = 2  # objects in objects


@dataclass(frozen=True, slots=True)
class Past:
    """What a person decided about a call. `is_fresh`: since somebody did not want a rule for the tool."""

    person: UUID
    verdict: str
    is_edited: bool
    arguments: Mapping[str, Any]
    reason: str = ""
    is_fresh: bool = True


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule that would have decided the last `count` calls as `people` persons did. `reason`: of the latest."""

    verdict: RuleVerdict
    count: int
    people: int
    conditions: tuple[Argument, ...] = ()
    reason: str = ""

    def covers(self, arguments: Mapping[str, Any]) -> bool:
        """Would it decide a call with these arguments?"""
        return all(one.holds(dict(arguments)) for one in self.conditions)


def suggested(past: Sequence[Past], *, secret: Collection[str] = (), is_dismissed: bool = False) -> Suggestion | None:
    """The rule that follows from what people decided about a tool, the newest first; None where they differ.

    What counts are the latest decisions alike, unedited, up to the first that is not: `LEAST`, or `FURTHER` since
    somebody did not want it. `secret` arguments are never a condition; those with short values come first.
    """
    alike = list(takewhile(lambda one: _is_like(one, past[0]), past))
    if sum(one.is_fresh for one in alike) < (FURTHER if is_dismissed else LEAST):
        return None
    common = _common([dict(plain(one.arguments)) for one in alike])
    conditions = [
        Argument(at=at, comparison=Comparison.EQUALS, value=value)
        for at, value in sorted(common.items(), key=lambda pair: (len(str(pair[1])), pair[0]))
        if at.split(".")[0] not in secret
    ]
    people = len({one.person for one in alike})
    kept = tuple(conditions[:MOST_CONDITIONS])
    return Suggestion(RuleVerdict(alike[0].verdict), len(alike), people, kept, alike[0].reason)


def _is_like(one: Past, first: Past) -> bool:
    return one.verdict == first.verdict and one.verdict in set(RuleVerdict) and not one.is_edited


def _common(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is equal in all, as conditions see it."""
    found = dict(each[0])
    for other in each[1:]:
        found = {at: value for at, value in found.items() if at in other and is_same(value, other[at])}
    return found


def plain(arguments: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Paths to the short values of a call, into the objects in it: what a condition can ask to be equal."""
    for name, value in arguments.items():
        if not name or name == EACH or "." in name:
            continue
        at = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from plain(value, f"{at}.", depth + 1) if depth < _DEEPEST else ()
        elif not isinstance(value, list) and len(at) <= LONGEST and len(str(value)) <= LONGEST and is_finite(value):
            yield at, value
