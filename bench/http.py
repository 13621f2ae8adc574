"""A bare HTTP/1.1 client, so that what is measured is the gateway and not the client."""

import asyncio
import contextlib
from typing import Self, cast

HEAD_END = b"\r\n\r\n"
CONTENT_LENGTH = b"content-length:"
ANSWER_SECONDS_MAX = 30


class BenchError(Exception):
    """What was measured is not right, so that its speed means nothing."""


def http_request(method: str, path: str, host: str, *, token: str | None = None, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire; a body is JSON."""
    head = [f"{method} {path} HTTP/1.1", f"host: {host}", "accept: application/json"]
    if token is not None:
        head.append(f"authorization: Bearer {token}")
    if body:
        head += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_start = 0
        self._end = 0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def close(self) -> None:
        """Close the connection; whoever waits for an answer gets an error."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return its answer: status and body."""
        if self._transport is None or self._transport.is_closing():
            raise BenchError("the gateway closed a connection that was to be kept alive")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._answer
        except TimeoutError:
            raise BenchError(f"no answer within {ANSWER_SECONDS_MAX} s") from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are not of asyncio's class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; tell it when it is whole."""
        self._buffer += data
        if self._end == 0 and not self._read_head():
            return
        if len(self._buffer) >= self._end:
            status, body = int(self._buffer[9:12]), bytes(self._buffer[self._body_start : self._end])
            self._buffer.clear()
            self._end = 0
            if self._answer is not None and not self._answer.done():
                self._answer.set_result((status, body))

    def _read_head(self) -> bool:
        """Find where the answer ends; False where its head is not whole yet."""
        head_end = self._buffer.find(HEAD_END)
        if head_end < 0:
            return False
        head = bytes(self._buffer[:head_end]).lower()
        place = head.find(CONTENT_LENGTH)
        if place < 0:
            self._fail(BenchError("an answer came without content-length"))
            return False
        self._body_start = head_end + len(HEAD_END)
        self._end = self._body_start + int(head[place + len(CONTENT_LENGTH) :].split(b"\r\n", 1)[0])
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that no answer will come."""
        self._fail(BenchError(f"the gateway closed a connection before it answered ({exc or 'end of stream'})"))

    def _fail(self, error: BenchError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


async def is_ready(host: str, port: int) -> bool:
    """Say whether the gateway takes requests."""
    with contextlib.suppress(OSError, BenchError):
        connection = await Connection.open(host, port)
        try:
            status, _ = await connection.ask(http_request("GET", "/readyz", host))
        finally:
            connection.close()
        return status == 200  # noqa: PLR2004 - OK
    return False
