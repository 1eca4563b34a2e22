"""How long a connection is waited for: the server below sets no limit to the time of a request's head."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_WITHIN_S = 15.0
"""Time in which the head of a request (line and headers) must have come, s."""

MAX_HEAD_BYTES = 64_000
"""Largest head of a request; h11 stops at 16 kB before."""

READ_WITHIN_S = 60.0
"""Longest time for which a caller may leave an answer unread, s."""


class _Patience(asyncio.Protocol):
    """End connections that keep the server waiting; in front of a protocol of uvicorn."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Hand on what came, and wait for the rest of a head, or no longer."""
        super().data_received(data)
        if self._answering():
            self._wait_no_more()
            return
        self._wait()
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._wait_no_more()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the caller to read."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self._after(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait for the caller no longer."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self._after(HEAD_WITHIN_S, self._give_up)

    def _wait_no_more(self) -> None:
        self._head_bytes = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if not self._answering():
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()

    def _after(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, act)


HttpProtocol: type[asyncio.Protocol] = type("HttpProtocol", (_Patience, AutoHTTPProtocol), {})
"""The protocol of uvicorn that fits what is installed, with patience of a known length."""
