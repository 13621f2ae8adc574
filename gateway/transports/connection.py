"""Bounds every connection: the size of a request's head, and the time that a client may take to send or to read.

uvicorn bounds neither with httptools: a header without an end was read for as long as it came, and a client that sends
half a request, or reads nothing, kept its connection and delayed the end of the process. A timer for each request would
cost every request, so a task checks all connections every CHECK_SECONDS (`close_overdue`).
"""

import asyncio
import fcntl
import logging
import sys
import termios
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.config import Limits
from gateway.transports.http import NOSNIFF
from gateway.transports.joining_transport import JoiningTransport

CHECK_SECONDS = 1.0
BODY_BYTES_PER_SECOND = 1000
"""A body that comes more slowly, on average over the time for a head, is refused."""

LEAVE_SECONDS = 1.0
"""Replaces CARILLON_LIMIT_UNREAD when the process ends, or the socket is to close: an unread close delays neither."""

LINGER_SECONDS = 2.0
"""Seconds in which a client may still send the rest of a request that is answered, which is dropped."""

HEADERS_MAX = 100
PIPELINED_MAX = 64
"""Requests that wait on one connection for those before them."""

STATUS_LINES = {
    400: b"HTTP/1.1 400 Bad Request\r\n",
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    413: b"HTTP/1.1 413 Content Too Large\r\n",
    429: b"HTTP/1.1 429 Too Many Requests\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}


# uvicorn writes a line for each request that is not HTTP, and for each socket one with its address and whole path:
# strangers would fill the log.
connection_log = logging.getLogger("carillon.connections")
connection_log.setLevel(logging.ERROR)


class _Refused(Exception):  # noqa: N818 - answered with its status
    """Raised in the parser's callbacks to stop it."""


def _unacknowledged_bytes(transport: asyncio.Transport) -> int:
    """Return the bytes in the kernel's queue, which takes megabytes before the transport notices a slow client."""
    with suppress(OSError, AttributeError):
        queued = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(queued, sys.byteorder)
    return 0


class Unread:
    """How long a client has read nothing of what waits for it."""

    __slots__ = ("_bytes", "_since")

    def __init__(self) -> None:
        self._bytes = 0
        self._since = 0.0

    def _seconds(self, transport: asyncio.Transport, now: float) -> float:
        """Return the seconds since a check at which less was waiting than at the one before."""
        waiting = transport.get_write_buffer_size() + _unacknowledged_bytes(transport)
        if not waiting or not self._bytes or waiting < self._bytes:
            self._since = now
        self._bytes = waiting
        return now - self._since

    def is_overdue(self, transport: asyncio.Transport, now: float, *, paused: bool, seconds_max: float) -> bool:
        """Return whether the client has read nothing for `seconds_max`; `paused`: the transport takes no more.

        Only a transport that is paused or closing matters. Otherwise little waits, and the connection may be slow.
        """
        if not (paused or transport.is_closing()):
            self._bytes = 0
            return False
        return self._seconds(transport, now) >= seconds_max


def close_overdue(connections: Iterable[Any], now: float, *, leaving: bool) -> None:
    """End the connections whose client is too slow; `leaving`: the process ends. Those without a check are skipped."""
    for connection in [*connections]:
        check = getattr(connection, "close_if_overdue", None)
        if check is not None:
            check(now, leaving=leaving)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds, and with the header that every answer has in its own refusals."""

    limits: Limits
    """Set in the subclass that `http_protocol` returns."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = connection_log
        self._unread: Final = Unread()
        # Bytes of the head or body that is arriving, at least; None between requests.
        self._received: int | None = None
        self._read_bytes = 0
        self._head_complete = self._ignores_input = False
        self._started_at = self._answered_at = 0.0
        self._refusal: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, f"More than {self.limits.connections} connections (CARILLON_LIMIT_CONNECTIONS).")
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, within the limits."""
        if self._ignores_input:
            return
        self._read_bytes = len(data)
        if self._received is None:
            self._received, self._head_complete, self._started_at = 0, False, self.loop.time()
        self._received += self._read_bytes
        super().data_received(data)
        self._check_size()

    def _check_size(self) -> None:
        if self._received is None or self._ignores_input:
            return
        if not self._head_complete:
            if self._received > self.limits.head:
                self._refuse(431, self._head_message())
        elif self._received > 2 * self.limits.body + self.limits.head:
            # The application counts a body without its framing, and not at all once it has answered.
            self._refuse(413, f"The request is larger than {self.limits.body} bytes (CARILLON_LIMIT_BODY).")

    def on_message_begin(self) -> None:
        """Start a request."""
        if self._received is None:  # a pipelined one, in the same read as the one before
            self._received, self._head_complete, self._started_at = 0, False, self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start to answer the request, or to queue it behind those before it."""
        if len(self.headers) > HEADERS_MAX:
            self._stop(431, f"The request has more than {HEADERS_MAX} headers.")
        # The exact size only if it can be too large: the read may hold more than this head.
        if (self._received or 0) + self._read_bytes > self.limits.head:
            size = len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
            if size > self.limits.head:
                self._stop(431, self._head_message())
        if len(self.pipeline) >= PIPELINED_MAX:
            self._stop(429, f"More than {PIPELINED_MAX} requests wait on this connection.")
        self._head_complete, self._received = True, 0
        cycle_before = self.cycle
        super().on_headers_complete()
        # A request for an upgrade has no cycle, and the answer to HEAD has no body that its head could wait for.
        if self.cycle is not cycle_before and self.scope["method"] != "HEAD":
            self.cycle.transport = cast("asyncio.Transport", JoiningTransport(self.transport))

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._received = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that a request is answered, perhaps before its end."""
        super().on_response_complete()
        if self._received is not None:
            self._answered_at = self.loop.time()

    def close_if_overdue(self, now: float, *, leaving: bool) -> None:
        """End the connection if its client takes too long to send a request, or to read an answer."""
        transport = self.transport
        seconds_max = LEAVE_SECONDS if leaving else self.limits.unread
        if self._unread.is_overdue(transport, now, paused=self.flow.write_paused, seconds_max=seconds_max):
            transport.abort()
        elif transport.is_closing():
            return
        elif self._received is None and not self._ignores_input:
            self._limit_idle_time()
        elif self._is_answering and not self._is_receiving_body:
            self._started_at = now  # the next request may take its time while the one before is answered
        elif self._ignores_input or (self._head_complete and not self._is_answering):
            if now - self._answered_at > LINGER_SECONDS:
                transport.close()
        else:
            body_seconds = (self._received or 0) / BODY_BYTES_PER_SECOND if self._head_complete else 0
            if now - self._started_at > self.limits.arrival + body_seconds:
                what = "body" if self._head_complete else "head"
                self._refuse(408, f"The request's {what} came too slowly (CARILLON_LIMIT_ARRIVAL).")

    def shutdown(self) -> None:
        """Close the connection as soon as the requests on it that are complete are answered."""
        super().shutdown()
        if self._is_receiving_body or self._ignores_input:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or what a limit has stopped, and close the connection."""
        self._refuse(*(self._refusal or (400, msg)))

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _is_receiving_body(self) -> bool:
        """Whether the request that is being answered, the only one, has not arrived whole, and has no answer yet."""
        if self._received is None or not self._head_complete or self.pipeline:
            return False
        return self._is_answering and not self.cycle.response_started

    def _limit_idle_time(self) -> None:
        """Start the timer of an idle connection: uvicorn does so only when the answer comes after the request's end."""
        if not self._is_answering and self.timeout_keep_alive_task is None:
            handler = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, handler)

    def _stop(self, status: int, message: str) -> None:
        """Stop the parser in one of its callbacks; it reports a fault, which is answered with this refusal."""
        self._refusal = status, message
        raise _Refused

    def _head_message(self) -> str:
        return f"The request's line and headers are larger than {self.limits.head} bytes (CARILLON_LIMIT_HEAD)."

    def _refuse(self, status: int, message: str) -> None:
        """Answer with a status of our own, and close the connection; requests before it on it are answered first."""
        self._ignores_input = True
        if self._is_receiving_body:
            self.cycle.disconnected = True  # the application, which waits for the body, must not answer too
            self.cycle.message_event.set()
        elif self._is_answering:
            self.cycle.keep_alive = False
            if self._received is not None and self._head_complete:
                self.transport.abort()  # the application would wait for the rest
            return
        content = (
            STATUS_LINES[status],
            b"content-type: text/plain; charset=utf-8\r\n",
            *(b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, NOSNIFF)),
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(message),
            message.encode("ascii"),
        )
        self.transport.write(b"".join(content))
        # Closed a little later: a client that still sends would get a reset, and not the answer.
        self._answered_at = self.loop.time()
        self.transport.write_eof()


def http_protocol(limits: Limits) -> type[HttpProtocol]:
    """Return uvicorn's `http` setting: our protocol, with these limits."""
    return type("BoundedHttpProtocol", (HttpProtocol,), {"limits": limits})
