"""What a run of faults is told as."""

import statistics
from collections.abc import Sequence

from tests.faults.mission import AGENTS, Run
from tests.faults.recoveries import Hit

HEAD = ("", "faults", "agents hit", "median", "p95", "max")
WIDTHS = (36, 8, 12, 9, 9, 9)


def report(run: Run, seed: int, seconds: float) -> str:
    """Seed, faults by kind, recoveries with their times in seconds, what was wrong."""
    hits = run.recoveries.hits
    recovered = len(hits) - len(run.recoveries.open)
    agents = [hit for hit in hits if hit.sessions]
    return "\n".join(
        [
            f"seed {seed}: {run.missions} missions of {AGENTS} agents in {seconds:.0f} s",
            f"{len(hits)} faults, {recovered} recovered from; {run.doubts} calls that may have happened asked about",
            "From the fault until the agents that it hit run again or rest, or until its process runs again:",
            _row(HEAD),
            *(_line(kind, [hit for hit in hits if hit.fault == kind]) for kind in sorted({hit.fault for hit in hits})),
            _line("each agent that was hit", agents),
            _row(("the last agent of each fault", str(len(agents)), "", *_times([hit.took for hit in agents]))),
            *(run.wrong or ["nothing lost, nothing doubled, nothing stuck, each chain of events is sound"]),
        ]
    )


def _line(name: str, hits: Sequence[Hit]) -> str:
    """Times of the agents that were hit; of the processes where none was."""
    agents = [time for hit in hits for time in hit.times.values()]
    times = agents or [hit.took for hit in hits]
    return _row((name, str(len(hits)), str(sum(len(hit.sessions) for hit in hits)), *_times(times)))


def _times(times: Sequence[float | None]) -> tuple[str, ...]:
    over = sorted(time for time in times if time is not None)
    if not over:
        return ("", "", "")
    p95 = over[min(len(over) - 1, int(0.95 * len(over)))]
    return tuple(f"{seconds:.1f} s" for seconds in (statistics.median(over), p95, over[-1]))


def _row(cells: Sequence[str]) -> str:
    first, *rest = [(cell, width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return f"{first[0]:<{first[1]}}" + "".join(f"{cell:>{width}}" for cell, width in rest)
