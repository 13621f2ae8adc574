"""What one gateway process holds: its services, its executor, its verifier, who is connected, whether it drains."""

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
from gateway.operations.broadcast import Live
from gateway.operations.executor import Executor
from gateway.operations.persisted import Operations
from gateway.operations.response_cache import ResponseCache
from loyalty.kernel.channel import Channel
from resolvers.core.actor import Actor
from resolvers.core.context import Context, Services
from resolvers.core.fault import LimitExceeded

CHANNEL_HEADER = "x-carillon-channel"
CHANNELS = {channel.value: channel for channel in Channel}


def address_of(scope: Scope) -> str | None:
    """Return where a request or a socket comes from; None where the server does not know."""
    client = scope.get("client")
    return client[0] if client is not None else None


@dataclass(slots=True)
class Connections:
    """Live connections, counted for each actor.

    `draining`: no new work should be sent here. `leaving`: those that are still open are told to go elsewhere.
    """

    limits: Limits
    metrics: Metrics
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _by_actor: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @contextmanager
    def opened(self, transport: str, actor: Actor | None, address: str) -> Iterator[None]:
        """Count a connection while it is open.

        Raises:
            LimitExceeded: its actor (its address, where nobody is known) holds too many already.
        """
        who = (actor.programme, actor.role, actor.subject) if actor is not None else (address,)
        if self._by_actor[who] >= self.limits.sockets:
            raise LimitExceeded("sockets", most=self.limits.sockets, setting="CARILLON_LIMIT_SOCKETS")
        self._by_actor[who] += 1
        gauge = self.metrics.sockets.labels(transport)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()
            self._by_actor[who] -= 1
            if not self._by_actor[who]:
                del self._by_actor[who]


@dataclass(slots=True)
class State:
    """One for each gateway process; made when it starts."""

    settings: Settings
    limits: Limits
    metrics: Metrics
    verifier: Verifier
    tokens: TokenWatch
    services: Services
    executor: Executor
    operations: Operations
    connections: Connections
    live: Live
    response_cache: ResponseCache

    def context(
        self, actor: Actor | None, locale: str | None, channel: str | None = None, address: str | None = None
    ) -> Context:
        """Return the context of one operation; a channel that is none is as if nothing was said."""
        return Context(self.services, actor, locale, CHANNELS.get(channel or ""), address)
