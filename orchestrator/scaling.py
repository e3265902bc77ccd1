"""How many worker processes each level wants, for whoever starts and ends them."""

from dataclasses import asdict, dataclass

from agents.roles import Level
from agents.selectors.demand import Demand, demand
from orchestrator import presence
from orchestrator.conf import runner_limits, worker_limits


@dataclass(frozen=True, slots=True)
class Signal:
    """One level's demand, how many processes serve it, None when nobody can tell, and how many it wants."""

    demand: Demand
    workers: int | None
    wanted: int

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON."""
        told = asdict(self.demand)
        del told["level"]
        return {**told, "workers": self.workers, "wanted": self.wanted}


def signals() -> dict[Level, Signal]:
    """Of each level. Counts agents, not messages: a message may be lost or come twice."""
    limits, listening = worker_limits(), presence.listening()
    found = demand(patience=limits.patience, max_running=runner_limits().max_running)
    return {
        one.level: Signal(
            one, None if listening is None else listening[one.level], one.processes(limits.threads(one.level))
        )
        for one in found
    }
