"""Requests to people, who has seen them, and what each of them said."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk
from agents.models.accounts import Membership, Project
from agents.models.fields import choices, one_of
from agents.models.policies import ApprovalRule
from agents.models.sessions import AgentSession, SessionWait
from agents.models.tools import ToolExecution
from agents.roles import Role

_DECIDED = [ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.ANSWERED]


class Approval(models.Model):
    """One action that an agent wants to do and people must decide.

    `place` is its place among the actions of its interrupt, whose `form` says how the graph is answered; without one
    the guard or a service asked. `proposed`, `edited` and `effective` are arguments; of an open question the last is
    the answer. `effective_tool`: what is called in place of `tool_name`.

    `terms` are those of the policy when it was asked, by the `policy_rule` of that `policy_version`. `steps_done` of
    what the terms plan for later have happened, `next_step_at` is the next; `assigned_role` and `assigned_to` say who
    decides. Somebody who has `claimed` it is about to.

    A decision goes to the agent at `effective_at`, and has at `dispatched_at`; before, it can be taken back.
    """

    approval_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="approvals")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="approvals")
    wait = models.ForeignKey(SessionWait, on_delete=models.CASCADE, related_name="approvals")
    position = models.IntegerField(default=0, db_default=0)
    place = models.IntegerField(default=0, db_default=0)
    execution = models.ForeignKey(ToolExecution, on_delete=models.PROTECT, null=True, related_name="approvals")
    kind = models.TextField()
    form = models.TextField(choices=choices(Form), default="", db_default="", blank=True)
    title = models.TextField()
    tool_name = models.TextField()
    risk = models.TextField(choices=choices(Risk))
    intent = models.TextField(default="", db_default="")
    effects = models.JSONField(default=list, db_default=[])
    proposed = models.JSONField(default=dict, db_default={})
    schema = models.JSONField(default=dict, db_default={})
    allowed = ArrayField(models.TextField(), default=list, db_default=[])
    may_change_tool = models.BooleanField(default=False, db_default=False)
    terms = models.JSONField(default=dict, db_default={})
    policy_version = models.IntegerField(null=True)
    policy_rule = models.TextField(default="", db_default="")
    edited = models.JSONField(null=True)
    effective = models.JSONField(null=True)
    effective_tool = models.TextField(default="", db_default="")
    effective_digest = models.TextField(default="", db_default="")
    status = models.TextField(choices=choices(ApprovalStatus), default=ApprovalStatus.PENDING)
    verdict = models.TextField(default="", db_default="")
    reason = models.TextField(default="", db_default="")
    version = models.IntegerField(default=1, db_default=1)
    decided_how = models.TextField(choices=choices(DecidedBy), default="", db_default="", blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="decisions"
    )
    rule = models.ForeignKey(ApprovalRule, on_delete=models.PROTECT, null=True, related_name="decisions")
    decided_at = models.DateTimeField(null=True)
    effective_at = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    assigned_role = models.TextField(choices=choices(Role), default=Role.APPROVER, db_default=Role.APPROVER)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="assigned_approvals"
    )
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    next_step_at = models.DateTimeField(null=True)
    steps_done = models.IntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "approvals"
        indexes = [
            models.Index(
                fields=["project", "created_at"],
                name="approval_pending",
                condition=Q(status=ApprovalStatus.PENDING),
            ),
            models.Index(fields=["session"], name="approval_session"),
            models.Index(
                fields=["next_step_at"],
                name="approval_next_step",
                condition=Q(status=ApprovalStatus.PENDING, next_step_at__isnull=False),
            ),
            models.Index(
                fields=["effective_at"],
                name="approval_to_dispatch",
                condition=Q(effective_at__isnull=False, dispatched_at__isnull=True),
            ),
            models.Index(fields=["project", "tool_name", "-decided_at"], name="approval_by_tool"),
            models.Index(
                fields=["deadline_at"],
                name="approval_deadline",
                condition=Q(status=ApprovalStatus.PENDING, deadline_at__isnull=False),
            ),
            models.Index(
                fields=["project", "decided_at", "approval_id"],
                name="approval_decisions",
                condition=Q(decided_at__isnull=False),
                # what decided ones are filtered by, so that a filter that few fit reads no wide rows
                include=["status", "decided_how", "decided_by", "risk", "tool_name", "session"],
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["wait", "position"], name="approval_once"),
            one_of("status", ApprovalStatus, "approval_status"),
            one_of("risk", Risk, "approval_risk"),
            models.CheckConstraint(
                condition=Q(status=ApprovalStatus.PENDING, decided_at__isnull=True, effective_at__isnull=True)
                | (~Q(status=ApprovalStatus.PENDING) & Q(decided_at__isnull=False)),
                name="approval_decided",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=_DECIDED)
                | Q(decided_how=DecidedBy.PERSON, decided_by__isnull=False)
                | Q(decided_how=DecidedBy.RULE, decided_by__isnull=True, rule__isnull=False)
                | Q(decided_how__in=[DecidedBy.POLICY, DecidedBy.DEADLINE], decided_by__isnull=True),
                name="approval_decider",
            ),
            models.CheckConstraint(
                condition=~Q(status=ApprovalStatus.REJECTED) | ~Q(reason=""), name="approval_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.status})"

    @property
    def decider(self) -> str:
        """Who or what decided, in words; without a decision, the system, which withdrew it."""
        if self.decided_how == DecidedBy.RULE and self.rule:
            return f"the rule “{self.rule.name}”"
        if self.decided_how in (DecidedBy.DEADLINE, DecidedBy.POLICY):
            return f"its {self.decided_how}"
        return self.decided_by.get_username() if self.decided_by else "the system"

    @property
    def people(self) -> int:
        """How many must approve it."""
        return int(self.terms.get("people", 1))


class VoteQuerySet(models.QuerySet["Vote"]):
    """Named filters of votes."""

    def standing(self) -> VoteQuerySet:
        """Those that nobody took back."""
        return self.filter(withdrawn_at__isnull=True)

    def that_count(self, role: Role) -> VoteQuerySet:
        """Those of people who could still say so: of active members with this role at least."""
        able = Membership.objects.able(role).filter(project=OuterRef("project_id"), user=OuterRef("user_id"))
        return self.standing().filter(Exists(able))


class Vote(models.Model):
    """What one person said to a request, once; `withdrawn_at`: taken back. `key` names the press of a button.

    Approvals count together that have the same `digest`: of tool and arguments, or of the answer.
    """

    vote_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="votes")
    key = models.TextField(default="", db_default="")
    verdict = models.TextField()
    tool_name = models.TextField(default="", db_default="")
    arguments = models.JSONField(null=True)
    digest = models.TextField(default="", db_default="")
    reason = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True)

    objects = VoteQuerySet.as_manager()

    class Meta:
        db_table = "approval_votes"
        constraints = [
            models.UniqueConstraint(
                fields=["approval", "user"], name="vote_once", condition=Q(withdrawn_at__isnull=True)
            ),
            models.UniqueConstraint(fields=["user", "approval", "key"], name="vote_key", condition=~Q(key="")),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.verdict} {self.approval_id}"


class Sight(models.Model):
    """A person has looked at a request: first, and last."""

    sight_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="sights")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "approval_sights"
        constraints = [models.UniqueConstraint(fields=["approval", "user"], name="sight_once")]

    def __str__(self) -> str:
        return f"{self.user_id} saw {self.approval_id}"


class AbsenceQuerySet(models.QuerySet["Absence"]):
    """Named filters of absences."""

    def not_over(self) -> AbsenceQuerySet:
        """Those of now and of later, by the database's clock."""
        return self.filter(Q(until__isnull=True) | Q(until__gt=Now()), ended_at__isnull=True)

    def now(self) -> AbsenceQuerySet:
        """Those of now, by the database's clock."""
        return self.not_over().filter(since__lte=Now())

    def that_count(self) -> AbsenceQuerySet:
        """Those of now between two who may both decide in the project: nobody gives away, or gets, more than that."""
        deciding = Membership.objects.able(Role.APPROVER).filter(project=OuterRef("project_id"))
        return self.now().filter(
            Exists(deciding.filter(user=OuterRef("user_id"))),
            Exists(deciding.filter(user=OuterRef("stand_in_id"))),
        )


class Absence(models.Model):
    """A person is away from a project, and somebody else decides what is for them."""

    absence_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="absences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="absences")
    stand_in = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        db_table = "absences"
        indexes = [models.Index(fields=["project", "user"], name="absence_open", condition=Q(ended_at__isnull=True))]
        constraints = [
            models.CheckConstraint(condition=~Q(user=F("stand_in")), name="absence_other"),
            models.CheckConstraint(condition=Q(until__isnull=True) | Q(until__gt=F("since")), name="absence_time"),
        ]

    def __str__(self) -> str:
        return f"{self.stand_in_id} stands in for {self.user_id}"
