"""A person has a request's form open, and meanwhile the world goes on: what they press then, they are told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from agents.actor import SYSTEM
from agents.models import AgentSession, Approval, Membership, SessionWait
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import attention, control
from tests.agents.desk import pass_time, request
from tests.agents.test_interrupts import BATCH, CALL, INBOX
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT
from tests.orchestrator.web.test_approvals_page import ASKED, SCHEMA, foreign

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a request as a browser has it open: what is in its hidden fields counts, whatever has come since."""

    client: Client
    address: str
    hidden: dict[str, str]

    @classmethod
    def open(cls, client: Client, approval: Approval) -> "Form":
        """As the page shows it now."""
        address = f"/approvals/{approval.pk}/"
        text = client.get(address).content.decode()
        hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', text)[1] for name in ("key", "version")}
        return cls(client, address, hidden)

    def press(self, verdict: str, **typed: Any) -> Any:
        """Press a button of it."""
        return self.client.post(f"{self.address}decide/", {**self.hidden, "verdict": verdict, **typed})


def stopped(approval: Approval) -> None:
    """Its agent is cancelled."""
    control.cancel(approval.session_id, actor=SYSTEM, reason="It takes too long")


def expired(approval: Approval) -> None:
    """Its deadline passes."""
    pass_time(approval, 60)
    assert attention.attend(approval.pk)


def changed(approval: Approval) -> None:
    """The agent asks for something else under the same request."""
    Approval.objects.filter(pk=approval.pk).update(version=2, proposed={**REPORT, "content": "other"})


@pytest.mark.parametrize(
    ("meanwhile", "told", "status"),
    [
        (stopped, "It takes too long", "withdrawn"),
        (expired, "its deadline", "rejected"),
        (changed, "has changed since you opened it", "pending"),
    ],
)
def test_who_decides_what_has_gone_on_meanwhile_is_told_so_and_keeps_what_was_typed(
    meanwhile: Callable[[Approval], None], told: str, status: str
):
    approval = request(proposed=REPORT, terms=Terms(deadline=60))
    form = Form.open(signed_in(make_member(approval.project, Role.APPROVER)), approval)
    meanwhile(approval)
    answer = form.press("approve", **{f"arg-{name}": text for name, text in {**REPORT, "content": "mine"}.items()})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert told in text
    assert "mine" in text
    approval.refresh_from_db()
    assert (approval.status, approval.effective, approval.decided_by) == (status, None, None)


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (None, 404)])
def test_who_has_lost_their_role_while_a_page_is_open_decides_nothing(role: Role | None, status: int):
    approval = request()
    ada = make_member(approval.project, Role.APPROVER)
    form = Form.open(signed_in(ada), approval)
    kept = Membership.objects.filter(user=ada)
    kept.update(role=role) if role else kept.delete()
    assert form.press("approve").status_code == status
    approval.refresh_from_db()
    assert (approval.status, approval.version) == ("pending", 1)
    bob = Form.open(signed_in(make_member(approval.project, Role.APPROVER)), approval)
    assert bob.press("approve").status_code == 302
    assert AgentSession.objects.get().status == "queued"


FORMS: dict[str, tuple[Any, dict[str, Any] | None, list[dict[str, str]], dict[str, str]]] = {
    "inbox": (INBOX, None, [{"verdict": "respond"}, {"verdict": "maybe"}], {"verdict": "respond", "words": "No need"}),
    "batch": (
        {name: each[:1] for name, each in BATCH.items()},
        None,
        [{"verdict": "reject", "reason": " "}, {"verdict": "respond", "words": "No"}],
        {"verdict": "approve"},
    ),
    "call": (
        CALL,
        None,
        [{"verdict": "approve", "arg-cents": "many"}, {"verdict": "reject"}],
        {"verdict": "approve", "arg-cents": "4"},
    ),
    "open": (
        ASKED,
        SCHEMA,
        [{"verdict": "respond", "arg-account": "c", "arg-cents": "1"}, {"verdict": "approve"}],
        {"verdict": "respond", "arg-account": "b", "arg-cents": "12"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_malformed_answer_of_each_form_is_refused_and_a_sound_one_is_taken_after_it(page, project, approver, form):
    value, schema, malformed, sound = FORMS[form]
    approval = foreign(make_mission(project, approver), value, schema)
    assert approval.form == form
    opened = Form.open(page, approval)
    for bad in malformed:
        assert opened.press(**bad).status_code == 422, bad
        approval.refresh_from_db()
        assert (approval.status, approval.version) == ("pending", 1)
        assert SessionWait.objects.get().answered_at is None
    assert opened.press(**sound).status_code == 302
    approval.refresh_from_db()
    assert approval.status != "pending"
