"""A project's policy: its versions, what it says of a call, and what another one would have said of past calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from agents.errors import InvalidInput, StaleVersion
from agents.lifecycle import Policy, Risk
from agents.models import AgentSession, Membership, PolicyVersion, Project, ToolExecution, User
from agents.policies.conditions import Facts
from agents.policies.policy import Document, Ruling, Terms, parse
from agents.roles import Level, Role, includes
from agents.services import audit, deadlines
from agents.storable import is_storable

LONGEST_NOTE = 500  # characters
LOOKED_AT = 2000  # past calls of a dry run
LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that holds in a project, and its number; None: each tool has its own."""

    number: int | None
    document: Document


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a policy said of a call: the rule of the version that said so; without one, the tool's own policy."""

    policy: Policy
    rule: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A past call, what was said of it, and what another policy would have said."""

    call: ToolExecution
    was: Ruling
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Trial:
    """What another policy would have said of the latest calls."""

    looked_at: int
    changes: Sequence[Change]


def in_force(project_id: UUID) -> InForce:
    """The latest version of a project's policy. One query."""
    latest = PolicyVersion.objects.filter(project_id=project_id).order_by("-number").first()
    return InForce(latest.number, parse(latest.document)) if latest else InForce(None, Document())


def checked(project_id: UUID, given: Any) -> Document:
    """A policy for a project from JSON. Raises InvalidInput by field, also for a name of nobody who decides there."""
    document = parse(given)
    roles = dict(
        Membership.objects.filter(project_id=project_id, user__is_active=True).values_list(
            f"user__{User.USERNAME_FIELD}", "role"
        )
    )
    strange = [at for at, name in _named(document) if not includes(Role(roles.get(name, Role.VIEWER)), Role.APPROVER)]
    if strange:
        raise InvalidInput(
            "The policy does not fit.", fields=dict.fromkeys(strange, "Nobody of this name decides in this project.")
        )
    return document


def _named(document: Document) -> Iterator[tuple[str, str]]:
    """The people whom a policy names, each with the path to it."""
    parts = [("terms", document.terms)]
    parts += [(f"rules.{place}.terms", rule.terms) for place, rule in enumerate(document.rules) if rule.terms]
    for at, terms in parts:
        names = [(f"{at}.person", terms.person)]
        names += [(f"{at}.escalations.{place}.person", one.person) for place, one in enumerate(terms.escalations)]
        yield from ((path, name) for path, name in names if name)


@transaction.atomic
def save(project_id: UUID, given: Any, *, expected: int | None, note: str, by: User) -> PolicyVersion:
    """Put a new version in force. `expected`: the number of the one that was edited, None where there was none.

    Raises InvalidInput with a message for each bad field, StaleVersion when another version came before.
    """
    document = checked(project_id, given)
    if len(note) > LONGEST_NOTE or not is_storable(note):
        raise InvalidInput(fields={"note": f"Say what changes in up to {LONGEST_NOTE} characters."})
    Project.objects.select_for_update(no_key=True).get(pk=project_id)
    now = in_force(project_id).number
    if now != expected:
        raise StaleVersion(version=now)
    made = PolicyVersion.objects.create(
        project_id=project_id,
        number=(now or 0) + 1,
        document=document.model_dump(mode="json", exclude_defaults=True),
        note=note.strip(),
        made_by=by,
    )
    audit.record(
        by.pk, "policy.save", project_id=project_id, target=("policy", made.pk), detail={"number": made.number}
    )
    return made


def call_now(session: AgentSession, tool: str, risk: Risk, arguments: dict[str, Any], cost: Decimal) -> Facts:
    """A call of an agent's, as policies look at it at this moment. `cost` in dollars."""
    return Facts(tool, risk, Level(session.level), session.agent_type, arguments, now(), cost)


def ruled(project_id: UUID, call: Facts, usual: Policy) -> Ruled:
    """What a project's policy says of a call whose tool's own policy is `usual`."""
    found = in_force(project_id)
    ruling = found.document.ruling(call, usual)
    return Ruled(ruling.policy, ruling.rule, found.number)


def terms(project_id: UUID, rule: str, version: int | None) -> Terms:
    """How what a rule of a version asks is to be decided; without a rule, as that version says for all."""
    document = _document(project_id, version)
    named = document.rule_named(rule)
    return (named.terms if named else None) or document.terms


def refusal(project_id: UUID, rule: str, version: int | None) -> str:
    """Why a policy refuses a call, in words for the agent."""
    named = _document(project_id, version).rule_named(rule)
    if named is None:
        return "A policy refuses this tool."
    return named.reason or f"The policy “{named.name}” refuses this call."


def _document(project_id: UUID, version: int | None) -> Document:
    found = PolicyVersion.objects.filter(project_id=project_id, number=version).first() if version else None
    return parse(found.document) if found else Document()


def now() -> datetime:
    """The database's time: what people set for hours does not hang on a worker's clock."""
    return deadlines.moment(0)


def tried(project_id: UUID, given: Any, usual: dict[str, Policy]) -> Trial:
    """Which of the latest calls another policy would have treated otherwise. `usual`: the tools' own policies.

    Otherwise is also: people are asked on other terms. Raises InvalidInput.
    """
    document = checked(project_id, given)
    earlier = cache(lambda number: _document(project_id, number))
    past = ToolExecution.objects.filter(
        project_id=project_id,
        kept_from__isnull=True,
        compensates__isnull=True,
        created_at__gte=Now() - LOOKED_BACK,
    )
    calls = list(past.select_related("session", "session__root").order_by("-created_at")[:LOOKED_AT])
    found = [
        Change(
            call,
            _ruling_on(call, earlier(call.policy_version)),
            document.ruling(_facts(call), usual.get(call.tool_name, Policy(call.policy))),
        )
        for call in calls
    ]
    return Trial(len(calls), [one for one in found if _is_otherwise(one.was, one.ruling)])


def _ruling_on(call: ToolExecution, document: Document) -> Ruling:
    """What was said of a call by the version that stands on it."""
    named = document.rule_named(call.policy_rule)
    terms = named.terms if named and named.terms else document.terms
    return Ruling(Policy(call.policy), terms, call.policy_rule, named.reason if named else "")


def _is_otherwise(was: Ruling, now: Ruling) -> bool:
    return was.policy != now.policy or (was.policy is Policy.ASK and was.terms != now.terms)


def _facts(call: ToolExecution) -> Facts:
    return Facts(
        call.tool_name,
        Risk(call.risk),
        Level(call.session.level),
        call.session.agent_type,
        call.input_data,
        call.created_at,
        call.cost_estimate,
    )
