"""The ledger of a member, with an explanation of each entry."""

from datetime import datetime

import strawberry

from loyalty.model.programme import Programme as ProgrammeRules
from models.mongo.snapshot import EntryView
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import Channel, EntryKind
from schema.wire.ids import cursor, entry_id
from schema.wire.node import Node, PageInfo
from schema.wire.page import page_info
from schema.wire.text import explained, labelled


@strawberry.type
class Explanation:
    """What one rule gave for one event, and why."""

    rule: str = field(REACHED, description="The rule's key in the programme file.")
    points: int = field(REACHED)
    applied: bool = field(REACHED)
    reason: str = field(REACHED)


def explanations(entries: tuple[EntryView, ...], programme: ProgrammeRules, locale: str) -> list[Explanation]:
    """Return every explanation of some entries, in words."""
    return [
        Explanation(
            rule=explanation.rule,
            points=explanation.points,
            applied=explanation.applied,
            reason=explained(explanation, programme, locale),
        )
        for entry in entries
        for explanation in entry.why
    ]


@strawberry.type
class LedgerEntry(Node):
    """One movement of points. Nothing is made of an entry but what is asked for."""

    kind: EntryKind = field(REACHED)
    points: int = field(REACHED, description="Signed change of the available balance.")
    balance: int = field(REACHED, description="Available balance after this entry.")
    version: int = field(REACHED, description="The member's version that this entry belongs to.")
    occurred_at: datetime = field(REACHED)
    recorded_at: datetime = field(REACHED)
    channel: Channel = field(REACHED)
    view: strawberry.Private[EntryView]
    programme: strawberry.Private[ProgrammeRules]
    locale: strawberry.Private[str]

    def __init__(self, view: EntryView, programme: ProgrammeRules, locale: str) -> None:
        """Make an entry in one language; a page makes dozens, and ten arguments by name take three times as long."""
        self.view, self.programme, self.locale = view, programme, locale
        # Told as they are stored where they are stored as they are told: names, and moments in RFC 3339.
        (
            self.kind,
            self.points,
            self.balance,
            self.version,
            self.occurred_at,
            self.recorded_at,
            self.channel,
        ) = view.told()

    @resolver(REACHED)  # type: ignore[misc]  # made when it is asked for; other nodes keep theirs
    def id(self) -> strawberry.ID:  # type: ignore[override]
        """Return the entry's place in the ledger as an id."""
        view = self.view
        return strawberry.ID(entry_id(view.member, self.version, view.index))

    @resolver(REACHED, description="One line for the shopper, in the locale of the request.")
    def label(self) -> str:
        """Return what it was, in words."""
        return labelled(self.view, self.programme, self.locale)

    @resolver(REACHED, description="Which rules gave how much, and why others gave nothing.")
    def why(self) -> list[Explanation]:
        """Return the explanations of this entry."""
        return explanations((self.view,), self.programme, self.locale)


@strawberry.type
class LedgerEntryEdge:
    """An entry and its place in the list."""

    node: LedgerEntry = field(REACHED)

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return cursor(self.node.version, self.node.view.index)


@strawberry.type
class LedgerEntryConnection:
    """A page of the ledger."""

    edges: list[LedgerEntryEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)
