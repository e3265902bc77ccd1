"""Pages of an agent some of whose states are gone."""

import pytest

from agents.checkpoints.deletion import prune_some
from agents.checkpoints.retention import Retention
from tests.factories import make_mission
from tests.orchestrator.web.test_session_page import ids, state_of, walk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gone(project, approver):
    """A session of whose four states two are left, and the ids of the others."""
    session = make_mission(project, approver)
    walk(session)
    walk(session)
    before = ids(session)
    prune_some(session.pk, Retention(newest=2, days=0), 100)
    return session, [one for one in before if one not in ids(session)]


def test_the_history_shows_what_is_left(page, gone):
    session, _ = gone
    assert len(ids(session)) == 2
    for number in range(3):
        answer = page.get(f"/agents/{session.pk}/?step={number}")
        assert answer.status_code == 200
        assert "“done”" in state_of(answer) or "one" in state_of(answer) or "first" in state_of(answer)


def test_a_state_that_is_gone_is_found_nowhere_and_breaks_nothing(page, gone):
    session, before = gone
    left = ids(session)
    for place in ("", "state/", "state.json"):
        for query in (f"at={before[0]}", f"at={left[-1]}&with={before[0]}", f"at={before[0]}&with={left[0]}"):
            assert page.get(f"/agents/{session.pk}/{place}?{query}").status_code in (200, 404)
    assert page.get(f"/agents/{session.pk}/export.json").status_code == 200
