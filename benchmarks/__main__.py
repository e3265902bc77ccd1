"""Runs benchmarks on a stack of their own, with an empty data folder, and prints one table each.

`python -m benchmarks` runs all, `python -m benchmarks store reads` those that are named.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import django

from benchmarks.driver import USUAL
from tests.model_server import MODEL, ModelServer
from tests.stack import Stack, running_stack

CONNECTIONS = "10"  # of this process, as many as a worker's

NAMES = (
    "hierarchy",
    "reads",
    "clients",
    "savers",
    "latency",
    "store",
    "joins",
    "answers",
    "desk",
    "precedents",
    "rates",
    "parked",
    "crowds",
    "context",
)
OWN_STACKS = ("desk", "precedents", "parked", "crowds", "context")
CROWD = {"QUEENRIGHT_WORKER_THREADS": "100", "QUEENRIGHT_MAX_RUNNING": "200"}


def main() -> int:
    """Measure and print; returns the exit status."""
    names = sys.argv[1:] or list(NAMES)
    if unknown := sorted(set(names) - set(NAMES)):
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    apart = [name for name in names if name in OWN_STACKS]
    together = [name for name in names if name not in OWN_STACKS]
    groups = [group for group in (together, *([name] for name in apart)) if group]
    if len(groups) > 1:  # a process has one database
        return max(subprocess.call([sys.executable, "-m", "benchmarks", *group]) for group in groups)
    with (
        _variables(names[0]) as variables,
        running_stack(**USUAL, **variables) as stack,
    ):
        _connect(stack)
        every = _benchmarks(stack)
        for name in names:
            print(every[name](), flush=True)
    return 0


@contextmanager
def _variables(name: str) -> Iterator[dict[str, str]]:
    """What a benchmark's stack is given beside the usual; the model that it asks answers meanwhile."""
    if name != "context":
        yield CROWD if name == "crowds" else {}
        return
    with ModelServer() as server:
        yield {
            "QUEENRIGHT_MODEL": f"openai:{MODEL}",
            "QUEENRIGHT_MODEL_BASE_URL": server.base_url,
            "QUEENRIGHT_MODEL_API_KEY": "none",
        }


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
    from benchmarks import (
        answers,
        clients,
        context,
        crowds,
        desk,
        hierarchy,
        joins,
        latency,
        parked,
        precedents,
        reads,
        savers,
        store,
    )

    user, project = User.objects.get(), Project.objects.get()
    return {
        "hierarchy": lambda: hierarchy.table(hierarchy.run(project, user)),
        "reads": lambda: reads.table(reads.run(project, user)),
        "clients": lambda: clients.table(clients.run(project, user)),
        "savers": lambda: savers.table(savers.run(project, user)),
        "latency": lambda: latency.table(latency.run(stack, project, user)),
        "store": lambda: store.table(store.run(project)),
        "joins": lambda: joins.table(joins.run(project, user)),
        "answers": lambda: answers.table(answers.run(project, user)),
        "desk": lambda: desk.table(desk.run(project, user)),
        "precedents": lambda: precedents.table(precedents.run(project, user)),
        "rates": lambda: answers.rates_table(answers.rates(project, user)),
        "parked": lambda: parked.table(parked.run(stack)),
        "context": lambda: context.table(context.run(project, user)),
        "crowds": lambda: crowds.table(crowds.run(project, user)),
    }


if __name__ == "__main__":
    sys.exit(main())
