"""The filters beside the list of requests: what an address asks for, and where each of them leads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from agents.lifecycle import Risk
from agents.models import User
from agents.selectors.approvals import NAMES as FILTERS
from agents.selectors.approvals import Age, Counts, Filters, asked

_AGES = {Age.HOUR: "Over an hour old", Age.DAY: "Over a day old", Age.WEEK: "Over a week old"}
_FEW = 6  # tools or agents that are offered


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter: where it leads, how many requests it leaves (None: not counted), whether it is set.

    One that `is_seldom` used is folded away until it is set.
    """

    label: str
    count: int | None
    href: str
    is_set: bool
    is_seldom: bool = False


def query(address: QueryDict) -> str:
    """The filters of an address, as it names them."""
    return urlencode({name: address[name] for name in FILTERS if address.get(name)})


def address(request: HttpRequest, approval_id: UUID | None = None) -> str:
    """Where a request is, or the list, within the filters that are set."""
    asked = query(request.GET)
    place = reverse("approval", args=[approval_id]) if approval_id else reverse("approvals")
    return place + (f"?{asked}" if asked else "")


def read(address: QueryDict, user: User) -> Filters:
    """What an address asks for; what means nothing does not count."""
    return asked({name: str(address.get(name, "")) for name in FILTERS}, user.pk)


def chips(request: HttpRequest, counts: Counts) -> list[Chip]:
    """The filters that lead somewhere, and those that are set."""
    now = request.GET
    found = list(_offered(counts))
    found += [(label, None, {"age": str(age)}) for age, label in _AGES.items() if counts.all]
    return [
        _chip(now, label, count, sets)
        for label, count, sets in found
        if count is None or count or _is_set(now, sets) or label == "All"
    ]


def _offered(counts: Counts) -> Iterator[tuple[str, int | None, Mapping[str, str]]]:
    yield "All", counts.all, dict.fromkeys(FILTERS, "")
    yield "For me", counts.for_me, {"who": "me"}
    yield "Mine", counts.mine, {"who": "mine"}
    yield "Due within the hour", counts.soon, {"due": "soon"}
    for risk in Risk:
        yield f"{risk.capitalize()} risk", counts.risks.get(risk, 0), {"risk": str(risk)}
    for name, each in (("tool", counts.tools), ("agent", counts.agents)):
        if len(each) > 1:
            for value, count in list(each.items())[:_FEW]:
                yield value, count, {name: value}


def _is_set(now: QueryDict, sets: Mapping[str, str]) -> bool:
    return all(now.get(name, "") == value for name, value in sets.items())


def _chip(now: QueryDict, label: str, count: int | None, sets: Mapping[str, str]) -> Chip:
    """A filter that sets its parameters, or takes them away where they are set."""
    is_set = _is_set(now, sets)
    known = {name: now[name] for name in FILTERS if now.get(name)}
    then = {**known, **(dict.fromkeys(sets, "") if is_set else sets)}
    address = urlencode({name: value for name, value in then.items() if value})
    is_seldom = not is_set and not {"who", "risk", "due"} & sets.keys()
    return Chip(label, count, reverse("approvals") + (f"?{address}" if address else ""), is_set, is_seldom)
