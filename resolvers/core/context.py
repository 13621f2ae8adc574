"""What every operation gets: the services of the process, and who asks, in which language."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.kernel.channel import Channel
from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.live.change_feed import Feed
from models.live.hub import Hub
from models.mongo.database import Database
from models.programmes.programme_store import ProgrammeNotFound, Programmes
from models.reads.dependencies import depends_on_time
from models.reads.reader import Reader
from resolvers.core.actor import Actor, Role
from resolvers.core.fault import BadInput, Unauthenticated
from resolvers.core.supply import SupplyQuery


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits that operations themselves hold; the gateway reads them from its configuration."""

    page_max: int = 100
    batch_max: int = 500
    replay_max: int = 1000


@dataclass(frozen=True, slots=True)
class Services:
    """One for each process. `clock` gives the present moment in UTC, in whole milliseconds.

    `code_secret` proves members' codes of offers.
    """

    database: Database
    committer: Committer
    reader: Reader
    hub: Hub
    feed: Feed
    programmes: Programmes
    clock: Callable[[], datetime]
    code_secret: bytes
    bounds: Bounds = field(default_factory=Bounds)


# Where a role's requests come from, where they do not say; staff and services look from no channel in particular.
CHANNELS = {Role.MEMBER: Channel.APP, Role.KIOSK: Channel.KIOSK, Role.TILL: Channel.STORE, Role.AGENT: Channel.AGENT}


@dataclass(frozen=True, slots=True)
class Context:
    """One for each operation. `locale` and `declared_channel` are what the request said, None where it did not say.

    `address` is where the request came from, None where that is not known. `prefetched` is a read that the operation
    will need, and that was started before it is executed.
    """

    services: Services
    actor: Actor | None
    locale: str | None = None
    declared_channel: Channel | None = None
    address: str | None = None
    prefetched: SupplyQuery | None = None

    @property
    def channel(self) -> Channel | None:
        """The channel of the request: what it says, else what its role is on; None for no channel in particular."""
        if self.declared_channel is not None or self.actor is None:
            return self.declared_channel
        return CHANNELS.get(self.actor.role)

    def require_actor(self) -> Actor:
        """Return who asks, or refuse an operation that nobody is known to ask for."""
        if self.actor is None:
            raise Unauthenticated("token_missing")
        return self.actor

    def programme(self) -> Programme:
        """Return the programme of the actor's brand."""
        actor = self.require_actor()
        try:
            return self.services.programmes.get(actor.programme)
        except ProgrammeNotFound as error:
            raise BadInput("programme_unknown", programme=actor.programme) from error

    def now(self) -> datetime:
        """Return the present moment."""
        depends_on_time()
        return self.services.clock()
