"""Mail: once, one a minute for a person, of what still concerns them; nothing in it is an agent's to shape."""

import re
import socketserver
import threading

import pytest
from django.core import mail
from django.test import override_settings

from agents.errors import InvalidInput
from agents.interrupts import APPROVE
from agents.models import AuditEntry, Delivery, DeliveryAttempt, Mailbox, Membership, User
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import decisions, notice_choices
from agents.services.conclusions import Decision
from agents.words import Channel, DeliveryStatus
from orchestrator.conf import notice_settings
from orchestrator.env import mail_server
from orchestrator.notices import content, mailing
from orchestrator.notices.courier import Courier
from tests.factories import make_member
from tests.orchestrator.notices.conftest import follow, hurry
from tests.orchestrator.notices.test_who_is_told import ask, listen
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "Pay\r\nBcc: thief@example.com\r\n\r\n<script>alert(1)</script>\u202e & more"


def test_a_request_is_mailed_with_its_link_and_without_its_arguments(project, courier):
    user = listen(project)
    approval = ask(project, proposed={"text": "nobody else reads this"})
    follow()
    assert courier.mail() == 0  # it waits a little for more
    hurry()
    assert courier.mail() == 1
    (sent,) = mail.outbox
    assert sent.to == [f"{user.get_username()}@example.com"]
    assert sent.subject == "Waits for a decision: Publish"
    link = f"{notice_settings().site}/approvals/{approval.pk}/"
    html, kind = sent.alternatives[0]
    assert kind == "text/html" and link in sent.body and f'href="{link}"' in html
    assert "publish_report, medium risk, Mission" in sent.body
    assert "nobody else" not in sent.message().as_string()
    assert Delivery.objects.get().status == DeliveryStatus.SENT
    hurry()
    assert courier.mail() == 0 and len(mail.outbox) == 1


def test_what_an_agent_wrote_shapes_neither_header_nor_markup(project, courier):
    listen(project)
    ask(project, title=HOSTILE)
    follow()
    hurry()
    courier.mail()
    (sent,) = mail.outbox
    whole = sent.message()
    assert whole["Bcc"] is None and whole.get_all("To") == sent.to
    assert sent.subject == "Waits for a decision: Pay Bcc: thief@example.com <script>alert(1)</script> & more"
    html = sent.alternatives[0][0]
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "\u202e" not in html + sent.body + sent.subject


def test_long_titles_are_cut(project, courier):
    assert content.line("a" * 500) == "a" * 119 + "…"


def test_several_requests_become_one_mail_and_a_person_gets_one_a_minute(project, courier):
    listen(project)
    first, second = ask(project, title="One"), ask(project, title="Two")
    follow()
    hurry()
    assert courier.mail() == 2
    (sent,) = mail.outbox
    assert sent.subject == "2 requests: Two"
    assert all(f"/approvals/{one.pk}/" in sent.body for one in (first, second))
    ask(project, title="Three")
    follow()
    Delivery.objects.update(next_at=Delivery.objects.earliest("created_at").created_at)
    assert courier.mail() == 0  # not within a minute
    hurry()
    assert courier.mail() == 1 and len(mail.outbox) == 2


def test_two_couriers_at_once_mail_once(project):
    listen(project)
    ask(project)
    follow()
    hurry()

    def carry() -> int:
        with Courier() as one:
            return one.mail()

    assert sorted(at_once(carry, carry, carry)) == [0, 0, 1]
    assert len(mail.outbox) == 1


def test_who_has_left_meanwhile_is_not_told(project, courier):
    user, inactive = listen(project), listen(project)
    ask(project)
    follow()
    Membership.objects.filter(user=user).delete()
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    hurry()
    courier.mail()
    assert mail.outbox == []
    assert set(Delivery.objects.values_list("status", flat=True)) == {DeliveryStatus.DROPPED}


def test_what_was_decided_meanwhile_is_not_asked(project, courier):
    listen(project)
    approval = ask(project, terms=Terms(undo=0))
    follow()
    decisions.decide(approval.pk, Decision(APPROVE), by=make_member(project), version=1)
    hurry()
    courier.mail()
    assert mail.outbox == [] and Delivery.objects.get().why == "It was decided before."


def test_a_server_that_fails_is_tried_again_and_then_gets_the_same_mail(project, courier, monkeypatch):
    listen(project)
    ask(project)
    follow()
    hurry()
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1
    ):
        assert courier.mail() == 1
    assert "ConnectionRefusedError" in DeliveryAttempt.objects.get().error
    assert Delivery.objects.get().status == DeliveryStatus.PENDING
    hurry()
    courier.mail()
    assert len(mail.outbox) == 1
    again = mailing.message(list(Delivery.objects.all()), "a@example.com")
    assert again.extra_headers["Message-ID"] == mail.outbox[0].extra_headers["Message-ID"]


class Mails(socketserver.ThreadingTCPServer):
    """Keeps what came."""

    mails: list[str]


class Smtp(socketserver.StreamRequestHandler):
    """Enough of SMTP to take one mail."""

    server: Mails

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
                self.say("250 kept")
            elif line.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def test_a_real_mail_server_gets_it(project, courier):
    listen(project)
    approval = ask(project, title=HOSTILE)
    follow()
    hurry()
    with Mails(("127.0.0.1", 0), Smtp) as server:
        server.mails = []
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=server.server_address[1],
        ):
            courier.mail()
        server.shutdown()
        thread.join()
    (got,) = server.mails
    header = got.split("\r\n\r\n")[0]
    assert not re.search(r"^Bcc:", header, re.MULTILINE) and "Subject: " in header
    assert f"/approvals/{approval.pk}/" in got
    assert Delivery.objects.get().status == DeliveryStatus.SENT


def test_without_a_mail_server_nothing_is_sent_and_the_reason_kept(project, courier):
    listen(project)
    ask(project)
    follow()
    hurry()
    with override_settings(EMAIL_BACKEND=mailing.OFF):
        courier.mail()
    assert DeliveryAttempt.objects.get().error == "There is no mail server."


def test_mail_needs_an_address_that_is_one(project):
    user = make_member(project, Role.APPROVER)
    chosen = [(Channel.MAIL, "asked")]
    for address, words in (
        ("", "Say where"),
        ("nobody", "no e-mail address"),
        ("a@b.example\r\nBcc: c@d.example", "no"),
    ):
        with pytest.raises(InvalidInput) as caught:
            notice_choices.choose(user, project.pk, chosen, address=address)
        assert words in caught.value.data["fields"]["address"]
    assert not Mailbox.objects.exists() and not AuditEntry.objects.exists()
    with pytest.raises(InvalidInput):
        notice_choices.choose(user, project.pk, [("webhook", "asked")])
    User.objects.filter(pk=user.pk).update(email="account@example.com")
    user.refresh_from_db()
    notice_choices.choose(user, project.pk, chosen, address="")
    assert notice_choices.address_of(user) == "account@example.com"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("smtp://localhost", ("localhost", 25, "", "", "")),
        ("smtp+tls://me:p%40ss@mail.example", ("mail.example", 587, "me", "p@ss", "tls")),
        ("smtps://mail.example:4465", ("mail.example", 4465, "", "", "ssl")),
    ],
)
def test_the_address_of_a_mail_server_is_read(address, server):
    assert mail_server(address) == server


@pytest.mark.parametrize("address", ["mail.example", "http://mail.example", "smtp://", "smtp://a:99999"])
def test_what_is_no_mail_server_is_refused(address):
    with pytest.raises(ValueError, match=r"smtp\+tls|[Pp]ort"):
        mail_server(address)
