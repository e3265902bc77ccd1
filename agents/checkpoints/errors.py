"""What can go wrong between a graph and its stored states."""

from agents.errors import DomainError


class UnknownThread(DomainError):
    """There is no session with a value space for this thread."""

    code = "unknown_thread"


class StateDamaged(DomainError):
    """A stored state is not what was saved."""

    code = "state_damaged"


class StateKeyMissing(DomainError):
    """A stored state is encrypted with a key that is not given."""

    code = "state_key_missing"


class ThreadMoved(DomainError):
    """Another run wrote to this thread after this one had read it: what this one goes on from is not current."""

    code = "thread_moved"


class SpaceBusy(DomainError):
    """Others write or delete here all the time: try again."""

    code = "space_busy"


class ThreadNotEmpty(DomainError):
    """A copy needs a thread that has no states yet."""

    code = "thread_not_empty"
