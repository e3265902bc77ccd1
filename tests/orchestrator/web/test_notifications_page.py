"""The pages of notifications and webhooks: choices, secrets that are shown once, a log; links that decide nothing."""

import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.db.models.functions import Now
from django.test import Client, override_settings

from agents.events import rows
from agents.events.reading import Stored
from agents.ids import new_id
from agents.models import (
    AgentEvent,
    Approval,
    AuditEntry,
    Delivery,
    DeliveryAttempt,
    NoticeChoice,
    Webhook,
)
from agents.roles import Role
from agents.selectors import notifications as selectors
from agents.services import deliveries, notices
from agents.words import OCCASIONS
from orchestrator.actions import webhooks as actions
from orchestrator.actions.webhooks import Wanted
from orchestrator.notices import mailing
from orchestrator.notices.courier import Courier
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import ask

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(project):
    return make_member(project, Role.ADMIN)


@pytest.fixture
def admin_page(admin):
    return signed_in(admin)


@pytest.fixture
def webhook(project, admin) -> Webhook:
    return actions.make(admin, project.pk, new_id(), Wanted("Tickets", "https://a.example/hook", OCCASIONS)).webhook


def text(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def choose(page, project, **changes):
    return page.post("/notifications/", {"project": str(project.pk), "address": "a@b.example", **changes})


def test_nothing_is_chosen_at_first(page, project):
    shown = text(page.get("/notifications/"))
    assert "checked" not in shown.split("<main")[1]
    assert shown.count('type="checkbox" name="browser"') == len(OCCASIONS)


def test_choices_are_kept_for_a_project_and_audited(page, project, approver):
    assert choose(page, project, mail=["asked", "decided"], browser=["asked"]).status_code == 302
    assert selectors.chosen(approver, project.pk) == {("mail", "asked"), ("mail", "decided"), ("browser", "asked")}
    assert text(page.get("/notifications/")).split("<main")[1].count(" checked") == 3
    assert choose(page, project).status_code == 302
    assert not NoticeChoice.objects.exists()
    entry = AuditEntry.objects.filter(action="notices.choose").earliest("created_at")
    assert entry.detail == {"chosen": ["browser:asked", "mail:asked", "mail:decided"]}


def test_a_bad_address_is_said_beside_its_field_and_loses_no_choice(page, project):
    shown = text(choose(page, project, mail=["asked"], address=HOSTILE), 422)
    assert "This is no e-mail address." in shown and 'aria-describedby="address-error"' in shown
    assert HOSTILE not in shown and "&lt;script&gt;" in shown
    assert shown.split("<main")[1].count(" checked") == 1
    assert not NoticeChoice.objects.exists()


def test_what_is_no_choice_is_refused(page, project):
    assert choose(page, project, mail=["test"]).status_code == 422
    assert choose(page, project, browser=["nonsense"]).status_code == 422


def test_the_page_says_whether_there_is_mail(page, project):
    assert "EMAIL_URL" not in text(page.get("/notifications/"))
    with override_settings(EMAIL_BACKEND=mailing.OFF):
        assert "EMAIL_URL" in text(page.get("/notifications/"))


def test_a_stranger_chooses_nothing_of_this_project(stranger_page, project):
    assert choose(stranger_page, project, mail=["asked"]).status_code == 404


def test_the_worker_comes_from_the_root_and_decides_nothing(client):
    answer = client.get("/notices-worker.js")
    assert answer["Content-Type"].startswith("text/javascript") and answer["Service-Worker-Allowed"] == "/"
    assert "worker-src 'self'" in answer["Content-Security-Policy"]
    source = text(answer)
    assert "fetch" not in source and "actions" not in source and "POST" not in source


def test_an_open_page_is_told_what_its_person_chose_and_may_see(page, project, approver, stranger_page):
    approval = ask(make_mission(project))
    address = f"/notifications/said/?type=approval.requested&request={approval.pk}"
    assert page.get(address).status_code == 204
    choose(page, project, browser=["asked"])
    told = page.get(address).json()
    assert set(told) == {"title", "body", "url", "tag"} and told["tag"] == f"{approval.pk}:asked"
    assert page.get(address.replace("requested", "decided")).status_code == 204
    assert page.get("/notifications/said/?type=x&request=y").status_code == 404
    assert page.get(address.replace("approval.requested", "a%00")).status_code == 204
    assert stranger_page.get(address).status_code == 404


def test_a_webhook_is_made_and_its_secret_shown_once(admin_page, project):
    form = text(admin_page.get("/webhooks/new/"))
    webhook_id = re.search(r'name="webhook" value="([^"]+)"', form)[1]
    sent = {"project": str(project.pk), "webhook": webhook_id, "name": HOSTILE, "url": "https://a.example/",
            "occasion": ["asked"]}  # fmt: skip
    answer = admin_page.post("/webhooks/new/", sent)
    shown = text(answer)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", shown)[0]
    assert answer["Cache-Control"] == "no-store" and HOSTILE not in shown
    again = admin_page.post("/webhooks/new/", sent)  # a double press, or a page that is loaded again
    assert again.status_code == 302 and again["Location"] == f"/webhooks/{webhook_id}/"
    assert Webhook.objects.count() == 1
    for address in ("/webhooks/", f"/webhooks/{webhook_id}/"):
        later = text(admin_page.get(address))
        assert secret not in later and "whsec_" not in later and HOSTILE not in later


def test_a_webhook_that_does_not_fit_keeps_what_was_typed(admin_page, project):
    sent = {"project": str(project.pk), "webhook": str(new_id()), "name": "Mine", "url": "ftp://a", "occasion": []}
    shown = text(admin_page.post("/webhooks/new/", sent), 422)
    assert 'value="Mine"' in shown and 'value="ftp://a"' in shown
    assert "url-error" in shown and "Choose at least one." in shown


def test_its_page_changes_it_and_removes_it(admin_page, webhook):
    address = f"/webhooks/{webhook.pk}/"
    sent = {"name": "Other", "url": "https://b.example/", "occasion": ["decided"], "with_arguments": "on"}
    assert admin_page.post(address, sent).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.name, webhook.url, webhook.occasions) == ("Other", "https://b.example/", ["decided"])
    assert webhook.with_arguments
    assert "https://c" in text(admin_page.post(address, {**sent, "url": "https://c "[:9] + " d"}), 422)
    assert admin_page.post(f"{address}remove/").status_code == 302
    assert admin_page.get(address).status_code == 404
    assert "No webhook yet" in text(admin_page.get("/webhooks/"))


def test_a_new_secret_is_shown_once_and_a_second_press_makes_no_other(admin_page, webhook):
    expected = re.search(r'name="expected" value="(\w+)"', text(admin_page.get(f"/webhooks/{webhook.pk}/")))[1]
    shown = text(admin_page.post(f"/webhooks/{webhook.pk}/rotate/", {"expected": expected}))
    assert "whsec_" in shown and "signs, too, until" in shown
    secret = bytes(Webhook.objects.get().secret)
    for address in ("rotate/", "rotate/?r=rail-waits"):
        assert "whsec_" not in text(admin_page.get(f"/webhooks/{webhook.pk}/{address}"))
    assert bytes(Webhook.objects.get().secret) == secret
    refused = text(admin_page.post(f"/webhooks/{webhook.pk}/rotate/", {"expected": expected}), 409)
    assert "whsec_" not in refused and "changed a moment ago" in refused


def test_the_log_shows_each_try_escaped_and_sends_again(admin_page, webhook, admin):
    admin_page.post(f"/webhooks/{webhook.pk}/test/")
    delivery = Delivery.objects.get()
    (claimed,) = deliveries.claim_calls()
    deliveries.note(claimed, deliveries.Tried(False, 500, 12, HOSTILE, ""))
    shown = text(admin_page.get(f"/webhooks/{webhook.pk}/"))
    assert "500 · 12 ms" in shown and HOSTILE not in shown and "&lt;script&gt;" in shown and "Trying" in shown
    deliveries.note(claimed, deliveries.Tried(True, 204, 3))
    assert ">Sent<" in text(admin_page.get(f"/webhooks/{webhook.pk}/?r=log")).replace("</svg>Sent", ">Sent")
    address = f"/webhooks/{webhook.pk}/again/{delivery.pk}/"
    assert admin_page.post(address).status_code == 302
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("pending", 0)
    assert "about to be sent" in text(admin_page.post(address), 409)
    assert DeliveryAttempt.objects.count() == 2


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_who_is_no_admin_sees_no_webhook(project, webhook, role):
    member = signed_in(make_member(project, role))
    for address in ("/webhooks/", "/webhooks/new/", f"/webhooks/{webhook.pk}/"):
        assert member.get(address).status_code == 403
    assert "Webhooks" not in text(member.get("/notifications/"))


def test_a_stranger_finds_no_webhook(stranger_page, webhook, project):
    assert stranger_page.get(f"/webhooks/{webhook.pk}/").status_code == 404
    for act in ("", "rotate/", "remove/", "test/", f"again/{new_id()}/"):
        assert stranger_page.post(f"/webhooks/{webhook.pk}/{act}").status_code == 404
    sent = {"project": str(project.pk), "webhook": str(new_id()), "name": "a", "url": "https://a.example/"}
    assert stranger_page.post("/webhooks/new/", sent).status_code == 404


def links_told(project, approver, approval) -> set[str]:
    """Every link that mail, pushes and webhooks have about a request."""
    found = AgentEvent.objects.filter(aggregate_id=approval.pk)
    notices._handle([Stored.of(row) for row in rows.of_query(found)])
    Delivery.objects.update(next_at=Now())
    with Courier() as courier:
        courier.mail()
    sent: Any = mail.outbox[0]
    told = sent.body + sent.alternatives[0][0]
    return {re.sub(r"^https?://[^/]+", "", one) for one in re.findall(r"https?://[^\s\"<]+", told)}


def everything() -> dict[str, list]:
    """All rows that a decision would touch."""
    tables = ("approvals", "approval_votes", "agent_sessions", "session_waits", "agent_events", "audit_entries")
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_scanner_that_follows_every_link_of_a_mail_decides_nothing(page, project, approver, method):
    choose(page, project, mail=["asked"])
    approval = ask(make_mission(project))
    links = links_told(project, approver, approval)
    assert links == {f"/approvals/{approval.pk}/", "/notifications/"}
    before = everything()
    scanner = Client(enforce_csrf_checks=True)
    for link in links:
        answer = getattr(scanner, method)(link)
        assert answer.status_code == 302 and answer["Location"].startswith("/login/")
    assert everything() == before
    assert Approval.objects.get().status == "pending"


def test_opening_the_links_signed_in_decides_nothing_either(page, project, approver):
    choose(page, project, mail=["asked"])
    approval = ask(make_mission(project))
    links = links_told(project, approver, approval)
    before = everything()
    for link in links:
        for client in (page, signed_in(make_member(project, Role.ADMIN))):
            assert client.get(link).status_code == 200
            assert client.get(f"{link}?verdict=approve&version=1").status_code == 200
    after = everything()
    seen = set(AgentEvent.objects.values_list("event_type", flat=True)) & {"approval.decided", "approval.voted"}
    assert not seen
    assert {name for name in before if before[name] != after[name]} <= {"agent_events"}  # that they looked
    assert AgentEvent.objects.filter(event_type="approval.seen").count() == 2


def test_what_a_scanner_would_have_to_send_to_decide_is_refused(page, approver, project):
    approval = ask(make_mission(project))
    scanner = Client(enforce_csrf_checks=True)
    scanner.force_login(approver)
    assert scanner.get(f"/approvals/{approval.pk}/decide/").status_code == 405
    answer = scanner.post(f"/approvals/{approval.pk}/decide/", {"verdict": "approve", "version": "1"})
    assert answer.status_code == 403
    approval.refresh_from_db()
    assert approval.status == "pending"
