"""A minimal HTTP/1.1 client, so that the gateway is measured and not the client."""

import asyncio
import contextlib
from typing import Self, cast

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = b"content-length:"
RESPONSE_SECONDS_MAX = 30


class BenchError(Exception):
    """A wrong answer or a failed run, whose speed means nothing."""


def http_request(method: str, path: str, host: str, *, token: str | None = None, body: bytes = b"") -> bytes:
    """Return the bytes of a request; a body is JSON."""
    head = [f"{method} {path} HTTP/1.1", f"host: {host}", "accept: application/json"]
    if token is not None:
        head.append(f"authorization: Bearer {token}")
    if body:
        head += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_start = 0
        self._end = 0
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def close(self) -> None:
        """Close the connection; a pending `send` raises."""
        if self._transport is not None:
            self._transport.close()

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return the status and body of its response.

        Raises:
            BenchError: the connection closed, or the response took longer than RESPONSE_SECONDS_MAX.
        """
        if self._transport is None or self._transport.is_closing():
            raise BenchError("the gateway closed a keep-alive connection")
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(RESPONSE_SECONDS_MAX):
                return await self._response
        except TimeoutError:
            raise BenchError(f"no response within {RESPONSE_SECONDS_MAX} s") from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect a response; complete `send` when it is whole."""
        self._buffer += data
        if self._end == 0 and not self._read_head():
            return
        if len(self._buffer) >= self._end:
            status, body = int(self._buffer[9:12]), bytes(self._buffer[self._body_start : self._end])
            self._buffer.clear()
            self._end = 0
            if self._response is not None and not self._response.done():
                self._response.set_result((status, body))

    def _read_head(self) -> bool:
        """Find where the response ends; False if its head is not complete yet."""
        head_end = self._buffer.find(HEAD_END)
        if head_end < 0:
            return False
        head = bytes(self._buffer[:head_end]).lower()
        position = head.find(CONTENT_LENGTH)
        if position < 0:
            self._fail(BenchError("a response has no content-length"))
            return False
        self._body_start = head_end + len(HEAD_END)
        self._end = self._body_start + int(head[position + len(CONTENT_LENGTH) :].split(b"\r\n", 1)[0])
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail a pending `send`."""
        self._fail(BenchError(f"the gateway closed a connection before it responded ({exc or 'end of stream'})"))

    def _fail(self, error: BenchError) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(error)


async def is_ready(host: str, port: int) -> bool:
    """Return whether the gateway is ready for requests."""
    with contextlib.suppress(OSError, BenchError):
        connection = await Connection.open(host, port)
        try:
            status, _ = await connection.send(http_request("GET", "/readyz", host))
        finally:
            connection.close()
        return status == 200  # noqa: PLR2004 - OK
    return False
