"""Broadcasts: an update is executed once for subscribers with equal results, and slow ones delay nobody."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from support.clients.api import LIVE, ApiMember, data, enrol, event_stream, next_update, watch
from support.clients.resolver_client import ResolverClient
from support.servers.gateway import GatewayProcess, next_message
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.broadcast import Batch, Broadcaster, EncodedAnswer, Failure, Subscriber, answer_variables
from gateway.operations.executor import Executor, GraphQLRequest, Operation
from loyalty.kernel.channel import Channel
from models.live.hub import BACKLOG_MAX
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import Unavailable
from schema.build import executable_schema
from schema.wire.ids import global_id

UPDATES = (
    "subscription Updates($by: MemberKey, $after: Int) { memberChanged(by: $by, after: $after) { version resync } }"
)
WITHIN_SECONDS = 10


@pytest.fixture(scope="module")
def live() -> Broadcaster:
    metrics = Metrics()
    return Broadcaster(Executor(executable_schema(), Limits(), metrics), metrics)


def prepared(live: Broadcaster, query: str = UPDATES, **variables: Any) -> Operation:
    return live.executor.prepare(GraphQLRequest(query, None, variables))


def executed(live: Broadcaster) -> int:
    value = live.metrics.registry.get_sample_value("carillon_executed_updates_total")
    assert value is not None
    return int(value)


class Device:
    """A subscriber that takes updates at once unless it is slow."""

    def __init__(self, live: Broadcaster) -> None:
        self.live = live
        self.is_slow = False
        self.updates: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.arrived = asyncio.Event()
        self.subscriber = Subscriber("websocket", self._push, self.arrived.set)

    def _push(self, batch: Batch) -> bool:
        if self.is_slow:
            return False
        self.batches.append(len(batch.answers))
        for answer in batch.answers:
            self._take(answer)
        return True

    def _take(self, answer: EncodedAnswer) -> None:
        update = json.loads(answer.payload)["data"]["memberChanged"]
        self.updates.append(update)
        self.arrived.set()

    async def begin(self, context: Context, **variables: Any) -> None:
        """Subscribe; return once the subscription runs or has ended."""
        async with aclosing(self.live.begin(prepared(self.live, **variables), context, self.subscriber)) as begun:
            async for answer in begun:
                self._take(answer)

    async def catch_up(self) -> None:
        """Take the waiting updates."""
        while (answer := await self.subscriber.take()) is not None:
            self._take(answer)

    async def comes_to(self, version: int) -> None:
        async with asyncio.timeout(WITHIN_SECONDS):
            while not self.updates or self.updates[-1]["version"] < version:
                self.arrived.clear()
                await self.arrived.wait()

    @property
    def versions(self) -> list[int]:
        return [update["version"] for update in self.updates]


@asynccontextmanager
async def devices(live: Broadcaster, *contexts: Context, **variables: Any) -> AsyncIterator[list[Device]]:
    """Subscribe devices until the block ends."""
    opened = [Device(live) for _ in contexts]
    for device, context in zip(opened, contexts, strict=True):
        await device.begin(context, **variables)
        assert device.subscriber.joined
    try:
        yield opened
    finally:
        for device in opened:
            device.subscriber.leave()


async def until_nobody_watches(resolver_client: ResolverClient, member: str) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while resolver_client.services.hub.watched([member]):  # noqa: ASYNC110 - a task of its own ends the watch
            await asyncio.sleep(0.01)


# Broadcasts


async def test_update_is_executed_once_for_subscribers_with_equal_results(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    contexts = [resolver_client.context(Role.MEMBER, member=member, subject=f"device-{n}") for n in range(100)]
    async with devices(live, *contexts) as followers:
        before = executed(live)
        for _ in range(3):
            await resolver_client.buy(member, "1.00")
        for device in followers:
            await device.comes_to(4)
            assert device.versions == [1, 2, 3, 4]
        assert executed(live) == before + 3
        assert len(resolver_client.services.hub._watches[member]) == 1  # noqa: SLF001 - nothing else says it
    await until_nobody_watches(resolver_client, member)


async def test_rights_language_channel_and_member_separate_broadcasts(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member, other = await resolver_client.member(), await resolver_client.member()
    own, agent = resolver_client.context(Role.MEMBER, member=member), resolver_client.context(Role.AGENT)
    contexts = [own, replace(own, locale="fr"), replace(own, locale="ar"), replace(own, declared_channel=Channel.WEB)]
    by = {"id": global_id("Member", member)}
    async with devices(live, *contexts, replace(own, declared_channel=Channel.APP)), AsyncExitStack() as stack:
        for context in (
            agent,
            resolver_client.context(Role.KIOSK),
            resolver_client.context(Role.AGENT, subject="another"),
        ):
            await stack.enter_async_context(devices(live, context, by=by))
        # APP is a member's channel anyway, and two agents see the same.
        assert len(live._broadcasts) == 6  # noqa: SLF001 - nothing else says it
        await stack.enter_async_context(devices(live, agent, by={"id": global_id("Member", other)}))
        assert len(live._broadcasts) == 7  # noqa: SLF001
    assert not live._broadcasts  # noqa: SLF001


async def test_reconnecting_subscriber_joins_the_same_broadcast(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    for _ in range(3):
        await resolver_client.buy(member, "1.00")
    async with devices(live, context), devices(live, context, after=1) as [back], devices(live, context, after=0):
        assert back.versions == [2, 3, 4]
        assert len(live._broadcasts) == 1  # noqa: SLF001 - nothing else says it


async def test_subscriber_at_the_newest_version_gets_the_next_change(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    reconnected = [Device(live) for _ in range(20)]
    beginning = [asyncio.create_task(device.begin(context, after=1)) for device in reconnected]
    async with asyncio.timeout(WITHIN_SECONDS):
        while len(resolver_client.services.hub._watches.get(member, ())) < 20:  # noqa: ASYNC110, SLF001 - polled
            await asyncio.sleep(0.01)
    before = executed(live)
    await resolver_client.buy(member, "1.00")
    await asyncio.gather(*beginning)
    assert executed(live) == before + 1
    await resolver_client.buy(member, "1.00")
    for device in reconnected:
        await device.comes_to(3)
        assert device.versions == [2, 3]
        device.subscriber.leave()
    assert executed(live) == before + 2


async def test_broadcast_outlives_its_first_subscriber(resolver_client: ResolverClient, live: Broadcaster) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    async with devices(live, context) as [first]:
        async with devices(live, context) as [second]:
            first.subscriber.leave()
            await resolver_client.buy(member, "1.00")
            await second.comes_to(2)
            assert first.versions == [1]
        await until_nobody_watches(resolver_client, member)
        async with devices(live, context) as [third]:
            await resolver_client.buy(member, "1.00")
            await third.comes_to(3)
            assert third.versions == [2, 3]


async def test_joining_under_load_has_no_gap_and_no_duplicate(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    contexts = [resolver_client.context(Role.MEMBER, member=member, subject=f"device-{n}") for n in range(30)]
    joined: list[Device] = []

    async def join(number: int) -> None:
        await asyncio.sleep(number * 0.01)
        device = Device(live)
        joined.append(device)
        await device.begin(contexts[number], **({"after": 0} if number % 3 == 0 else {}))

    async def till() -> None:
        for _ in range(25):
            await resolver_client.buy(member, "1.00")

    await asyncio.gather(*(till() for _ in range(4)), *(join(number) for number in range(30)))
    for device in joined:
        await device.comes_to(101)
        assert device.versions == [*range(device.versions[0], 102)]
        assert not any(update["resync"] for update in device.updates)
        device.subscriber.leave()
    await until_nobody_watches(resolver_client, member)


# Slow subscribers


async def test_slow_device_gets_the_newest_state_and_delays_nobody(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    async with devices(live, context, context, context) as [fast, slow, slower]:
        slow.is_slow = slower.is_slow = True
        last = 1
        for _ in range(BACKLOG_MAX // 32 + 1):
            await asyncio.gather(*(resolver_client.buy(member, "1.00") for _ in range(32)))
            last += 32
            await fast.comes_to(last)
            if last < BACKLOG_MAX:
                slow.is_slow = False
                await slow.catch_up()
                slow.is_slow = last + 32 < BACKLOG_MAX
        assert fast.versions == [*range(1, last + 1)]
        await slow.catch_up()
        assert slow.versions == fast.versions
        before = executed(live)
        await slower.catch_up()
        assert slower.updates[1:] == [{"version": last, "resync": True}]
        assert executed(live) == before + 1
        slower.is_slow = False
        await resolver_client.buy(member, "1.00")
        for device in (fast, slow, slower):
            await device.comes_to(last + 1)
            assert device.updates[-1] == {"version": last + 1, "resync": False}


async def test_changes_during_a_pending_merged_state_are_merged_into_it(
    resolver_client: ResolverClient, live: Broadcaster
) -> None:
    member = await resolver_client.member()
    async with devices(live, resolver_client.context(Role.MEMBER, member=member)) as [device]:
        [line] = live._broadcasts.values()  # noqa: SLF001 - published by hand
        value = line._recent[-1].event  # noqa: SLF001
        device.is_slow = True
        for version in range(2, BACKLOG_MAX + 4):
            answer = EncodedAnswer({"data": {"memberChanged": {"version": version}}}, replace(value, version=version))
            device.subscriber.put(Batch([answer]))
        await device.catch_up()
        assert device.updates[1:] == [{"version": BACKLOG_MAX + 3, "resync": True}]


# Ends


async def test_failing_broadcast_reports_to_each_subscriber(
    resolver_client: ResolverClient, live: Broadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.MEMBER, member=member)
    for raised in (Unavailable("database_unavailable"), RuntimeError("unforeseen")):

        async def fails(*_: Any, error: Exception = raised) -> None:
            raise error

        async with devices(live, context, context) as followers:
            monkeypatch.setattr(resolver_client.services.reader, "member", fails)
            resolver_client.services.hub.publish_gap()
            for device in followers:
                async with asyncio.timeout(WITHIN_SECONDS):
                    await device.arrived.wait()
                    while not device.subscriber.ended:
                        device.arrived.clear()
                        await device.arrived.wait()
            ends = [device.subscriber.error for device in followers]
            assert ends[0] is ends[1]
            assert isinstance(ends[0], Unavailable if isinstance(raised, Unavailable) else Failure)
            monkeypatch.undo()
        assert not live._broadcasts  # noqa: SLF001 - nothing else says it


def test_variables_that_only_select_events_share_a_broadcast(live: Broadcaster) -> None:
    query = """subscription ($by: MemberKey, $after: Int, $first: Int, $with: Boolean!) {
      memberChanged(by: $by, after: $after) {
        version member { ...Some activity(first: $first) { edges { cursor } } }
      }
    }
    fragment Some on Member { number @include(if: $with) }"""
    operation = prepared(live, query, **{"with": True})
    assert answer_variables(operation) == {"first", "with"}


# Over the wire

SEEN = """subscription ($by: MemberKey) {
  memberChanged(by: $by) { version entries { label } member { profile { firstName email } points { available } } }
}"""


async def test_each_subscriber_gets_its_rights_language_and_id(
    development_gateway: GatewayProcess,
) -> None:
    gateway = development_gateway
    api_member = await enrol(gateway, firstName="Ada", email="ada@example.org", locale="fr")
    clear = {"firstName": "Ada", "email": "ada@example.org"}
    masked = {"firstName": "A•••", "email": "a•••@•••.org"}
    seen = {
        "member": (api_member.token(), None, {}, clear, "Achat"),
        "member on another device": (api_member.token(sub="tablet"), None, {}, clear, "Achat"),
        "member in English": (api_member.token(), None, {"Accept-Language": "en"}, clear, "Purchase"),
        "agent": (gateway.token("agent"), api_member.by, {"Accept-Language": "ar"}, clear, "شراء"),
        "kiosk": (gateway.token("kiosk"), api_member.by, {}, masked, "Achat"),
        "manager": (gateway.token("manager"), api_member.by, {}, clear, "Achat"),
    }
    async with AsyncExitStack() as stack:
        opened: dict[str, tuple[ClientConnection, str]] = {}
        for name, (token, by, result, profile, _) in seen.items():
            socket = await stack.enter_async_context(gateway.socket(token, **result))
            id_ = await watch(socket, by, query=SEEN)
            first = await next_message(socket)
            assert first["id"] == id_
            assert data(first["payload"])["memberChanged"]["member"]["profile"] == profile
            opened[name] = socket, id_
        till = await stack.enter_async_context(gateway.socket(gateway.token("till")))
        await watch(till, api_member.by, query=SEEN)
        assert (await next_message(till))["payload"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        stream = await stack.enter_async_context(event_stream(gateway, gateway.token("kiosk"), SEEN, by=api_member.by))
        assert (await stream.next_update())["member"]["profile"] == masked
        await api_member.buy("5.00")
        for name, (_, _, _, profile, label) in seen.items():
            socket, id_ = opened[name]
            message = await next_message(socket)
            assert message["id"] == id_
            update = data(message["payload"])["memberChanged"]
            assert update == {
                "version": 2,
                "entries": [{"label": label}],
                "member": {"profile": profile, "points": {"available": 5}},
            }, name
        assert (await stream.next_update())["member"]["profile"] == masked
        assert (await next_message(till))["payload"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# Large enough to fill the buffers between the gateway and a client that does not read.
_PAGES = " ".join(f"page{n}: activity(first: 20) {{ edges {{ cursor node {{ id label }} }} }}" for n in range(16))
LARGE = f"subscription {{ memberChanged {{ version resync member {{ {_PAGES} }} }} }}"


@asynccontextmanager
async def unread_socket(api_member: ApiMember) -> AsyncIterator[ClientConnection]:
    """Open a socket with small buffers, which blocks its sender until it is read."""
    host, port = api_member.gateway.url.removeprefix("http://").split(":")
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    protocol = Subprotocol("graphql-transport-ws")
    address = f"ws://{host}:{port}/graphql"
    async with connect(
        address, sock=raw, subprotocols=[protocol], max_queue=1, ping_interval=None, compression=None
    ) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {api_member.token(sub='slow')}"}}
        await socket.send(json.dumps(init))
        assert (await next_message(socket))["type"] == "connection_ack"
        yield socket


async def test_slow_socket_delays_nobody_and_resyncs(api_member: ApiMember) -> None:
    gateway, changes = api_member.gateway, 600
    async with AsyncExitStack() as stack:
        fast = [await stack.enter_async_context(gateway.socket(api_member.token())) for _ in range(50)]
        slow = await stack.enter_async_context(unread_socket(api_member))
        # Some share a broadcast with the slow one.
        for number, socket in enumerate([*fast, slow]):
            await watch(socket, query=LARGE if number >= 45 else UPDATES)
            assert (await next_update(socket))["version"] == 1

        async def all_of_them(socket: ClientConnection) -> None:
            for version in range(2, changes + 2):
                update = await next_update(socket)
                assert (update["version"], update["resync"]) == (version, False)

        async def till() -> None:
            for _ in range(changes // 12):
                await api_member.buy("1.00")

        async with asyncio.timeout(60):
            await asyncio.gather(*(all_of_them(socket) for socket in fast), *(till() for _ in range(12)))
        result = [await next_update(slow)]
        while result[-1]["version"] < changes + 1:
            result.append(await next_update(slow))
        *before, last = [(update["version"], update["resync"]) for update in result]
        assert before == [(version, False) for version in range(2, len(before) + 2)]
        assert last == (changes + 1, True)
        assert len(before) < changes - BACKLOG_MAX
        await api_member.buy("1.00")
        update = await next_update(slow)
        assert (update["version"], update["resync"]) == (changes + 2, False)


async def test_updates_of_many_sockets_of_one_member_are_executed_once(api_member: ApiMember) -> None:
    gateway = api_member.gateway

    async def counted() -> float:
        async with gateway.client() as client:
            text = (await client.get("/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("carillon_executed_updates_total ")]
        return float(lines[0].split()[1])

    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(gateway.socket(api_member.token(sub=f"device-{n}"))) for n in range(100)
        ]
        for socket in opened:
            await watch(socket, query=LIVE)
            assert (await next_update(socket))["version"] == 1
        before = await counted()
        for version in (2, 3, 4):
            await api_member.buy("1.00")
            for socket in opened:
                assert (await next_update(socket))["version"] == version
        assert await counted() == before + 3
