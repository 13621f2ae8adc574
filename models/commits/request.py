"""What goes into the committer and what comes out: a command for one member, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime

from loyalty.commands.decide import Command
from loyalty.commands.enrol import Enrol
from loyalty.commands.offer import RedeemOffer
from loyalty.commands.record_event import RecordEvent
from loyalty.kernel.fast_dataclass import quick
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Unchanged
from loyalty.model.hold import Hold
from loyalty.model.ledger import Record
from loyalty.model.order import Order
from loyalty.model.programme import Programme
from models.mongo.ids import event_key, identity_key, joined
from models.mongo.snapshot import Snapshot

EVENT_OPERATION = "event"


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """A command on its way to be committed. `digest` is that of what the caller sent, None for the system's own.

    `own_key` is the `_id` under which the command counts, once, for ever; None for the system's own. `bought_key` is
    that of the purchase that the command is about; None where it is about none.
    """

    command: Command
    member: str
    programme: Programme
    now: datetime
    digest: str | None = None

    own_key: str | None = field(init=False)
    bought_key: str | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the keys, which are asked for again and again on the way."""
        object.__setattr__(self, "own_key", self._own_key())
        object.__setattr__(self, "bought_key", self._bought_key())

    def _own_key(self) -> str | None:
        if self.digest is None:
            return None
        cause = self.command.cause
        return event_key(self.programme.key, cause.operation, cause.subject, cause.key)

    def _bought_key(self) -> str | None:
        command = self.command
        if isinstance(command, RecordEvent):
            refunded = command.event.refund_of
            if refunded is None:
                return None
            return event_key(self.programme.key, EVENT_OPERATION, command.event.sender, refunded)
        if isinstance(command, RedeemOffer) and command.purchase is not None:
            return f"{joined(self.programme.key, EVENT_OPERATION)}/{command.purchase}"
        return None

    def identities(self) -> dict[str, str]:
        """Return the identities that an enrolment claims: their `_id`, and which input field each came from."""
        command = self.command
        if not isinstance(command, Enrol):
            return {}
        claims = {
            "number": command.number,
            "card": command.card,
            "email": command.profile.email,
            "phone": command.profile.phone,
        }
        return {identity_key(self.programme.key, kind, value): kind for kind, value in claims.items() if value}


@quick
@dataclass(frozen=True, slots=True)
class Committed:
    """What was committed; `replayed` where the key had been counted before and nothing changed.

    `orders` are those that the command made or changed, as they stand now; `hold` is the one that it made or let go.
    """

    snapshot: Snapshot
    record: Record
    replayed: bool = False
    orders: tuple[Order, ...] = ()
    hold: Hold | None = None


Outcome = Committed | Refusal | Unchanged
