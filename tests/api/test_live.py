"""Live connections through all that ends them: a token, a gateway that goes, one that falls; and what outlives them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.api import ENROL, LIVE, RECORD, Person, data, event_stream, next_update, record, watch
from support.gateway import GatewayProcess
from support.programme import source
from support.terminal import carillon
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

DRAIN_SECONDS = 3
TOKEN_SECONDS = 5


@asynccontextmanager
async def served(beside: GatewayProcess, output: Path, **settings: str) -> AsyncIterator[GatewayProcess]:
    """Start another gateway on the same MongoDB; whatever the test leaves of it is ended."""
    gateway = await asyncio.to_thread(
        GatewayProcess.start, "serve", data_dir=beside.data_dir, output=output, **settings
    )
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


async def closed_with(socket: ClientConnection) -> tuple[int, str]:
    """Return how the other side closes a socket; what it says before is passed over."""
    await asyncio.wait_for(socket.wait_closed(), 15)
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def readiness(gateway: GatewayProcess) -> tuple[int, list[str]]:
    """Return what /readyz says."""
    async with gateway.client() as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["reasons"]


async def drains(gateway: GatewayProcess) -> bool:
    """Say whether a gateway has begun to drain; up to then it is ready."""
    told = await readiness(gateway)
    assert told in ((200, []), (503, ["draining"]))
    return told[0] == 503


async def until(holds: Callable[[], Any], within_seconds: float = 10) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_seconds):
        while not await holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_live_connections_end_with_their_token(person: Person) -> None:
    gateway = person.gateway
    started = monotonic()
    token = person.token(seconds=TOKEN_SECONDS)
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
    assert TOKEN_SECONDS - 1.1 < monotonic() - started < TOKEN_SECONDS + 2
    assert (await person.state())["version"] == 1


async def test_gateway_drains_before_it_goes(person: Person, tmp_path: Path) -> None:
    output = tmp_path / "output.log"
    async with served(person.gateway, output, CARILLON_DRAIN_SECONDS=str(DRAIN_SECONDS)) as gateway:
        assert await readiness(gateway) == (200, [])
        async with gateway.socket(person.token()) as socket, event_stream(gateway, person.token(), LIVE) as stream:
            await watch(socket)
            assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 1

            started = monotonic()
            gateway.process.terminate()
            # Unready, so that nobody is sent here any more; and still serving who is.
            await until(lambda: drains(gateway))
            await person.buy("5.00", gateway=gateway)
            assert (await next_update(socket))["version"] == (await stream.next_update())["version"] == 2
            assert await closed_with(socket) == (1012, "Service restart: reconnect with `after`")
            with pytest.raises(EOFError):
                await stream.next()
            assert monotonic() - started >= DRAIN_SECONDS
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
        with pytest.raises(httpx.ConnectError):
            await readiness(gateway)
    assert "Traceback" not in output.read_text(encoding="utf-8")
    # Elsewhere, `after` goes on where this gateway ended.
    async with person.gateway.socket(person.token()) as socket:
        await watch(socket, after=2)
        await person.buy("1.00")
        assert (await next_update(socket))["version"] == 3


async def test_nothing_acknowledged_is_lost_when_a_gateway_goes(person: Person, tmp_path: Path) -> None:
    """A till sends without pause until the gateway is gone; in flight at the end is answered, or was not taken."""
    acknowledged: list[str] = []
    sent: list[dict[str, Any]] = []
    started = asyncio.Event()

    async def till(client: httpx.AsyncClient) -> None:
        while True:
            event = person.purchase("1.00")
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
        served(person.gateway, tmp_path / "output.log", CARILLON_DRAIN_SECONDS="0.2") as gateway,
        gateway.client(gateway.token("till")) as client,
    ):
        tills = [asyncio.create_task(till(client)) for _ in range(16)]
        await asyncio.wait_for(started.wait(), 15)
        gateway.process.terminate()
        await asyncio.gather(*tills)
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
    counted = (await person.state())["version"] - 1
    # Of what was in flight, all that was taken was answered too.
    assert counted == len(acknowledged)
    again = [await record(person.gateway, event) for event in sent]
    assert [event["key"] for event, payload in zip(sent, again, strict=True) if payload["replayed"]] == [
        event["key"] for event in sent if event["key"] in set(acknowledged)
    ]
    assert (await person.state())["points"]["available"] == len(sent)


async def test_watcher_resumes_after_a_gateway_fell(person: Person, tmp_path: Path) -> None:
    async with served(person.gateway, tmp_path / "first.log") as gateway, gateway.socket(person.token()) as socket:
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
        await person.buy("1.00")
        seen = (await next_update(socket))["version"]
        assert seen == 2
        gateway.kill()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
    for _ in range(3):
        await person.buy("1.00")
    async with served(person.gateway, tmp_path / "second.log") as gateway, gateway.socket(person.token()) as socket:
        await watch(socket, after=seen)
        missed = [await next_update(socket) for _ in range(3)]
        assert [(update["version"], update["resync"], update["entries"][0]["balance"]) for update in missed] == [
            (3, False, 2),
            (4, False, 3),
            (5, False, 4),
        ]
        assert [update["member"]["points"]["available"] for update in missed] == [2, 3, 4]
        await person.buy("1.00")
        assert (await next_update(socket))["version"] == 6


@pytest.mark.parametrize(("after", "versions"), [(0, [1, 2, 3]), (1, [2, 3]), (3, [])])
async def test_after_tells_what_was_missed_and_goes_on(person: Person, after: int, versions: list[int]) -> None:
    await person.buy("1.00")
    await person.buy("1.00")
    async with person.gateway.socket(person.token()) as socket:
        await watch(socket, after=after)
        assert [(await next_update(socket))["version"] for _ in versions] == versions
        await person.buy("1.00")
        assert (await next_update(socket))["version"] == 4


async def test_after_from_the_future_is_a_resync(person: Person) -> None:
    async with person.gateway.socket(person.token()) as socket:
        await watch(socket, after=7)
        update = await next_update(socket)
        assert (update["version"], update["resync"], update["entries"]) == (1, True, [])


async def test_every_watcher_of_a_member_is_told_in_its_own_language(person: Person) -> None:
    query = "subscription { memberChanged { version entries { label } } }"
    async with (
        person.gateway.socket(person.token(), **{"Accept-Language": "fr"}) as french,
        person.gateway.socket(person.token(), **{"Accept-Language": "ar"}) as arabic,
    ):
        for socket in (french, arabic):
            await watch(socket, query=query)
            assert (await next_update(socket))["version"] == 1
        await person.buy()
        assert await next_update(french) == {"version": 2, "entries": [{"label": "Achat"}]}
        assert await next_update(arabic) == {"version": 2, "entries": [{"label": "شراء"}]}


async def apply_programme(gateway: GatewayProcess, file: Path, text: str) -> str:
    """Run `carillon programme apply`; return what it prints."""
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    ran = await carillon("programme", "apply", str(file), "--data-dir", str(gateway.data_dir))
    assert ran.code == 0, ran.err
    return ran.out


async def test_running_gateway_follows_an_applied_programme(
    development_gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway, key = development_gateway, f"club-{uuid4().hex[:8]}"
    text = source("coffee").replace("programme: coffee", f"programme: {key}")
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
    told = {"key": uuid4().hex, "channel": "APP"}
    newcomer = data(await gateway.ask(till, ENROL, input=told))["enrol"]["member"]
    assert newcomer["points"] == {"available": 10}
    person = Person(gateway, newcomer["id"], newcomer["number"])

    async with gateway.socket(person.token(programme=key)) as socket:
        await watch(socket)
        assert (await next_update(socket))["version"] == 1
        event = person.purchase(purchase={"total": "10.00", "currency": "EUR"}, channel="WEB")
        assert (await record(gateway, event, token=till))["entries"][0]["points"] == 20
        more = text.replace('rate: {points: 2, per: "1.00"}', 'rate: {points: 7, per: "1.00"}')
        said = await apply_programme(gateway, file, more)
        assert said == f"Programme '{key}' is now at version 2."
        await until(lambda: runs(2))
        event = person.purchase(purchase={"total": "10.00", "currency": "EUR"}, channel="WEB")
        assert (await record(gateway, event, token=till))["entries"][0]["points"] == 70
        balances = [(await next_update(socket))["member"]["points"]["available"] for _ in range(2)]
        assert balances == [30, 100]
    said = await apply_programme(gateway, file, more)
    assert said == f"Nothing to apply: the file does not differ from version 2 of '{key}'."
