"""Who is told of what, once: those whom it concerns, of what they chose."""

import threading

import pytest
from django.db import connection, transaction

from agents.events import rows
from agents.events.reading import Stored
from agents.interrupts import APPROVE
from agents.models import Absence, AgentEvent, Delivery, EventConsumer, Membership
from agents.policies.policy import AtDeadline, Escalation, Terms
from agents.roles import Role
from agents.services import approvals, attention, decisions, notice_choices, notices, sessions
from agents.services.conclusions import Decision
from agents.words import OCCASIONS, Channel, DeliveryStatus, Occasion
from tests.agents import desk
from tests.factories import make_member, make_mission, make_project, running
from tests.orchestrator.notices.conftest import follow, make_webhook
from tests.races import at_once, settle

pytestmark = pytest.mark.django_db(transaction=True)


def listen(project, role=Role.APPROVER, occasions=OCCASIONS):
    """A member who wants mail of these."""
    user = make_member(project, role)
    chosen = [(Channel.MAIL, one) for one in occasions]
    notice_choices.choose(user, project.pk, chosen, address=f"{user.get_username()}@example.com")
    return user


def ask(project, user=None, **changes):
    return desk.put(running(make_mission(project, user)), desk.asked(**changes))[0]


def told(user=None) -> list[str]:
    found = Delivery.objects.filter(user=user) if user else Delivery.objects.all()
    return list(found.order_by("happened_at").values_list("occasion", flat=True))


def test_who_may_decide_is_told_and_nobody_else(project):
    approver, viewer, other = listen(project), listen(project, Role.VIEWER), listen(make_project())
    quiet = make_member(project, Role.APPROVER)
    ask(project)
    follow()
    assert told(approver) == ["asked"]
    assert told(viewer) == told(other) == told(quiet) == []


def test_only_what_a_person_chose_is_told(project):
    user = listen(project, occasions=[Occasion.DECIDED])
    ask(project)
    follow()
    assert told(user) == []


def test_one_for_whom_it_is_is_told_and_who_stands_in(project):
    ada, bob, role = listen(project), listen(project), listen(project)
    Absence.objects.create(project=project, user=ada, stand_in=bob)
    ask(project, terms=Terms(person=ada.get_username()))
    follow()
    assert (told(ada), told(bob), told(role)) == (["assigned"], ["assigned"], [])


def test_who_assigns_it_to_themselves_is_not_told(project):
    ada, bob = listen(project, occasions=[Occasion.ASSIGNED]), listen(project, occasions=[Occasion.ASSIGNED])
    approval = ask(project)
    attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=ada)
    attention.assign(approval.pk, role=Role.APPROVER, to=ada, by=bob)
    follow()
    assert (told(ada), told(bob)) == (["assigned"], [])


def test_who_may_not_decide_their_own_mission_is_not_asked(project):
    owner, other = listen(project), listen(project)
    ask(project, owner, terms=Terms(not_own=True))
    follow()
    assert (told(owner), told(other)) == ([], ["asked"])


def test_reminders_escalations_and_the_deadline_are_told(project):
    approver, chief = listen(project), listen(project, Role.ADMIN)
    terms = Terms(
        reminders=[60],
        escalations=[Escalation(after=120, role=Role.ADMIN)],
        deadline=180,
        at_deadline=AtDeadline.REJECT,
    )
    approval = ask(project, terms=terms)
    for _ in range(3):
        follow()
        desk.pass_time(approval, 61)
        attention.attend(approval.pk)
    follow()
    assert told(approver) == ["asked", "reminded"]
    assert told(chief) == ["asked", "reminded", "escalated", "expired"]


def test_who_asked_and_who_took_part_are_told_of_a_decision_but_not_who_made_it(project):
    owner, decider, voter = listen(project), listen(project), listen(project)
    approval = ask(project, owner, terms=Terms(people=2, undo=0))
    for user in (voter, decider):
        decisions.decide(approval.pk, Decision(APPROVE), by=user, version=approval.version)
        approval.refresh_from_db()
    follow()
    assert [told(one)[-1:] for one in (owner, voter, decider)] == [["decided"], ["decided"], []]
    assert Delivery.objects.filter(user=owner, occasion="decided").get().detail["status"] == "approved"


def test_nobody_is_asked_about_what_is_decided_already(project):
    user = listen(project)
    approval = ask(project, terms=Terms(undo=0))
    decisions.decide(approval.pk, Decision(APPROVE), by=make_member(project), version=1)
    follow()
    assert "asked" not in told(user)


def test_a_decision_that_was_taken_back_is_not_told(project, admin, receiver):
    made = make_webhook(admin, project, receiver, occasions=["decided"]).webhook
    approval = ask(project, terms=Terms(undo=60))
    decisions.decide(approval.pk, Decision(APPROVE), by=admin, version=1)
    follow()
    waiting = Delivery.objects.get(webhook=made)
    approval.refresh_from_db()
    assert (waiting.status, waiting.next_at) == (DeliveryStatus.PENDING, approval.effective_at)
    decisions.undo(approval.pk, by=admin)
    follow()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.why) == (DeliveryStatus.DROPPED, "The decision was taken back.")


def test_what_is_nearly_due_is_told_once(project):
    user = listen(project)
    approval = ask(project, terms=Terms(deadline=3600, at_deadline=AtDeadline.REJECT))
    desk.pass_time(approval, 3600 - 1000)
    assert notices.tell_nearly_due() == 0
    desk.pass_time(approval, 200)
    at_once(notices.tell_nearly_due, notices.tell_nearly_due)
    assert notices.tell_nearly_due() == 0
    assert told(user) == ["nearly_due"]


def test_an_event_that_is_read_twice_makes_one_row_for_each_recipient(project, admin, receiver):
    user = listen(project)
    make_webhook(admin, project, receiver)
    ask(project)
    settle()
    begin = EventConsumer.objects.get(pk=notices.CONSUMER)
    assert notices.follow()
    once = set(Delivery.objects.values_list("pk", flat=True))
    begin.save()  # as after a restore of an older offset
    assert notices.follow()
    assert set(Delivery.objects.values_list("pk", flat=True)) == once and len(once) == 2
    assert told(user) == ["asked"]


def test_two_sweepers_at_once_make_one_row(project):
    user = listen(project)
    ask(project)
    found = AgentEvent.objects.filter(event_type="approval.requested")
    stored = [Stored.of(row) for row in rows.of_query(found)]

    def write() -> None:
        with transaction.atomic():
            notices._handle(stored)

    assert at_once(write, write, write) == [None] * 3
    assert told(user) == ["asked"]


def test_what_is_written_comes_with_the_offset_or_not_at_all(project):
    user = listen(project)
    ask(project)
    settle()
    with pytest.raises(RuntimeError), transaction.atomic():
        notices.follow()
        raise RuntimeError("killed before the commit")
    assert told(user) == []
    follow()
    assert told(user) == ["asked"]


def test_an_event_that_commits_late_is_told_too(project):
    user = listen(project)
    mission = running(make_mission(project))
    question = approvals.waits.Question("i1", "approval", "approval:i1", {}, "an approver", "risky")
    has_written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            approvals.request(sessions.lock(mission.pk), question, desk.asked())
            has_written.set()
            assert may_commit.wait(60)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert has_written.wait(60)
    ask(project)
    notices.follow()
    may_commit.set()
    thread.join()
    follow()
    assert told(user) == ["asked", "asked"]


def test_nothing_that_happened_before_the_first_start_is_told(project):
    user = listen(project)
    notices.stream.forget(notices.CONSUMER)
    ask(project)
    settle()
    follow()
    assert told(user) == []


def test_who_has_left_the_project_is_not_told(project):
    user = listen(project)
    Membership.objects.filter(user=user).delete()
    ask(project)
    follow()
    assert Delivery.objects.count() == 0
