"""An agent at work: its session, lease, runs and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import (
    ACTIVE,
    FINAL,
    ChildrenNeeded,
    Control,
    RunStatus,
    SessionStatus,
    WaitKind,
)
from agents.models.accounts import Project
from agents.models.fields import choices, one_of
from agents.roles import MAX_DEPTH, Level

if TYPE_CHECKING:
    from uuid import UUID


class Turn(Func):
    """When a queued session's turn comes: a step of priority is worth ten minutes of waiting.

    So nothing starves: what was queued earlier comes first at last, however much is more urgent. An interval since a
    fixed moment, for an index takes only what depends on no time zone.
    """

    template = "(moved_at - '2000-01-01 00:00:00+00'::timestamptz - priority * '00:10:00'::interval)"
    output_field = models.DurationField()


class SessionQuerySet(models.QuerySet["AgentSession"]):
    """Named filters of sessions."""

    def missions(self) -> SessionQuerySet:
        """Root sessions: one a mission."""
        return self.filter(parent__isnull=True)

    def active(self) -> SessionQuerySet:
        """Sessions that still have something to do."""
        return self.filter(status__in=ACTIVE)

    def subtree(self, session_id: UUID) -> SessionQuerySet:
        """A session and all below it."""
        return self.filter(Q(pk=session_id) | Q(path__contains=[session_id]))

    def working_for(self, session_id: UUID) -> SessionQuerySet:
        """Those below a session at any depth that work for it. A fork works for itself, and so do those below it."""
        below = self.filter(path__contains=[session_id])
        forks = list(below.filter(forked_from__isnull=False).values_list("pk", flat=True))
        return below.exclude(pk__in=forks).exclude(path__overlap=forks)


class AgentSession(models.Model):
    """One agent at work: one LangGraph thread. A mission is a session without a parent.

    A fork began with the state `forked_at` of `forked_from`; nobody waits for it. After a rewind a child may be
    started again: the new one then `stands_for` the old one. `kept` names tool calls that a rewind left standing:
    their results answer the same calls of this session, and of those below it. `move_id` is the event that gave it
    its status: what it does there is caused by that. `holds_below`: it was paused with all below it, so whom it starts
    begins paused. `batch` lists its tasks where tasks of its delegation were put together: each with its name and the
    `positions` there that it answers; else it is empty, and the session has the task of its own position.
    """

    session_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="sessions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sessions")
    agent_type = models.TextField()
    level = models.TextField(choices=choices(Level))
    name = models.TextField()
    goal = models.TextField(default="", db_default="")
    activity = models.TextField(default="", db_default="")
    status = models.TextField(choices=choices(SessionStatus), default=SessionStatus.IDLE)
    priority = models.SmallIntegerField(default=0, db_default=0)

    root = models.ForeignKey("self", on_delete=models.PROTECT, related_name="tree")
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    path = ArrayField(models.UUIDField(), default=list, db_default=[])
    depth = models.GeneratedField(
        expression=Func(F("path"), function="cardinality"),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    parent_wait = models.ForeignKey("SessionWait", on_delete=models.PROTECT, null=True, related_name="children")
    position = models.IntegerField(default=0, db_default=0)
    forked_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="forks")
    forked_at = models.UUIDField(null=True)
    stands_for = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    kept = ArrayField(models.UUIDField(), default=list, db_default=[])
    batch = models.JSONField(default=list, db_default=[])

    attempt = models.IntegerField(default=0, db_default=0)
    control = models.TextField(choices=choices(Control), default=Control.NONE, db_default="", blank=True)
    control_reason = models.TextField(default="", db_default="", blank=True)
    holds_below = models.BooleanField(default=False, db_default=False)
    current_run = models.ForeignKey("AgentRun", on_delete=models.PROTECT, null=True, related_name="+")
    thread_id = models.TextField(null=True)
    space = models.ForeignKey("ValueSpace", on_delete=models.PROTECT, null=True, related_name="sessions")

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    moved_at = models.DateTimeField(db_default=Now())
    move_id = models.UUIDField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    metadata = models.JSONField(default=dict, db_default={})

    objects: ClassVar[models.Manager[AgentSession]] = SessionQuerySet.as_manager()

    class Meta:
        db_table = "agent_sessions"
        indexes = [
            models.Index(fields=["user", "status"], name="session_user_status"),
            models.Index(fields=["agent_type", "status"], name="session_type_status"),
            models.Index(fields=["-priority", "created_at"], name="session_priority"),
            models.Index(fields=["expires_at"], name="session_expiry", condition=Q(expires_at__isnull=False)),
            models.Index(
                "level",
                "project",
                Turn(),
                name="session_turn",
                condition=Q(status=SessionStatus.QUEUED),
            ),
            models.Index(fields=["moved_at"], name="session_moved"),
            models.Index(
                fields=["project", "level"], name="session_at_work", condition=Q(status=SessionStatus.RUNNING)
            ),
            models.Index(fields=["project", "status"], name="session_project_status"),
            models.Index(fields=["root", "depth", "position"], name="session_tree"),
            models.Index(fields=["project", "-created_at"], name="session_missions", condition=Q(parent__isnull=True)),
        ]
        constraints = [
            one_of("status", SessionStatus, "session_status"),
            one_of("level", Level, "session_level"),
            one_of("control", Control, "session_control"),
            models.CheckConstraint(condition=Q(depth__lte=MAX_DEPTH), name="session_depth"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, root=F("session_id"), path__len=0)
                | Q(parent__isnull=False, path__len__gt=0),
                name="session_root",
            ),
            models.CheckConstraint(
                condition=Q(status__in=FINAL, finished_at__isnull=False)
                | (~Q(status__in=FINAL) & Q(finished_at__isnull=True)),
                name="session_finished",
            ),
            models.CheckConstraint(
                condition=Q(forked_from__isnull=True, forked_at__isnull=True)
                | Q(forked_from__isnull=False, forked_at__isnull=False, parent_wait__isnull=True),
                name="session_fork",
            ),
            models.UniqueConstraint(fields=["parent_wait", "position"], name="session_child_once"),
            models.UniqueConstraint(fields=["thread_id"], name="session_thread", condition=Q(thread_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.level}, {self.status})"

    @property
    def origin_id(self) -> UUID:
        """The mission whose sources this agent reads: a fork of a mission shares the value space of the first one."""
        return self.space_id or self.root_id


class SessionLease(models.Model):
    """Who works on a session until when. Narrow, so that a slow save never holds up a heartbeat."""

    session = models.OneToOneField(AgentSession, on_delete=models.CASCADE, primary_key=True, related_name="lease")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    attempt = models.IntegerField()
    until = models.DateTimeField()
    holder = models.TextField()

    class Meta:
        db_table = "session_leases"
        indexes = [models.Index(fields=["until"], name="lease_until")]

    def __str__(self) -> str:
        return f"{self.holder} until {self.until}"


class AgentRun(models.Model):
    """One turn of a session: its input, how it ended, what came out.

    `pauses`: calls that are tried again later, by their keys; a call that has ended is not among them any more.
    """

    run_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="runs")
    number = models.IntegerField()
    command = models.TextField()
    input = models.JSONField(default=dict, db_default={})
    status = models.TextField(choices=choices(RunStatus), default=RunStatus.ACTIVE)
    crashes = models.IntegerField(default=0, db_default=0)
    pauses = models.JSONField(default=dict, db_default={})
    output = models.JSONField(null=True)
    error = models.TextField(default="", db_default="")
    error_code = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "agent_runs"
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="run_number"),
            models.UniqueConstraint(fields=["session"], name="run_one_active", condition=Q(status=RunStatus.ACTIVE)),
            one_of("status", RunStatus, "run_status"),
        ]

    def __str__(self) -> str:
        return f"run {self.number} of {self.session_id}"


class SessionWait(models.Model):
    """What a session waits for, since when and why: one row an interrupt of its graph.

    `others_go_on`: children that are not needed any more are not stopped while the session works. `due_at` is when a
    timer fires, or when a wait for something else runs out. `signal` names the signal waited for.
    """

    wait_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="waits")
    interrupt_id = models.TextField()
    kind = models.TextField(choices=choices(WaitKind))
    request = models.JSONField(default=dict, db_default={})
    subject = models.TextField()
    reason = models.TextField(default="", db_default="")
    needs = models.TextField(choices=choices(ChildrenNeeded), default=ChildrenNeeded.ALL)
    needed = models.IntegerField(default=1, db_default=1)
    others_go_on = models.BooleanField(default=False, db_default=False)
    remaining = models.IntegerField(default=1, db_default=1)
    succeeded = models.IntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(null=True)
    signal = models.TextField(default="", db_default="")
    answer = models.JSONField(null=True)
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "session_waits"
        indexes = [
            models.Index(fields=["session"], name="wait_open", condition=Q(answered_at__isnull=True)),
            models.Index(
                fields=["due_at"], name="wait_due", condition=Q(answered_at__isnull=True, due_at__isnull=False)
            ),
            models.Index(fields=["signal"], name="wait_signal", condition=Q(answered_at__isnull=True) & ~Q(signal="")),
            models.Index(
                fields=["interrupt_id"], name="wait_budget", condition=Q(answered_at__isnull=True, kind=WaitKind.BUDGET)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["session", "interrupt_id"], name="wait_once"),
            models.CheckConstraint(condition=Q(remaining__gte=0), name="wait_remaining"),
            one_of("kind", WaitKind, "wait_kind"),
            one_of("needs", ChildrenNeeded, "wait_needs"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} waits for {self.subject}"
