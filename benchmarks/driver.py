"""A process that drives a stack of its own. It is loaded before Django is set up, so what it does is loaded late."""

import os

import django

USUAL = {
    "QUEENRIGHT_AGENT_MODULES": "benchmarks.agents",
    "QUEENRIGHT_COORDINATOR_THREADS": "32",  # a polling parent holds a thread: 21 of them must not starve each other
}
"""What each stack of a benchmark is given."""


def begin(data: str) -> None:
    """Let this process use the stack that has this data folder."""
    os.environ["QUEENRIGHT_DATA"] = data
    django.setup()


def park() -> None:
    """Park agents in its project."""
    from benchmarks import parked

    parked.park()


def one_agent() -> float:
    """Milliseconds that an agent without work takes."""
    from benchmarks import parked

    return parked.one_agent()


def one_claim() -> float:
    """Milliseconds that a claim takes."""
    from benchmarks import parked

    return parked.one_claim()
