"""One guard against guessing: a caller whose attempts find nothing has to wait after some of them, longer each time.

Every operation whose answer depends on whether something exists goes through it: members by their keys, codes, digits,
and enrolments of people who are members already. Wrong attempts are counted by token, tablet and address, in MongoDB
for all gateways; each gateway also remembers those that it knows of, so that right ones cost no read.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.mongo.ids import joined_id
from models.tablets import session_store
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.guesses import SPAN, Guesser
from resolvers.core.reading import read_or_unavailable

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NO_WAIT = timedelta(0)
TABLET_MAX = 20
_FACTORS = {Role.MEMBER: 1, Role.KIOSK: 1, Role.TILL: 3, Role.AGENT: 15}
"""How many times CARILLON_LIMIT_GUESSES a token of a role may be wrong. Tills scan foreign cards, agents mistype."""

_ADDRESS_FACTOR = 100
"""The shops of a chain may share one address, so that it may be wrong as often as many of them."""

_IPV6_NETWORK = 64

T = TypeVar("T")


def tablet(device: str) -> Guesser:
    """Return a tablet as the guesser of the cards, passes and digits that are shown to it."""
    return Guesser(joined_id("guess", "tablet", device), TABLET_MAX, shared=True)


def client(context: Context, what: str, free: int) -> Guesser:
    """Return the client's address as the guesser of `what`, for callers without a token."""
    return Guesser(joined_id("guess", what, _network(context.address)), free, shared=True)


def callers(context: Context) -> tuple[Guesser, ...]:
    """Return the guessers that a look-up counts for: the token, its tablet, and the address; none for back ends.

    Managers and services may read every member, so that they have nothing to guess.
    """
    actor, free = context.require_actor(), context.services.bounds.guesses_max
    factor = _FACTORS.get(actor.role)
    if factor is None:
        return ()
    token = Guesser(_token_id(actor), factor * free)
    address = Guesser(joined_id("guess", "address", _network(context.address)), _ADDRESS_FACTOR * free)
    return (token, address) if actor.device is None else (token, tablet(actor.device), address)


def _token_id(actor: Actor) -> str:
    return joined_id("guess", "token", actor.programme, actor.role, actor.subject)


def _network(address: str | None) -> str:
    """Return an address; of IPv6 its network, because a client has all addresses of one."""
    if address is None:
        return "unknown"
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(int(parsed) >> (128 - _IPV6_NETWORK))


def _refused_for(wait: timedelta) -> Refusal:
    if wait < MINUTE:
        return Refusal(RefusalCode.LIMIT_REACHED, "attempts_seconds", (), {"seconds": -(-wait // SECOND)})
    return Refusal(RefusalCode.LIMIT_REACHED, "attempts", (), {"minutes": -(-wait // MINUTE)})


async def waiting(context: Context, guessers: Sequence[Guesser]) -> Refusal | None:
    """Return the refusal of guessers that have to wait, or None."""
    guesses, now = context.services.guesses, context.services.clock()
    shared = {guesser.id: guesser for guesser in guessers if guesser.shared}
    if shared:
        counts = await read_or_unavailable(session_store.wrong_attempts(context.services.database, [*shared]))
        for id_, (wrong, forget_at) in counts.items():
            guesses.learn(shared[id_], wrong, forget_at - SPAN)
    wait = guesses.wait(guessers, now)
    return _refused_for(wait) if wait > NO_WAIT else None


async def count_wrong(context: Context, guessers: Sequence[Guesser]) -> Refusal | None:
    """Count a wrong attempt; return a refusal to answer with instead, if it was one too many.

    Concurrent attempts all pass `waiting()`, but no more of them are answered than one after the other.
    """
    guesses, now = context.services.guesses, context.services.clock()
    for guesser in guessers:
        guesses.count(guesser, now)  # before the first await, for those that are looked up at the same time
    counted = await read_or_unavailable(
        session_store.count_wrong_attempt(
            context.services.database, [guesser.id for guesser in guessers], now=now, forget_at=now + SPAN
        )
    )
    for guesser in guessers:
        guesses.learn(guesser, counted[guesser.id], now)
    if all(counted[guesser.id] <= guesser.free for guesser in guessers):
        return None
    return _refused_for(guesses.wait(guessers, now))


async def guarded(
    context: Context,
    guessers: Sequence[Guesser],
    attempt: Callable[[], Awaitable[T]],
    *,
    is_wrong: Callable[[T], bool] = lambda result: isinstance(result, Refusal),
) -> T | Refusal:
    """Return the result of an attempt that changes nothing, or a refusal if the guessers have to wait."""
    refusal = await waiting(context, guessers)
    if refusal is not None:
        return refusal
    result = await attempt()
    if is_wrong(result):
        refusal = await count_wrong(context, guessers)
    else:
        # Others that began at the same time may have been wrong too often since.
        wait = context.services.guesses.wait(guessers, context.services.clock())
        refusal = _refused_for(wait) if wait > NO_WAIT else None
    return result if refusal is None else refusal
