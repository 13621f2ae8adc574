"""One guard against guessing: a caller whose attempts find nothing has to wait after some of them, longer each time.

Every operation whose answer depends on whether something exists goes through it: members by their keys, codes, digits,
and enrolments of people who are members already. Wrong attempts are counted by token, tablet and address, in MongoDB
for all gateways; each gateway also remembers those that it knows of, so that right ones cost no read.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.mongo.ids import joined_id
from models.tablets import session_store
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.guesses import NO_WAIT, SPAN, Guesser
from resolvers.core.operation_error import Refused
from resolvers.core.reading import read_or_unavailable

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
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
    return _callers(context.require_actor(), context.address, context.services.bounds.guesses_max)


@lru_cache(maxsize=10_000)  # every look-up needs them
def _callers(actor: Actor, address: str | None, free: int) -> tuple[Guesser, ...]:
    factor = _FACTORS.get(actor.role)
    if factor is None:
        return ()
    token = Guesser(joined_id("guess", "token", actor.programme, actor.role, actor.subject), factor * free)
    network = Guesser(joined_id("guess", "address", _network(address)), _ADDRESS_FACTOR * free)
    return (token, network) if actor.device is None else (token, tablet(actor.device), network)


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


async def waiting(context: Context, guessers: Sequence[Guesser]) -> Refusal | None:
    """Return the refusal of guessers that have to wait, or None."""
    shared = {guesser.id: guesser for guesser in guessers if guesser.shared}
    if shared:
        counts = await read_or_unavailable(session_store.wrong_attempts(context.services.database, [*shared]))
        for id_, (wrong, forget_at) in counts.items():
            context.services.guesses.learn(shared[id_], wrong, forget_at - SPAN)
    return refusal_now(context, guessers)


async def count_wrong(context: Context, guessers: Sequence[Guesser], times: int = 1) -> int:
    """Count wrong attempts; return how many of them may be answered, the rest being too many.

    Concurrent attempts all pass `waiting()`, but no more of them are answered than one after the other.
    """
    if not guessers or not times:
        return times
    guesses, now = context.services.guesses, context.services.clock()
    for guesser in guessers:
        guesses.count(guesser, times, now)  # before the first await, for those that are looked up at the same time
    ids = [guesser.id for guesser in guessers]
    counted = await read_or_unavailable(
        session_store.count_wrong_attempts(context.services.database, ids, times=times, now=now, forget_at=now + SPAN)
    )
    for guesser in guessers:
        guesses.learn(guesser, counted[guesser.id], now)
    too_many = max(counted[guesser.id] - guesser.free for guesser in guessers)
    return max(times - max(too_many, 0), 0)


def refusal_now(context: Context, guessers: Sequence[Guesser]) -> Refusal | None:
    """Return the refusal of guessers that have to wait, as far as this process knows, or None."""
    wait = context.services.guesses.wait(guessers, context.services.clock())
    if wait <= NO_WAIT:
        return None
    if wait < MINUTE:
        return Refusal(RefusalCode.LIMIT_REACHED, "attempts_seconds", (), {"seconds": -(-wait // SECOND)})
    return Refusal(RefusalCode.LIMIT_REACHED, "attempts", (), {"minutes": -(-wait // MINUTE)})


async def answer_counted(context: Context, guessers: Sequence[Guesser], wrong: T) -> T | Refusal:
    """Count a wrong answer; return it, or a refusal instead if it was one too many."""
    if await count_wrong(context, guessers):
        return wrong
    return refusal_now(context, guessers) or wrong


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
        return await answer_counted(context, guessers, result)
    # A right one is refused too if others, which began at the same time, have been wrong too often since.
    return refusal_now(context, guessers) or result


async def withheld(context: Context, outcome: T) -> T | Refusal:
    """Return the outcome of a command, counted as wrong if it reveals that something exists, or a refusal instead."""
    if not isinstance(outcome, Refusal) or outcome.code is not RefusalCode.ALREADY_EXISTS:
        return outcome
    return await answer_counted(context, callers(context), outcome)


async def guarded_find(context: Context, find: Callable[[], Awaitable[T | None]]) -> T | None:
    """Return what a look-up by the actor finds, or None; raises Refused (LIMIT_REACHED) if it has to wait."""
    found = await guarded(context, callers(context), find, is_wrong=lambda found: found is None)
    if isinstance(found, Refusal):
        raise Refused(found)
    return found
