"""The context of an operation: the services of the process, the actor, the language and the channel."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.kernel.channel import Channel
from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.live.change_feed import ChangeFeed
from models.live.hub import Hub
from models.mongo.database import Database
from models.programmes.programme_store import ProgrammeNotFound, Programmes
from models.reads.dependencies import depends_on_time
from models.reads.reader import Reader
from resolvers.core.actor import Actor, Role
from resolvers.core.guesses import Guesses
from resolvers.core.operation_error import BadInput, Unauthenticated
from resolvers.core.supply import SupplyQuery


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits that resolvers enforce; the gateway reads them from its configuration."""

    page_max: int = 100
    batch_max: int = 500
    replay_max: int = 1000
    guesses_max: int = 20


async def _no_clock_fault() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """One per process. `clock` returns the present moment in UTC, in whole milliseconds.

    `clock_fault` returns why the host clock cannot be trusted, so that nothing may be settled; None if it can.
    `code_secret` is the key of members' offer codes, and of the tokens and codes of tablets.
    """

    database: Database
    committer: Committer
    reader: Reader
    hub: Hub
    feed: ChangeFeed
    programmes: Programmes
    clock: Callable[[], datetime]
    code_secret: bytes
    bounds: Bounds = field(default_factory=Bounds)
    clock_fault: Callable[[], Awaitable[str | None]] = _no_clock_fault
    guesses: Guesses = field(default_factory=Guesses)


# The channel of a role whose request declares none; managers and services have no channel.
CHANNELS = {Role.MEMBER: Channel.APP, Role.KIOSK: Channel.KIOSK, Role.TILL: Channel.STORE, Role.AGENT: Channel.AGENT}


@dataclass(frozen=True, slots=True)
class Context:
    """One per operation. `locale` and `declared_channel` are those of the request, None if it declares none.

    `address` is the client's address, None if it is not known. `prefetched` is a read of supply that was started before
    the operation is executed.
    """

    services: Services
    actor: Actor | None
    locale: str | None = None
    declared_channel: Channel | None = None
    address: str | None = None
    prefetched: SupplyQuery | None = None

    @property
    def channel(self) -> Channel | None:
        """The declared channel, else that of the actor's role; None if neither exists."""
        if self.declared_channel is not None or self.actor is None:
            return self.declared_channel
        return CHANNELS.get(self.actor.role)

    def require_actor(self) -> Actor:
        """Return the actor; raise Unauthenticated if the request has no token."""
        if self.actor is None:
            raise Unauthenticated("token_missing")
        return self.actor

    def programme(self) -> Programme:
        """Return the actor's programme; raise BadInput if it does not exist."""
        actor = self.require_actor()
        try:
            return self.services.programmes.get(actor.programme)
        except ProgrammeNotFound as error:
            raise BadInput("programme_unknown", programme=actor.programme) from error

    def now(self) -> datetime:
        """Return the present moment, and record that the answer depends on it."""
        depends_on_time()
        return self.services.clock()
