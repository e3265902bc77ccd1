"""Precedents: made once, in the background, of decisions that hold; only a project's own are found."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, Risk, RuleVerdict, WaitKind
from agents.models import Approval
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import approvals, attention, decisions, rules, sessions
from agents.services.conclusions import Decision
from agents.services.rules import Rule
from memory import embedders, precedents
from memory.models import Precedent
from memory.services import precedents as services
from tests.agents.desk import asked, pass_time, put
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

pytestmark = pytest.mark.django_db

MAIL = {"tool_name": "mail_invoice", "title": "Mail an invoice", "intent": "The customer asked for the invoice again."}
BRANCH = {"tool_name": "delete_branch", "title": "Delete a branch", "intent": "The branch was merged last week."}


@pytest.fixture
def project():
    return make_project()


@pytest.fixture
def approver(project):
    return make_member(project, Role.APPROVER)


@pytest.fixture
def request_(project, approver):
    """Makes requests of the project; each of a mission of its own."""

    def make(**changes: Any) -> Approval:
        proposed = {"to": "ada@example.org", "number": "1"}
        mission = make_mission(project, approver, goal=changes.pop("goal", "Keep the books"))
        return put(running(mission), asked(**{**MAIL, "proposed": proposed, **changes}))[0]

    return make


@pytest.fixture
def decide(approver):
    """Decides a request as the approver."""

    def make(approval: Approval, verdict: str = "approve", **decision: Any) -> Approval:
        reason = "" if verdict == "approve" else "Not so."
        given = Decision(verdict, reason=reason, **decision)
        return decisions.decide(approval.pk, given, by=approver, version=approval.version)

    return make


@pytest.fixture
def embedded(monkeypatch):
    """The texts that were embedded."""
    texts: list[str] = []
    real = embedders.active()

    class Counting:
        name, dimension = real.name, real.dimension

        def embed(self, given):
            texts.extend(given)
            return real.embed(given)

    monkeypatch.setattr(embedders, "active", Counting)
    return texts


def found(approval: Approval, limit: int = 5) -> list:
    asked_for = precedents.vector_of(approval.pk)
    return [hit.approval_id for hit in precedents.alike(asked_for, limit)]


def test_open_requests_get_their_vectors_once_and_are_nobodys_precedent(request_, embedded):
    one, other = request_(), request_()
    assert services.gather() == 2
    assert services.gather() == 0
    assert len(embedded) == 2
    assert found(one) == found(other) == []
    known = Precedent.objects.get(pk=one.pk)
    assert (known.project_id, known.tool_name, known.embedder) == (one.project_id, "mail_invoice", "all-MiniLM-L6-v2")


def test_nothing_is_embedded_where_people_decide(request_, decide, embedded):
    decide(request_())
    assert embedded == []
    assert not Precedent.objects.exists()


@pytest.mark.parametrize("verdict", ["approve", "reject", "respond"])
def test_each_decision_becomes_a_precedent_with_the_vector_that_it_was_looked_for_with(
    request_, decide, embedded, verdict
):
    allowed = ("approve", "edit", "reject", "respond")
    one = request_(kind=WaitKind.FOREIGN, form=Form.CALL, allowed=allowed)
    services.gather()
    decide(one, verdict)
    asked_later = request_()
    services.gather()
    assert len(embedded) == 2
    assert found(asked_later) == [one.pk]
    assert found(one) == []


def test_what_a_rule_a_policy_or_the_deadline_decides_becomes_one_too(request_, project, approver):
    terms = Terms(deadline=60)
    late = request_(terms=terms)
    pass_time(late, 61)
    attention.attend(late.pk)
    rules.make(project.pk, Rule("mail_invoice", RuleVerdict.APPROVE, "Always", {}, seconds=600), by=approver)
    ruled = request_()
    assert (ruled.status, ruled.decided_how) == ("approved", "rule")
    last = request_(tool_name="other")
    services.gather()
    assert set(found(last)) == {late.pk, ruled.pk}


def test_a_decision_that_can_be_taken_back_is_none_until_it_holds(request_, decide, approver):
    one = request_(risk=Risk.LOW)
    last = request_(tool_name="other")
    decide(one)
    services.gather()
    assert found(last) == []
    assert Precedent.objects.get(pk=one.pk).decided_at is None
    decisions.undo(one.pk, by=approver)
    services.gather()
    assert found(last) == []
    one.refresh_from_db()
    decide(one)
    pass_time(one, 10)
    decisions.dispatch(one.pk)
    services.gather()
    assert found(last) == [one.pk]


def test_a_decision_that_the_graph_did_not_take_is_taken_out_at_once(request_, decide):
    one, last = request_(risk=Risk.LOW), request_(tool_name="other")
    decide(one)
    pass_time(one, 10)
    decisions.dispatch(one.pk)
    services.gather()
    assert found(last) == [one.pk]
    Approval.objects.filter(pk=one.pk).update(**decisions.REOPENED, dispatched_at=None)
    assert found(last) == []
    one.refresh_from_db()
    decide(one)  # anew, and to be taken back
    assert found(last) == []
    Approval.objects.filter(pk=one.pk).update(**decisions.REOPENED)
    services.gather_all()
    assert Precedent.objects.get(pk=one.pk).decided_at is None


def test_what_was_withdrawn_is_no_precedent(request_):
    one, last = request_(), request_(tool_name="other")
    services.gather()
    approvals.withdraw(sessions.lock(one.session_id), "It ended.")
    services.gather()
    assert found(last) == []
    assert not Precedent.objects.filter(pk=one.pk).exists()


def test_a_deleted_request_takes_its_precedent_along(request_, decide):
    one, last = request_(), request_(tool_name="other")
    decide(one)
    services.gather()
    Approval.objects.get(pk=one.pk).delete()
    assert found(last) == []
    assert not Precedent.objects.filter(pk=one.pk).exists()


def test_the_most_alike_come_first_and_what_is_not_like_it_does_not_come(request_, decide):
    near = decide(request_(intent="The customer wants their invoice once more."))
    nearer = decide(request_())
    far = decide(request_(**BRANCH, proposed={"branch": "feature-7"}, goal="Tidy up the repository"))
    last = request_()
    services.gather()
    assert found(last) == [nearer.pk, near.pk]
    assert found(last, limit=1) == [nearer.pk]
    assert found(far) == []


def test_of_two_that_are_as_like_it_that_of_the_same_tool_comes_first_though_it_is_older(request_, decide):
    same, other, last = decide(request_()), decide(request_(tool_name="other")), request_()
    services.gather()
    Precedent.objects.update(vector=embedders.active().embed(["All the same."])[0])
    assert found(last) == [same.pk, other.pk]


def test_another_projects_decisions_are_never_found(request_, decide):
    last = request_()
    stranger = make_project()
    theirs = put(running(make_mission(stranger)), asked(**MAIL, proposed=last.proposed))[0]
    user = make_member(stranger, Role.APPROVER)
    decisions.decide(theirs.pk, Decision("approve"), by=user, version=1)
    services.gather()
    assert Precedent.objects.filter(decided_at__isnull=False).count() == 1
    assert found(last) == []


def test_with_many_the_index_is_asked_and_finds_the_same(request_, decide, monkeypatch):
    each = [decide(request_(intent=f"The customer asked for invoice {number}.")) for number in range(12)]
    last = request_()
    services.gather()
    exact = found(last)
    asked_index = []
    real = precedents._proposed
    monkeypatch.setattr(precedents, "_proposed", lambda given: asked_index.append(given) or real(given))
    for candidates in (12, 40):  # enough for the index to answer, and too few
        monkeypatch.setattr(precedents, "CANDIDATES", candidates)
        hits = precedents.alike(precedents.vector_of(last.pk), 1, most=3)
        assert [hit.approval_id for hit in hits] == exact[:1]
    assert len(asked_index) == 2
    assert set(exact) <= {one.pk for one in each}


def test_one_that_died_in_the_middle_is_taken_up_again_later(request_, monkeypatch):
    one = request_()
    with monkeypatch.context() as patch:
        patch.setattr(services, "_embed", killed)
        with pytest.raises(Killed):
            services.gather()
    assert Precedent.objects.get(pk=one.pk).vector is None
    assert services.gather() == 0  # for now it is its own
    Precedent.objects.update(claimed_until=Now() - timedelta(seconds=1))
    assert services.gather() == 1
    assert precedents.vector_of(one.pk) is not None


class Killed(BaseException):
    """As a signal ends a process."""


def killed(claimed) -> None:
    raise Killed


def test_a_page_makes_the_vector_that_is_missing_but_not_twice(request_, embedded):
    one, other = request_(), request_()
    assert services._claimed(services._ONE, approval=other.pk, most=1) == [other.pk]
    assert not services.look_at(other.pk)  # a worker has it
    assert services.look_at(one.pk)
    assert not services.look_at(one.pk)
    assert not services.look_at(uuid4())
    assert services.gather() == 0
    assert len(embedded) == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_embed_each_request_once(request_, decide, embedded):
    each = [request_(intent=f"Number {number}.") for number in range(40)]
    for one in each[:20]:
        decide(one)
    at_once(*[services.gather] * 4)
    assert len(embedded) == 40
    assert Precedent.objects.filter(vector__isnull=False).count() == 40
    assert Precedent.objects.filter(decided_at__isnull=False).count() == 20


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_the_embedder_works(request_, decide, monkeypatch):
    one = request_()
    works, may_end = threading.Event(), threading.Event()
    real = embedders.active()

    class Slow:
        name, dimension = real.name, real.dimension

        def embed(self, texts):
            assert not connection.in_atomic_block
            works.set()
            may_end.wait(30)
            return real.embed(texts)

    monkeypatch.setattr(embedders, "active", Slow)

    def gather() -> None:
        services.gather()
        connection.close()

    thread = threading.Thread(target=gather)
    thread.start()
    assert works.wait(30)
    assert decide(one).status == ApprovalStatus.APPROVED
    may_end.set()
    thread.join()
    assert Precedent.objects.get(pk=one.pk).decided_at is not None


def test_what_was_decided_long_ago_is_found_by_the_seldom_round(request_, decide, embedded):
    old, last = decide(request_()), request_(tool_name="other")
    Approval.objects.filter(pk=old.pk).update(decided_at=F("decided_at") - timedelta(days=400))
    services.gather()
    assert found(last) == []
    assert services.gather_all() == 1
    assert found(last) == [old.pk]


def test_another_embedders_vectors_are_made_anew(request_, decide):
    one, last = decide(request_()), request_(tool_name="other")
    services.gather()
    Precedent.objects.filter(pk=one.pk).update(embedder="another")
    assert found(last) == []
    assert services.gather_all() == 1
    assert found(last) == [one.pk]


def test_secrets_are_not_embedded(request_, embedded):
    schema = {"type": "object", "properties": {"word": {"type": "string", "format": "password"}}}
    request_(proposed={"word": "hunter2", "to": "ada"}, schema=schema)
    services.gather()
    assert "hunter2" not in embedded[0] and "to: ada" in embedded[0]


def test_a_round_with_nothing_to_do_does_not_need_the_embedder(request_, decide, monkeypatch):
    decide(request_())
    services.gather()
    monkeypatch.setattr(embedders, "active", None)
    services.gather()


def test_decisions_are_found_though_the_embedder_fails_at_others(request_, decide, monkeypatch):
    one, last = request_(), request_(tool_name="other")
    services.gather()
    decide(one)
    request_()

    def broken(claimed) -> None:
        raise RuntimeError("no memory left")

    with monkeypatch.context() as patch:
        patch.setattr(services, "_embed", broken)
        with pytest.raises(RuntimeError):
            services.gather()
    assert found(last) == [one.pk]
