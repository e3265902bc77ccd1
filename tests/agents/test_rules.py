"""Rules that decide requests in the name of who made them: what they may, once, and marked as theirs."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from agents.actor import SYSTEM
from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk, RuleVerdict, SessionStatus, WaitKind
from agents.models import (
    AgentEvent,
    AgentSession,
    Approval,
    ApprovalRule,
    AuditEntry,
    Membership,
    Project,
    SessionWait,
    ToolExecution,
    User,
)
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import approvals, attention, decisions, rules, sessions
from agents.services.approvals import Request
from agents.services.conclusions import Decision
from agents.services.rules import Rule
from agents.services.waits import Question
from tests.factories import make_member, make_mission, make_project, running
from tests.races import at_once

SMALL = {"arguments": [{"at": "cents", "comparison": "at_most", "value": 500}]}
WEEK = 7 * 86400


@pytest.fixture
def project(db) -> Project:
    return make_project()


@pytest.fixture
def owner(project) -> User:
    return make_member(project, Role.APPROVER, "olga")


@pytest.fixture
def admin(project) -> User:
    return make_member(project, Role.ADMIN, "ada")


def rule(verdict: RuleVerdict = RuleVerdict.APPROVE, **changes: Any) -> Rule:
    known: dict[str, Any] = {"tool_name": "pay", "name": f"{verdict} small", "conditions": SMALL}
    reason = "Not so." if verdict is RuleVerdict.REJECT else ""
    return Rule(**{**known, "verdict": verdict, "reason": reason, **changes})


def make(project: Project, by: User, verdict: RuleVerdict = RuleVerdict.APPROVE, **changes: Any) -> ApprovalRule:
    return rules.make(project.pk, rule(verdict, **changes), by=by)


@transaction.atomic
def ask(
    session: AgentSession | Project,
    cents: int = 100,
    *,
    tool: str = "pay",
    risk: Risk = Risk.MEDIUM,
    terms: Terms | None = None,
    kind: WaitKind = WaitKind.APPROVAL,
    allowed: tuple[str, ...] = ("approve", "edit", "reject"),
    **more: Any,
) -> Approval:
    """An agent wants to pay; the request as it stands then."""
    session = running(make_mission(session)) if isinstance(session, Project) else session
    locked = sessions.lock(session.pk)
    question = Question(uuid4().hex, kind, "pay", {}, "an approver", "it costs money")
    asked = Request(
        kind=kind,
        title="Pay",
        tool_name=tool,
        risk=risk,
        intent="I must",
        proposed={"cents": cents},
        allowed=allowed,
        terms=terms or Terms(),
        **more,
    )
    (approval,) = approvals.request(locked, question, asked)
    if locked.status == SessionStatus.RUNNING:
        sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=SYSTEM)
    return Approval.objects.get(pk=approval.pk)


def expire(made: ApprovalRule) -> None:
    ApprovalRule.objects.filter(pk=made.pk).update(
        created_at=Now() - timedelta(hours=2), expires_at=Now() - timedelta(hours=1)
    )


def test_a_rule_decides_what_it_fits_and_leaves_the_rest_to_people(project, owner):
    made = make(project, owner)
    assert ask(project, 500).status == ApprovalStatus.APPROVED
    assert ask(project, 501).status == ApprovalStatus.PENDING
    assert ask(project, 5, tool="mail").status == ApprovalStatus.PENDING
    assert ask(make_project(), 5).status == ApprovalStatus.PENDING
    made.refresh_from_db()
    assert made.hits == 1


def test_an_automatic_decision_is_marked_as_the_rules_and_the_agent_is_told(project, owner):
    made = make(project, owner)
    approval = ask(project, 100)
    assert (approval.decided_how, approval.rule_id, approval.decided_by_id) == (DecidedBy.RULE, made.pk, None)
    assert (approval.verdict, approval.effective, approval.edited) == ("approve", {"cents": 100}, None)
    assert approval.dispatched_at is not None
    assert SessionWait.objects.get().answer["value"]["args"] == {"cents": 100}
    event = AgentEvent.objects.get(aggregate_id=approval.pk, event_type="approval.decided")
    assert (event.event_data["how"], event.event_data["rule_id"]) == ("rule", str(made.pk))
    assert event.metadata["actor"] == "system"
    assert approval.decider == f"the rule “{made.name}”"


def test_a_rule_that_rejects_says_why(project, owner):
    make(project, owner, RuleVerdict.REJECT, reason="  Too little to bother. ")
    approval = ask(project, 1)
    assert (approval.status, approval.reason) == (ApprovalStatus.REJECTED, "Too little to bother.")
    assert SessionWait.objects.get().answer["value"]["message"] == "Too little to bother."


@pytest.mark.parametrize("first", RuleVerdict)
def test_rejecting_comes_before_approving_whatever_was_made_first(project, owner, first):
    other = next(verdict for verdict in RuleVerdict if verdict is not first)
    make(project, owner, first)
    make(project, owner, other)
    approval = ask(project)
    assert approval.status == ApprovalStatus.REJECTED
    assert {one.verdict: one.hits for one in ApprovalRule.objects.all()} == {"approve": 0, "reject": 1}


def test_of_two_rules_alike_the_older_decides(project, owner):
    older, newer = make(project, owner), make(project, owner)
    ApprovalRule.objects.filter(pk=older.pk).update(created_at=Now() - timedelta(hours=1))
    assert ask(project).rule_id == older.pk
    rules.revoke(older.pk, by=owner)
    assert ask(project).rule_id == newer.pk


def test_hits_are_counted_with_the_time_of_the_last(project, owner):
    made = make(project, owner)
    assert (made.hits, made.last_hit_at) == (0, None)
    for _ in range(3):
        last = ask(project)
    made.refresh_from_db()
    assert made.hits == made.decisions.count() == 3
    assert abs(made.last_hit_at - last.decided_at) < timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
def test_hits_of_agents_that_ask_at_once_are_all_counted():
    project = make_project()
    made = make(project, make_member(project, Role.APPROVER))
    missions = [running(make_mission(project)) for _ in range(4)]
    asked = at_once(*[partial(ask, mission) for mission in missions])
    assert {one.status for one in asked} == {"approved"}
    made.refresh_from_db()
    assert made.hits == 4


def lose_role(made: ApprovalRule) -> None:
    Membership.objects.filter(user=made.owner).update(role=Role.OPERATOR)


def leave(made: ApprovalRule) -> None:
    Membership.objects.filter(user=made.owner).delete()


def close_account(made: ApprovalRule) -> None:
    User.objects.filter(pk=made.owner_id).update(is_active=False)


def revoke(made: ApprovalRule) -> None:
    rules.revoke(made.pk, by=made.owner)


@pytest.mark.parametrize("happens", [revoke, expire, lose_role, leave, close_account], ids=lambda one: one.__name__)
@pytest.mark.parametrize("verdict", RuleVerdict)
def test_a_rule_that_is_over_or_whose_owner_may_no_more_decides_nothing(project, owner, verdict, happens):
    made = make(project, owner, verdict, seconds=3600)
    assert ask(project).status != ApprovalStatus.PENDING
    happens(made)
    assert ask(project).status == ApprovalStatus.PENDING
    made.refresh_from_db()
    assert made.hits == 1


def test_the_next_rule_decides_where_the_first_may_not(project, owner, admin):
    lost = make(project, owner)
    kept = make(project, admin)
    lose_role(lost)
    assert ask(project).rule_id == kept.pk


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_is_revoked_while_an_agent_asks_decides_nothing_after_that():
    project = make_project()
    owner = make_member(project, Role.APPROVER)
    made = make(project, owner)
    mission = running(make_mission(project))
    asked: list[Approval] = []

    def run() -> None:
        asked.append(ask(mission))
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        rules.revoke(made.pk, by=owner)
        thread.start()
        thread.join(1)  # it has read the rules by now, and of the revocation it cannot know
        assert asked == []
    thread.join()
    made.refresh_from_db()
    assert (asked[0].status, made.hits) == (ApprovalStatus.PENDING, 0)


def test_what_several_people_or_one_person_must_decide_is_left_to_them(project, admin):
    make(project, admin)
    make(project, admin, RuleVerdict.REJECT)
    for terms in (Terms(people=2), Terms(person=admin.username)):
        assert ask(project, terms=terms).status == ApprovalStatus.PENDING


def test_a_rule_decides_nothing_that_its_owner_could_not(project, owner, admin):
    make(project, owner)
    assert ask(project, terms=Terms(role=Role.ADMIN)).status == ApprovalStatus.PENDING
    own, others = running(make_mission(project, owner)), running(make_mission(project, admin))
    assert ask(own, terms=Terms(not_own=True)).status == ApprovalStatus.PENDING
    assert ask(others, terms=Terms(not_own=True)).status == ApprovalStatus.APPROVED


def test_high_risk_is_approved_by_an_admins_rule_that_ends_and_by_no_other(project, owner, admin):
    make(project, owner, seconds=WEEK)
    assert ask(project, risk=Risk.HIGH).status == ApprovalStatus.PENDING
    eternal = make(project, admin, tool_name="wire")
    assert ask(project, tool="wire", risk=Risk.HIGH).status == ApprovalStatus.PENDING
    assert ask(project, tool="wire").rule_id == eternal.pk
    ending = make(project, admin, seconds=WEEK)
    assert ask(project, risk=Risk.HIGH).rule_id == ending.pk
    Membership.objects.filter(user=admin).update(role=Role.APPROVER)
    assert ask(project, risk=Risk.HIGH).status == ApprovalStatus.PENDING


def test_whoever_decides_may_have_high_risk_rejected_for_ever(project, owner):
    make(project, owner, RuleVerdict.REJECT)
    assert ask(project, risk=Risk.HIGH).status == ApprovalStatus.REJECTED


@pytest.mark.parametrize("known", ["asked before", "the tool says so"])
def test_a_rule_for_a_tool_of_high_risk_needs_an_admin_and_an_end(project, owner, admin, known):
    risk = None if known == "asked before" else Risk.HIGH
    if risk is None:
        ask(project, risk=Risk.HIGH)
    with pytest.raises(Forbidden, match="Only an admin"):
        make(project, owner, seconds=3600, risk=risk)
    for seconds in (None, 59, WEEK + 1):
        with pytest.raises(InvalidInput) as refused:
            make(project, admin, seconds=seconds, risk=risk)
        assert "seven days" in refused.value.data["fields"]["seconds"]
    assert make(project, admin, seconds=WEEK, risk=risk).expires_at is not None
    assert make(project, owner, RuleVerdict.REJECT, risk=risk).expires_at is None
    low_only = {"risks": ["low", "medium"]}
    assert make(project, owner, conditions=low_only, risk=risk).expires_at is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, None])
def test_only_who_decides_makes_rules(project, role):
    user = make_member(project, role) if role else make_member(make_project())
    with pytest.raises(Forbidden):
        make(project, user)
    assert not ApprovalRule.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0"}, "name"),
        ({"tool_name": " "}, "tool_name"),
        ({"tool_name": "a\0"}, "tool_name"),
        ({"tool_name": "x" * 201}, "tool_name"),
        ({"verdict": RuleVerdict.REJECT, "reason": " "}, "reason"),
        ({"reason": "a\0"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"seconds": 59}, "seconds"),
        ({"seconds": 366 * 86400}, "seconds"),
        ({"seconds": 0}, "seconds"),
        (
            {"conditions": {"arguments": [{"at": "a", "comparison": "at_least", "value": "x"}]}},
            "conditions.arguments.0",
        ),
        ({"conditions": {"levels": ["boss"]}}, "conditions.levels.0"),
        ({"conditions": {"tools": ["pay"]}}, "conditions.tools"),
        ({"conditions": []}, "conditions"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_beside_its_cause(project, owner, changes, field):
    with pytest.raises(InvalidInput) as refused:
        make(project, owner, **changes)
    assert field in refused.value.data["fields"]
    assert not ApprovalRule.objects.exists()


def test_all_that_is_wrong_with_a_rule_is_said_at_once(project, owner):
    with pytest.raises(InvalidInput) as refused:
        make(project, owner, name="", tool_name="", conditions={"levels": ["boss"]}, seconds=1)
    assert set(refused.value.data["fields"]) == {"name", "tool_name", "conditions.levels.0", "seconds"}


def test_making_and_revoking_are_audited(project, owner, admin):
    request = ask(project)
    made = make(project, owner, made_from=request.pk, name="  Small  ")
    assert (made.name, made.made_from_id, made.owner, made.conditions) == ("Small", request.pk, owner, SMALL)
    gone = rules.revoke(made.pk, by=admin)
    assert gone.revoked_by == admin
    with pytest.raises(InvalidTransition):
        rules.revoke(made.pk, by=admin)
    with pytest.raises(NotFound):
        rules.revoke(UUID(int=1), by=admin)
    told = {one.action: (one.user, one.target_id) for one in AuditEntry.objects.all()}
    assert told == {"rule.make": (owner, made.pk), "rule.revoke": (admin, made.pk)}


@pytest.mark.django_db(transaction=True)
def test_a_rule_is_revoked_once():
    project = make_project()
    owner = make_member(project, Role.APPROVER)
    made = make(project, owner)
    outcomes = at_once(*[partial(rules.revoke, made.pk, by=owner)] * 3)
    assert sum(isinstance(one, InvalidTransition) for one in outcomes) == 2
    assert AuditEntry.objects.filter(action="rule.revoke").count() == 1


@pytest.mark.parametrize(
    ("kind", "tool", "allowed"),
    [
        (WaitKind.BUDGET, "budget", ("approve", "edit", "reject")),
        (WaitKind.REPLY, "escalation", ("approve", "edit", "reject")),
        (WaitKind.UNCERTAIN, "pay", ("again", "done", "stop")),
        (WaitKind.APPROVAL, "pay", ("edit",)),
    ],
)
@pytest.mark.parametrize("verdict", RuleVerdict)
def test_a_rule_decides_calls_only_and_only_as_the_graph_understands(project, admin, kind, tool, allowed, verdict):
    make(project, admin, verdict, tool_name=tool, conditions={})
    assert ask(project, kind=kind, tool=tool, allowed=allowed).status == ApprovalStatus.PENDING


def test_a_rule_decides_what_a_graph_asks_in_a_form_of_its_own(project, owner):
    make(project, owner)
    asked = ask(project, kind=WaitKind.FOREIGN, form=Form.BATCH, allowed=("approve", "reject"))
    assert asked.status == ApprovalStatus.APPROVED
    assert SessionWait.objects.get().answer["value"] == {"decisions": [{"type": "approve"}]}


def decided(project: Project, by: User, cents: int, verdict: str, **decision: Any) -> Approval:
    asked = ask(project, cents)
    given = Decision(verdict, reason="No." if verdict == "reject" else "", **decision)
    return decisions.decide(asked.pk, given, by=by, version=asked.version)


def test_a_dry_run_tells_what_a_rule_would_have_done_and_how_people_decided(project, owner, admin):
    alike = decided(project, admin, 100, "approve")
    rejected = decided(project, admin, 200, "reject")
    edited = decided(project, admin, 300, "approve", arguments={"cents": 30})
    decided(project, admin, 501, "approve")
    trial = rules.tried(project.pk, rule(), by=owner)
    assert (trial.looked_at, trial.alike) == (4, 1)
    assert {one.pk for one in trial.hits} == {alike.pk, rejected.pk, edited.pk}
    assert {one.pk for one in trial.different} == {rejected.pk, edited.pk}
    against = rules.tried(project.pk, rule(RuleVerdict.REJECT), by=owner)
    assert {one.pk for one in against.different} == {alike.pk, edited.pk}
    assert not ApprovalRule.objects.exists()


def test_a_dry_run_leaves_out_what_the_rule_could_not_have_decided(project, owner, admin):
    for terms in (Terms(people=2), Terms(person=admin.username), Terms(role=Role.ADMIN)):
        asked = ask(project, terms=terms)
        decisions.decide(asked.pk, Decision("reject", reason="No."), by=admin, version=1)
    risky = ask(project, risk=Risk.HIGH)
    decisions.decide(risky.pk, Decision("approve"), by=admin, version=1)
    trial = rules.tried(project.pk, rule(), by=owner)
    assert (trial.looked_at, trial.hits) == (4, [])
    assert risky.pk in {one.pk for one in rules.tried(project.pk, rule(seconds=WEEK), by=admin).hits}


def test_a_dry_run_agrees_with_what_the_rule_then_does(project, owner, admin):
    for cents in (100, 499, 500, 501):
        decided(project, admin, cents, "approve")
    told = {one.proposed["cents"] for one in rules.tried(project.pk, rule(), by=owner).hits}
    make(project, owner)
    done = {cents for cents in (100, 499, 500, 501) if ask(project, cents).status == "approved"}
    assert told == done == {100, 499, 500}
    trial = rules.tried(project.pk, rule(), by=owner)
    assert trial.looked_at == 4  # what a rule decided says nothing of how people would have


def test_a_dry_run_looks_at_requests_of_its_tool_and_project_that_people_decided_lately(project, owner, admin):
    other = make_project()
    decided(other, make_member(other), 1, "approve")
    ask(project)
    old = decided(project, admin, 1, "approve")
    Approval.objects.filter(pk=old.pk).update(decided_at=Now() - timedelta(days=91))
    assert rules.tried(project.pk, rule(), by=owner).looked_at == 0


def test_an_edit_or_a_second_press_of_a_decision_by_a_rule_is_too_late(project, owner, admin):
    make(project, owner)
    asked = ask(project)
    with pytest.raises(Exception, match="by the rule"):
        decisions.decide(asked.pk, Decision("reject", reason="No."), by=admin, version=1)


def test_a_deadline_does_not_come_after_a_rule(project, owner):
    make(project, owner)
    asked = ask(project, terms=Terms(deadline=60))
    Approval.objects.filter(pk=asked.pk).update(next_step_at=Now() - timedelta(seconds=1))
    assert attention.due() == []
    assert attention.attend(asked.pk) == 0


@pytest.mark.parametrize(
    "broken", [{"verdict": "maybe"}, {"verdict": "reject", "reason": ""}, {"expires_at": Now() - timedelta(days=1)}]
)
def test_the_database_holds_the_rules_too(project, owner, broken):
    made = make(project, owner)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRule.objects.filter(pk=made.pk).update(**broken)


def test_the_cost_of_the_call_counts(project, owner):
    make(project, owner, conditions={"cost_at_least": "1"})
    session = running(make_mission(project))
    row = ToolExecution.objects.create(
        execution_id=uuid4(), project=project, session=session, call_key="a", tool_name="pay", tool_version="1",
        risk="medium", policy="ask", input_digest="", cost_estimate="1.5",
    )  # fmt: skip
    assert ask(session, execution_id=row.pk).status == ApprovalStatus.APPROVED
