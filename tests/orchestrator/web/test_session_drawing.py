"""The drawing of an agent's checkpoints: branches, lanes, what is marked."""

import re
from datetime import UTC, datetime
from uuid import UUID

from agents.selectors.sessions import Checkpoint
from orchestrator.web.checkpoint_rail import Rail, branches


def history(*parents: int | None, names: dict[int, str] | None = None) -> list[Checkpoint]:
    """Checkpoints, each under the one whose number is given; the last is current."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Checkpoint(
            number,
            UUID(int=number + 1),
            None if parent is None else UUID(int=parent + 1),
            number - 1,
            "loop",
            at,
            10,
            (names or {}).get(number, ""),
            number == len(parents) - 1,
        )
        for number, parent in enumerate(parents)
    ]


def own(listed: list[Checkpoint]) -> list[tuple[int, list[int]]]:
    """Lane and numbers of each branch."""
    return [(branch.lane, [one.number for one in branch.own]) for branch in branches(listed)]


def test_checkpoints_in_a_row_are_one_branch():
    assert own(history(None, 0, 1, 2)) == [(0, [0, 1, 2, 3])]


def test_a_second_child_begins_a_branch_in_a_lane_of_its_own():
    assert own(history(None, 0, 1, 1, 3, 2)) == [(0, [0, 1, 2, 5]), (1, [3, 4])]


def test_branches_at_different_times_share_a_lane():
    assert own(history(None, 0, 0, 1, 3, 4, 4, 5)) == [(0, [0, 1, 3, 4, 5, 7]), (1, [2]), (1, [6])]


def test_a_pruned_parent_leaves_a_branch_without_a_stem():
    listed = history(None, 0, 1)[1:]
    (branch,) = branches(listed)
    assert branch.stem is None
    assert [one.number for one in branch.own] == [1, 2]


def test_a_hundred_forks_of_one_checkpoint_stay_in_few_lanes():
    found = branches(history(None, 0, *[0] * 100))
    assert len(found) == 101
    assert max(branch.lane for branch in found) < 6


def test_the_way_to_the_current_state_is_in_ink_and_the_left_branch_is_not():
    listed = history(None, 0, 1, 2, 1, 4)
    drawn = Rail(listed, listed[5]).draw()
    dots = re.findall(r'<circle class="d([^"]*)"', drawn)
    assert [" cur" in classes for classes in dots] == [True, True, False, False, True, True]
    assert [" full" in classes for classes in dots] == [False] * 5 + [True]
    assert drawn.count('class="ln cur"') == 4  # to the fork, down, over, and along the new branch
    assert drawn.count('class="ln"') == 1


def test_selected_and_compared_are_marked_apart_with_words():
    listed = history(None, 0, 1, 2, names={1: "<i>before</i>"})
    drawn = Rail(listed, listed[2], listed[1]).draw()
    assert "2 · selected</text>" in drawn
    assert "1 · &lt;i&gt;before&lt;/i&gt;</text>" in drawn
    assert 'aria-label="4 checkpoints; 2 is selected, compared with 1"' in drawn
    assert drawn.count('class="cmp"') == 1


def test_one_checkpoint_alone_is_drawn():
    (only,) = history(None)
    assert "0 · selected" in Rail([only], only).draw()


def test_five_hundred_checkpoints_take_little_markup_and_no_style():
    listed = history(None, *range(499))
    drawn = Rail(listed, listed[250]).draw()
    assert len(drawn) < 40_000
    assert "style" not in drawn
    assert drawn.count("<line") == 1
