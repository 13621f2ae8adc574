"""The ledger of a member, with an explanation of each entry."""

from datetime import datetime

import strawberry

from loyalty.model.programme import Programme as ProgrammeRules
from models.mongo.snapshot import EntryView
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import Channel, EntryKind
from schema.wire.ids import cursor, entry_id
from schema.wire.node import Node
from schema.wire.page import Connection
from schema.wire.text import entry_label, explanation_sentence


@strawberry.type
class Explanation:
    """What one rule of the programme gave for an event, and why."""

    rule: str = field(
        REACHED, "Key of the rule in the programme file; `offer/KEY` for an offer, `instant/KEY` for an instant reward."
    )
    points: int = field(REACHED, "Points that the rule gave; negative for reversed ones, 0 if it did not apply.")
    applied: bool = field(REACHED, "Whether the rule had an effect on this event.")
    reason: str = field(REACHED, "One sentence that says why, in the language of the request, else of the member.")


def explanations(entries: tuple[EntryView, ...], programme: ProgrammeRules, locale: str) -> list[Explanation]:
    """Return every explanation of some entries, in the language of `locale`."""
    return [
        Explanation(
            rule=explanation.rule,
            points=explanation.points,
            applied=explanation.applied,
            reason=explanation_sentence(explanation, programme, locale),
        )
        for entry in entries
        for explanation in entry.explanations
    ]


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
        """Which rules gave how many points, and why others gave none; empty for an entry that no rule decided."""
        return explanations((self.view,), self.programme, self.locale)


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
