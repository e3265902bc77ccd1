"""The filters beside the lists of requests: what an address asks for, and where each of them leads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from agents.errors import InvalidInput
from agents.lifecycle import Risk
from agents.models import Approval, User
from agents.selectors import approvals, decisions
from agents.selectors.approvals import Age, Counts
from agents.selectors.decisions import By, Offered, Outcome
from orchestrator import paging


class State(StrEnum):
    """Which of the two lists an address asks for."""

    OPEN = "open"
    DECIDED = "decided"


FILTERS = {State.OPEN: approvals.NAMES, State.DECIDED: decisions.NAMES}
"""What filters are called in the addresses of each list."""

_SHARED = ("who", "risk", "tool", "agent")  # filters that mean the same in both
_PLACE = ("state", "cursor")  # which list, and where in it; that of open requests has neither
_SHOWN = {State.OPEN: {"who", "risk", "due"}, State.DECIDED: {"outcome", "by"}}  # the others are folded away
_FEW = 6  # tools or agents that are offered
_ON_PHONES = "#list"  # they show one pane at a time

_AGES = {Age.HOUR: "Over an hour old", Age.DAY: "Over a day old", Age.WEEK: "Over a week old"}
_AGO = {Age.HOUR: "Over an hour ago", Age.DAY: "Over a day ago", Age.WEEK: "Over a week ago"}
_BY = {
    By.ME: "By me",
    By.RULE: "By a rule",
    By.DEADLINE: "At a deadline",
    By.POLICY: "By a policy",
    By.PERSON: "By people",
}
_SELDOM = {By.POLICY, By.PERSON}

Offer = tuple[str, int | None, Mapping[str, str]]  # label, how many it leaves, what it sets


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


def state(address: QueryDict) -> State:
    """Which list an address asks for; that of open requests, where it means nothing."""
    return State.DECIDED if address.get("state") == State.DECIDED else State.OPEN


def query(address: QueryDict) -> str:
    """Which list, the filters and the place in it, as an address names them."""
    now = state(address)
    place = _PLACE if now is State.DECIDED else ()
    return urlencode(_given(address, (*place, *FILTERS[now])))


def is_filtered(address: QueryDict) -> bool:
    """Does an address ask for less than the whole list?"""
    return bool(_given(address, FILTERS[state(address)]))


def address(request: HttpRequest, approval_id: UUID | None = None) -> str:
    """Where a request is, or the list, within the filters that are set."""
    asked = query(request.GET)
    place = reverse("approval", args=[approval_id]) if approval_id else reverse("approvals")
    return place + (f"?{asked}" if asked else "")


def list_address(now: QueryDict, which: State, **changes: str) -> str:
    """Where a list is, within the filters that are set and mean the same there."""
    kept = _given(now, FILTERS[which] if which is state(now) else _SHARED)
    return _list(which, {**kept, **changes})


def older(request: HttpRequest, last: Approval) -> str:
    """Where the page of decided requests is that begins after this one."""
    return list_address(request.GET, State.DECIDED, cursor=paging.after_decision(last))


def read(address: QueryDict, user: User) -> approvals.Filters:
    """What an address asks for of open requests; what means nothing does not count."""
    return approvals.asked(_given(address, FILTERS[State.OPEN]), user.pk)


def read_decided(address: QueryDict, user: User) -> tuple[decisions.Filters, decisions.Mark | None]:
    """What an address asks for of decided requests, and from where on; what means nothing does not count."""
    filters = decisions.asked(_given(address, FILTERS[State.DECIDED]), user.pk)
    try:
        return filters, paging.read_decided(str(address.get("cursor", "")))
    except InvalidInput:
        return filters, None


def chips(request: HttpRequest, counts: Counts) -> list[Chip]:
    """The filters of open requests that lead somewhere, and those that are set."""
    now = request.GET
    found = list(_offered(counts))
    found += [(label, None, {"age": str(age)}) for age, label in _AGES.items() if counts.all]
    return [
        _chip(now, *offer)
        for offer in found
        if offer[1] is None or offer[1] or _is_set(now, offer[2]) or offer[0] == "All"
    ]


def decided_chips(request: HttpRequest, offered: Offered) -> list[Chip]:
    """The filters of decided requests. Nothing is counted: there may be very many."""
    return [_chip(request.GET, *offer) for offer in _offered_decided(offered)]


def _offered(counts: Counts) -> Iterator[Offer]:
    yield "All", counts.all, dict.fromkeys(FILTERS[State.OPEN], "")
    yield "For me", counts.for_me, {"who": "me"}
    yield "Mine", counts.mine, {"who": "mine"}
    yield "Due within the hour", counts.soon, {"due": "soon"}
    for risk in Risk:
        yield f"{risk.capitalize()} risk", counts.risks.get(risk, 0), {"risk": str(risk)}
    for name, each in (("tool", counts.tools), ("agent", counts.agents)):
        if len(each) > 1:
            for value, count in list(each.items())[:_FEW]:
                yield value, count, {name: value}


def _offered_decided(offered: Offered) -> Iterator[Offer]:
    yield "All", None, dict.fromkeys(FILTERS[State.DECIDED], "")
    for by, label in _BY.items():
        yield label, None, {"by": str(by)}
    for outcome in Outcome:
        yield outcome.capitalize(), None, {"outcome": str(outcome)}
    yield "For me", None, {"who": "me"}
    yield "Mine", None, {"who": "mine"}
    for risk in Risk:
        yield f"{risk.capitalize()} risk", None, {"risk": str(risk)}
    for name, each in (("tool", offered.tools), ("agent", offered.agents)):
        if len(each) > 1:
            yield from ((value, None, {name: value}) for value in each[:_FEW])
    yield from ((label, None, {"age": str(age)}) for age, label in _AGO.items())


def _given(address: QueryDict, names: Iterable[str]) -> dict[str, str]:
    return {name: str(address[name]) for name in names if address.get(name)}


def _is_set(now: QueryDict, sets: Mapping[str, str]) -> bool:
    return all(now.get(name, "") == value for name, value in sets.items())


def _chip(now: QueryDict, label: str, count: int | None, sets: Mapping[str, str]) -> Chip:
    """A filter that sets its parameters, or takes them away where they are set. It leads to the first page."""
    which = state(now)
    is_set = _is_set(now, sets)
    then = {**_given(now, FILTERS[which]), **(dict.fromkeys(sets, "") if is_set else sets)}
    is_seldom = not is_set and (not _SHOWN[which] & sets.keys() or sets.get("by") in _SELDOM)
    return Chip(label, count, _list(which, then), is_set, is_seldom)


def _list(which: State, filters: Mapping[str, str]) -> str:
    asked = {"state": str(which)} if which is State.DECIDED else {}
    asked |= {name: value for name, value in filters.items() if value}
    place = _ON_PHONES if which is State.DECIDED else ""
    return reverse("approvals") + (f"?{urlencode(asked)}" if asked else "") + place
