"""Being away: who may say so, for which time, and what the one who stands in may decide."""

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.utils import timezone

from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from agents.lifecycle import ApprovalStatus
from agents.models import Absence, Approval, AuditEntry, Membership
from agents.policies.policy import Terms
from agents.roles import Role
from agents.selectors import absences as selectors
from agents.selectors import approvals, people
from agents.selectors.approvals import Filters
from agents.services import absences, attention, decisions, trails
from agents.services.absences import Leave
from agents.services.conclusions import Decision
from tests.agents.desk import asked, put, request
from tests.factories import make_member, make_mission, make_project, make_user, running
from tests.races import at_once

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def project(db):
    return make_project()


@pytest.fixture
def ada(project):
    return make_member(project, Role.APPROVER, "ada")


@pytest.fixture
def bob(project):
    return make_member(project, Role.APPROVER, "bob")


@pytest.fixture
def carol(project):
    return make_member(project, Role.ADMIN, "carol")


def away(project, user, stand_in, *, by=None, since=None, until=None, key="") -> Absence:
    """From `since` to `until`, both from now."""
    now = timezone.now()
    moment = {name: now + span for name, span in (("since", since), ("until", until)) if span is not None}
    return absences.begin(project.pk, Leave(user.pk, stand_in.pk, key=key, **moment), by=by or user)


def faults(call, *arguments, **named) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        call(*arguments, **named)
    assert not Absence.objects.exists()
    return refused.value.data["fields"]


def for_person(project, user, **terms) -> Approval:
    mission = make_mission(project, terms.pop("starter", None) or make_user())
    return put(running(mission), asked(terms=Terms(person=user.get_username(), **terms)))[0]


def decide(approval: Approval, by) -> Approval:
    approval.refresh_from_db()
    return decisions.decide(approval.pk, Decision("approve"), by=by, version=approval.version)


# --- beginning


def test_a_person_says_who_stands_in_from_now_on_or_for_a_time(project, ada, bob):
    open_ended = away(project, ada, bob)
    assert (open_ended.user, open_ended.stand_in, open_ended.until, open_ended.ended_at) == (ada, bob, None, None)
    assert Absence.objects.now().get() == open_ended
    absences.end(open_ended.pk, by=ada)
    later = away(project, ada, bob, since=HOUR, until=2 * HOUR)
    assert later.until - later.since == HOUR
    assert not Absence.objects.now().exists() and Absence.objects.not_over().get() == later


def test_each_act_leaves_an_entry_in_the_audit(project, ada, bob, carol):
    made = away(project, ada, bob, by=carol, until=DAY)
    absences.end(made.pk, by=ada)
    entries = AuditEntry.objects.order_by("created_at")
    assert [(one.action, one.user, one.target_id) for one in entries] == [
        ("absence.begin", carol, made.pk),
        ("absence.end", ada, made.pk),
    ]
    assert entries[0].project == project
    assert entries[0].detail == {
        "user": str(ada.pk), "stand_in": str(bob.pk), "since": made.since.isoformat(), "until": made.until.isoformat(),
    }  # fmt: skip


def test_the_stand_in_is_another_active_member_who_may_decide(project, ada, bob):
    stranger, viewer = make_user("eve"), make_member(project, Role.OPERATOR, "olaf")
    make_project(stranger)
    unknown = faults(absences.begin, project.pk, Leave(ada.pk, uuid4()), by=ada)
    assert faults(away, project, ada, stranger) == unknown == {"stand_in": "There is no such person in this project."}
    assert "olaf is operator here" in faults(away, project, ada, viewer)["stand_in"]
    assert "somebody else" in faults(away, project, ada, ada)["stand_in"]
    bob.is_active = False
    bob.save()
    assert "bob is switched off" in faults(away, project, ada, bob)["stand_in"]
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("times", "field", "words"),
    [
        ({"since": -HOUR}, "since", "This has passed"),
        ({"since": timedelta(days=366)}, "since", "within a year"),
        ({"since": HOUR, "until": HOUR}, "until", "after it begins"),
        ({"since": 2 * HOUR, "until": HOUR}, "until", "after it begins"),
        ({"until": -HOUR}, "until", "after it begins"),
        ({"until": timedelta(days=365, hours=1)}, "until", "a year at most"),
    ],
)
def test_bad_times_are_told_beside_their_field(project, ada, bob, times, field, words):
    told = faults(away, project, ada, bob, **times)
    assert set(told) == {field}
    assert words in told[field]


def test_the_minute_that_it_is_has_not_passed(project, ada, bob):
    before = timezone.now()
    made = away(project, ada, bob, since=-timedelta(seconds=30), until=timedelta(days=365) - HOUR)
    assert made.since >= before - timedelta(seconds=5)


def test_all_that_is_wrong_is_told_at_once(project, ada):
    assert set(faults(away, project, ada, ada, since=-HOUR, until=-2 * HOUR)) == {"stand_in", "since", "until"}


@pytest.mark.parametrize(
    ("since", "until", "overlaps"),
    [(2, 3, False), (2, 5, True), (5, 7, True), (4, 6, True), (3, 8, True), (3, None, True), (8, None, False),
     (6, 7, False), (3, 4, False), (None, None, True), (None, 4, False)],
)  # fmt: skip
def test_one_absence_at_a_time(project, ada, bob, carol, since, until, overlaps):
    known = away(project, ada, bob, since=4 * HOUR, until=6 * HOUR)
    times = {"since": since and since * HOUR, "until": until and until * HOUR}
    exact = {name: known.since + span - 4 * HOUR for name, span in times.items() if span}
    call = partial(absences.begin, project.pk, Leave(ada.pk, carol.pk, **exact), by=ada)
    if overlaps:
        with pytest.raises(InvalidInput) as refused:
            call()
        assert "ada is away from" in refused.value.data["fields"]["since"]
    else:
        call()
    assert Absence.objects.count() == 2 - overlaps


def test_one_that_was_ended_or_is_over_or_of_another_project_is_no_overlap(project, ada, bob):
    other = make_project(ada, Role.APPROVER)
    Membership.objects.create(project=other, user=bob, role=Role.APPROVER)
    away(other, ada, bob)
    absences.end(away(project, ada, bob).pk, by=ada)
    now = timezone.now()
    Absence.objects.create(project=project, user=ada, stand_in=bob, since=now - 2 * HOUR, until=now - HOUR)
    away(project, ada, bob)
    assert Absence.objects.now().count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_of_several_at_once_one_is_made(project, ada, bob, carol, _round):
    starts = [(ada, bob), (ada, carol), (carol, bob), (carol, carol)]
    outcomes = at_once(*[partial(away, project, ada, stand_in, by=by) for by, stand_in in starts])
    made = [one for one in outcomes if isinstance(one, Absence)]
    assert len(made) == 1 and Absence.objects.count() == 1
    assert all("already" in one.data["fields"]["since"] for one in outcomes if not isinstance(one, Absence))


@pytest.mark.django_db(transaction=True)
def test_one_press_that_comes_four_times_at_once_is_one(project, ada, bob):
    outcomes = at_once(*[partial(away, project, ada, bob, key="press") for _ in range(4)])
    assert {one.pk for one in outcomes} == {Absence.objects.get().pk}
    assert AuditEntry.objects.count() == 1


def test_the_key_of_a_press_is_nobody_elses(project, ada, bob, carol):
    made = away(project, ada, bob, key="press")
    with pytest.raises(InvalidInput):
        away(project, ada, bob, by=carol, key="press")
    with pytest.raises(InvalidInput):
        away(project, ada, carol, key="press")
    absences.end(made.pk, by=ada)
    assert away(project, ada, bob, key="press").ended_at is not None  # a late copy of the press begins nothing


def test_who_manages_it(project, ada, bob, carol):
    with pytest.raises(Forbidden, match="an admin may for others"):
        away(project, ada, carol, by=bob)
    with pytest.raises(NotFound):
        away(project, ada, bob, by=make_user())
    made = away(project, ada, bob, by=carol)
    with pytest.raises(Forbidden, match="Only ada and admins"):
        absences.end(made.pk, by=bob)
    with pytest.raises(NotFound):
        absences.end(made.pk, by=make_user())
    with pytest.raises(NotFound):
        absences.end(uuid4(), by=carol)
    assert absences.end(made.pk, by=carol).ended_at is not None


def test_who_decides_nothing_is_not_sent_away_and_a_stranger_is_not_known(project, bob, carol):
    olaf, eve = make_member(project, Role.OPERATOR, "olaf"), make_user("eve")
    assert "olaf is operator here" in faults(away, project, olaf, bob, by=carol)["user"]
    assert faults(away, project, eve, bob, by=carol) == {"user": "There is no such person in this project."}


def test_who_is_no_approver_any_more_still_ends_an_own_absence(project, ada, bob):
    made = away(project, ada, bob)
    Membership.objects.filter(user=ada).update(role=Role.VIEWER)
    assert absences.end(made.pk, by=ada).ended_at is not None


def test_what_is_over_cannot_be_ended_again(project, ada, bob):
    made = away(project, ada, bob)
    absences.end(made.pk, by=ada)
    with pytest.raises(InvalidTransition, match="over already"):
        absences.end(made.pk, by=ada)
    now = timezone.now()
    past = Absence.objects.create(project=project, user=ada, stand_in=bob, since=now - 2 * HOUR, until=now - HOUR)
    with pytest.raises(InvalidTransition):
        absences.end(past.pk, by=ada)
    assert AuditEntry.objects.filter(action="absence.end").count() == 1


@pytest.mark.django_db(transaction=True)
def test_ended_twice_at_once_is_ended_once(project, ada, bob):
    made = away(project, ada, bob)
    outcomes = at_once(*[partial(absences.end, made.pk, by=ada) for _ in range(3)])
    assert sum(isinstance(one, Absence) for one in outcomes) == 1
    assert AuditEntry.objects.filter(action="absence.end").count() == 1


# --- deciding


def test_the_stand_in_decides_in_their_own_name_and_the_trail_says_for_whom(project, ada, bob):
    approval = for_person(project, ada)
    with pytest.raises(Forbidden, match=r"This is for ada\.$"):
        decide(approval, bob)
    away(project, ada, bob)
    decided = decide(approval, bob)
    assert (decided.status, decided.decided_by) == (ApprovalStatus.APPROVED, bob)
    assert decided.votes.get().user == bob
    line = trails.of(decided).lines[-1]
    assert (line.who, line.what) == ("bob", "approved, standing in for ada")


def test_who_is_away_decides_too_and_then_nobody_stood_in(project, ada, bob):
    approval = for_person(project, ada)
    away(project, ada, bob)
    assert trails.of(decide(approval, ada)).lines[-1].what == "approved"


def test_the_trail_knows_for_whom_it_was_when_it_was_decided(project, ada, bob, carol):
    approval = for_person(project, ada)
    attention.assign(approval.pk, role=Role.APPROVER, to=carol, by=carol)
    away(project, carol, bob)
    assert trails.of(decide(approval, bob)).lines[-1].what == "approved, standing in for carol"
    other = for_person(project, ada)
    attention.assign(other.pk, role=Role.APPROVER, to=None, by=carol)
    assert trails.of(decide(other, bob)).lines[-1].what == "approved"


def test_an_absence_that_ends_while_the_page_is_open_refuses_with_the_reason(project, ada, bob):
    approval = for_person(project, ada)
    made = away(project, ada, bob, until=HOUR)
    absences.end(made.pk, by=ada)
    with pytest.raises(Forbidden, match=r"This is for ada\. You stood in for ada until \d+ \w+ \d+, \d\d:\d\d UTC\."):
        decide(approval, bob)
    later = away(project, ada, bob, since=HOUR)
    with pytest.raises(Forbidden):
        decide(approval, bob)
    Absence.objects.filter(pk=later.pk).update(since=timezone.now() - 2 * HOUR, until=timezone.now() - HOUR)
    with pytest.raises(Forbidden, match="You stood in"):
        decide(approval, bob)
    Absence.objects.filter(pk=later.pk).update(until=timezone.now() + HOUR)
    assert decide(approval, bob).status == ApprovalStatus.APPROVED


def test_it_is_one_step_only(project, ada, bob, carol):
    approval = for_person(project, ada)
    away(project, ada, bob)
    away(project, bob, carol)
    with pytest.raises(Forbidden, match="This is for ada"):
        decide(approval, carol)
    assert decide(approval, bob).status == ApprovalStatus.APPROVED  # away is not locked out


@pytest.mark.parametrize("who", ["ada", "bob"])
@pytest.mark.parametrize("loss", ["role", "membership", "account"])
def test_nobody_passes_on_or_gets_what_they_lost(project, ada, bob, who, loss):
    approval = for_person(project, ada)
    away(project, ada, bob)
    lost = {"ada": ada, "bob": bob}[who]
    if loss == "role":
        Membership.objects.filter(user=lost).update(role=Role.OPERATOR)
    elif loss == "membership":
        Membership.objects.filter(user=lost).delete()
    else:
        lost.is_active = False
        lost.save()
    with pytest.raises(Forbidden):
        decide(approval, bob)
    assert selectors.of_request(approval) is None
    assert approvals.listed(project.pk, Filters(for_me=bob.pk), 9) == []
    assert approvals.counts(project.pk, bob.pk).for_me == 0
    if who == "bob" or loss != "membership":
        (told,) = selectors.known(project.pk, people.deciders(project.pk))
        assert not told.counts


def test_a_stand_in_has_no_more_than_their_own_role(project, bob, carol):
    approval = for_person(project, carol, role=Role.ADMIN)
    away(project, carol, bob)
    with pytest.raises(Forbidden, match="needs the role admin"):
        decide(approval, bob)
    (told,) = selectors.known(project.pk, people.deciders(project.pk))
    assert told.has_lesser_role and told.counts


def test_a_stand_in_decides_nothing_of_their_own_mission_where_that_is_the_rule(project, ada, bob):
    approval = for_person(project, ada, not_own=True, starter=bob)
    away(project, ada, bob)
    with pytest.raises(Forbidden, match="Your own mission"):
        decide(approval, bob)


def test_a_stand_in_counts_as_one_person(project, ada, bob):
    approval = put(running(make_mission(project)), asked(terms=Terms(people=2)))[0]
    away(project, ada, bob)
    decide(approval, bob)
    assert decide(approval, bob).status == ApprovalStatus.PENDING
    assert decide(approval, ada).status == ApprovalStatus.APPROVED


# --- lists


def test_what_is_for_me_includes_whom_i_stand_in_for_in_this_project_only(project, ada, bob, carol):
    other = make_project(ada, Role.APPROVER)
    Membership.objects.create(project=other, user=bob, role=Role.APPROVER)
    mine, hers, elsewhere = for_person(project, bob), for_person(project, ada), for_person(other, ada)
    for_person(project, carol)
    request()
    named = Filters(for_me=bob.pk)
    assert approvals.listed(project.pk, named, 9) == [mine]
    made = away(project, ada, bob)
    assert set(approvals.listed(project.pk, named, 9)) == set(approvals.pending(project.pk, named)) == {mine, hers}
    assert approvals.counts(project.pk, bob.pk).for_me == 2
    assert approvals.counts(project.pk, ada.pk).for_me == 1
    assert approvals.listed(other.pk, named, 9) == [] and elsewhere.assigned_to == ada
    assert approvals.counts(other.pk, bob.pk).for_me == 0
    absences.end(made.pk, by=ada)
    assert approvals.counts(project.pk, bob.pk).for_me == 1
    away(project, ada, bob, since=HOUR)
    assert approvals.listed(project.pk, named, 9) == [mine]


def test_lists_and_counts_take_one_query_more(project, ada, bob, django_assert_num_queries):
    for_person(project, ada)
    away(project, ada, bob)
    with django_assert_num_queries(2):
        approvals.listed(project.pk, Filters(), 9)
    with django_assert_num_queries(3):
        assert len(approvals.listed(project.pk, Filters(for_me=bob.pk), 9)) == 1
    with django_assert_num_queries(2):
        assert approvals.counts(project.pk, bob.pk).for_me == 1


def test_what_is_known_of_an_absence_names_the_chain_from_both_sides(project, ada, bob, carol):
    away(project, bob, carol, since=2 * HOUR, until=4 * HOUR)
    first = away(project, ada, bob, until=3 * HOUR)
    away(project, ada, bob, since=5 * HOUR)
    told = {one.absence.pk: one for one in selectors.known(project.pk, people.deciders(project.pk))}
    chained = [pk for pk, one in told.items() if one.chained]
    assert chained == [first.pk]
    assert [one.user for one in told[first.pk].chained] == [bob]
    assert [[one.user for one in other.left] for other in told.values() if other.left] == [[ada]]
