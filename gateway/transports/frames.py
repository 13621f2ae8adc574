"""Ready WebSocket frames, written past what one message goes through: an update for many sockets is framed once.

uvicorn encodes, frames and copies a text for each send, which costs as much again as handing it to the kernel. Its
protocol class may be replaced by a subclass (`uvicorn.Config(ws=...)`); ours offers the application a function that
writes a frame as it is. What it relies on is checked when the server starts: where uvicorn is not what it was written
against, and on any other server, the extension is absent, and messages go the usual way.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "carillon.frames"
FINAL_TEXT = b"\x81"
SHORT_MAX, MEDIUM_MAX = 125, 0xFFFF
MEDIUM, LONG = b"\x7e", b"\x7f"
PLAIN = "websockets-sansio"

_RELIED_ON = frozenset({"transport", "conn", "writable", "close_sent"})

WriteFrames = Callable[[bytes], bool]
"""Writes whole frames at once; False where the socket takes none now: it is slow, or going."""


def text_frame(*parts: bytes) -> bytes:
    """Return the parts of a message as one unmasked text frame (RFC 6455, 5.2)."""
    size = sum(map(len, parts))
    if size <= SHORT_MAX:
        return b"".join((FINAL_TEXT, size.to_bytes(1), *parts))
    if size <= MEDIUM_MAX:
        return b"".join((FINAL_TEXT, MEDIUM, size.to_bytes(2), *parts))
    return b"".join((FINAL_TEXT, LONG, size.to_bytes(8), *parts))


def write_frames_of(scope: Mapping[str, Any]) -> WriteFrames | None:
    """Return what writes ready frames to a socket; None where its server has no such thing."""
    return cast("WriteFrames | None", scope.get("extensions", {}).get(EXTENSION))


class FramesProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with an extension that writes ready frames."""

    def handle_connect(self, event: Request) -> None:
        """Offer the extension, where frames go out as they are: compression would change them."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None and not self.conn.extensions:
            scope["extensions"][EXTENSION] = self.write_frames

    def write_frames(self, frames: bytes) -> bool:
        """Write whole frames; False where the socket takes none now, so that nothing piles up behind a slow one."""
        # A transport is closing, too, once the other side has closed, a ping got no answer, or the server shuts down.
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True


def websocket_protocol() -> Any:
    """Return what uvicorn serves WebSockets with: ours, where its own is as ours relies on; else its own."""
    named = set(WebSocketsSansIOProtocol.__init__.__code__.co_names)
    sends = set(WebSocketsSansIOProtocol.send.__code__.co_names)
    known = named >= _RELIED_ON and sends >= _RELIED_ON | {"write"}
    return FramesProtocol if known else PLAIN
