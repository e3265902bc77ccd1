"""What to know about an absence, in sentences."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from agents.models import Absence, User
from agents.selectors.absences import Away


def notes(away: Away, reader: User) -> list[str]:
    """What does not go without saying, for the one who reads it."""
    return list(_notes(away, reader))


def _notes(away: Away, reader: User) -> Iterator[str]:
    person, stand_in = _name(away.absence.user, reader), _name(away.absence.stand_in, reader)
    if away.stand_in_role is None:
        yield f"{_capital(stand_in)} may not decide in this project any more: nobody stands in."
    elif away.role is None:
        yield f"{_capital(person)} may not decide in this project any more: nothing is passed on."
    if away.has_lesser_role:
        yield f"What needs an admin waits for {person}: the role of {stand_in} is {away.stand_in_role}."
    if away.chained:
        verb = "are" if stand_in == "you" else "is"
        waits = f": what is for you waits for you or {stand_in}" if person == "you" else ""
        yield f"{_capital(stand_in)} {verb} away {_times(away.chained)}, too. Nobody follows on{waits}."
    for other in away.left if person == "you" else ():  # others read it beside the absence of the other
        yield f"You stand in for {other.user.get_username()} {_times([other])}: nobody does so in place of you."


def _name(user: User, reader: User) -> str:
    return "you" if user.pk == reader.pk else user.get_username()


def _capital(name: str) -> str:
    return "You" if name == "you" else name


def _times(absences: Sequence[Absence]) -> str:
    return " and ".join(span(one) for one in absences)


def span(absence: Absence) -> str:
    """From when until when."""
    return f"from {moment(absence.since)}" + (f" until {moment(absence.until)}" if absence.until else " on")


def moment(at: datetime) -> str:
    """A time for people everywhere."""
    return f"{at:%-d %b %Y, %H:%M} UTC"


def begun(away: Away, reader: User) -> str:
    """What has been arranged."""
    absence = away.absence
    stand_in, person = _name(absence.stand_in, reader), _name(absence.user, reader)
    verb = "stand" if stand_in == "you" else "stands"
    begins = "from now on" if away.is_now else f"from {moment(absence.since)}"
    until = f", until {moment(absence.until)}" if absence.until else ", until it is ended"
    return " ".join([f"{_capital(stand_in)} {verb} in for {person} {begins}{until}.", *notes(away, reader)])
