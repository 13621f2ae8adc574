"""Live deliveries: members' sockets on one side, a till on the other, and every update expected on every socket.

Each of the till's connections records an event, waits until it has reached every socket of its member, and records the
next: one connection shows how long an update takes on its way, several show how many are delivered in a second.
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
from bench.load import WARM_UP_SHARE, Latency, Round, Stopwatch, data_of, together
from bench.operations import LIVE, Till

OPENED_AT_ONCE = 50
ARRIVAL_SECONDS_MAX = 30
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
WHOLE = 0x80
SHORT_MAX, MEDIUM = 125, 126


@dataclass(slots=True)
class _Delivery:
    """One version of one member on its way to the member's sockets: the moments at which it arrived."""

    moments: list[float] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Audience:
    """All sockets, and what has arrived on them."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.watchers: defaultdict[Member, int] = defaultdict(int)
        self.failure: BenchError | None = None
        self._deliveries: defaultdict[tuple[Member, int], _Delivery] = defaultdict(_Delivery)

    async def open(self, site: Site, sockets: int) -> None:
        """Open so many sockets, the members in turn; each is subscribed and has its first state."""
        for first in range(0, sockets, OPENED_AT_ONCE):
            members = [site.members[n % len(site.members)] for n in range(first, min(first + OPENED_AT_ONCE, sockets))]
            await together(*(self._open(site, member) for member in members))

    async def _open(self, site: Site, member: Member) -> None:
        socket = Socket(self, member, f"{site.host}:{site.port}")
        await asyncio.get_running_loop().create_connection(lambda: socket, site.host, site.port)
        self.sockets.append(socket)
        self.watchers[member] += 1
        await _within(socket.subscribed, "a socket had no first state")
        self.check()

    def close(self) -> None:
        """Close all sockets."""
        for socket in self.sockets:
            socket.close()

    def fail(self, why: str) -> None:
        """End the measuring: something arrived that should not have, or the other way round."""
        if self.failure is None:
            self.failure = BenchError(why)
        for delivery in self._deliveries.values():
            delivery.complete.set()

    def check(self) -> None:
        """Raise what went wrong on any socket."""
        if self.failure is not None:
            raise self.failure

    def arrived(self, member: Member, version: int, moment: float) -> None:
        """Take note of an update on one socket."""
        delivery = self._deliveries[member, version]
        delivery.moments.append(moment)
        if len(delivery.moments) == self.watchers[member]:
            delivery.complete.set()

    async def received(self, member: Member, version: int) -> list[float]:
        """Wait until a version is on every socket of its member; return the moments at which it arrived."""
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
    """A member's socket (graphql-transport-ws) that accepts each version once, in order, and nothing else."""

    def __init__(self, audience: Audience, member: Member, host: str) -> None:
        self.subscribed = asyncio.Event()
        self._audience, self._member, self._host = audience, member, host
        self._buffer = bytearray()
        self._upgraded = self._closing = False
        self._version: int | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        # uvloop's transports are not of asyncio's class.
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
            self._frame(CLOSE, struct.pack("!H", 1000))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """A socket that the gateway drops loses updates."""
        if not self._closing:
            self._fail(f"a socket was lost ({exc or 'end of stream'})")

    def _fail(self, why: str) -> None:
        self._audience.fail(why)
        self.subscribed.set()

    def _frame(self, opcode: int, payload: bytes) -> None:
        """Send a frame. Clients must mask theirs; a mask of zeros leaves the payload as it is."""
        if self._transport is None:
            return
        size = len(payload)
        length = struct.pack("!B", WHOLE | size) if size <= SHORT_MAX else struct.pack("!BH", WHOLE | MEDIUM, size)
        self._transport.write(bytes([WHOLE | opcode]) + length + bytes(4) + payload)

    def _say(self, message: dict[str, Any]) -> None:
        self._frame(TEXT, orjson.dumps(message))

    def data_received(self, data: bytes) -> None:
        """Take frames as they come."""
        moment = perf_counter()
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        place = 0
        while (frame := self._next_frame(place)) is not None:
            first, start, place = frame
            self._take(first, bytes(self._buffer[start:place]), moment)
        del self._buffer[:place]

    def _upgrade(self) -> bool:
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            self._fail(f"no WebSocket: {bytes(self._buffer[:end]).decode(errors='replace')}")
            return False
        del self._buffer[: end + len(HEAD_END)]
        self._upgraded = True
        self._say({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._member.token}"}})
        return True

    def _next_frame(self, place: int) -> tuple[int, int, int] | None:
        """Return the first byte of the frame at `place`, where its payload starts and ends; None until it is whole."""
        buffer = self._buffer
        start = place + 2
        if len(buffer) < start:
            return None
        size = buffer[place + 1]
        if size > SHORT_MAX:
            width = 2 if size == MEDIUM else 8
            start += width
            size = int.from_bytes(buffer[start - width : start], "big")
        return (buffer[place], start, start + size) if len(buffer) >= start + size else None

    def _take(self, first: int, payload: bytes, moment: float) -> None:
        if first == WHOLE | TEXT:
            self._hear(orjson.loads(payload), moment)
        elif first == WHOLE | PING:
            self._frame(PONG, payload)
        elif first == WHOLE | CLOSE:
            code, reason = int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")
            if not self._closing:
                self._fail(f"a socket was closed with {code} {reason}")
        else:
            self._fail(f"a frame that is not expected: {first:#x}")

    def _hear(self, message: dict[str, Any], moment: float) -> None:
        match message:
            case {"type": "next", "payload": {"data": {"memberChanged": update}, **rest}} if "errors" not in rest:
                self._update(update, moment)
            case {"type": "connection_ack"}:
                self._say({"type": "subscribe", "id": "1", "payload": {"query": LIVE}})
            case _:
                self._fail(f"not an update: {orjson.dumps(message)[:500].decode()}")

    def _update(self, update: dict[str, Any], moment: float) -> None:
        version = update["version"]
        if self._version is None:
            self.subscribed.set()
        elif version != self._version + 1 or update["resync"] or not update["entries"]:
            self._fail(f"after version {self._version} came {orjson.dumps(update)[:500].decode()}")
        else:
            self._audience.arrived(self._member, version, moment)
        self._version = version


async def run_live(site: Site, *, connections: int, seconds: float, sockets: int, seed: int) -> Round:
    """Measure deliveries to so many sockets; `connections` are those of the till.

    Latencies are from sending a mutation (`latency`) and from its answer (`after_answer`) to each arrival.
    """
    audience, till, random = Audience(), Till(site, seed), Random(seed)
    opened = [await Connection.open(site.host, site.port) for _ in range(connections)]
    from_sending: list[float] = []
    from_answer: list[float] = []

    async def drive(connection: Connection, deadline: float) -> None:
        watched = [*audience.watchers]
        while (sent := perf_counter()) < deadline:
            member = random.choice(watched)
            ask = till.ask_for(member)
            status, body = await connection.ask(ask.wire)
            answered = perf_counter()
            data = data_of(status, body)
            ask.check(data)
            moments = await audience.received(member, data["recordEvent"]["member"]["version"])
            from_sending.extend(moment - sent for moment in moments)
            from_answer.extend(max(0.0, moment - answered) for moment in moments)

    try:
        await audience.open(site, sockets)
        await drive(opened[0], perf_counter() + seconds * WARM_UP_SHARE)
        from_sending.clear()
        from_answer.clear()
        watch = Stopwatch(site)
        deadline = perf_counter() + seconds
        await together(*(drive(connection, deadline) for connection in opened))
        measured = watch.stop(len(from_sending), Latency.of(from_sending), Latency.of(from_answer))
        audience.check()
        await till.verify()
    finally:
        audience.close()
        for connection in opened:
            connection.close()
    return measured
