"""The short form of `make faults`: processes die, freeze and lose messages under missions of 85 agents."""

import os
import subprocess
import sys

import pytest

from orchestrator.env import BASE_DIR


@pytest.mark.xdist_group("faults")
def test_missions_lose_and_double_nothing_whatever_dies():
    """In a process of its own, which has the stack's settings. Its report names the seed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUEENRIGHT_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--seconds", "20", "--least", "13"],
        cwd=BASE_DIR,
        env={name: value for name, value in kept.items() if name not in {"DATABASE_URL", "REDIS_URL"}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "nothing lost, nothing doubled" in done.stdout
