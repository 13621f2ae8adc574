"""Live deliveries from one gateway: a till records events, and every update must reach every socket of its member.

Each of the till's connections records an event, waits until the update has reached every socket of its member, and
records the next: one connection shows the latency of an update, several show the deliveries per second.
"""

import asyncio
import base64
import secrets
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any, cast

import orjson

from bench.gateway import Member, Site
from bench.http import HEAD_END, BenchError, Connection
from bench.loads.load import WARM_UP_SHARE, Latency, Round, Stopwatch, data_of, together
from bench.operations import LIVE, Till

OPENED_AT_ONCE = 50
ARRIVAL_SECONDS_MAX = 30
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FIN = 0x80
SHORT_MAX, MEDIUM = 125, 126


@dataclass(slots=True)
class _Delivery:
    """The moments at which one version of one member arrived on the member's sockets."""

    moments: list[float] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class SocketPool:
    """All sockets, and the updates that arrived on them."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.watchers: defaultdict[Member, int] = defaultdict(int)
        self.failure: BenchError | None = None
        self._deliveries: defaultdict[tuple[Member, int], _Delivery] = defaultdict(_Delivery)

    async def open(self, site: Site, sockets: int) -> None:
        """Open `sockets` sockets, members in turn, and wait until each is subscribed and has its first state."""
        for first in range(0, sockets, OPENED_AT_ONCE):
            members = [site.members[n % len(site.members)] for n in range(first, min(first + OPENED_AT_ONCE, sockets))]
            await together(*(self._open(site, member) for member in members))

    async def _open(self, site: Site, member: Member) -> None:
        socket = Socket(self, member, f"{site.host}:{site.port}")
        await asyncio.get_running_loop().create_connection(lambda: socket, site.host, site.port)
        self.sockets.append(socket)
        self.watchers[member] += 1
        await _within(socket.subscribed, "a socket did not receive its first state")
        self.check()

    def close(self) -> None:
        """Close all sockets."""
        for socket in self.sockets:
            socket.close()

    def fail(self, reason: str) -> None:
        """End the round: an update is missing or unexpected."""
        if self.failure is None:
            self.failure = BenchError(reason)
        for delivery in self._deliveries.values():
            delivery.complete.set()

    def check(self) -> None:
        """Raise the first failure of any socket."""
        if self.failure is not None:
            raise self.failure

    def record_arrival(self, member: Member, version: int, moment: float) -> None:
        """Record an update on one socket."""
        delivery = self._deliveries[member, version]
        delivery.moments.append(moment)
        if len(delivery.moments) == self.watchers[member]:
            delivery.complete.set()

    async def wait_for_arrivals(self, member: Member, version: int) -> list[float]:
        """Wait until a version has reached every socket of its member; return the moments of arrival."""
        self.check()
        delivery = self._deliveries[member, version]
        await _within(delivery.complete, f"version {version} did not reach all {self.watchers[member]} sockets")
        self.check()
        del self._deliveries[member, version]
        return delivery.moments


async def _within(event: asyncio.Event, missing: str) -> None:
    if event.is_set():
        return
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
            await event.wait()
    except TimeoutError:
        raise BenchError(f"{missing} within {ARRIVAL_SECONDS_MAX} s") from None


class Socket(asyncio.Protocol):
    """A member's socket (graphql-transport-ws) that expects each version once, in order; anything else fails."""

    def __init__(self, pool: SocketPool, member: Member, host: str) -> None:
        self.subscribed = asyncio.Event()
        self._pool, self._member, self._host = pool, member, host
        self._buffer = bytearray()
        self._upgraded = self._closing = False
        self._version: int | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the WebSocket handshake."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (
            *("GET /graphql HTTP/1.1", f"host: {self._host}", "upgrade: websocket", "connection: upgrade"),
            *("sec-websocket-version: 13", f"sec-websocket-key: {nonce}"),
            *("sec-websocket-protocol: graphql-transport-ws", "", ""),
        )
        self._transport.write("\r\n".join(head).encode())

    def close(self) -> None:
        """Close the socket."""
        self._closing = True
        if self._transport is not None:
            self._send_frame(CLOSE, struct.pack("!H", 1000))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail: a socket that the gateway drops loses updates."""
        if not self._closing:
            self._fail(f"a socket was lost ({exc or 'end of stream'})")

    def _fail(self, reason: str) -> None:
        self._pool.fail(reason)
        self.subscribed.set()

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        """Send a frame. Clients must mask frames; a mask of zeros leaves the payload unchanged."""
        if self._transport is None:
            return
        size = len(payload)
        length = struct.pack("!B", FIN | size) if size <= SHORT_MAX else struct.pack("!BH", FIN | MEDIUM, size)
        self._transport.write(bytes([FIN | opcode]) + length + bytes(4) + payload)

    def _send_json(self, message: dict[str, Any]) -> None:
        self._send_frame(TEXT, orjson.dumps(message))

    def data_received(self, data: bytes) -> None:
        """Handle the complete frames in the buffer."""
        moment = perf_counter()
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        offset = 0
        while (frame := self._next_frame(offset)) is not None:
            first, start, offset = frame
            self._handle_frame(first, bytes(self._buffer[start:offset]), moment)
        del self._buffer[:offset]

    def _upgrade(self) -> bool:
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            self._fail(f"no WebSocket: {bytes(self._buffer[:end]).decode(errors='replace')}")
            return False
        del self._buffer[: end + len(HEAD_END)]
        self._upgraded = True
        self._send_json({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._member.token}"}})
        return True

    def _next_frame(self, offset: int) -> tuple[int, int, int] | None:
        """Return the first byte of the frame at `offset` and the start and end of its payload; None until complete."""
        buffer = self._buffer
        start = offset + 2
        if len(buffer) < start:
            return None
        size = buffer[offset + 1]
        if size > SHORT_MAX:
            width = 2 if size == MEDIUM else 8
            start += width
            size = int.from_bytes(buffer[start - width : start], "big")
        return (buffer[offset], start, start + size) if len(buffer) >= start + size else None

    def _handle_frame(self, first: int, payload: bytes, moment: float) -> None:
        if first == FIN | TEXT:
            self._handle_message(orjson.loads(payload), moment)
        elif first == FIN | PING:
            self._send_frame(PONG, payload)
        elif first == FIN | CLOSE:
            code, reason = int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")
            if not self._closing:
                self._fail(f"a socket was closed with {code} {reason}")
        else:
            self._fail(f"an unexpected frame: {first:#x}")

    def _handle_message(self, message: dict[str, Any], moment: float) -> None:
        match message:
            case {"type": "next", "payload": {"data": {"memberChanged": update}, **rest}} if "errors" not in rest:
                self._update(update, moment)
            case {"type": "connection_ack"}:
                self._send_json({"type": "subscribe", "id": "1", "payload": {"query": LIVE}})
            case _:
                self._fail(f"not an update: {orjson.dumps(message)[:500].decode()}")

    def _update(self, update: dict[str, Any], moment: float) -> None:
        version = update["version"]
        if self._version is None:
            self.subscribed.set()
        elif version != self._version + 1 or update["resync"] or not update["entries"]:
            self._fail(f"after version {self._version} arrived {orjson.dumps(update)[:500].decode()}")
        else:
            self._pool.record_arrival(self._member, version, moment)
        self._version = version


async def run_live(site: Site, *, connections: int, seconds: float, sockets: int, seed: int) -> Round:
    """Measure deliveries to `sockets` sockets; `connections` are those of the till.

    Latencies run from sending a mutation (`latency`) and from its answer (`after_answer`) to each arrival.
    """
    pool, till, random = SocketPool(), Till(site, seed), Random(seed)
    opened = [await Connection.open(site.host, site.port) for _ in range(connections)]
    from_sending: list[float] = []
    from_answer: list[float] = []

    async def drive(connection: Connection, deadline: float) -> None:
        watched = [*pool.watchers]
        while (sent := perf_counter()) < deadline:
            member = random.choice(watched)
            request = till.request_for(member)
            status, body = await connection.send(request.wire)
            answered = perf_counter()
            data = data_of(status, body)
            request.check(data)
            moments = await pool.wait_for_arrivals(member, data["recordEvent"]["member"]["version"])
            from_sending.extend(moment - sent for moment in moments)
            from_answer.extend(max(0.0, moment - answered) for moment in moments)

    try:
        await pool.open(site, sockets)
        await drive(opened[0], perf_counter() + seconds * WARM_UP_SHARE)
        from_sending.clear()
        from_answer.clear()
        watch = Stopwatch(site)
        deadline = perf_counter() + seconds
        await together(*(drive(connection, deadline) for connection in opened))
        measured = watch.stop(len(from_sending), Latency.of(from_sending), Latency.of(from_answer))
        pool.check()
        await till.verify()
    finally:
        pool.close()
        for connection in opened:
            connection.close()
    return measured
