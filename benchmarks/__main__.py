"""Runs every benchmark on a stack of its own, with an empty data folder, and prints one table each."""

import os
import sys

import django

from tests.stack import Stack, running_stack

THREADS = "32"  # a polling parent holds a thread: 21 of them must not starve each other


def main() -> int:
    """Measure and print; returns the exit status."""
    with running_stack(QUEENRIGHT_AGENT_MODULES="benchmarks.agents", QUEENRIGHT_COORDINATOR_THREADS=THREADS) as stack:
        _connect(stack)
        _measure(stack)
    return 0


def _connect(stack: Stack) -> None:
    """Let this process's Django use the stack's database and broker."""
    os.environ["QUEENRIGHT_DATA"] = str(stack.data)
    os.environ["QUEENRIGHT_AGENT_MODULES"] = "benchmarks.agents"
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"
    django.setup()


def _measure(stack: Stack) -> None:
    from agents.models import Project, User
    from benchmarks import hierarchy, latency, reads

    user, project = User.objects.get(), Project.objects.get()
    print(hierarchy.table(hierarchy.run(project, user)), flush=True)
    print(reads.table(reads.run(project, user)), flush=True)
    print(latency.table(latency.run(stack, project, user)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
