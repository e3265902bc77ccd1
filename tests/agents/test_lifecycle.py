"""Every pair of statuses, allowed or not, and every status reachable."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product

import pytest

from agents import lifecycle
from agents.errors import InvalidTransition

TABLES: list[tuple[type[StrEnum], Mapping]] = [
    (lifecycle.SessionStatus, lifecycle.SESSION_TRANSITIONS),
    (lifecycle.RunStatus, lifecycle.RUN_TRANSITIONS),
    (lifecycle.ApprovalStatus, lifecycle.APPROVAL_TRANSITIONS),
    (lifecycle.ExecutionStatus, lifecycle.EXECUTION_TRANSITIONS),
    (lifecycle.RewindStatus, lifecycle.REWIND_TRANSITIONS),
    (lifecycle.LetterStatus, lifecycle.LETTER_TRANSITIONS),
]
PAIRS = [(table, a, b) for statuses, table in TABLES for a, b in product(statuses, statuses)]


@pytest.mark.parametrize(("table", "current", "target"), PAIRS, ids=lambda value: str(value)[:24])
def test_a_move_is_allowed_exactly_when_the_table_has_it(table, current, target):
    if target in table[current]:
        lifecycle.check_move(table, current, target)
    else:
        with pytest.raises(InvalidTransition, match=f"{current} cannot become {target}"):
            lifecycle.check_move(table, current, target)


@pytest.mark.parametrize(("statuses", "table"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_status_is_listed_and_can_be_reached(statuses, table):
    assert set(table) == set(statuses)
    seen, edge = set(), {next(iter(statuses))}
    while edge:
        seen |= edge
        edge = {target for status in edge for target in table[status]} - seen
    assert seen == set(statuses)


def test_what_is_over_is_not_at_work():
    assert not lifecycle.ACTIVE & lifecycle.FINAL
    assert lifecycle.ACTIVE | lifecycle.FINAL | {lifecycle.SessionStatus.IDLE} == set(lifecycle.SessionStatus)
