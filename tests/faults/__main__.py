"""Faults on a stack of their own: `python -m tests.faults --seconds 1200 --least 200 --seed 7`.

The exit status is 0 if every mission ended, every effect happened exactly once, no row is stuck, every chain of
events is sound, every fault was recovered from, and there were as many faults as were wanted.
"""

import argparse
import os
import random
import sys
import time
from pathlib import Path

import django

from orchestrator.stack import pool_size
from tests.faults.schedule import Fault, Schedule
from tests.faults.workers import THREADS, SecondWorker
from tests.servers import claim_folder
from tests.stack import Stack, running_stack

PAUSE = "0.8"
FAULTS_A_MISSION = 8


def main() -> int:
    """Run missions until the time is over; returns the exit status."""
    given = _arguments()
    folder, lock = claim_folder("queenright-faults")
    variables = {
        "QUEENRIGHT_AGENT_MODULES": "tests.faults.agents",
        "QUEENRIGHT_TEST_WORLD": str(folder / "world"),
        "QUEENRIGHT_TEST_PAUSE": PAUSE,
    }
    try:
        with running_stack(**variables) as stack:
            os.environ |= variables | {
                "QUEENRIGHT_DATA": str(stack.data),
                "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
            }
            second = SecondWorker(
                {"QUEENRIGHT_POOL_SIZE": str(pool_size(THREADS)), "QUEENRIGHT_IDLE_IN_TRANSACTION_SECONDS": "5"},
                folder / "second.log",
            )
            try:
                return _run(stack, second, given)
            finally:
                second.end()
                if given.log:
                    given.log.write_text(stack.output)
    finally:
        os.close(lock)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="missions are started for so long")
    parser.add_argument("--least", type=int, default=1, help="and until there have been so many faults")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="which faults, and when")
    parser.add_argument("--pauses", type=float, nargs=2, default=(0.5, 4), help="seconds between two faults")
    parser.add_argument(
        "--kinds", type=Fault, nargs="+", default=tuple(Fault), help="only these, as the report calls them"
    )
    parser.add_argument("--log", type=Path, help="file for what the stack says")
    return parser.parse_args()


def _run(stack: Stack, second: SecondWorker, given: argparse.Namespace) -> int:
    django.setup()
    from tests.faults.agents import WORLD, make_world
    from tests.faults.injectors import Injectors
    from tests.faults.mission import Run
    from tests.faults.report import report

    make_world(Path(os.environ[WORLD]))
    run = Run(Injectors(stack, second), Schedule(given.seed, pauses=given.pauses, kinds=given.kinds))
    began = time.monotonic()
    while time.monotonic() - began < given.seconds or len(run.recoveries.hits) < given.least:
        run.mission(FAULTS_A_MISSION)
        print(run.progress, flush=True)  # noqa: T201  # what a person runs it for
        if run.wrong:
            break
    run.end()
    print(report(run, given.seed, time.monotonic() - began), flush=True)  # noqa: T201  # the same
    return 1 if run.wrong or run.recoveries.open else 0


if __name__ == "__main__":
    sys.exit(main())
