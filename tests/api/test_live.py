"""Live connections that end with their token, a stopping gateway or a crashed one, and resume."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.clients.api import ENROL, LIVE, RECORD, ApiMember, data, event_stream, next_update, record, watch
from support.programme_files import programme_source
from support.servers.command_line import run_carillon
from support.servers.gateway import GatewayProcess
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gateway.auth.claims import LEEWAY

DRAIN_SECONDS = 3
TOKEN_SECONDS = 5


@asynccontextmanager
async def served(beside: GatewayProcess, output: Path, **settings: str) -> AsyncIterator[GatewayProcess]:
    """Start another gateway on the same MongoDB; kill it at the end if it still runs."""
    start = partial(GatewayProcess.start, "serve", data_dir=beside.data_dir, output=output, **settings)
    gateway = await asyncio.to_thread(start)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


async def closed_with(socket: ClientConnection) -> tuple[int, str]:
    """Return code and reason of a socket's close; messages before it are skipped."""
    await asyncio.wait_for(socket.wait_closed(), 15)
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def readiness(gateway: GatewayProcess) -> tuple[int, list[str]]:
    """Return status and reasons of /readyz."""
    async with gateway.client() as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["reasons"]


async def drains(gateway: GatewayProcess) -> bool:
    """Return whether a gateway drains; until then it must be ready."""
    result = await readiness(gateway)
    assert result in ((200, []), (503, ["draining"]))
    return result[0] == 503


async def until(holds: Callable[[], Any], within_seconds: float = 10) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(within_seconds):
        while not await holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_live_connections_end_with_their_token(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    started = monotonic()
    token = api_member.token(seconds=TOKEN_SECONDS)
    async with gateway.socket(token) as socket, event_stream(gateway, token, LIVE) as stream:
        await watch(socket)
        assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 1
        assert await closed_with(socket) == (4403, "Forbidden: the token has expired")
        name, answer = await stream.next()
        assert name == "next"
        assert answer is not None
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await stream.next() == ("complete", None)
        with pytest.raises(EOFError):
            await stream.next()
    # `exp` is in whole seconds.
    lasted = monotonic() - started - LEEWAY.total_seconds()
    assert TOKEN_SECONDS - 1.1 < lasted < TOKEN_SECONDS + 2
    assert (await api_member.state())["version"] == 1


async def test_gateway_drains_before_it_stops(api_member: ApiMember, tmp_path: Path) -> None:
    output = tmp_path / "output.log"
    async with served(api_member.gateway, output, CARILLON_DRAIN_SECONDS=str(DRAIN_SECONDS)) as gateway:
        assert await readiness(gateway) == (200, [])
        async with (
            gateway.socket(api_member.token()) as socket,
            event_stream(gateway, api_member.token(), LIVE) as stream,
        ):
            await watch(socket)
            assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 1

            started = monotonic()
            gateway.process.terminate()
            # Not ready, so that no new clients are routed here, but still serving the connected ones.
            await until(lambda: drains(gateway))
            await api_member.buy("5.00", gateway=gateway)
            assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 2
            assert await closed_with(socket) == (1012, "Service restart: reconnect with `after`")
            with pytest.raises(EOFError):
                await stream.next()
            assert monotonic() - started >= DRAIN_SECONDS
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
        with pytest.raises(httpx.ConnectError):
            await readiness(gateway)
    assert "Traceback" not in output.read_text(encoding="utf-8")
    # On another gateway, `after` resumes where this one ended.
    async with api_member.gateway.socket(api_member.token()) as socket:
        await watch(socket, after=2)
        await api_member.buy("1.00")
        assert (await next_update(socket))["version"] == 3


async def test_nothing_acknowledged_is_lost_when_a_gateway_stops(api_member: ApiMember, tmp_path: Path) -> None:
    """Send events without pause until the gateway is gone; each is answered or was not accepted."""
    acknowledged: list[str] = []
    sent: list[dict[str, Any]] = []
    started = asyncio.Event()

    async def till(client: httpx.AsyncClient) -> None:
        while True:
            event = api_member.purchase("1.00")
            sent.append(event)
            try:
                answer = await client.post("/graphql", json={"query": RECORD, "variables": {"input": event}})
            except httpx.TransportError:
                return
            payload = data(answer.json())["recordEvent"]
            assert (payload["userErrors"], payload["replayed"]) == ([], False)
            acknowledged.append(event["key"])
            if len(acknowledged) >= 50:
                started.set()

    async with (
        served(api_member.gateway, tmp_path / "output.log", CARILLON_DRAIN_SECONDS="0.2") as gateway,
        gateway.client(gateway.token("till")) as client,
    ):
        tills = [asyncio.create_task(till(client)) for _ in range(16)]
        await asyncio.wait_for(started.wait(), 15)
        gateway.process.terminate()
        await asyncio.gather(*tills)
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
    counted = (await api_member.state())["version"] - 1
    # Every accepted request in flight was answered too.
    assert counted == len(acknowledged)
    again = [await record(api_member.gateway, event) for event in sent]
    assert [event["key"] for event, payload in zip(sent, again, strict=True) if payload["replayed"]] == [
        event["key"] for event in sent if event["key"] in set(acknowledged)
    ]
    assert (await api_member.state())["points"]["available"] == len(sent)


async def test_subscriber_resumes_after_a_gateway_crashed(api_member: ApiMember, tmp_path: Path) -> None:
    async with (
        served(api_member.gateway, tmp_path / "first.log") as gateway,
        gateway.socket(api_member.token()) as socket,
    ):
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
        await api_member.buy("1.00")
        seen = (await next_update(socket))["version"]
        assert seen == 2
        gateway.kill()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
    for _ in range(3):
        await api_member.buy("1.00")
    async with (
        served(api_member.gateway, tmp_path / "second.log") as gateway,
        gateway.socket(api_member.token()) as socket,
    ):
        await watch(socket, after=seen)
        missed = [await next_update(socket) for _ in range(3)]
        assert [(update["version"], update["resync"], update["entries"][0]["balance"]) for update in missed] == [
            (3, False, 2),
            (4, False, 3),
            (5, False, 4),
        ]
        assert [update["member"]["points"]["available"] for update in missed] == [2, 3, 4]
        await api_member.buy("1.00")
        assert (await next_update(socket))["version"] == 6


@pytest.mark.parametrize(("after", "versions"), [(0, [1, 2, 3]), (1, [2, 3]), (3, [])])
async def test_after_replays_missed_versions_and_continues(
    api_member: ApiMember, after: int, versions: list[int]
) -> None:
    await api_member.buy("1.00")
    await api_member.buy("1.00")
    async with api_member.gateway.socket(api_member.token()) as socket:
        await watch(socket, after=after)
        assert [(await next_update(socket))["version"] for _ in versions] == versions
        await api_member.buy("1.00")
        assert (await next_update(socket))["version"] == 4


async def test_after_from_the_future_is_a_resync(api_member: ApiMember) -> None:
    async with api_member.gateway.socket(api_member.token()) as socket:
        await watch(socket, after=7)
        update = await next_update(socket)
        assert (update["version"], update["resync"], update["entries"]) == (1, True, [])


async def test_every_subscriber_of_a_member_has_its_own_language(api_member: ApiMember) -> None:
    query = "subscription { memberChanged { version entries { label } } }"
    async with (
        api_member.gateway.socket(api_member.token(), **{"Accept-Language": "fr"}) as french,
        api_member.gateway.socket(api_member.token(), **{"Accept-Language": "ar"}) as arabic,
    ):
        for socket in (french, arabic):
            await watch(socket, query=query)
            assert (await next_update(socket))["version"] == 1
        await api_member.buy()
        assert await next_update(french) == {"version": 2, "entries": [{"label": "Achat"}]}
        assert await next_update(arabic) == {"version": 2, "entries": [{"label": "شراء"}]}


async def apply_programme(gateway: GatewayProcess, file: Path, text: str) -> str:
    """Run `carillon programme apply`; return what it prints."""
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    ran = await run_carillon("programme", "apply", str(file), "--data-dir", str(gateway.data_dir))
    assert ran.code == 0, ran.err
    return ran.out


async def test_running_gateway_follows_an_applied_programme(
    development_gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway, key = development_gateway, f"club-{uuid4().hex[:8]}"
    text = programme_source("coffee").replace("programme: coffee", f"programme: {key}")
    till = gateway.token("till", programme=key)

    async def runs(version: int) -> bool:
        answer = await gateway.ask(till, "{ programme { name version } }")
        programme = (answer["data"] or {}).get("programme")
        return programme == {"name": "The Coffee House", "version": version}

    assert not await runs(1)
    file = tmp_path / "club.yaml"
    said = await apply_programme(gateway, file, text)
    assert said == f"Programme '{key}' is now at version 1."
    await until(lambda: runs(1))
    fields = {"key": uuid4().hex, "channel": "APP"}
    newcomer = data(await gateway.ask(till, ENROL, input=fields))["enrol"]["member"]
    assert newcomer["points"] == {"available": 10}
    api_member = ApiMember(gateway, newcomer["id"], newcomer["number"])

    async with gateway.socket(api_member.token(programme=key)) as socket:
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
        event = api_member.purchase(purchase={"total": "10.00", "currency": "EUR"}, channel="WEB")
        assert (await record(gateway, event, token=till))["entries"][0]["points"] == 20
        more = text.replace('rate: {points: 2, per: "1.00"}', 'rate: {points: 7, per: "1.00"}')
        said = await apply_programme(gateway, file, more)
        assert said == f"Programme '{key}' is now at version 2."
        await until(lambda: runs(2))
        event = api_member.purchase(purchase={"total": "10.00", "currency": "EUR"}, channel="WEB")
        assert (await record(gateway, event, token=till))["entries"][0]["points"] == 70
        balances = [(await next_update(socket))["member"]["points"]["available"] for _ in range(2)]
        assert balances == [30, 100]
    said = await apply_programme(gateway, file, more)
    assert said == f"Nothing to apply: the file does not differ from version 2 of '{key}'."
