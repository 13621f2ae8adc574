"""Write prebuilt WebSocket frames: an update for many sockets is framed once.

uvicorn encodes, frames and copies a text on each send, which costs as much as passing it to the kernel. uvicorn accepts
a subclass of its protocol class (`uvicorn.Config(ws=...)`); ours offers the application a function that writes a frame
unchanged. When the server starts, `websocket_protocol` checks the uvicorn internals that this relies on. If they
differ, or on another server, the extension is absent, and messages are sent the usual way.
"""

from asyncio.transports import BaseTransport
from collections.abc import Callable, Mapping
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.config import Limits
from gateway.transports.connection import LEAVE_SECONDS, Unread, connection_log

EXTENSION = "carillon.frames"
BYTES_EXTENSION = "carillon.bytes"
FINAL_TEXT = b"\x81"
SHORT_MAX, MEDIUM_MAX = 125, 0xFFFF
MEDIUM, LONG = b"\x7e", b"\x7f"
PLAIN = "websockets-sansio"

_RELIED_ON = frozenset({"transport", "conn", "writable", "close_sent"})

WriteFrames = Callable[[bytes], bool]
"""Writes whole frames; returns False if the socket takes none now, because it is slow or closing."""


def text_frame(*parts: bytes) -> bytes:
    """Return the parts of a message as one unmasked text frame (RFC 6455, 5.2)."""
    size = sum(map(len, parts))
    if size <= SHORT_MAX:
        return b"".join((FINAL_TEXT, size.to_bytes(1), *parts))
    if size <= MEDIUM_MAX:
        return b"".join((FINAL_TEXT, MEDIUM, size.to_bytes(2), *parts))
    return b"".join((FINAL_TEXT, LONG, size.to_bytes(8), *parts))


def write_frames_of(scope: Mapping[str, Any]) -> WriteFrames | None:
    """Return the function that writes prebuilt frames to a socket; None if the server does not offer it."""
    return cast("WriteFrames | None", scope.get("extensions", {}).get(EXTENSION))


def allow_bytes_of(scope: Mapping[str, Any]) -> Callable[[int], None] | None:
    """Return the function that sets the most bytes of a message; None if the server does not offer it."""
    return cast("Callable[[int], None] | None", scope.get("extensions", {}).get(BYTES_EXTENSION))


class FramesProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with an extension that writes prebuilt frames; it disconnects a client that does not read."""

    limits: Limits
    """Set in the subclass that `websocket_protocol` returns."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over a connection."""
        super().connection_made(transport)
        self.logger = connection_log
        self._unread = Unread()
        self._is_ending = False
        self.conn.max_message_size = self.limits.of_caller(anonymous=True).body

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application, once the socket takes it."""
        if message["type"] == "websocket.close":
            self._is_ending = True
        await super().send(message)

    def close_if_overdue(self, now: float, *, leaving: bool) -> None:
        """Disconnect the client if it has read nothing for too long, which also ends a wait of the application."""
        transport = self.transport
        seconds_max = LEAVE_SECONDS if leaving or self._is_ending else self.limits.unread
        if self._unread.is_overdue(transport, now, paused=not self.writable.is_set(), seconds_max=seconds_max):
            transport.abort()

    def handle_connect(self, event: Request) -> None:
        """Offer the extension unless a WebSocket extension such as compression would change the frames."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][BYTES_EXTENSION] = self._allow_bytes
        if scope is not None and not self.conn.extensions:
            scope["extensions"][EXTENSION] = self.write_frames

    def _allow_bytes(self, bytes_max: int) -> None:
        self.conn.max_message_size = min(self.config.ws_max_size, bytes_max)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; close with 1007 if its text is not UTF-8, which uvicorn would log with a traceback."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def write_frames(self, frames: bytes) -> bool:
        """Write whole frames; return False if the socket takes none now, so that nothing queues behind a slow one."""
        # A transport also closes after the peer has closed, a ping timed out, or the server shuts down.
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True


def websocket_protocol(limits: Limits) -> Any:
    """Return uvicorn's `ws` setting: our protocol if the internals match, else the name of uvicorn's own."""
    init_names = set(WebSocketsSansIOProtocol.__init__.__code__.co_names)
    send_names = set(WebSocketsSansIOProtocol.send.__code__.co_names)
    matches = init_names >= _RELIED_ON and send_names >= _RELIED_ON | {"write"}
    return type("BoundedFramesProtocol", (FramesProtocol,), {"limits": limits}) if matches else PLAIN
