"""Runs benchmarks on a stack of its own, with an empty data folder, and prints one table each.

Every one, or those that are named: `python -m benchmarks savers reads`.
"""

import os
import sys

import django

from tests.stack import Stack, running_stack

CONNECTIONS = "10"  # of this process, as many as a worker's
THREADS = "32"  # a polling parent holds a thread: 21 of them must not starve each other


NAMES = ("hierarchy", "reads", "savers", "latency")


def main(names: list[str]) -> int:
    """Measure and print; returns the exit status."""
    if unknown := set(names) - set(NAMES):
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    with running_stack(QUEENRIGHT_AGENT_MODULES="benchmarks.agents", QUEENRIGHT_COORDINATOR_THREADS=THREADS) as stack:
        _connect(stack)
        _measure(stack, names or list(NAMES))
    return 0


def _connect(stack: Stack) -> None:
    """Let this process's Django use the stack's database and broker."""
    os.environ["QUEENRIGHT_DATA"] = str(stack.data)
    os.environ["QUEENRIGHT_AGENT_MODULES"] = "benchmarks.agents"
    os.environ["QUEENRIGHT_POOL_SIZE"] = CONNECTIONS
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"
    django.setup()


def _measure(stack: Stack, names: list[str]) -> None:
    from agents.models import Project, User
    from benchmarks import hierarchy, latency, reads, savers

    user, project = User.objects.get(), Project.objects.get()
    tables = {
        "hierarchy": lambda: hierarchy.table(hierarchy.run(project, user)),
        "reads": lambda: reads.table(reads.run(project, user)),
        "savers": lambda: savers.table(savers.run(project, user)),
        "latency": lambda: latency.table(latency.run(stack, project, user)),
    }
    for name in NAMES:
        if name in names:
            print(tables[name](), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
