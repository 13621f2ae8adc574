"""Requests: commands on their way to a committer, and the outcomes that it returns."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loyalty.commands.registry import EVENT_OPERATION, Command, Kind, OtherMember, kind_of
from loyalty.kernel import canonical
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import NothingToSettle
from loyalty.model.hold import Hold
from loyalty.model.ledger import Record
from loyalty.model.order import Order
from loyalty.model.programme import Programme
from loyalty.model.references.senders import split_reference
from models.mongo.ids import event_id, event_key, identity_key, identity_parts
from models.mongo.snapshot import Snapshot

NO_OTHERS: tuple[OtherMember, ...] = ()


@fast_init
@dataclass(frozen=True, slots=True)
class Request:
    """A command to be committed for `member`, its first member. `digest` is of the content that the caller sent.

    `members` are the distinct ids of the first and the other members. `own_key` is the `_id` under which the command
    counts, once, for ever; None for the system's own. `former_digest` returns the digest of the same content as earlier
    releases computed it, so that a retry of one of their keys is recognised. `purchase_key` is the `_id` of the
    purchase that the command refers to, or None; `open_reference` the sender and the key of a reference that may also
    lead to a purchase of another sender.

    Raises:
        ValueError: a command that owns a key has no digest.
    """

    command: Command
    member: str
    programme: Programme
    now: datetime
    digest: str | None = None
    former_digest: Callable[[], str] | None = None

    kind: Kind[Any] = field(init=False)
    members: tuple[str, ...] = field(init=False)
    own_key: str | None = field(init=False)
    purchase_key: str | None = field(init=False)
    open_reference: tuple[str, str] | None = field(init=False)

    def __post_init__(self) -> None:
        """Look the command up, and compute the keys once: they are used several times on the way."""
        kind = kind_of(type(self.command))
        _set(self, "kind", kind)
        members: tuple[str, ...] = (self.member,)
        if kind.others is not None:
            members = tuple(dict.fromkeys((self.member, *(other.id for other in self.others))))
        _set(self, "members", members)
        _set(self, "own_key", self._own_key(kind))
        reference = kind.refers_to(self.command) if kind.refers_to is not None else None
        is_open = reference is not None and kind.refers_openly is not None and kind.refers_openly(self.command)
        _set(self, "purchase_key", self._event_key(reference) if reference is not None else None)
        _set(self, "open_reference", split_reference(reference) if reference is not None and is_open else None)

    @property
    def others(self) -> Sequence[OtherMember]:
        """The command's other members, in its order."""
        return self.kind.others(self.command) if self.kind.others is not None else NO_OTHERS

    def _own_key(self, kind: Kind[Any]) -> str | None:
        if not kind.owns_key:
            return None
        if self.digest is None:
            raise ValueError(f"{type(self.command).__name__} owns a key: give the digest of the content with it")
        cause = self.command.cause
        return event_key(self.programme.key, cause.operation, cause.subject, cause.key)

    def _event_key(self, reference: str) -> str:
        return event_id(self.programme.key, EVENT_OPERATION, reference)

    def has_digest(self, digest: str) -> bool:
        """Return whether the content is that of a stored digest."""
        return digest == self.digest or (self.former_digest is not None and digest == self.former_digest())

    def identities(self) -> dict[str, str]:
        """Return the identities that the command claims for its first member: the kind of each by its `_id`."""
        if self.kind.claims is None:
            return {}
        claims = self.kind.claims(self.command)
        return {self._identity(kind, value): kind for kind, value in claims.items() if value}

    def freed(self, identities: Iterable[str]) -> set[str]:
        """Return which of its first member's identities (their `_id`s) the command gives up."""
        if self.kind.frees is None:
            return set()
        frees, claimed = self.kind.frees(self.command), self.identities()
        given_up = {kind: self._identity(kind, value) if value is not None else None for kind, value in frees.items()}
        return {
            id_
            for id_ in identities
            if id_ not in claimed
            and (kind := identity_parts(id_)[0]) in given_up
            and given_up[kind] in {None, id_, self._identity(*identity_parts(id_))}
        }

    def _identity(self, kind: str, value: str) -> str:
        return identity_key(self.programme.key, kind, canonical.stored_identity(kind, value, self.programme.country))


# As a frozen dataclass itself does.
_set = object.__setattr__


@fast_init
@dataclass(frozen=True, slots=True)
class Committed:
    """What was committed; `replayed` if the key was counted before and nothing changed.

    `orders` are those that the command created or changed, as they are now; `hold` is the one that it created or
    released; `others` is the same for the command's other members, in its order. `waiting`: the event is stored, and
    counts once the purchase that it refers to arrives.
    """

    snapshot: Snapshot
    record: Record
    replayed: bool = False
    orders: tuple[Order, ...] = ()
    hold: Hold | None = None
    others: tuple["Committed", ...] = ()
    waiting: bool = False


Outcome = Committed | Refusal | NothingToSettle
