"""Senders: which sender of events may refer to the events of which others, and references to a purchase.

A sender is the `sub` of a token. It always refers to its own events; the programme file's `senders:` adds others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar
from urllib.parse import unquote

from loyalty.model.event import PURCHASE
from loyalty.model.offer import purchase_reference

WILDCARD = "*"
# Before a reference that does not name the purchase's sender. References percent-encode this character.
OPEN = "*"


def matches(pattern: str, sender: str) -> bool:
    """Return whether a sender fits a pattern, in which each `*` stands for any characters, or none."""
    first, *rest = pattern.split(WILDCARD)
    if not rest:
        return sender == pattern
    if not sender.startswith(first):
        return False
    *between, last = rest
    place = len(first)
    for part in between:
        found = sender.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(sender) - len(last) >= place and sender.endswith(last)


@dataclass(frozen=True, slots=True)
class SenderRule:
    """The senders that fit `who` may refer to events of those that fit one of `may_refer_to`."""

    who: str
    may_refer_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Senders:
    """The rules of a programme for references between senders."""

    rules: tuple[SenderRule, ...] = ()

    def refers_to_others(self, sender: str) -> bool:
        """Return whether a sender may refer to events of others at all."""
        return any(matches(rule.who, sender) for rule in self.rules)

    def may_refer(self, sender: str, other: str) -> bool:
        """Return whether a sender may refer to the events of another, or of itself."""
        return sender == other or any(
            matches(rule.who, sender) and any(matches(pattern, other) for pattern in rule.may_refer_to)
            for rule in self.rules
        )

    def fits(self, reference: str, sender: str, key: str) -> bool:
        """Return whether a reference, open or not, is to the purchase that `sender` sends with `key`."""
        if not reference.startswith(OPEN):
            return reference == purchase_reference(sender, key)
        referrer, referred = split_reference(reference)
        return referred == key and self.may_refer(referrer, sender)

    def overlap(self, one: str, other: str) -> bool:
        """Return whether two references can be to the same purchase."""
        if one == other:
            return True
        if not one.startswith(OPEN) and not other.startswith(OPEN):
            return False
        (sender, key), (other_sender, other_key) = split_reference(one), split_reference(other)
        if key != other_key:
            return False
        if one.startswith(OPEN) and other.startswith(OPEN):
            return True
        return self.fits(one, other_sender, key) or self.fits(other, sender, key)


def open_reference(reference: str) -> str:
    """Return the reference of a sender to a purchase of its own or of any other sender that it may refer to."""
    return f"{OPEN}{reference}"


def split_reference(reference: str) -> tuple[str, str]:
    """Return the sender and the key of a reference; the referring sender, if the reference is open."""
    sender, _, key = reference.removeprefix(OPEN).partition("/")
    return unquote(sender), unquote(key)


class ReferenceFault(StrEnum):
    """Why a reference leads to no purchase, now or later: several fit it, or it may not lead where it leads."""

    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"


class Referred(Protocol):
    """An event under the key that a reference names."""

    @property
    def sender(self) -> str:
        """Its sender."""

    @property
    def member(self) -> str:
        """Its member's id."""

    @property
    def type(self) -> str:
        """Its type."""


R = TypeVar("R", bound=Referred)


def resolve(found: Sequence[R], referrer: str, member: str, senders: Senders) -> R | ReferenceFault | None:
    """Return the purchase that an open reference of `referrer` for `member` is to; None if it may still come.

    `found` are the recorded events under its key, of any sender and member. Purchases of other members are no
    candidates while the member has one. Without a candidate the reference is refused if it leads to a purchase of
    another member, to an event of the referrer that is no purchase, or to a purchase of a sender that it may not name.
    """
    purchases = [one for one in found if one.type == PURCHASE]
    permitted = [one for one in purchases if senders.may_refer(referrer, one.sender)]
    candidates = [one for one in permitted if one.member == member]
    if len(candidates) > 1:
        return ReferenceFault.AMBIGUOUS
    if candidates:
        return candidates[0]
    is_refused = (
        permitted or any(one.member == member for one in purchases) or any(one.sender == referrer for one in found)
    )
    return ReferenceFault.REFUSED if is_refused else None
