"""Who looks at a request, and who is about to decide it."""

from functools import partial

import pytest
from django.db.models import F

from agents.events import store
from agents.models import AgentEvent, Approval, Sight
from agents.roles import Role
from agents.services import decisions, viewing
from agents.services.conclusions import Decision
from tests.agents.desk import asked, put, request
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

pytestmark = pytest.mark.django_db


def test_the_first_look_is_an_event_and_later_ones_are_not():
    approval = request()
    ada, bob = (make_member(approval.project) for _ in range(2))
    for one in (ada, bob, ada):
        viewing.see(approval, one)
    assert AgentEvent.objects.filter(event_type="approval.seen").count() == 2
    assert viewing.looking(approval) == [ada, bob]
    assert store.first_break(approval.pk) is None


@pytest.mark.django_db(transaction=True)
def test_two_pages_of_one_person_at_once_are_one_look():
    approval = request()
    ada = make_member(approval.project)
    at_once(*[partial(viewing.see, approval, ada)] * 4)
    assert Sight.objects.count() == AgentEvent.objects.filter(event_type="approval.seen").count() == 1


def test_who_has_left_is_not_shown():
    approval = request()
    viewing.see(approval, make_member(approval.project))
    Sight.objects.update(last_at=F("last_at") - viewing.LOOKING)
    assert viewing.looking(approval) == []


@pytest.fixture
def three():
    """Three requests, and two people."""
    project = make_project()
    requests = [put(running(make_mission(project)), asked())[0] for _ in range(3)]
    return [one.pk for one in requests], make_member(project, Role.APPROVER), make_member(project, Role.APPROVER)


def test_two_people_claim_two_requests_and_each_keeps_theirs(three):
    requests, ada, bob = three
    assert viewing.claim_next(requests, ada) == requests[0]
    assert viewing.claim_next(requests, bob) == requests[1]
    assert viewing.claim_next(requests, ada) == requests[0]


def test_what_is_decided_or_gone_is_not_claimed(three):
    requests, ada, bob = three
    decisions.decide(requests[0], Decision("reject", reason="no"), by=bob, version=1)
    assert viewing.claim_next(requests, ada) == requests[1]
    assert viewing.claim_next([], ada) is None


def test_a_claim_runs_out_and_blocks_nobody_meanwhile(three):
    requests, ada, bob = three
    viewing.claim_next(requests, ada)
    Approval.objects.update(claimed_until=F("created_at"))
    assert viewing.claim_next(requests, bob) == requests[0]
    assert decisions.decide(requests[0], Decision("approve"), by=ada, version=1).decided_by == ada


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_people_who_claim_at_once_get_different_requests(three, _round):
    requests, ada, bob = three
    claimed = at_once(partial(viewing.claim_next, requests, ada), partial(viewing.claim_next, requests, bob))
    assert len(set(claimed)) == 2
