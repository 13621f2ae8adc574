"""Nine home screens for each purchase, on members of members a few are asked for again and again (Zipf, exponent 1).

The requests are written down before, in order, with purchases that nobody has sent before: a server that walked past
the end would be sent the first ones again, so that is an error. What was counted is looked up afterwards.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import Any

import orjson

from bench.http import BenchError
from bench.members import StoredMember
from bench.operations import EVENT, purchase_lines
from bench.reads import READS
from bench.servers import CARILLON_KEY
from bench.world import World
from models.mongo.ids import event_key
from resolvers.core.actor import Role
from resolvers.event import OPERATION
from resolvers.imports.journey import PROGRAMME

MIXED, ZIPF = "mixed", "zipf"
EVENT_SHARE = 0.1
BYTES_MIN = 150
"""Bytes of the shortest right answer: that to a purchase."""


def subject_of(server: str) -> str:
    """Return the sender that one server's purchases come from."""
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
    """Say of each of the first requests whether it is a purchase."""
    rng = Random(1)
    return [rng.random() < EVENT_SHARE for _ in range(turns)]


def requests(world: World, server: str, turns: int) -> list[tuple[str, bytes]]:
    """Return so many requests for one server: token and body."""
    rng, now = Random(2), datetime.now(UTC).isoformat()
    till = world.token(Role.TILL, subject_of(server))
    weights = [*accumulate(1 / rank for rank in range(1, len(world.members) + 1))]
    # Members are alike, and their places say nothing about them: the first are the most asked for.
    members: Sequence[StoredMember] = rng.choices(world.members, cum_weights=weights, k=turns)
    home, reads = READS["home"].request, dict[str, tuple[str, bytes]]()
    told: list[tuple[str, bytes]] = []
    for turn, (member, event) in enumerate(zip(members, are_purchases(turns), strict=True)):
        if event:
            variables = {"input": _event(member, turn, rng, now)}
            told.append((till, orjson.dumps({"query": EVENT, "variables": variables})))
        else:
            if member.id not in reads:
                reads[member.id] = home(world, member)
            told.append(reads[member.id])
    return told


async def verify(world: World, server: str, *, asked: int, in_flight: int) -> None:
    """Check that what was sent was counted, but for what was on its way when a round ended.

    Raises:
        BenchError: it was not.
    """
    sent = sum(are_purchases(asked))
    if server == CARILLON_KEY:
        prefix, collection = event_key(PROGRAMME, OPERATION, subject_of(server), ""), world.database.events
    else:
        prefix, collection = f"{subject_of(server)}/", world.database.db["bench_events"]
    stored = await collection.count_documents({"_id": {"$gte": prefix, "$lt": prefix + "\uffff"}})
    if not sent - in_flight <= stored <= sent:
        raise BenchError(f"{server} was sent {sent} purchases, and {stored} are stored")
