"""What can go wrong by the rules: a docstring is the message, a code names it to machines."""

from typing import Any, ClassVar

from agents.storable import storable_text


class DomainError(Exception):
    """The rules do not allow this."""

    code: ClassVar[str] = "not_allowed"
    is_breakdown: ClassVar[bool] = False  # something outside failed: what it stopped can be tried again as it is

    def __init__(self, message: str = "", **data: Any) -> None:
        """Without a message the class's docstring is it; `data` adds facts for whoever shows the error."""
        self.data = data
        super().__init__(message or (self.__doc__ or "").strip())


def words_of(error: BaseException) -> str:
    """What an error says; its kind where it says nothing."""
    return storable_text(str(error)) or type(error).__name__


class NotFound(DomainError):
    """There is no such thing, or it is not yours."""

    code = "not_found"


class DetailMissing(NotFound):
    """There is no such detail in this mission; it may have been removed."""

    code = "detail_missing"


class Forbidden(DomainError):
    """Your role does not allow this."""

    code = "forbidden"


class Unauthenticated(DomainError):
    """This needs a person who has signed in, or a token that holds."""

    code = "unauthenticated"


class InvalidTransition(DomainError):
    """This cannot become that."""

    code = "invalid_transition"


class RewindUnderWay(InvalidTransition):
    """Somebody rewinds this agent at the moment."""

    code = "rewind_under_way"


class UndoFailed(DomainError):
    """A side effect could not be undone."""

    code = "undo_failed"


class InvalidInput(DomainError):
    """The input does not fit."""

    code = "invalid_input"  # `data["fields"]` maps a field's name to its message


class DelegationRefused(DomainError):
    """This agent may not start those."""

    code = "delegation_refused"


class Fenced(DomainError):
    """Another attempt owns this session."""

    code = "fenced"


class AlreadyDecided(DomainError):
    """Someone else has already decided this approval."""

    code = "already_decided"


class TooLate(InvalidTransition):
    """The agent has been told already."""

    code = "too_late"


class StaleVersion(DomainError):
    """It has changed since you opened it."""

    code = "stale_version"


class HeadMoved(StaleVersion):
    """Something else has happened to it meanwhile. `data` has `aggregate_id`, `expected` and `version`."""

    code = "head_moved"


class UnknownEvent(DomainError):
    """This event is of a type or version that is not known here."""

    code = "unknown_event"


class LedgerConflict(DomainError):
    """This tool call is already another call."""

    code = "ledger_conflict"


class ToolRefused(DomainError):
    """A policy refuses this tool call."""

    code = "tool_refused"


class Stopped(DomainError):
    """A person said: stop here."""

    code = "stopped"


class ModelUnavailable(DomainError):
    """The chat model did not answer."""

    code = "model_unavailable"
    is_breakdown = True


class ModelMisbehaved(DomainError):
    """The chat model's answers did not fit what was asked."""

    code = "model_misbehaved"
    is_breakdown = True


class Transient(DomainError):
    """This did not work now; it may a little later."""

    code = "transient"
    is_breakdown = True


class NotBegun(Transient):
    """This failed before anything was done, so even what must happen only once may be tried again."""

    code = "not_begun"


class ToolGaveUp(DomainError):
    """A tool did not work, as often as it was tried."""

    code = "tool_gave_up"
    is_breakdown = True


class CircuitOpen(DomainError):
    """This has failed too often; it is left alone for a while. `data["seconds"]` says how long."""

    code = "circuit_open"
    is_breakdown = True


class RateLimited(DomainError):
    """Too much asks for this at once. `data["seconds"]` says in how long there would have been room."""

    code = "rate_limited"
    is_breakdown = True


class WorkerDied(DomainError):
    """The worker died each time while this agent ran; it was given up."""

    code = "worker_died"
    is_breakdown = True


class HandedBack(DomainError):
    """This worker is to stop: another one takes the agent up where its last state was saved."""

    code = "handed_back"


class Resting(DomainError):
    """The agent rests before it goes on. `data` has `key`, the call that it rests for, and `until`."""

    code = "resting"


class SignalMissed(DomainError):
    """The signal did not come in time."""

    code = "signal_missed"


class TellingRefused(DomainError):
    """This agent may not say that to those."""

    code = "telling_refused"


class NothingToGoOn(DomainError):
    """None of the agents below came back with a result."""

    code = "nothing_to_go_on"
