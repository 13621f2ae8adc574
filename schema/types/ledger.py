"""The ledger of a member, with an explanation of each entry."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

import strawberry

from loyalty.commands.registry import EVENT_OPERATION
from loyalty.model.explanation import Explanation as Explained
from loyalty.model.ledger import IMPORTED, Cause
from loyalty.model.programme import Programme as ProgrammeRules
from loyalty.rules.self_explanation import explanations_of, is_of_time
from models.mongo.snapshot import EntryView
from models.reads.reader import Origin
from resolvers.core.context import Context
from resolvers.core.member import SYSTEM
from resolvers.core.reading import read_or_unavailable
from schema.wire.access import REACHED, STAFF, field, resolver
from schema.wire.enums import Channel, EntryKind
from schema.wire.ids import cursor, entry_id
from schema.wire.info import Info
from schema.wire.node import Node
from schema.wire.page import Connection
from schema.wire.text import entry_label, explanation_sentence


@strawberry.type
class Explanation:
    """What one rule of the programme gave for an event, and why."""

    rule: str = field(
        REACHED,
        "Key of the rule in the programme file; `offer/KEY` for an offer, `instant/KEY` for an instant reward, "
        "`receipt` for a purchase that waits to be confirmed; `adjustment`, `order`, `hold` or `expiry` if no rule "
        "decided.",
    )
    points: int = field(REACHED, "Points that the rule gave; negative for reversed ones, 0 if it did not apply.")
    applied: bool = field(REACHED, "Whether the rule had an effect on this event.")
    reason: str = field(REACHED, "One sentence that says why, in the language of the request, else of the member.")

    @classmethod
    def of(cls, explanation: Explained, programme: ProgrammeRules, locale: str) -> Self:
        """Return an explanation in the language of `locale`."""
        reason = explanation_sentence(explanation, programme, locale)
        return cls(rule=explanation.rule, points=explanation.points, applied=explanation.applied, reason=reason)


def explanations(found: Iterable[Explained], programme: ProgrammeRules, locale: str) -> list[Explanation]:
    """Return explanations in the language of `locale`."""
    return [Explanation.of(explanation, programme, locale) for explanation in found]


@strawberry.type
class LedgerEntry(Node):
    """A movement of a member's points. Entries are never changed or deleted."""

    kind: EntryKind = field(REACHED, "Why the points moved.")
    points: int = field(REACHED, "Signed change of the available balance, in points.")
    balance: int = field(REACHED, "Available balance after this entry, in points.")
    version: int = field(REACHED, "The member's version that this entry belongs to.")
    occurred_at: datetime = field(REACHED, "When it happened, as the sender reported it, in UTC.")
    recorded_at: datetime = field(REACHED, "When the gateway recorded it, in UTC.")
    channel: Channel = field(REACHED, "Where it happened.")
    view: strawberry.Private[EntryView]
    programme: strawberry.Private[ProgrammeRules]
    locale: strawberry.Private[str]

    def __init__(self, view: EntryView, programme: ProgrammeRules, locale: str) -> None:
        """Build an entry in one language. Dataclass keywords take three times as long, and a page has dozens."""
        self.view, self.programme, self.locale = view, programme, locale
        # Names and RFC 3339 timestamps are stored in the form in which they are sent.
        (
            self.kind,
            self.points,
            self.balance,
            self.version,
            self.occurred_at,
            self.recorded_at,
            self.channel,
        ) = view.list_values()

    @resolver(REACHED)  # type: ignore[misc]  # computed on request; other nodes store theirs
    def id(self) -> strawberry.ID:  # type: ignore[override]
        """Global id of this entry, the same for ever."""
        view = self.view
        return strawberry.ID(entry_id(view.member, self.version, view.index))

    @resolver(REACHED)
    def label(self) -> str:
        """One line for the shopper that says what happened, in the language of the request, else of the member."""
        return entry_label(self.view, self.programme, self.locale)

    @resolver(REACHED)
    def why(self) -> list[Explanation]:
        """Which rules gave how many points, and why others gave none; or why points moved that no rule decided."""
        return explanations(explanations_of(self.view), self.programme, self.locale)

    @resolver(REACHED)
    async def reason(self, info: Info) -> str | None:
        """Why a person gave or took the points, in that person's words; null if nobody said."""
        cause = await self._cause(info.context)
        return cause.reason if cause is not None and cause.reason != IMPORTED else None

    @resolver(STAFF)
    async def actor(self, info: Info) -> str | None:
        """Who or what caused it: the role and the subject of the token, such as `agent/dana`, or `system`.

        For agents and managers.
        """
        if is_of_time(self.view):
            return SYSTEM
        cause = await self._cause(info.context)
        if cause is None:
            return None
        return SYSTEM if cause.role == SYSTEM else f"{cause.role}/{cause.subject}"

    @resolver(REACHED)
    async def store(self, info: Info) -> str | None:
        """Key of the store where it happened; null if it happened in none."""
        origin = await self._origin(info.context)
        return origin.store if origin is not None else None

    @resolver(STAFF)
    async def event(self, info: Info) -> str | None:
        """Key of the event that it came from; null if it came from no event. For agents and managers."""
        cause = await self._cause(info.context)
        return cause.key if cause is not None and cause.operation == EVENT_OPERATION else None

    async def _origin(self, context: Context) -> Origin | None:
        """Return what caused the entry; None if the clock did, and in a preview."""
        view = self.view
        if is_of_time(view):
            return None
        return await read_or_unavailable(context.services.reader.origin(view.member, self.version))

    async def _cause(self, context: Context) -> Cause | None:
        origin = await self._origin(context)
        return origin.cause if origin is not None else None


@strawberry.type
class LedgerEntryEdge:
    """A ledger entry and its position in the list."""

    node: LedgerEntry = field(REACHED, "The ledger entry at this position.")

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the older entries that follow."""
        return cursor(self.node.version, self.node.view.index)


@strawberry.type
class LedgerEntryConnection(Connection[LedgerEntryEdge]):
    """A page of a member's ledger, newest first."""
