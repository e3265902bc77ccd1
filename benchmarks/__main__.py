"""Runs benchmarks on a stack of their own, with an empty data folder, and prints one table each.

`python -m benchmarks` runs all, `python -m benchmarks store reads` those that are named.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import django

from tests.stack import Stack, running_stack

CONNECTIONS = "10"  # of this process, as many as a worker's
THREADS = "32"  # a polling parent holds a thread: 21 of them must not starve each other


def main() -> int:
    """Measure and print; returns the exit status."""
    with running_stack(QUEENRIGHT_AGENT_MODULES="benchmarks.agents", QUEENRIGHT_COORDINATOR_THREADS=THREADS) as stack:
        _connect(stack)
        every = _benchmarks(stack)
        unknown = set(sys.argv[1:]) - set(every)
        if unknown:
            print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(every)}.", file=sys.stderr)
            return 2
        for name in sys.argv[1:] or every:
            print(every[name](), flush=True)
    return 0


def _connect(stack: Stack) -> None:
    """Let this process's Django use the stack's database and broker."""
    os.environ["QUEENRIGHT_DATA"] = str(stack.data)
    os.environ["QUEENRIGHT_AGENT_MODULES"] = "benchmarks.agents"
    os.environ["QUEENRIGHT_POOL_SIZE"] = CONNECTIONS
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"
    django.setup()


def _benchmarks(stack: Stack) -> Mapping[str, Callable[[], Any]]:
    """Each by its name: it measures, and gives its table."""
    from agents.models import Project, User
    from benchmarks import hierarchy, latency, reads, savers, store

    user, project = User.objects.get(), Project.objects.get()
    return {
        "hierarchy": lambda: hierarchy.table(hierarchy.run(project, user)),
        "reads": lambda: reads.table(reads.run(project, user)),
        "savers": lambda: savers.table(savers.run(project, user)),
        "latency": lambda: latency.table(latency.run(stack, project, user)),
        "store": lambda: store.table(store.run(project)),
    }


if __name__ == "__main__":
    sys.exit(main())
