"""Web Push: encrypted so that only the browser reads it, signed for its push service; it ends when it is to end."""

import base64
import json
from types import SimpleNamespace

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from py_vapid import Vapid02

from agents.errors import InvalidInput
from agents.models import AuditEntry, Delivery, PushSubscription
from agents.roles import Role
from agents.services import notice_choices
from agents.words import OCCASIONS, Channel, DeliveryStatus
from orchestrator.actions import notices as actions
from orchestrator.conf import notice_settings
from orchestrator.env import Environment
from orchestrator.notices import pushing
from orchestrator.secret import push_key
from tests.factories import make_member
from tests.orchestrator.notices.conftest import follow
from tests.orchestrator.notices.test_who_is_told import ask
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("private")]


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_browser(address: str) -> SimpleNamespace:
    """A browser's keys, and what it says of itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return SimpleNamespace(
        private=key,
        auth=b"0123456789abcdef",
        said={"endpoint": address, "key": plain(point), "auth": plain(b"0123456789abcdef")},
    )


def listen(project, address: str):
    """A member with a browser that is told of everything."""
    user = make_member(project, Role.APPROVER)
    notice_choices.choose(user, project.pk, [(Channel.BROWSER, one) for one in OCCASIONS])
    browser = make_browser(address)
    actions.subscribe(user, **browser.said)
    return user, browser


def test_a_push_decrypts_to_title_and_link_and_is_signed(project, receiver, courier):
    _, browser = listen(project, f"{receiver.address}/push/1")
    receiver.code = 201
    approval = ask(project, proposed={"text": "nobody else reads this"})
    follow()
    assert courier.round() == 1
    (got,) = receiver.got
    shown = json.loads(http_ece.decrypt(got.body, private_key=browser.private, auth_secret=browser.auth))
    assert shown == {
        "title": "Waits for a decision: Publish",
        "body": f"publish_report, medium risk, Mission, {project.name}",
        "url": f"{notice_settings().site}/approvals/{approval.pk}/",
        "tag": f"{approval.pk}:asked",
    }
    assert (got.headers["content-encoding"], got.headers["ttl"]) == ("aes128gcm", "86400")
    assert Vapid02.verify(got.headers["authorization"])
    token = got.headers["authorization"].split("t=")[1].split(",")[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert claims["aud"] == receiver.address and claims["sub"].startswith("mailto:")
    assert f"k={pushing.public_key()}" in got.headers["authorization"]
    assert Delivery.objects.get().status == DeliveryStatus.SENT


@pytest.mark.parametrize("code", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(project, receiver, courier, code):
    listen(project, f"{receiver.address}/push/1")
    receiver.code = code
    ask(project)
    follow()
    courier.round()
    assert not PushSubscription.objects.exists() and not Delivery.objects.exists()


def test_a_service_that_fails_is_tried_again(project, receiver, courier):
    listen(project, f"{receiver.address}/push/1")
    receiver.code = 500
    ask(project)
    follow()
    courier.round()
    assert Delivery.objects.get().status == DeliveryStatus.PENDING
    assert PushSubscription.objects.exists()


def test_keys_that_are_none_are_forgotten_and_hold_up_nobody(project, receiver, courier):
    user, _ = listen(project, f"{receiver.address}/push/1")
    actions.subscribe(user, endpoint=f"{receiver.address}/push/2", key="AAAA", auth="AAAA")
    ask(project)
    follow()
    courier.round()
    assert [one.path for one in receiver.got] == ["/push/1"]
    assert PushSubscription.objects.count() == 1


def test_a_browser_that_somebody_else_used_is_not_told_of_theirs(project, receiver):
    first, browser = listen(project, f"{receiver.address}/push/1")
    second = make_member(project, Role.APPROVER)
    actions.subscribe(second, **browser.said)
    assert PushSubscription.objects.get().user == second
    actions.subscribe(second, **browser.said)
    assert PushSubscription.objects.count() == 1
    assert first.pk != second.pk


def test_two_presses_at_once_subscribe_once(project, receiver):
    user = make_member(project, Role.APPROVER)
    said = make_browser(f"{receiver.address}/push/1").said
    assert all(isinstance(one, PushSubscription) for one in at_once(*[lambda: actions.subscribe(user, **said)] * 3))
    assert PushSubscription.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [{"endpoint": "file:///etc"}, {"endpoint": "https://[::1"}, {"key": ""}, {"key": "a\0"}, {"auth": "a" * 300}],
)
def test_what_is_no_subscription_is_refused(project, changes):
    user = make_member(project, Role.APPROVER)
    with pytest.raises(InvalidInput):
        actions.subscribe(user, **{**make_browser("https://push.example/1").said, **changes})


def test_signing_out_ends_it(project, receiver, courier):
    user, _ = listen(project, f"{receiver.address}/other")
    client = Client()
    client.force_login(user)
    here = make_browser(f"{receiver.address}/here").said
    assert client.post("/notifications/subscribe/", here).status_code == 204
    assert PushSubscription.objects.count() == 2
    client.post("/logout/")
    ask(project)
    follow()
    courier.round()
    assert [one.path for one in receiver.got] == ["/other"]
    assert AuditEntry.objects.filter(action="notices.unsubscribe").count() == 1


def test_switching_it_off_ends_it_and_a_second_press_is_no_fault(project, receiver):
    user = make_member(project, Role.APPROVER)
    client = Client()
    client.force_login(user)
    client.post("/notifications/subscribe/", make_browser(f"{receiver.address}/here").said)
    assert "data-said" in client.get("/notifications/").content.decode()
    for _ in range(2):
        assert client.post("/notifications/unsubscribe/").status_code == 302
    assert not PushSubscription.objects.exists()
    assert "data-said" not in client.get("/notifications/").content.decode()


def test_a_bad_subscription_is_said_to_the_page(project):
    client = Client()
    client.force_login(make_member(project, Role.APPROVER))
    assert client.post("/notifications/subscribe/", {"endpoint": "nonsense"}).status_code == 422
    assert "data-said" not in client.get("/notifications/").content.decode()


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    env = Environment(data=tmp_path)
    made = push_key(env)
    assert push_key(env) == made
    assert (tmp_path / "push_key").stat().st_mode & 0o777 == 0o600
    assert Vapid02.from_raw(made.encode()).private_key
    assert len({*at_once(*[lambda: push_key(Environment(data=tmp_path / "new"))] * 4)}) == 1
