"""People who are away from a project, and who decides in place of them meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from agents.ids import derived_id, new_id
from agents.models import Absence, Membership, User
from agents.roles import DECIDING, Role
from agents.services import audit, deadlines

LONGEST = timedelta(days=365)
_MINUTE = timedelta(minutes=1)  # forms give no seconds: the minute that it is now has not passed


@dataclass(frozen=True, slots=True)
class Leave:
    """Who is to be away, who stands in, and the time: `since` None is from now on, `until` None until it is ended.

    `key` names the press of a button.
    """

    user_id: UUID
    stand_in_id: UUID
    since: datetime | None = None
    until: datetime | None = None
    key: str = ""


@transaction.atomic
def begin(project_id: UUID, leave: Leave, *, by: User) -> Absence:
    """Let somebody stand in for a person who is away, now or later. The same press of a button again changes nothing.

    Raises NotFound to strangers, Forbidden to who is no admin and would send somebody else away, InvalidInput with a
    message for each bad field: `user`, `stand_in`, `since`, `until`.
    """
    own = _member(project_id, by.pk)
    if own is None:
        raise NotFound
    if by.pk != leave.user_id and own.role != Role.ADMIN:
        raise Forbidden("You say for yourself that you are away; an admin may for others.")
    person = _locked(project_id, leave.user_id)
    absence_id = derived_id(project_id, by.pk, leave, leave.key) if leave.key else new_id()
    if known := Absence.objects.filter(pk=absence_id).first():
        return known
    now = deadlines.moment(0)
    since = now if leave.since is None or now - _MINUTE < leave.since < now else leave.since
    fields = {name: words for name, words in _faults(project_id, person, leave, since, now) if words}
    if fields:
        raise InvalidInput("This does not fit.", fields=fields)
    made = Absence.objects.create(
        absence_id=absence_id,
        project_id=project_id,
        user_id=leave.user_id,
        stand_in_id=leave.stand_in_id,
        since=since,
        until=leave.until,
    )
    _record(made, "absence.begin", by)
    return made


def _member(project_id: UUID, user_id: UUID) -> Membership | None:
    return Membership.objects.select_related("user").filter(project=project_id, user=user_id).first()


def _locked(project_id: UUID, user_id: UUID) -> Membership | None:
    """A person's place in the project, locked: one absence of theirs is made after another."""
    found = Membership.objects.filter(project=project_id, user=user_id)
    return found.select_for_update(no_key=True, of=("self",)).select_related("user").first()


def _faults(
    project_id: UUID, person: Membership | None, leave: Leave, since: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    """What is wrong with each field; nothing: empty."""
    yield "user", _fault_of_person(person)
    yield "stand_in", _fault_of_stand_in(_member(project_id, leave.stand_in_id), leave)
    yield "since", _fault_of_beginning(since, now) or _fault_of_overlap(project_id, leave, since)
    yield "until", _fault_of_end(leave.until, since)


def _fault_of_person(person: Membership | None) -> str:
    if person is None:
        return "There is no such person in this project."
    if person.role not in DECIDING:
        return f"{person.user.get_username()} is {person.role} here: nothing is put to them, so nobody has to stand in."
    return ""


def _fault_of_stand_in(stand_in: Membership | None, leave: Leave) -> str:
    if stand_in is None:
        return "There is no such person in this project."
    name = stand_in.user.get_username()
    if leave.stand_in_id == leave.user_id:
        return "Nobody stands in for themselves: choose somebody else."
    if not stand_in.user.is_active:
        return f"The account of {name} is switched off."
    if stand_in.role not in DECIDING:
        return f"{name} is {stand_in.role} here; only approvers and admins decide."
    return ""


def _fault_of_beginning(since: datetime, now: datetime) -> str:
    if since < now:
        return f"This has passed: it is {_words(now)} now. Leave it empty to begin at once."
    return "It begins within a year from now." if since - now > LONGEST else ""


def _fault_of_overlap(project_id: UUID, leave: Leave, since: datetime) -> str:
    found = Absence.objects.not_over().filter(project=project_id, user=leave.user_id)
    found = found.filter(Q(until__isnull=True) | Q(until__gt=since)).select_related("user").order_by("since")
    if leave.until is not None:
        found = found.filter(since__lt=leave.until)
    if (other := found.first()) is None:
        return ""
    lasts = f"until {_words(other.until)}" if other.until else "until it is ended"
    return f"{other.user.get_username()} is away from {_words(other.since)} {lasts} already: end that first."


def _fault_of_end(until: datetime | None, since: datetime) -> str:
    if until is None:
        return ""
    if until <= since:
        return "It must end after it begins."
    return "It lasts a year at most." if until - since > LONGEST else ""


def _words(at: datetime) -> str:
    return f"{at:%-d %b %Y, %H:%M} UTC"


@transaction.atomic
def end(absence_id: UUID, *, by: User) -> Absence:
    """End an absence now, or take one back that is to come.

    Raises NotFound, Forbidden to who is neither that person nor an admin, InvalidTransition when it is over.
    """
    found = Absence.objects.select_related("user", "stand_in").filter(pk=absence_id).first()
    own = _member(found.project_id, by.pk) if found else None
    if found is None or own is None:
        raise NotFound
    if by.pk != found.user_id and own.role != Role.ADMIN:
        raise Forbidden(f"Only {found.user.get_username()} and admins can end this.")
    if not Absence.objects.not_over().filter(pk=absence_id).update(ended_at=Now()):
        raise InvalidTransition("This absence is over already.")
    _record(found, "absence.end", by)
    found.refresh_from_db(fields=["ended_at"])
    return found


def _record(absence: Absence, action: str, by: User) -> None:
    audit.record(
        by.pk,
        action,
        project_id=absence.project_id,
        target=("absence", absence.pk),
        detail={
            "user": str(absence.user_id),
            "stand_in": str(absence.stand_in_id),
            "since": absence.since.isoformat(),
            "until": absence.until.isoformat() if absence.until else None,
        },
    )
