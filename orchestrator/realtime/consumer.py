"""The socket: downlink only. Who may listen is checked when it opens and again while it is open."""

import asyncio
import contextlib
import time
from http import HTTPStatus
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from agents.models import Membership
from orchestrator.realtime.feed import START
from orchestrator.realtime.hub import FeedUnavailable, Subscriber, hub

SIGN_OF_LIFE = 15.0  # seconds of silence after which a frame without facts goes out
RECHECK = 30.0  # seconds after which the right to listen is looked at again
GAP = 0.03  # seconds between two frames; what comes meanwhile goes out together
SIGNED_OUT = 4000 + HTTPStatus.UNAUTHORIZED
NOT_YOURS = 4000 + HTTPStatus.NOT_FOUND
TRY_LATER = 4000 + HTTPStatus.SERVICE_UNAVAILABLE  # 1013 would say it, but a server may not send that one


def _verdict(session_key: str | None, project_id: UUID) -> int:
    """0, or the code to close with: is the session signed in, and its person a member of the project?"""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not user.is_authenticated:
        return SIGNED_OUT
    return 0 if Membership.objects.filter(project_id=project_id, user_id=user.pk).exists() else NOT_YOURS


class LiveFeed(AsyncWebsocketConsumer):
    """Passes a project's facts on to one page."""

    _pump: asyncio.Task[None] | None = None
    _subscriber: Subscriber | None = None

    async def connect(self) -> None:
        """Open, or close with a code that tells the page what to do."""
        self.project_id: UUID = self.scope["url_route"]["kwargs"]["project_id"]
        await self.accept()
        if code := await self._check():
            await self.close(code)
            return
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"))
        try:
            self._subscriber = await hub().join(self.project_id, query.get("cursor", [START])[0])
        except FeedUnavailable:
            await self.close(TRY_LATER)
            return
        self._pump = asyncio.create_task(self._send_frames(self._subscriber))

    async def disconnect(self, code: int) -> None:
        """Forget the page."""
        if self._pump:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump
        if self._subscriber:
            hub().leave(self.project_id, self._subscriber)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing goes up: decisions are HTTP requests."""
        await self.close(NOT_YOURS)

    async def _send_frames(self, subscriber: Subscriber) -> None:
        checked = time.monotonic()
        while True:
            try:
                frame = await subscriber.frame(SIGN_OF_LIFE)
            except FeedUnavailable:
                await self.close(TRY_LATER)
                return
            if time.monotonic() - checked > RECHECK:
                if code := await self._check():
                    await self.close(code)
                    return
                checked = time.monotonic()
            await self.send(text_data=frame)
            await asyncio.sleep(GAP)

    async def _check(self) -> int:
        key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        check: Any = database_sync_to_async(_verdict)
        return int(await check(key, self.project_id))
