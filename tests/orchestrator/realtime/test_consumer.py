"""Who may listen, and what the socket does with those who may not."""

import asyncio
import json
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from agents.models import Membership
from orchestrator.asgi import application
from orchestrator.realtime import consumer, feed
from orchestrator.realtime import hub as hubs
from orchestrator.realtime.feed import Fact
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = b"http://127.0.0.1"


def cookie_of(user) -> bytes:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()


def socket(project_id, cookie: bytes = b"", origin: bytes = ORIGIN, cursor: str = feed.START) -> WebsocketCommunicator:
    headers = [(b"host", b"127.0.0.1"), (b"origin", origin), (b"cookie", cookie)]
    return WebsocketCommunicator(application, f"/live/{project_id}/?cursor={cursor}", headers=headers)


def run(test):
    async def inside():
        try:
            return await asyncio.wait_for(test(), 30)
        finally:
            await hubs.hub().close()

    return asyncio.run(inside())


async def closing_code(communicator) -> int:
    """The code that the server closes with, frames before it passed over."""
    while True:
        event = await communicator.receive_output(20)
        if event["type"] == "websocket.close":
            return event["code"]


def test_a_member_hears_the_facts_of_the_project():
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie)
        assert (await page.connect(timeout=60))[0]
        hello = json.loads(await page.receive_from(20))
        fact = Fact("session.moved", "session:1", "mission", "event")
        await asyncio.to_thread(feed.publish, [(project.pk, fact)])
        told = json.loads(await page.receive_from(20))
        await page.disconnect()
        return hello, told

    hello, told = run(test)
    assert hello == {"cursor": feed.START}
    assert told["facts"] == [["session.moved", "session:1", "mission"]]


@pytest.mark.parametrize(
    ("who", "code"),
    [("nobody", consumer.SIGNED_OUT), ("forged", consumer.SIGNED_OUT), ("stranger", consumer.NOT_YOURS)],
)
def test_others_are_sent_away_with_a_code_that_says_why(who, code):
    project = make_project()
    cookies = {
        "nobody": lambda: b"",
        "forged": lambda: f"{settings.SESSION_COOKIE_NAME}=forged".encode(),
        "stranger": lambda: cookie_of(make_user()),
    }
    cookie = cookies[who]()

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        return await closing_code(page)

    assert run(test) == code


def test_a_project_that_is_not_there_looks_like_one_that_is_not_yours():
    cookie = cookie_of(make_user())

    async def test():
        page = socket(uuid4(), cookie)
        await page.connect(timeout=60)
        return await closing_code(page)

    assert run(test) == consumer.NOT_YOURS


def test_a_page_of_another_site_cannot_connect():
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie, origin=b"https://evil.example")
        return (await page.connect(timeout=60))[0]

    assert run(test) is False


def test_what_a_page_sends_closes_its_socket():
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        await page.send_to(text_data='{"approve": true}')
        return await closing_code(page)

    assert run(test) == consumer.NOT_YOURS


@pytest.mark.parametrize(("loss", "code"), [("membership", consumer.NOT_YOURS), ("session", consumer.SIGNED_OUT)])
def test_who_loses_the_right_while_listening_is_sent_away(loss, code, monkeypatch):
    monkeypatch.setattr(consumer, "RECHECK", 0)
    project = make_project()
    user = make_member(project)
    cookie = cookie_of(user)

    def lose():
        if loss == "membership":
            Membership.objects.filter(user=user).delete()
        else:
            user.set_password("another")  # ends every session of theirs
            user.save()

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        await page.receive_from(20)
        await sync_to_async(lose)()
        fact = Fact("session.moved", "session:secret", "mission", "event")
        await asyncio.to_thread(feed.publish, [(project.pk, fact)])
        return await page.receive_output(20)

    assert run(test) == {"type": "websocket.close", "code": code}


def test_a_page_is_told_to_come_later_while_redis_is_away(redis_away):
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        return await closing_code(page)

    assert run(test) == consumer.TRY_LATER


def test_silence_is_broken_by_a_sign_of_life(monkeypatch):
    monkeypatch.setattr(consumer, "SIGN_OF_LIFE", 0.05)
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        frames = [json.loads(await page.receive_from(20)) for _ in range(3)]
        await page.disconnect()
        return frames

    assert run(test) == [{"cursor": feed.START}] * 3


def test_a_page_that_has_gone_is_forgotten():
    project = make_project()
    cookie = cookie_of(make_member(project))

    async def test():
        page = socket(project.pk, cookie)
        await page.connect(timeout=60)
        await page.receive_from(20)
        await page.disconnect()
        return hubs.hub()._subscribers, hubs.hub()._reader

    assert run(test) == ({}, None)
