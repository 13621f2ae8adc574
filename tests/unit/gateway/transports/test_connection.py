"""Connections are bounded: heads, bodies, pipelines, and clients that send or read too slowly; also while it stops."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect

from gateway.config import Limits, Settings
from gateway.server import Server, listen
from gateway.state import Connections
from gateway.transports import connection

LIMITS = Limits(head=4096, body=20_000, arrival=0.4, unread=1.0, connections=60)
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
WITHIN = 5.0


class Application:
    """Reads the body, then answers its size; `/early` answers at once, `/slow` later, `/large` and `/stream` much."""

    def __init__(self) -> None:
        self.finish_slow = asyncio.Event()
        self.sockets = self.streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
        elif scope["type"] == "websocket":
            await self._socket(receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0
        if scope["path"] != "/early":
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                size += len(message["body"])
                more = message["more_body"]
        if scope["path"] == "/slow":
            await self.finish_slow.wait()
        if scope["path"] == "/stream":
            await self._stream(send)
            return
        body = b"x" * 5_000_000 if scope["path"] == "/large" else b"%d" % size
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, send: Send) -> None:
        self.streams += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self.streams -= 1

    async def _socket(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.sockets += 1
        try:
            for _ in range(1000):
                await send({"type": "websocket.send", "text": "x" * 100_000})
        except OSError:
            pass
        finally:
            self.sockets -= 1


class Running:
    """A server in this process."""

    def __init__(self, server: Server, application: Application, port: int, task: asyncio.Task[None]) -> None:
        self.server, self.application, self.port, self.task = server, application, port, task

    async def opened(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        return reader, writer

    async def answer(self, sent: bytes) -> bytes:
        """Return everything that is answered until the server closes the connection."""
        reader, writer = await self.opened(sent)
        try:
            async with asyncio.timeout(WITHIN):
                return await reader.read()
        finally:
            writer.close()

    async def stop(self) -> float:
        """Stop as a signal does once the drain is over; return the seconds."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.server.should_exit = True
        async with asyncio.timeout(25):
            await self.task
        return loop.time() - started


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async with serving(monkeypatch, LIMITS) as started:
        yield started


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, limits: Limits) -> AsyncIterator[Running]:
    """Serve in this process, with shorter times, and without excluding its objects from garbage collection."""
    for name, seconds in {"CHECK": 0.05, "LEAVE": 0.3, "LINGER": 0.3}.items():
        monkeypatch.setattr(connection, f"{name}_SECONDS", seconds)
    monkeypatch.setattr("gateway.server.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("gateway.transports.frames.LEAVE_SECONDS", 0.3)
    for change in ("freeze", "set_threshold"):
        monkeypatch.setattr(gc, change, lambda *_: None)
    application, sock = Application(), listen("127.0.0.1", 0)
    gateway: Any = SimpleNamespace(app=application, connections=Connections(limits, SimpleNamespace()))  # type: ignore[arg-type]
    server = Server(gateway, Settings(keep_alive_seconds=2), limits)
    server.config.loop = "none"
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.01)
    try:
        yield Running(server, application, sock.getsockname()[1], task)
    finally:
        application.finish_slow.set()
        server.should_exit = True
        await task


def chunked(*sizes: int, extension: bytes = b"") -> bytes:
    """Return a POST with a chunked body."""
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (size, extension, b"x" * size) for size in sizes)
    return b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def head(*headers: bytes, target: bytes = b"/") -> bytes:
    return b"\r\n".join((b"GET %b HTTP/1.1" % target, b"host: a", *headers, b"", b""))


@pytest.mark.parametrize(
    "sent",
    [
        head(b"x-a: " + b"a" * 5000),
        head(b"x-a: " + b"a" * 100_000),
        head(*(b"x-%d: %b" % (number, b"a" * 80) for number in range(60))),
        head(*(b"a%d:" % number for number in range(101))),
        head(target=b"/" + b"a" * 5000),
        b"GET /" + b"a" * 5000,  # none of these ever ends
        b"GET / HTTP/1.1\r\nx-a: " + b"a" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"a" * 9000,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1000,
        b"\r\n" * 5000,
    ],
)
async def test_heads_are_bounded(running: Running, sent: bytes) -> None:
    answer = await running.answer(sent)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer
    assert b"\r\nconnection: close\r\n" in answer
    assert (await running.answer(head(b"connection: close"))).startswith(b"HTTP/1.1 200 ")


async def test_endless_head_is_read_no_further_than_its_limit(running: Running) -> None:
    reader, writer = await running.opened(b"GET / HTTP/1.1\r\nx-a: ")
    sent = 0
    try:
        async with asyncio.timeout(WITHIN):
            while sent < 200_000_000:
                writer.write(b"a" * 65_536)
                await writer.drain()
                sent += 65_536
                if b"431" in reader._buffer:  # type: ignore[attr-defined]  # noqa: SLF001 - without waiting
                    break
    except OSError:
        pass
    assert sent < 20_000_000
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [head(b"x-a: " + b"a" * 3900, b"connection: close"), GET * 50 + head(b"connection: close")],
)
async def test_heads_within_the_limits_are_answered(running: Running, sent: bytes) -> None:
    answer = await running.answer(sent)
    assert answer.count(b"HTTP/1.1 200 ") == sent.count(b"GET")
    assert b"HTTP/1.1 4" not in answer


async def test_pipelined_requests_are_bounded_and_those_before_are_answered(running: Running) -> None:
    reader, writer = await running.opened(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n" + GET * 1000)
    await asyncio.sleep(0.2)
    assert len(running.server.server_state.tasks) == 1
    running.application.finish_slow.set()
    async with asyncio.timeout(WITHIN):
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1 200 ") == connection.PIPELINED_MAX + 1
    writer.close()


async def trickle(writer: asyncio.StreamWriter, sent: bytes, pause: float) -> None:
    try:
        for number in range(len(sent)):
            writer.write(sent[number : number + 1])
            await writer.drain()
            await asyncio.sleep(pause)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("first", "slowly"),
    [
        (b"", GET),
        (b"G", b""),
        (GET, GET),
        (b"GET / HTTP/1.1\r\nx-a: a\r\n", b"x-b: " + b"b" * 100),
        (POST % 100, b"x" * 100),
        (POST % 100, b""),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 50),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n", b""),
    ],
)
async def test_a_request_must_arrive_in_time(running: Running, first: bytes, slowly: bytes) -> None:
    reader, writer = await running.opened(first)
    sending = asyncio.create_task(trickle(writer, slowly, 0.05))
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout(WITHIN):
        answer = await reader.read()
    assert b"HTTP/1.1 408 " in answer
    assert LIMITS.arrival - 0.1 <= loop.time() - started < 2
    sending.cancel()
    writer.close()
    assert await gone(running)


async def gone(running: Running) -> bool:
    """Wait until no connection is left."""
    async with asyncio.timeout(WITHIN):
        while running.server.server_state.connections:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.02)
    return True


async def test_a_body_that_keeps_coming_fast_enough_may_take_longer(running: Running) -> None:
    reader, writer = await running.opened(POST % 5000)
    for _ in range(10):
        writer.write(b"x" * 500)
        await asyncio.sleep(0.1)
    async with asyncio.timeout(WITHIN):
        assert (await reader.readuntil(b"5000")).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("sent", [chunked(*[1] * 120_000), chunked(1, extension=b";a=" + b"b" * 1_000_000)])
async def test_the_framing_of_a_body_is_bounded(running: Running, sent: bytes) -> None:
    assert (await running.answer(sent)).startswith(b"HTTP/1.1 413 ")


async def test_the_rest_of_a_body_that_is_answered_is_dropped_for_a_while_only(running: Running) -> None:
    reader, writer = await running.opened(b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\n")
    async with asyncio.timeout(WITHIN):
        sending = asyncio.create_task(trickle(writer, b"x" * 10_000, 0.01))
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
        with suppress(ConnectionError):  # a reset, as some of what was sent is not read
            assert await reader.read() == b""
    sending.cancel()
    writer.close()


async def test_a_connection_answers_again_after_a_body_that_came_behind_its_answer(running: Running) -> None:
    reader, writer = await running.opened(b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n")
    async with asyncio.timeout(WITHIN):
        await reader.readuntil(b"\r\n\r\n0")
        writer.write(b"xxx" + GET)
        await reader.readuntil(b"\r\n\r\n0")
        assert await reader.read() == b""  # closed when it was idle for two seconds
    writer.close()


async def test_connections_are_bounded(running: Running) -> None:
    opened = [await running.opened(b"GET") for _ in range(LIMITS.connections)]
    assert (await running.answer(b"")).startswith(b"HTTP/1.1 503 ")
    for _, writer in opened:
        writer.close()
    assert await gone(running)
    assert (await running.answer(head(b"connection: close"))).startswith(b"HTTP/1.1 200 ")


def deaf_socket(port: int) -> socket.socket:
    """Return a connection whose client will not read, with a small receive buffer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


Deaf = Callable[[Running], Awaitable[Any]]


async def deaf_request(running: Running) -> Any:
    sock = deaf_socket(running.port)
    await asyncio.get_running_loop().sock_sendall(sock, b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
    return sock


async def deaf_last_request(running: Running) -> Any:
    sock = deaf_socket(running.port)
    sent = b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(sock, sent)
    return sock


async def deaf_stream(running: Running) -> Any:
    sock = deaf_socket(running.port)
    await asyncio.get_running_loop().sock_sendall(sock, b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")
    return sock


async def deaf_websocket(running: Running) -> Any:
    sock = deaf_socket(running.port)
    sent = (
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await asyncio.get_running_loop().sock_sendall(sock, sent)
    return sock


@pytest.mark.parametrize("deaf", [deaf_request, deaf_last_request, deaf_stream, deaf_websocket])
async def test_a_client_that_does_not_read_is_disconnected(running: Running, deaf: Deaf) -> None:
    sock = await deaf(running)
    await asyncio.sleep(0.5)
    assert len(running.server.server_state.connections) == 1
    assert await gone(running)
    assert running.application.sockets == running.application.streams == 0
    sock.close()


async def test_a_client_that_reads_slowly_is_not_disconnected(running: Running) -> None:
    sock = deaf_socket(running.port)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    received = 0
    for _ in range(12):  # each 0.25 s, for three times as long as nothing may be read
        received += len(await loop.sock_recv(sock, 100_000))
        await asyncio.sleep(0.25)
    while data := await loop.sock_recv(sock, 1_000_000):
        received += len(data)
    assert received > 5_000_000
    sock.close()


async def test_half_sent_requests_and_deaf_clients_do_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = LIMITS.model_copy(update={"connections": 2000, "arrival": 60.0})
    async with serving(monkeypatch, limits) as running:
        halves = (b"", b"GET / HT", POST % 100, POST % 100 + b"x", b"GET / HTTP/1.1\r\nx-a: ", GET + b"GET")
        opened = [await running.opened(halves[number % len(halves)]) for number in range(300)]
        deaf = [await each(running) for each in (deaf_request, deaf_last_request, deaf_stream, deaf_websocket)]
        reader, writer = await running.opened(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        await asyncio.sleep(0.5)
        assert len(running.server.server_state.connections) == 305
        asyncio.get_running_loop().call_later(1.0, running.application.finish_slow.set)
        assert 1.0 <= await running.stop() < 4
        # The request in flight was finished.
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        for _, one in [*opened, (reader, writer)]:
            one.close()
        for sock in deaf:
            sock.close()


async def test_sockets_that_read_are_served_whole(running: Running) -> None:
    async with connect(f"ws://127.0.0.1:{running.port}/", max_size=None) as client:
        for _ in range(1000):
            assert len(await client.recv()) == 100_000
