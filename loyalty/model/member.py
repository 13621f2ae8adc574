"""A member: the snapshot that every decision starts from and every channel reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import end_of
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.event import Consequence
from loyalty.model.hold import Hold
from loyalty.model.ledger import Account, TierStatus
from loyalty.model.lot import NO_LOTS, Lots
from loyalty.model.offer import NO_USE, OfferUse
from loyalty.model.qualifying_days import NO_QUALIFYING_DAYS, QualifyingDays
from loyalty.model.references.waiting import Waiting

# A frozen dataclass sets its own fields this way.
_set = object.__setattr__


@fast_init
@dataclass(frozen=True, slots=True)
class Profile:
    """A member's personal data. Only `locale`, the language of its messages, is always present.

    `preferences` are the topics (`category:COFFEE`) that the member chose, `consents` the ones it gave or refused.
    `email`, `phone` and a member's cards are as they were written. `attributes` are those that the programme declares.
    MongoDB stores the fields under these names.
    """

    locale: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    preferences: tuple[str, ...] = ()
    consents: tuple[Consent, ...] = ()
    nickname: str | None = None
    time_zone: str | None = None
    preferred_contact: ContactChannel | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def completion(self) -> float:
        """The fraction of the five personal fields that are filled in, 0 to 1."""
        fields = (self.first_name, self.last_name, self.email, self.phone, self.birth_date)
        return (len(fields) - fields.count(None)) / len(fields)

    def allows(self, purpose: ConsentPurpose) -> bool:
        """Return whether the member agreed to a purpose as a whole; consents by contact channel do not count."""
        return any(one.granted for one in self.consents if one.purpose is purpose and one.channel is None)


@fast_init
@dataclass(frozen=True, slots=True)
class Member:
    """The state of one member at one version.

    - `qualifying_days`: qualifying points by day in the brand's zone.
    - `event_counts`: number of recorded events by type.
    - `cap_usage`: points that each capped rule gave, by rule and cap period (see `period_name()`).
    - `head_hash`: hash of this version's ledger record. `programme_version`: the programme version that decided it.
    - `holds`: open holds. `expired_holds`: ids of the holds that expired last, at most EXPIRED_HOLDS_KEPT_MAX.
    - `offer_uses`: use of each offer, by offer key.
    - `pending_uses`: by purchase that is not recorded yet, the offers that were used for it.
    - `order_counts`: number of orders that count against a reward's limit, by limit key and period.
    - `waiting`: events that wait for the purchase that they refer to, the longest waiting first.
    - `open_write_offs`: (version, points) of write-offs that are not recovered yet, oldest first; see
      `loyalty/commands/advance_order.py`.
    """

    id: str
    programme: str
    number: str
    version: int
    enrolled_at: datetime
    profile: Profile
    tier_status: TierStatus
    balances: Mapping[Account, int] = field(default_factory=dict)
    lots: Lots = NO_LOTS
    qualifying_days: QualifyingDays = NO_QUALIFYING_DAYS
    event_counts: Mapping[str, int] = field(default_factory=dict)
    cap_usage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    cards: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    expired_holds: tuple[str, ...] = ()
    offer_uses: Mapping[str, OfferUse] = field(default_factory=dict)
    pending_uses: Mapping[str, tuple[Consequence, ...]] = field(default_factory=dict)
    order_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    open_write_offs: tuple[tuple[int, int], ...] = ()
    head_hash: str = ""
    programme_version: int = 0
    waiting: tuple[Waiting, ...] = ()

    def balance(self, account: Account) -> int:
        """Return the balance of an account, in points; 0 if nothing was posted to it."""
        return self.balances.get(account, 0)

    def offer_use(self, offer: str) -> OfferUse:
        """Return the member's use of an offer; NO_USE if there is none."""
        return self.offer_uses.get(offer, NO_USE)

    @property
    def available(self) -> int:
        """Points that may be spent now; negative after a refund reversed points that were already spent."""
        return self.balance(Account.AVAILABLE)

    @property
    def lifetime_points(self) -> int:
        """All points ever issued, less those that refunds reversed."""
        return -self.balance(Account.ISSUED)

    @property
    def debt(self) -> int:
        """Points owed, 0 or more; the next points earned fill the debt first."""
        return max(0, -self.available)


_SLOTS = tuple(Member.__slots__)


def mutable_copy(member: Member) -> Member:
    """Return a copy that only its creator may modify, with `set_fields()`, before anybody else sees it."""
    copy = object.__new__(Member)
    for name in _SLOTS:
        _set(copy, name, getattr(member, name))
    return copy


def set_fields(member: Member, **fields: Any) -> None:
    """Set fields of a working copy in place: a `replace()` for each change takes half of a decision's time."""
    for name, value in fields.items():
        _set(member, name, value)


def next_settlement_at(member: Member, zone: ZoneInfo) -> datetime | None:
    """Return when the member must be settled next: the first end of a lot, a hold, a wait or a tier's period.

    None if nothing will expire.
    """
    last_day = member.lots.next_expiry_day()
    moments = [end_of(last_day, zone)] if last_day is not None else []
    moments += [hold.expires_at for hold in member.holds]
    moments += [waiting.until for waiting in member.waiting]
    if member.tier_status.guaranteed_until is not None:
        moments.append(member.tier_status.guaranteed_until)
    return min(moments, default=None)
