"""How long a caller is kept waiting for the beginning of an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request

from hstore_api.errors import SlowAnswerError, answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANSWER_WITHIN_S = 300.0
"""Longest time until an answer begins, s: the first question to a model trains it, which takes up to a minute."""


class DeadlineMiddleware:
    """Answer 503 where the answer has not begun in time.

    A thread cannot be stopped: what was begun goes on to its end, and its answer is dropped. A write that named
    itself with an idempotency key can be repeated and then gets that answer.
    """

    def __init__(self, app: ASGIApp, within_s: float = ANSWER_WITHIN_S) -> None:
        self._app = app
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        late = _Late(scope, receive, send, self._within_s)
        timer = asyncio.get_running_loop().call_later(self._within_s, late.give_up)
        try:
            await self._app(scope, receive, late.send)
        finally:
            timer.cancel()
            await late.told()


class _Late:
    """One answer, begun or given up."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, within_s: float) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._within_s = within_s
        self._begun = False
        self._telling: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on, unless the answer was given up."""
        if self._telling is None:
            self._begun = True
            await self._send(message)

    def give_up(self) -> None:
        """Answer in place of the app, unless it has begun to."""
        if not self._begun:
            self._telling = asyncio.create_task(self._tell())

    async def told(self) -> None:
        """Wait until the answer in place of the app is out."""
        if self._telling is not None:
            await self._telling

    async def _tell(self) -> None:
        error = SlowAnswerError(f"no answer within {self._within_s:g} s")
        await answer(Request(self._scope), error)(self._scope, self._receive, self._send)
