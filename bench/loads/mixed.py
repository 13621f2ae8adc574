"""Nine home screens per purchase, on members by Zipf with exponent 1: a few are requested very often.

The requests are prepared in order, each purchase with a new key. A server that reached the end would receive the first
ones again, so that is an error. The stored purchases are counted afterwards.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import Any

import orjson

from bench.http import BenchError
from bench.loads.members import StoredMember
from bench.loads.reads import READS
from bench.operations import EVENT, purchase_lines
from bench.servers import CARILLON_KEY
from bench.world import World
from loyalty.commands.registry import EVENT_OPERATION
from models.mongo.ids import event_key
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

MIXED, ZIPF = "mixed", "zipf"
EVENT_SHARE = 0.1
BYTES_MIN = 150
"""Bytes of the shortest right answer, which is that to a purchase."""


def subject_of(server: str) -> str:
    """Return the token subject that sends one server's purchases."""
    return f"bench-mixed-{server}"


def _event(member: StoredMember, turn: int, rng: Random, now: str) -> dict[str, Any]:
    lines, total = purchase_lines(rng)
    return {
        "key": f"receipt-{turn}",
        "type": "purchase",
        "member": {"number": member.number},
        "occurredAt": now,
        "channel": "STORE",
        "store": "330",
        "purchase": {"total": total, "currency": "USD", "lines": lines},
    }


def are_purchases(turns: int) -> list[bool]:
    """Return whether each of the first `turns` requests is a purchase; deterministic."""
    rng = Random(1)
    return [rng.random() < EVENT_SHARE for _ in range(turns)]


def requests(world: World, server: str, turns: int) -> list[tuple[str, bytes]]:
    """Return the first `turns` requests to one server: token and body."""
    rng, now = Random(2), datetime.now(UTC).isoformat()
    till = world.token(Role.TILL, subject_of(server))
    weights = [*accumulate(1 / rank for rank in range(1, len(world.members) + 1))]
    # Members are interchangeable, so the first ones can be the most requested.
    members: Sequence[StoredMember] = rng.choices(world.members, cum_weights=weights, k=turns)
    home, reads = READS["home"].request, dict[str, tuple[str, bytes]]()
    prepared: list[tuple[str, bytes]] = []
    for turn, (member, event) in enumerate(zip(members, are_purchases(turns), strict=True)):
        if event:
            variables = {"input": _event(member, turn, rng, now)}
            prepared.append((till, orjson.dumps({"query": EVENT, "variables": variables})))
        else:
            if member.id not in reads:
                reads[member.id] = home(world, member)
            prepared.append(reads[member.id])
    return prepared


async def verify(world: World, server: str, *, sent: int, in_flight: int) -> None:
    """Check that the purchases among the first `sent` requests are stored, except those in flight when a round ended.

    Raises:
        BenchError: too few or too many are stored.
    """
    purchases = sum(are_purchases(sent))
    if server == CARILLON_KEY:
        prefix, name, field = event_key(PROGRAMME, EVENT_OPERATION, subject_of(server), ""), "entries", "key"
    else:
        prefix, name, field = f"{subject_of(server)}/", "bench_events", "_id"
    collection = world.database.db[name]
    stored = await collection.count_documents({field: {"$gte": prefix, "$lt": prefix + "\uffff"}})
    if not purchases - in_flight <= stored <= purchases:
        raise BenchError(f"{server} received {purchases} purchases, but {stored} are stored")
