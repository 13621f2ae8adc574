"""A gateway as a process of its own, and tokens for it."""

import asyncio
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
from websockets.asyncio.client import ClientConnection, connect

from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER, DevelopmentKey

CARILLON = Path(sys.executable).parent / "carillon"
# Created once: it reads all certificates, and httpx would create one for each client.
TLS = ssl.create_default_context()
START_SECONDS = 120
STOP_SECONDS = 40
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_LISTENING = re.compile(r'"address": "(127\.0\.0\.1:\d+)"')


def environment(**settings: str) -> dict[str, str]:
    """Return the environment for a process under test: this one's without CARILLON_*, plus `settings`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
    return {**ours, **settings}


SHARED_BY_TESTS = {"CARILLON_LIMIT_GUESSES": "1000"}
"""Settings of a gateway of many tests, which share a token for each role and so the count of its wrong look-ups."""


@dataclass
class GatewayProcess:
    """A running `carillon up` or `carillon serve`."""

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path
    output: Path
    subjects: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, *arguments: str, data_dir: Path, output: Path, **settings: str) -> "GatewayProcess":
        """Start a command that serves, on a free port unless `--port` is given, and wait until it is ready."""
        port = () if "--port" in arguments else ("--port", "0")
        with output.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [CARILLON, *arguments, *port],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment(**{"CARILLON_DATA_DIR": str(data_dir), "CARILLON_LOG_LEVEL": "info", **settings}),
                start_new_session=True,
            )
        try:
            return cls._ready(process, data_dir, output)
        except BaseException:  # Ctrl-C included: never leave a gateway behind
            process.kill()
            process.wait()
            raise

    @classmethod
    def _ready(cls, process: subprocess.Popen[bytes], data_dir: Path, output: Path) -> "GatewayProcess":
        """Wait until /readyz returns 200."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            text = output.read_text(encoding="utf-8", errors="replace")
            found = _ADDRESS.search(text) or _LISTENING.search(text)
            if found is not None:
                url = found[0] if found[0].startswith("http") else f"http://{found[1]}"
                gateway = cls(process, url, data_dir, output)
                if gateway.is_ready():
                    return gateway
            time.sleep(0.05)
        raise AssertionError(f"the gateway did not start:\n{output.read_text(errors='replace')}")

    def is_ready(self) -> bool:
        """Return whether /readyz returns 200."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=TLS).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Send SIGTERM, as a service manager does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Kill the process, as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def token(self, role: str, *, member: str | None = None, seconds: float = 3600, **claims: Any) -> str:
        """Sign a token with the gateway's development key; `claims` are added or replace others."""
        now = datetime.now(UTC)
        body: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": DEVELOPMENT_AUDIENCE,
            "sub": member or role,
            "exp": now + timedelta(seconds=seconds),
            "role": role,
            "programme": "grocer",
            **({"member": member} if member else {}),
            **claims,
        }
        return jwt.encode(body, DevelopmentKey.load(self.data_dir).secret, algorithm="HS256")

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        """Return an HTTP client that sends `token`."""
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers={**bearer, **headers}, timeout=30, verify=TLS)

    async def ask(self, token: str | None, query: str, **variables: Any) -> dict[str, Any]:
        """Send one operation and return the whole answer."""
        async with self.client(token) as client:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            result: dict[str, Any] = answer.json()
            return result

    @asynccontextmanager
    async def socket(self, token: str | None, **payload: Any) -> AsyncIterator[ClientConnection]:
        """Open a graphql-transport-ws socket and initialise it."""
        address = self.url.replace("http://", "ws://") + "/graphql"
        async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            bearer = {"Authorization": f"Bearer {token}"} if token else {}
            await socket.send(json.dumps({"type": "connection_init", "payload": {**bearer, **payload}}))
            acknowledged = json.loads(await asyncio.wait_for(socket.recv(), 10))
            assert acknowledged == {"type": "connection_ack"}
            yield socket


async def next_message(socket: ClientConnection, within_seconds: float = 15) -> dict[str, Any]:
    """Return the socket's next message."""
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), within_seconds))
    return message
