"""Budgets: what an agent and all below it may spend; at four fifths a warning, at the whole a question to a person.

Each agent counts what it spends in a row of its own. Whoever is about to spend adds up the rows below each budget
that holds it: that reads, and waits for nobody. An agent that finds a budget used up parks before its next step, so a
budget is overspent by one step of each agent that runs at the moment, at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents.actor import SYSTEM, Actor
from agents.errors import InvalidInput
from agents.events import store
from agents.events.types import BudgetSet, BudgetWarned
from agents.graphs.ports import Limits
from agents.lifecycle import Risk, WaitKind
from agents.models import AgentSession, Approval, Budget, SessionWait
from agents.services import approvals, sessions, spending, waits

WARNING = Decimal("0.8")
MOST, MOST_COST = 2**63, 10**8  # what the columns hold, and no more
_NO_NUMBER = "This is no number."

NAMES = tuple(field.name for field in fields(Limits))
WORDS = {"tokens": "tokens", "cost": "cost", "seconds": "time", "steps": "steps", "children": "agents"}


def set_limits(session: AgentSession, limits: Limits, *, actor: Actor) -> None:
    """Give a locked session a budget, or another one. What is warned of is found anew. Raises InvalidInput."""
    wrong = {name: "A limit is more than nothing." for name, value in limits.given().items() if value <= 0}
    if wrong:
        raise InvalidInput("These limits make no sense.", fields=wrong)
    Budget.objects.update_or_create(
        session=session, defaults={"project_id": session.project_id, "warned": [], **asdict(limits)}
    )
    told = {name: str(value) for name, value in limits.given().items()}
    store.record(BudgetSet(limits=told), session, actor=actor)


def inherit(fork: AgentSession, origin: AgentSession, *, actor: Actor) -> None:
    """Give a fork the limits that its origin has of its own. What the origin has spent is not counted against it."""
    budget = Budget.objects.filter(session=origin).first()
    if budget is not None:
        set_limits(fork, limits_of(budget), actor=actor)


def part_of(parent: AgentSession, limits: Limits) -> Limits:
    """A part of the budgets that hold `parent`, for a child: in nothing more than any of them allows."""
    held = [limits_of(budget) for budget in _among([*parent.path, parent.pk])]
    most = {name: [held_by[name] for held_by in (asdict(one) for one in held) if held_by[name]] for name in NAMES}
    least: dict[str, Any] = {name: min([value, *most[name]]) for name, value in limits.given().items()}
    return Limits(**least)


def parse(limits: Mapping[str, str]) -> Limits:
    """Limits from their texts, by name. Raises InvalidInput."""
    try:
        read: dict[str, Any] = {name: _number(name, text) for name, text in limits.items()}
        return Limits(**read)
    except (TypeError, InvalidInput) as error:
        raise InvalidInput("These limits are no numbers.") from error


def _number(name: str, given: Any) -> int | Decimal:
    """A limit as its column holds it. Raises InvalidInput."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise InvalidInput(_NO_NUMBER)
    if name != "cost" and isinstance(given, float) and not given.is_integer():
        raise InvalidInput("This is no whole number.")
    most = MOST_COST if name == "cost" else MOST
    try:
        number: int | Decimal = Decimal(str(given)) if name == "cost" else int(given)
        if -most < number < most:
            return number
    except (ValueError, ArithmeticError):
        raise InvalidInput(_NO_NUMBER) from None
    raise InvalidInput("This is more than anybody can spend.")


def used_up(session: AgentSession, *, children: int = 0) -> Budget | None:
    """The budget that holds this session and is used up; the highest of several. Warns where four fifths are spent.

    `children` are about to be started: then one with no room for them counts, too.
    """
    found = None
    for budget in _among(spending.tight(session, WARNING, children=children)):
        spent, limits = asdict(spending.below(budget.session)), limits_of(budget).given()
        shares = {name: Decimal(spent[name]) / Decimal(limit) for name, limit in limits.items()}
        _warn(budget, [name for name, share in shares.items() if share >= WARNING])
        has_no_room = children and budget.children is not None and spent["children"] + children > budget.children
        is_spent = any(share >= 1 for name, share in shares.items() if name != "children")
        if found is None and (has_no_room or is_spent):
            found = budget
    return found


def _among(holders: Sequence[UUID]) -> list[Budget]:
    """The budgets of these sessions, the highest first."""
    held = Budget.objects.filter(session__in=holders).select_related("session").order_by("session__depth")
    return list(held) if holders else []


def limits_of(budget: Budget) -> Limits:
    """What a budget allows."""
    return Limits(**{name: getattr(budget, name) for name in NAMES})


def _warn(budget: Budget, names: list[str]) -> None:
    new = sorted(set(names) - set(budget.warned))
    if not new:
        return
    with transaction.atomic():
        known = Budget.objects.filter(pk=budget.pk, warned=budget.warned)
        if known.update(warned=sorted({*budget.warned, *new})):  # of two that find it, one says it
            store.record(BudgetWarned(limits=new), budget.session, actor=SYSTEM)


def park(session: AgentSession, budget: Budget, *, children: int = 0) -> None:
    """Let a locked session that was about to spend wait until a person has decided about a budget.

    The first to park asks; those after it wait for the same decision. If it was raised meanwhile, nobody waits.
    """
    holder = session if budget.session_id == session.pk else sessions.lock(budget.session_id)
    found = used_up(session, children=children)
    if found is not None and found.session_id == holder.pk and _ask(holder, found).session_id != session.pk:
        waits.open_wait(session, _question(found))
    sessions.move(session, waits.resting_status(session), actor=SYSTEM, cause="budget")


def _question(budget: Budget) -> waits.Question:
    named = f"budget:{budget.session_id}:{budget.round}"
    return waits.Question(
        interrupt_id=named,
        kind=WaitKind.BUDGET,
        key=named,
        request={"budget": str(budget.session_id)},
        subject="a decision on the budget",
        reason="it is used up",
    )


def _ask(holder: AgentSession, budget: Budget) -> Approval:
    spent, limits = asdict(spending.below(holder)), limits_of(budget).given()
    over = [name for name, limit in limits.items() if spent[name] >= limit]
    told = ", ".join(f"{WORDS[name]} {spent[name]} of {limit}" for name, limit in limits.items())
    (asked,) = approvals.request(
        holder,
        _question(budget),
        approvals.Request(
            kind=WaitKind.BUDGET,
            title=f"Raise the budget of {holder.name}",
            tool_name="budget",
            risk=Risk.MEDIUM,
            intent=f"What I and those below me may spend is used up: {told}.",
            proposed={name: _raised(limit, name in over) for name, limit in limits.items()},
            allowed=("approve", "edit", "reject"),
            schema=_schema(limits),
            effects=(
                {"weight": "info", "text": "Approving sets these limits; the agents that wait go on."},
                {"weight": "warning", "text": "Rejecting stops this agent and all below it."},
            ),
        ),
    )
    return asked


def _raised(limit: Any, is_over: bool) -> float | int:
    more = limit + limit / 2 if is_over else limit
    return round(float(more), 6) if isinstance(limit, Decimal) else int(more) + (1 if is_over else 0)


def _schema(limits: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {name: "number" if name == "cost" else "integer" for name in limits}
    properties = {
        name: {"type": kind, "title": WORDS[name].capitalize(), "exclusiveMinimum": 0} for name, kind in kinds.items()
    }
    return {"type": "object", "properties": properties, "required": list(limits), "additionalProperties": False}


def check(approval: Approval, given: Mapping[str, Any]) -> Limits:
    """The limits of a decision. Raises InvalidInput, with a message for each one that would be used up at once."""
    spent = asdict(spending.below(approval.session))
    wrong = {name: "There is no such limit here." for name in given if name not in approval.proposed}
    wanted: dict[str, Any] = {}
    for name in approval.proposed:
        try:
            wanted[name] = _number(name, given.get(name))
        except InvalidInput as error:
            wrong[name] = str(error)
            continue
        if not wanted[name] > spent[name]:
            wrong[name] = f"{spent[name]} are spent already: give more than that."
    if wrong:
        raise InvalidInput("The budget would be used up at once.", fields=wrong)
    return Limits(**wanted)


def grant(approval: Approval, limits: Limits, *, actor: Actor) -> None:
    """A person has raised a budget: set it, and let go on who waits for it. The caller's transaction decided."""
    holder = sessions.lock(approval.session_id)
    set_limits(holder, limits, actor=actor)
    Budget.objects.filter(pk=holder.pk).update(round=F("round") + 1)
    named = approval.wait.interrupt_id
    _release_after_commit(named)


def relieve(holder: AgentSession, reason: str) -> None:
    """A locked session has another budget: if it has room now, its request is taken back, and who waits goes on."""
    if used_up(holder) is not None:
        return
    for approval in approvals.withdraw(holder, reason, kind=WaitKind.BUDGET):
        wait = SessionWait.objects.get(pk=approval.wait_id)
        waits.answer(holder, wait, {"type": "withdrawn"})
        Budget.objects.filter(pk=holder.pk).update(round=F("round") + 1)
        _release_after_commit(wait.interrupt_id)


def _release_after_commit(named: str) -> None:
    transaction.on_commit(lambda: release(named), robust=True)  # what fails here, the sweeper does


def release(named: str) -> None:
    """Let those go on that wait for a budget that was decided on, a transaction an agent."""
    found = SessionWait.objects.filter(interrupt_id=named, kind=WaitKind.BUDGET, answered_at__isnull=True)
    for wait_id, session_id in list(found.values_list("pk", "session_id")):
        with transaction.atomic():
            session = sessions.lock(session_id)
            waits.answer(session, SessionWait.objects.get(pk=wait_id), {"type": "approve"})


def unreleased(limit: int = 200) -> list[str]:
    """Decisions on budgets that agents still wait for: whoever was to let them go on has died."""
    open_waits = SessionWait.objects.filter(kind=WaitKind.BUDGET, answered_at__isnull=True, approvals__isnull=True)
    named = set(open_waits.values_list("interrupt_id", flat=True)[:limit])
    undecided = SessionWait.objects.filter(interrupt_id__in=named, approvals__isnull=False, answered_at__isnull=True)
    return sorted(named - set(undecided.values_list("interrupt_id", flat=True)))
