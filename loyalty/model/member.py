"""A member: the one snapshot that every decision starts from and every channel is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import end_of
from loyalty.kernel.fast_dataclass import quick
from loyalty.model.consent import Consent
from loyalty.model.hold import Hold
from loyalty.model.ledger import Account, Standing
from loyalty.model.lot import NO_LOTS, Lots
from loyalty.model.offer import UNTOUCHED, OfferUse
from loyalty.model.qualifying_days import NO_DAYS, Days

# What a frozen dataclass itself uses.
_set = object.__setattr__


@quick
@dataclass(frozen=True, slots=True)
class Profile:
    """Who a member is. Every field may be missing but the locale that messages are written in.

    `preferences` are the topics (`category:COFFEE`) that the member says to like, `consents` what it agreed to or
    refused.
    """

    locale: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    preferences: tuple[str, ...] = ()
    consents: tuple[Consent, ...] = ()

    @property
    def completion(self) -> float:
        """The share of the five personal fields that are filled in, 0 to 1."""
        fields = (self.first_name, self.last_name, self.email, self.phone, self.birth_date)
        return (len(fields) - fields.count(None)) / len(fields)


@quick
@dataclass(frozen=True, slots=True)
class Member:
    """The state of one member at one version.

    `qualifying` holds qualifying points by day; `counted` how many events of each type were counted; `capped` what each
    capped rule gave in each span of its cap; `head` the hash of the record of this version,
    `programme_version` the programme that decided it. `holds` are kept for checkouts, `lapsed` names the last ones that
    let go by themselves. `offers` is what the member has done with offers, `bound` which of them wait for which
    purchase and what each has cost its budget, `ordered` how many orders of limited rewards fell in each span of their
    limit. `write_offs` are the points that were written off and not made good since, with the version of each, oldest
    first: see `loyalty/commands/advance_order.py`.
    """

    id: str
    programme: str
    number: str
    version: int
    enrolled_at: datetime
    profile: Profile
    standing: Standing
    balances: Mapping[Account, int] = field(default_factory=dict)
    lots: Lots = NO_LOTS
    qualifying: Days = NO_DAYS
    counted: Mapping[str, int] = field(default_factory=dict)
    capped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    cards: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    lapsed: tuple[str, ...] = ()
    offers: Mapping[str, OfferUse] = field(default_factory=dict)
    bound: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    ordered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    write_offs: tuple[tuple[int, int], ...] = ()
    head: str = ""
    programme_version: int = 0

    def balance(self, account: Account) -> int:
        """Return what stands on one account."""
        return self.balances.get(account, 0)

    def offer_use(self, offer: str) -> OfferUse:
        """Return what the member has done with an offer."""
        return self.offers.get(offer, UNTOUCHED)

    @property
    def available(self) -> int:
        """Points that may be spent now; below zero where a refund took back points already spent."""
        return self.balance(Account.AVAILABLE)

    @property
    def lifetime(self) -> int:
        """All points ever given, less those that refunds took back."""
        return -self.balance(Account.ISSUED)

    @property
    def debt(self) -> int:
        """Points owed: what the next earnings fill first."""
        return max(0, -self.available)


_SLOTS = tuple(Member.__slots__)


def working_copy(member: Member) -> Member:
    """Return a copy to be changed with `change()` by whoever made it, until it is handed on."""
    copy = object.__new__(Member)
    for name in _SLOTS:
        _set(copy, name, getattr(member, name))
    return copy


def change(member: Member, **fields: Any) -> None:
    """Change a working copy. One made anew for each change, with `replace()`, costs half of a decision."""
    for name, value in fields.items():
        _set(member, name, value)


def due_at(member: Member, zone: ZoneInfo) -> datetime | None:
    """Return when time alone changes the member next: a lot, a hold or a tier's period ends. None: never."""
    last_day = member.lots.first_end()
    moments = [end_of(last_day, zone)] if last_day is not None else []
    moments += [hold.expires_at for hold in member.holds]
    if member.standing.until is not None:
        moments.append(member.standing.until)
    return min(moments, default=None)
