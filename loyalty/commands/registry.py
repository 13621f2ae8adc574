"""The registry: what each kind of command declares, once, in its own file.

Importing a command's module registers it, and nobody can make a command without that import. So a new command is one
new file, and there is no list of commands. `decide.py` and `models/commits` look a command up by its type.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.kernel.refusal import Refusal
from loyalty.model import event
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.facts import Needs
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.programme import Programme

EVENT_OPERATION = event.EVENT_OPERATION


class Command(Protocol):
    """A request to change a member: an immutable value with its content, actor and key."""

    @property
    def cause(self) -> Cause:
        """Who asks for the change, and the caller's key."""


class OtherMember(NamedTuple):
    """A member that a command acts on besides its first one; `path` is the input field that names it."""

    id: str
    path: tuple[str, ...]


C = TypeVar("C", bound=Command)
Members = Sequence[Member | None]
Handler = Callable[[C, DecisionBuilder], Decision | Refusal | NothingToSettle]
Shortcut = Callable[[C, Member, Programme, datetime], Decision | None]


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """What is known of one kind of command.

    `operation` names it in records, logs and keys. `handler` decides it. The rest is optional:

    - `needs`: what it may depend on besides its members (in the order first, others; None: no such member);
    - `creates`: makes the first member, at version 0, for a command that creates it;
    - `claims`: the identities that the first member gets: number, card, email, phone;
    - `frees`: the identities that it gives up, by kind; None as the text means all of that kind that it does not claim;
    - `others`: the other members that it acts on; all of them are committed with the first one, or none is;
    - `refers_to`: the purchase that it is about, as `purchase_reference()` names it; the handler finds it in
      `builder.facts.purchase`;
    - `refers_openly`: whether that reference names no sender, so that the purchase may be of any sender that the caller
      may refer to;
    - `shortcut`: decides a simple command in less time, to the same decision; None: `handler` has to decide it;
    - `owns_key`: whether its caller's key counts once, for ever. Only the system's own commands go without.
    """

    operation: str
    handler: Handler[C]
    needs: Callable[[C, Members, Programme], Needs] | None = None
    creates: Callable[[C, Programme, datetime], Member] | None = None
    claims: Callable[[C], Mapping[str, str | None]] | None = None
    frees: Callable[[C], Mapping[str, str | None]] | None = None
    others: Callable[[C], Sequence[OtherMember]] | None = None
    refers_to: Callable[[C], str | None] | None = None
    owns_key: bool = True
    refers_openly: Callable[[C], bool] | None = None
    shortcut: Shortcut[C] | None = None


_KINDS: dict[type[Any], Kind[Any]] = {}


def handles(
    command: type[C],
    *,
    operation: str,
    needs: Callable[[C, Members, Programme], Needs] | None = None,
    creates: Callable[[C, Programme, datetime], Member] | None = None,
    claims: Callable[[C], Mapping[str, str | None]] | None = None,
    frees: Callable[[C], Mapping[str, str | None]] | None = None,
    others: Callable[[C], Sequence[OtherMember]] | None = None,
    refers_to: Callable[[C], str | None] | None = None,
    owns_key: bool = True,
    refers_openly: Callable[[C], bool] | None = None,
    shortcut: Shortcut[C] | None = None,
) -> Callable[[Handler[C]], Handler[C]]:
    """Register the decorated function as the handler of `command`; the other parameters are those of `Kind`.

    Raises:
        ValueError: the command or the operation is registered already.
    """

    def register(handler: Handler[C]) -> Handler[C]:
        if command in _KINDS or any(kind.operation == operation for kind in _KINDS.values()):
            raise ValueError(f"{command.__name__} or the operation {operation!r} is registered already")
        _KINDS[command] = Kind(
            operation, handler, needs, creates, claims, frees, others, refers_to, owns_key, refers_openly, shortcut
        )
        return handler

    return register


def kind_of(command: type[C]) -> Kind[C]:
    """Return what a command has declared.

    Raises:
        TypeError: no such command is registered.
    """
    kind = _KINDS.get(command)
    if kind is None:
        raise TypeError(f"{command.__name__} is not registered as a command: decorate its handler with @handles")
    return kind


def registered() -> Mapping[type[Any], Kind[Any]]:
    """Return every kind of command whose module was imported."""
    return _KINDS
