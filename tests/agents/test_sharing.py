"""Resource sharing: what two peers may spend together stays the same, whoever hands over to whom."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from agents.actor import SYSTEM
from agents.errors import Fenced
from agents.graphs.ports import Limits
from agents.ids import new_id
from agents.models import AgentCommunication, AgentSession, Budget
from agents.roles import Level
from agents.services import budgets, sessions, sharing, spending
from agents.services.leases import Holding
from tests.agents.test_communications import below
from tests.factories import make_mission, running
from tests.races import at_once

NAMES = ("ann", "bob", "cat")


def limited(session: AgentSession, **limits) -> None:
    with transaction.atomic():
        budgets.set_limits(sessions.lock(session.pk), Limits(**limits), actor=SYSTEM)


@pytest.fixture
def peers(transactional_db):
    """Three architects at work: the first has spent little, the second much, the third nothing."""
    queen = running(make_mission())
    found = [running(one, 4) for one in below(queen, Level.ARCHITECT, *NAMES)]
    for session, tokens in zip(found, (100, 900, 0), strict=True):
        limited(session, tokens=1000, cost=Decimal("2.5"), children=10)
        spending.count(session.pk, tokens=tokens, cost=Decimal("0.5"))
    return found


def limits(session: AgentSession) -> Limits:
    return budgets.limits_of(Budget.objects.get(pk=session.pk))


def total(peers) -> tuple:
    held = [limits(one) for one in peers]
    return sum(one.tokens for one in held), sum(one.cost for one in held), sum(one.children for one in held)


def test_half_of_what_is_left_goes_to_the_peer_most_in_need_once(peers):
    ann, bob, cat = peers
    before, message_id = total(peers), new_id()
    assert sharing.hand_over(Holding(ann.pk, 4), message_id) == {"tokens": "450", "cost": "1.000000", "children": "5"}
    assert sharing.hand_over(Holding(ann.pk, 4), message_id) == {}
    assert limits(ann) == Limits(tokens=550, cost=Decimal("1.5"), children=5)
    assert limits(bob) == Limits(tokens=1450, cost=Decimal("3.5"), children=15)
    assert limits(cat).tokens == 1000
    assert total(peers) == before
    told = AgentCommunication.objects.get(message_type="resource_sharing")
    assert (told.sender_session, told.receiver_session) == (ann, bob)
    assert told.message_content == {"limits": {"tokens": "450", "cost": "1.000000", "children": "5"}}


def test_what_only_one_of_them_is_limited_in_is_not_handed_over(peers):
    ann, bob, _ = peers
    limited(bob, tokens=1000)
    assert sharing.hand_over(Holding(ann.pk, 4), new_id()) == {"tokens": "450"}
    assert limits(bob) == Limits(tokens=1450)


def test_who_has_overspent_hands_over_nothing(peers):
    _, bob, _ = peers
    spending.count(bob.pk, tokens=500, cost=Decimal(3), children=11)
    assert sharing.hand_over(Holding(bob.pk, 4), new_id()) == {}


def test_without_a_budget_or_a_peer_at_work_that_has_one_nothing_is_handed_over(peers):
    ann, bob, cat = peers
    Budget.objects.filter(pk__in=[bob.pk, cat.pk]).delete()
    assert sharing.hand_over(Holding(ann.pk, 4), new_id()) == {}
    assert sharing.hand_over(Holding(bob.pk, 4), new_id()) == {}


def test_an_attempt_that_was_overtaken_hands_over_nothing(peers):
    before = total(peers)
    with pytest.raises(Fenced):
        sharing.hand_over(Holding(peers[0].pk, 3), new_id())
    assert total(peers) == before


def test_peers_that_hand_over_to_each_other_at_once_lose_nothing_and_do_not_block(peers):
    before = total(peers)
    for _ in range(4):
        calls = [partial(sharing.hand_over, Holding(one.pk, 4), new_id()) for one in peers]
        assert not [one for one in at_once(*calls) if isinstance(one, Exception)]
        assert total(peers) == before
