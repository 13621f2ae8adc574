"""What mutations answer: the object, or the refusals that the caller can act on."""

from typing import Self

import strawberry

from loyalty.refusal import Refusal
from models.request import Committed, Outcome
from models.snapshot import EntryView, entry_views
from resolvers.context import Context
from schema.access import REACHED, field
from schema.error import UserError, as_refusal
from schema.member import Explanation, LedgerEntry, Member, explanations
from schema.text import locale_of


def _committed(outcome: Outcome) -> Committed | Refusal:
    if isinstance(outcome, Committed | Refusal):
        return outcome
    raise TypeError("a caller's command is committed or refused")


def _entries(outcome: Committed, context: Context) -> tuple[tuple[EntryView, ...], list[LedgerEntry]]:
    programme, locale = context.programme(), locale_of(context, outcome.snapshot.member)
    views = entry_views(outcome.record)
    return views, [LedgerEntry.of(view, programme, locale) for view in views]


@strawberry.type
class EnrolPayload:
    """The new member."""

    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an enrolment."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            return cls(member=None, replayed=False, user_errors=[UserError.of(result, context)])
        return cls(member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])


@strawberry.type
class RecordEventPayload:
    """What an event gave."""

    entries: list[LedgerEntry] = field(REACHED)
    why: list[Explanation] = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(
        REACHED,
        description="True when this key had been counted before: the answer is the first one's, and nothing changed.",
    )
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome | Exception, context: Context, *place: str) -> Self:
        """Return the answer to an event; `place` is its place within a batch."""
        result = as_refusal(outcome) if isinstance(outcome, Exception) else _committed(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result, context, *place)]
            return cls(entries=[], why=[], member=None, replayed=False, user_errors=errors)
        views, entries = _entries(result, context)
        locale = locale_of(context, result.snapshot.member)
        return cls(
            entries=entries,
            why=explanations(views, context.programme(), locale),
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class AdjustPointsPayload:
    """The adjustment in the ledger."""

    entries: list[LedgerEntry] = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an adjustment."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            return cls(entries=[], member=None, replayed=False, user_errors=[UserError.of(result, context)])
        _, entries = _entries(result, context)
        return cls(entries=entries, member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])
