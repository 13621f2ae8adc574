"""The state of one gateway process: services, executor, verifier, live connections and draining."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import Scope

from gateway.auth.revocation_watch import TokenWatch
from gateway.auth.verifier import Verifier
from gateway.config import Limits, Settings
from gateway.observability.metrics import Metrics
from gateway.operations.broadcast import Broadcaster
from gateway.operations.executor import Executor
from gateway.operations.persisted import Operations
from gateway.operations.response_cache import ResponseCache
from loyalty.kernel.channel import Channel
from resolvers.core.actor import Actor
from resolvers.core.context import Context, Services
from resolvers.core.operation_error import LimitExceeded

CHANNEL_HEADER = "x-carillon-channel"
CHANNELS = {channel.value: channel for channel in Channel}


def address_of(scope: Scope) -> str | None:
    """Return the client's address of a request or socket; None if the server does not know it."""
    client = scope.get("client")
    return client[0] if client is not None else None


@dataclass(slots=True)
class Connections:
    """Live connections, counted per actor.

    `draining`: the gateway reports itself unready. `leaving`: live connections are closed, to reconnect elsewhere.
    """

    limits: Limits
    metrics: Metrics
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _by_holder: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @contextmanager
    def opened(self, transport: str, actor: Actor | None, address: str) -> Iterator[None]:
        """Count a connection while the context is open.

        Raises:
            LimitExceeded: the actor (without a token, the address) has CARILLON_LIMIT_SOCKETS connections already.
        """
        holder = (actor.programme, actor.role, actor.subject) if actor is not None else (address,)
        if self._by_holder[holder] >= self.limits.sockets:
            raise LimitExceeded("sockets", value=self.limits.sockets, setting="CARILLON_LIMIT_SOCKETS")
        self._by_holder[holder] += 1
        gauge = self.metrics.sockets.labels(transport)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()
            self._by_holder[holder] -= 1
            if not self._by_holder[holder]:
                del self._by_holder[holder]


@dataclass(slots=True)
class State:
    """One per gateway process, created at its start."""

    settings: Settings
    limits: Limits
    metrics: Metrics
    verifier: Verifier
    tokens: TokenWatch
    services: Services
    executor: Executor
    operations: Operations
    connections: Connections
    broadcaster: Broadcaster
    response_cache: ResponseCache

    def context(
        self, actor: Actor | None, locale: str | None, channel: str | None = None, address: str | None = None
    ) -> Context:
        """Return the context of one operation; an unknown channel counts as none."""
        return Context(self.services, actor, locale, CHANNELS.get(channel or ""), address)
