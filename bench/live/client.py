"""Subscribes to members in its own process: `python -m bench.live.client PORT SOCKETS_FILE QUERY_FILE`.

The sockets' file is JSON: `[[member, token], ...]`. The process opens all sockets, each with its own token, and prints
the seconds it took and faults once every socket has its first state. Then it reads commands as JSON lines and prints
a line after each. `{"until": [version, ...], "seconds": 5}` waits until every socket has the version of its member and
returns the number of sockets that are behind; `{"report": F}` writes the arrivals since the last report to F:
`[[member, first version, moments], ...]` for each socket (monotonic clock, seconds), and the faults; `{"samples": F}`
writes some whole messages, to be compared.

Each socket expects every version once, in order; anything else is a fault. Versions are read from the bytes without
parsing, so that the server is measured and not the client.
"""

import asyncio
import base64
import resource
import secrets
import sys
from array import array
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, cast

import orjson
import uvloop

OPENED_AT_ONCE = 25
OPEN_SECONDS_MAX = 120
HEAD_END = b"\r\n\r\n"
TEXT, CLOSE, PING = 0x81, 0x88, 0x89
PONG = b"\x8a\x80\0\0\0\0"
SHORT_MAX, MEDIUM = 125, 126
SAMPLES_MAX = 20
VERSION, RESYNC, ERRORS = b'"version":', b'"resync":true', b'"errors"'


def _same(socket: "Socket") -> "Socket":
    return socket


class Sockets:
    """All sockets and their faults."""

    def __init__(self, port: int, query: str) -> None:
        self.port, self.query = port, query
        self.all: list[Socket] = []
        self.faults: list[str] = []
        self.samples: dict[int, list[bytes]] = {}
        self.changed = asyncio.Event()

    async def open(self, wanted: list[tuple[int, str]]) -> None:
        """Open every socket, and wait for its first state."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(wanted), OPENED_AT_ONCE):
            opened = [Socket(self, member, token) for member, token in wanted[start : start + OPENED_AT_ONCE]]
            self.all += opened
            for socket in opened:
                # The first socket of each member collects samples.
                if socket.member not in self.samples:
                    self.samples[socket.member] = socket.sampled = []
                await loop.create_connection(partial(_same, socket), "127.0.0.1", self.port)
            await asyncio.gather(*(socket.subscribed.wait() for socket in opened))

    def fault(self, reason: str) -> None:
        """Record a fault, and end the wait for first states."""
        self.faults.append(reason)
        for socket in self.all:
            socket.subscribed.set()

    async def wait_until(self, versions: list[int], seconds: float) -> int:
        """Wait until every socket has its member's version; return the number that do not."""
        deadline = monotonic() + seconds
        while (behind := sum(one.version < versions[one.member] for one in self.all)) and not self.faults:
            if monotonic() > deadline:
                return behind
            await asyncio.sleep(0.02)
        return behind

    def report(self) -> bytes:
        """Return the arrivals since the last report, and the first five faults, as JSON."""
        arrivals = [[one.member, one.version - len(one.moments) + 1, one.moments.tolist()] for one in self.all]
        for one in self.all:
            one.moments = array("d")
        return orjson.dumps({"sockets": arrivals, "faults": self.faults[:5]})


class Socket(asyncio.Protocol):
    """One graphql-transport-ws socket."""

    def __init__(self, sockets: Sockets, member: int, token: str) -> None:
        self.member, self.version = member, 0
        self.moments: array[float] = array("d")
        self.subscribed = asyncio.Event()
        self.sampled: list[bytes] | None = None
        self._sockets, self._token = sockets, token
        self._rest = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the WebSocket handshake."""
        self._transport = cast("asyncio.Transport", transport)
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (
            *("GET /graphql HTTP/1.1", f"host: 127.0.0.1:{self._sockets.port}", "upgrade: websocket"),
            *("connection: upgrade", "sec-websocket-version: 13", f"sec-websocket-key: {nonce}"),
            *("sec-websocket-protocol: graphql-transport-ws", "", ""),
        )
        self._transport.write("\r\n".join(head).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Record a fault: a socket that the server drops loses updates."""
        self._sockets.fault(f"a socket was lost ({exc or 'end of stream'})")

    def _send_json(self, message: dict[str, Any]) -> None:
        payload = orjson.dumps(message)
        size = len(payload)
        length = bytes([0x80 | size]) if size <= SHORT_MAX else bytes([0x80 | MEDIUM]) + size.to_bytes(2)
        if self._transport is not None:
            # A mask of zeros leaves the payload unchanged.
            self._transport.write(bytes([TEXT]) + length + bytes(4) + payload)

    def data_received(self, data: bytes) -> None:
        """Handle the complete frames in the data."""
        moment = monotonic()
        if self._rest:
            data = self._rest + data
        offset = 0 if self._upgraded else self._upgrade(data)
        if offset < 0:
            self._rest = data
            return
        end = len(data)
        while offset + 2 <= end:
            size, start = data[offset + 1], offset + 2
            if size > SHORT_MAX:
                width = 2 if size == MEDIUM else 8
                start += width
                if start > end:
                    break
                size = int.from_bytes(data[start - width : start], "big")
            if start + size > end:
                break
            self._handle_frame(data[offset], data[start : start + size], moment)
            offset = start + size
        self._rest = data[offset:]

    def _upgrade(self, data: bytes) -> int:
        end = data.find(HEAD_END)
        if end < 0:
            return -1
        if not data.startswith(b"HTTP/1.1 101"):
            self._sockets.fault(f"no WebSocket: {data[:200]!r}")
        self._upgraded = True
        self._send_json({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})
        return end + len(HEAD_END)

    def _handle_frame(self, first: int, payload: bytes, moment: float) -> None:
        offset = payload.find(VERSION)
        if first == TEXT and offset >= 0 and RESYNC not in payload and ERRORS not in payload:
            start = offset + len(VERSION)
            end = payload.find(b",", start)
            version = int(payload[start:end])
            if not self.version:
                self.subscribed.set()
            elif version == self.version + 1:
                self.moments.append(moment)
                if self.sampled is not None and len(self.sampled) < SAMPLES_MAX:
                    self.sampled.append(payload)
            else:
                self._sockets.fault(f"version {version} arrived after version {self.version}")
            self.version = version
        elif first == PING:
            if self._transport is not None:
                self._transport.write(PONG[:1] + bytes([0x80 | len(payload)]) + bytes(4) + payload)
        elif first == TEXT and b"connection_ack" in payload:
            self._send_json({"type": "subscribe", "id": "1", "payload": {"query": self._sockets.query}})
        else:
            self._sockets.fault(f"not an update: {first:#x} {payload[:300]!r}")


async def main() -> None:
    """Open the sockets, then run commands until the end of the input."""
    port, wanted_file, query_file = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    wanted, query = orjson.loads(wanted_file.read_bytes()), query_file.read_text()  # noqa: ASYNC240 - nothing runs yet
    sockets = Sockets(port, query)
    begin = monotonic()
    async with asyncio.timeout(OPEN_SECONDS_MAX):
        await sockets.open(wanted)
    print(orjson.dumps({"seconds": monotonic() - begin, "faults": sockets.faults[:5]}).decode(), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = orjson.loads(line)
        answer: dict[str, Any] = {}
        if "until" in command:
            answer["left"] = await sockets.wait_until(command["until"], command["seconds"])
        if "report" in command:
            Path(command["report"]).write_bytes(sockets.report())  # noqa: ASYNC240 - after the measuring
        if "samples" in command:
            samples = {str(member): [one.decode() for one in sampled] for member, sampled in sockets.samples.items()}
            Path(command["samples"]).write_bytes(orjson.dumps(samples))  # noqa: ASYNC240 - after the measuring
        print(orjson.dumps(answer).decode(), flush=True)


if __name__ == "__main__":
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    uvloop.run(main())
