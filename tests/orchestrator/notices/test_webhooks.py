"""Webhooks: signed, tried again, given up; to no private machine; at least once, with an id to know it by."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.errors import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from agents.ids import new_id
from agents.models import AuditEntry, Delivery, DeliveryAttempt, Webhook
from agents.roles import Role
from agents.services import deliveries, webhooks
from agents.services.webhooks import Wanted
from agents.words import DeliveryStatus
from orchestrator.actions import webhooks as actions
from orchestrator.conf import notice_settings
from orchestrator.env import environment
from orchestrator.notices import calling, sealing
from orchestrator.notices import courier as couriers
from orchestrator.notices.courier import Courier
from tests.factories import make_member, make_project
from tests.hook_server import HookServer
from tests.orchestrator.notices.conftest import follow, hurry, make_webhook
from tests.orchestrator.notices.test_who_is_told import ask
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private")]
SECRET_ARGUMENT = "nobody else reads this"


def verified(got, *secrets: str) -> dict:
    """The body of a message that each of these secrets has signed."""
    stamp = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}."
    signatures = got.headers["webhook-signature"].split(" ")
    assert len(signatures) == len(secrets)
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        made = base64.b64encode(hmac.new(key, stamp.encode() + got.body, hashlib.sha256).digest()).decode()
        assert f"v1,{made}" in signatures
    return json.loads(got.body)


def only() -> Delivery:
    return Delivery.objects.get()


def test_a_request_goes_out_signed_and_without_its_arguments(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver)
    approval = ask(project, proposed={"text": SECRET_ARGUMENT})
    follow()
    assert courier.round() == 1
    (got,) = receiver.got
    told = verified(got, made.secret)
    assert (got.path, got.headers["content-type"]) == ("/hook", "application/json")
    assert got.headers["webhook-id"] == str(only().pk)
    assert told["type"] == "approval.asked"
    assert told["data"] == {
        "request_id": str(approval.pk), "title": "Publish", "tool": "publish_report", "risk": "medium",
        "mission": "Mission", "project": project.name, "deadline": None,
        "link": f"{notice_settings().site}/approvals/{approval.pk}/", "role": "approver",
    }  # fmt: skip
    assert SECRET_ARGUMENT not in got.body.decode()
    assert only().status == DeliveryStatus.SENT
    assert courier.round() == 0 and len(receiver.got) == 1


def test_arguments_go_out_only_where_the_webhook_asks_for_them_and_only_so_many(project, admin, receiver, courier):
    make_webhook(admin, project, receiver, with_arguments=True)
    ask(project, proposed={"text": SECRET_ARGUMENT})
    ask(project, proposed={"text": "x" * 70_000})
    follow()
    courier.round()
    small, large = sorted(
        (json.loads(one.body)["data"] for one in receiver.got), key=lambda one: "arguments" not in one
    )
    assert small["arguments"] == {"text": SECRET_ARGUMENT}
    assert "arguments" not in large and large["arguments_left_out"]


def test_one_that_cannot_be_written_holds_up_no_other(project, admin, receiver, courier, monkeypatch):
    for name in ("broken", "sound"):
        made = make_webhook(admin, project, receiver, name=name).webhook
        actions.send_test(admin, made.pk)
    real = couriers.messages.call

    def call(delivery, webhook):
        if webhook.name == "broken":
            raise ValueError("a fault of ours")
        return real(delivery, webhook)

    monkeypatch.setattr(couriers.messages, "call", call)
    courier.round()
    assert len(receiver.got) == 1
    assert DeliveryAttempt.objects.get(delivery__webhook__name="broken").error == "It could not be written."
    assert set(Webhook.objects.values_list("disabled_why", flat=True)) == {""}


def test_the_secret_is_kept_encrypted_and_shown_nowhere_else(project, admin, receiver, courier, caplog):
    made = make_webhook(admin, project, receiver)
    ask(project)
    follow()
    receiver.code = 500
    courier.round()
    stored = Webhook.objects.get()
    plain = made.secret.removeprefix("whsec_")
    assert made.secret.startswith("whsec_") and len(base64.b64decode(plain)) == 32
    assert plain.encode() not in bytes(stored.secret) and "+" in stored.secret_kind
    assert plain not in caplog.text + str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_new_secret_signs_beside_the_old_one_for_a_day(project, admin, receiver, courier):
    first = make_webhook(admin, project, receiver)
    seen = actions.name_of_secret(first.webhook)
    second = actions.rotate(admin, first.webhook.pk, expected=seen)
    with pytest.raises(StaleVersion):  # a second press, which would end the first secret at once
        actions.rotate(admin, first.webhook.pk, expected=seen)
    actions.send_test(admin, first.webhook.pk)
    courier.round()
    assert verified(receiver.got[0], second.secret, first.secret)["type"] == "webhook.test"
    Webhook.objects.update(old_until=Now() - timedelta(seconds=1))
    actions.send_test(admin, first.webhook.pk)
    courier.round()
    verified(receiver.got[1], second.secret)
    assert webhooks.forget_old_secrets() == 1
    assert Webhook.objects.get().old_secret is None


def test_a_fault_is_tried_again_later_with_the_same_id_and_body(project, admin, receiver, courier):
    make_webhook(admin, project, receiver)
    ask(project)
    follow()
    receiver.code, receiver.text = 503, "é" * 5000
    courier.round()
    (first,) = DeliveryAttempt.objects.all()
    assert (first.number, first.code) == (1, 503)
    assert first.answer.startswith("éé") and len(first.answer.encode()) <= 1027  # a character may be cut
    waits = only().next_at - first.created_at
    assert timedelta(seconds=7) < waits < timedelta(seconds=13)
    assert courier.round() == 0
    receiver.code = 200
    hurry()
    courier.round()
    one, two = receiver.got
    assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)
    assert only().status == DeliveryStatus.SENT


def test_pauses_grow_to_about_a_day_and_then_it_is_given_up(project, admin, receiver, courier):
    assert 24 * 3600 < sum(deliveries.PAUSES) < 26 * 3600
    assert all(later >= earlier for earlier, later in zip(deliveries.PAUSES, deliveries.PAUSES[1:], strict=False))
    assert len({deliveries.pause(3) for _ in range(20)}) > 10
    make_webhook(admin, project, receiver)
    ask(project)
    follow()
    receiver.code = 500
    for _ in range(len(deliveries.PAUSES)):
        courier.round()
        assert only().status == DeliveryStatus.PENDING
        hurry()
    courier.round()
    assert (only().status, only().why) == (DeliveryStatus.GIVEN_UP, "Tried 11 times.")
    hurry()
    assert courier.round() == 0


def test_410_disables_a_webhook_and_ends_what_waits(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver).webhook
    receiver.code = 410
    ask(project), ask(project)
    follow()
    Delivery.objects.filter(pk=Delivery.objects.first().pk).update(next_at=Now() + timedelta(hours=1))
    courier.round()
    assert len(receiver.got) == 1
    assert Webhook.objects.get().disabled_why == "It answered 410: gone."
    assert set(Delivery.objects.values_list("status", flat=True)) == {DeliveryStatus.GIVEN_UP}
    ask(project)
    follow()
    assert Delivery.objects.count() == 2  # nothing is written for it any more
    with pytest.raises(InvalidTransition):
        actions.send_test(admin, made.pk)
    actions.change(admin, made.pk, Wanted("Tickets", f"{receiver.address}/new", ["asked"]))
    assert Webhook.objects.get().disabled_why == ""


def test_a_redirect_is_not_followed(project, admin, receiver, courier):
    with HookServer() as elsewhere:
        receiver.code, receiver.headers = 307, {"location": f"{elsewhere.address}/stolen"}
        make_webhook(admin, project, receiver)
        ask(project)
        follow()
        courier.round()
        assert elsewhere.got == []
    assert (only().status, DeliveryAttempt.objects.get().code) == (DeliveryStatus.PENDING, 307)


def test_one_that_does_not_answer_is_left_after_its_time(project, admin, receiver, courier, monkeypatch):
    monkeypatch.setattr(calling, "SECONDS", 0.5)
    receiver.seconds = 2
    make_webhook(admin, project, receiver)
    ask(project)
    follow()
    courier.round()
    tried = DeliveryAttempt.objects.get()
    assert (tried.code, tried.error) == (0, "It did not answer within 0 seconds.")
    assert 400 < tried.milliseconds < 2000


def test_one_that_says_nothing_for_ever_byte_by_byte_is_left_too(monkeypatch):
    monkeypatch.setattr(calling, "SECONDS", 1)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        caller, _ = listener.accept()
        with caller:
            try:
                while True:
                    caller.sendall(b"H")
                    threading.Event().wait(0.1)
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    call = couriers.Call(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {})
    with Courier() as courier:
        (tried,) = courier._runner.run(couriers._all([call]))
    thread.join()
    listener.close()
    assert not tried.is_sent and tried.milliseconds < 3000


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "64:ff9b:1::7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1",
     "5f00::1", "3fff::1", "2001:0:7f00:1::", "fe80::1%lo"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_known(address):
    assert not calling.is_public(address)


def test_public_addresses_are_known():
    assert all(
        map(calling.is_public, ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"])
def test_nothing_goes_to_this_machine_unless_that_is_allowed(host, receiver, monkeypatch):
    monkeypatch.delenv("QUEENRIGHT_PRIVATE_WEBHOOKS")
    couriers.notice_settings.cache_clear()
    environment.cache_clear()
    port = receiver.address.rpartition(":")[2]
    with Courier() as courier:
        (tried,) = courier._runner.run(couriers._all([couriers.Call(f"http://{host}:{port}/", b"{}", {})]))
    assert not tried.is_sent and receiver.got == []
    assert "private" in tried.error


def test_a_name_is_resolved_once_and_the_call_goes_to_the_address_that_was_checked(receiver, monkeypatch):
    """A name that says something public to the check and something private to the call gains nothing."""
    asked = []
    real = socket.getaddrinfo

    def resolver(host, port, *args, **kwargs):
        if host != "rebinding.example":
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    port = receiver.address.rpartition(":")[2]
    with Courier() as courier:
        (tried,) = courier._runner.run(couriers._all([couriers.Call(f"http://rebinding.example:{port}/", b"{}", {})]))
    assert tried.is_sent and asked == ["rebinding.example"]
    assert receiver.got[0].headers["host"] == f"rebinding.example:{port}"


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example/", "https://", "https://u:p@a.example/", "https://a.example:99999/", "javascript:alert(1)",
     "https://a.example/ b", "https://[::1/", "https://a.example/" + "a" * 2000, "https://a.example\r\nx: y"],
)  # fmt: skip
def test_what_is_no_address_is_refused_beside_its_cause(project, admin, url):
    with pytest.raises(InvalidInput) as caught:
        actions.make(admin, project.pk, new_id(), Wanted("A", url, ["asked"]))
    assert list(caught.value.data["fields"]) == ["url"]


def test_a_name_and_an_occasion_are_needed(project, admin):
    with pytest.raises(InvalidInput) as caught:
        actions.make(admin, project.pk, new_id(), Wanted("a\nb", "https://a.example/", ["asked", "test"]))
    assert set(caught.value.data["fields"]) == {"name", "occasions"}


def test_two_couriers_at_once_send_it_once(project, admin, receiver):
    make_webhook(admin, project, receiver)
    for _ in range(6):
        ask(project)
    follow()

    def carry() -> int:
        with Courier() as one:
            return one.call() + one.call()

    assert sum(at_once(carry, carry, carry)) == 6
    assert len({got.headers["webhook-id"] for got in receiver.got}) == len(receiver.got) == 6


def test_what_one_is_about_to_claim_another_neither_takes_nor_waits_for(project, admin, receiver):
    made = make_webhook(admin, project, receiver).webhook
    for _ in range(2):
        actions.send_test(admin, made.pk)
    other = []

    def claim() -> None:
        other.extend(deliveries.claim_calls())
        connection.close()

    thread = threading.Thread(target=claim)
    with transaction.atomic():
        (mine,) = deliveries.claim_calls(most=1)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    assert [one.pk for one in other] == [one.pk for one in Delivery.objects.exclude(pk=mine.pk)]


def test_who_is_killed_between_sending_and_noting_sends_again_under_the_same_id(project, admin, receiver, courier):
    make_webhook(admin, project, receiver)
    ask(project)
    follow()
    (claimed,) = deliveries.claim_calls()
    couriers._ready(claimed)
    courier._runner.run(couriers._all([couriers._ready(claimed)]))  # and here it is killed
    assert courier.round() == 0  # whoever holds it may still be at it
    Delivery.objects.update(next_at=F("next_at") - deliveries.HOLD)
    assert courier.round() == 1
    one, two = receiver.got
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    assert (only().status, only().attempts) == (DeliveryStatus.SENT, 2)


def test_a_late_note_of_a_failure_does_not_put_off_what_another_tries(project, admin, receiver):
    make_webhook(admin, project, receiver)
    ask(project)
    follow()
    (late,) = deliveries.claim_calls()
    hurry()
    (claimed,) = deliveries.claim_calls()
    before = only().next_at
    deliveries.note(late, deliveries.Tried(False, 500))
    assert only().next_at == before
    deliveries.note(claimed, deliveries.Tried(True, 200))
    deliveries.note(late, deliveries.Tried(False, 500))
    assert only().status == DeliveryStatus.SENT


def test_nothing_is_in_a_transaction_while_it_is_sent(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver).webhook
    ask(project)
    follow()
    locked = []

    def look() -> None:
        with transaction.atomic():
            locked.append(len(Delivery.objects.filter(webhook=made).select_for_update(nowait=True)))
        connection.close()

    receiver.on_call = look
    courier.round()
    assert locked == [1] and only().status == DeliveryStatus.SENT


def test_one_that_does_not_answer_holds_up_no_other(project, admin, receiver):
    with HookServer() as quick:
        slow = make_webhook(admin, project, receiver).webhook
        for _ in range(8):
            actions.send_test(admin, slow.pk)
        other = make_webhook(admin, project, quick).webhook
        actions.send_test(admin, other.pk)
        claimed = deliveries.claim_calls(most=6, each=5)
        assert [one.webhook_id for one in claimed].count(other.pk) == 1


def test_sending_again_has_the_same_id_and_all_its_tries(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver).webhook
    delivery = actions.send_test(admin, made.pk)
    courier.round()
    actions.send_again(admin, made.pk, delivery.pk)
    actions.send_again(admin, made.pk, delivery.pk) if only().next_at > delivery.created_at + timedelta(
        days=1
    ) else None
    courier.round()
    assert [one.headers["webhook-id"] for one in receiver.got] == [str(delivery.pk)] * 2
    assert AuditEntry.objects.filter(action="webhook.send_again").count() == 1
    with pytest.raises(NotFound):
        actions.send_again(admin, make_webhook(admin, project, receiver).webhook.pk, delivery.pk)


def test_a_removed_webhook_is_sent_nothing_and_keeps_no_secret(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver).webhook
    ask(project)
    follow()
    actions.remove(admin, made.pk)
    courier.round()
    assert receiver.got == [] and only().why == "The webhook was removed."
    assert bytes(Webhook.objects.get().secret) == b""
    with pytest.raises(NotFound):
        actions.send_test(admin, made.pk)


def test_a_secret_that_cannot_be_read_is_said(project, admin, receiver, courier):
    make_webhook(admin, project, receiver)
    kind = Webhook.objects.get().secret_kind
    Webhook.objects.update(secret_kind=f"{kind[:-8]}deadbeef")
    ask(project)
    follow()
    courier.round()
    assert receiver.got == [] and "cannot be read" in DeliveryAttempt.objects.get().error


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_only_admins_touch_webhooks(project, admin, receiver, role):
    made = make_webhook(admin, project, receiver).webhook
    member, stranger = make_member(project, role), make_member(make_project())
    wanted = Wanted("A", "https://a.example/", ["asked"])
    for user, error in ((member, Forbidden), (stranger, NotFound)):
        for act in (
            lambda user: actions.make(user, project.pk, new_id(), wanted),
            lambda user: actions.change(user, made.pk, wanted),
            lambda user: actions.rotate(user, made.pk, expected=""),
            lambda user: actions.remove(user, made.pk),
            lambda user: actions.send_test(user, made.pk),
            lambda user: actions.send_again(user, made.pk, new_id()),
        ):
            with pytest.raises(error):
                act(user)


def test_old_deliveries_are_forgotten_but_not_what_waits(project, admin, receiver, courier):
    made = make_webhook(admin, project, receiver).webhook
    actions.send_test(admin, made.pk)
    courier.round()
    actions.send_test(admin, made.pk)
    Delivery.objects.update(created_at=Now() - timedelta(days=31))
    before = Delivery.objects.get(status="sent").created_at + timedelta(seconds=1)
    assert deliveries.forget_old(before) == 1
    assert only().status == DeliveryStatus.PENDING
    assert DeliveryAttempt.objects.count() == 0


def test_a_sealed_secret_opens_again():
    secret = sealing.made()
    stored = sealing.sealed(secret)
    assert sealing.opened(stored.kind, stored.data) == secret
