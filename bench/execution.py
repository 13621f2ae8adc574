"""`python -m bench.execution`: a home screen's answer made by graphql-core, by compiled code, and by hand.

No HTTP, no database, no rules: the same 330 plain values, already there, on their way into one dictionary. By hand is
one literal that somebody wrote for exactly this answer; it is what the others are measured against.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import orjson
from graphql import GraphQLSchema, build_schema, execute, parse, validate

from gateway.operations.compiler import HINT, Attribute, CompiledOperation, Instances

ENTRIES, OFFERS, REWARDS = 20, 10, 10
SCHEMA = """
type Tier { key: String! name: String! rank: Int! benefits: [String!]! }
type Next { tier: Tier! missing: Int! ratio: Float! }
type Status { tier: Tier! since: String! next: Next }
type Points { available: Int! pending: Int! }
type Entry { id: ID! kind: String! points: Int! balance: Int! occurredAt: String! channel: String! label: String! }
type EntryEdge { node: Entry! }
type EntryConnection { edges: [EntryEdge!]! }
type Offer { key: String! title: String! description: String! kind: String! endsAt: String }
type MemberOffer { state: String! usesLeft: Int expiresAt: String offer: Offer! }
type OfferEdge { node: MemberOffer! }
type OfferConnection { edges: [OfferEdge!]! }
type Reward { key: String! title: String! description: String! points: Int! kind: String! image: String }
type MemberReward { eligible: Boolean! missingPoints: Int! reward: Reward! }
type RewardEdge { node: MemberReward! }
type RewardConnection { edges: [RewardEdge!]! }
type Member {
  number: String! version: Int! status: Status! points: Points!
  activity: EntryConnection! offers: OfferConnection! rewards: RewardConnection!
}
type Query { me: Member }
"""
HOME = """query Home { me {
  number version
  status { tier { key name rank benefits } since next { tier { name } missing ratio } }
  points { available pending }
  activity { edges { node { id kind points balance occurredAt channel label } } }
  offers { edges { node { state usesLeft expiresAt offer { key title description kind endsAt } } } }
  rewards { edges { node { eligible missingPoints reward { key title description points kind image } } } }
} }"""


def _classes(schema: GraphQLSchema) -> dict[str, type]:
    """Return a plain class for each type, and tell the compiler what there is to know of them."""
    classes = {}
    for name, kind in schema.type_map.items():
        fields = getattr(kind, "fields", None)
        if fields is None or name.startswith("__"):
            continue
        classes[name] = type(name, (), {"__slots__": tuple(fields)})
        kind.extensions[HINT] = Instances(classes[name])
        for field, definition in fields.items():
            definition.extensions[HINT] = Attribute(field)
    return classes


def _made(cls: type, **values: Any) -> Any:
    made = cls()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _root(types: dict[str, type]) -> Any:
    """Return a member with all that a home screen shows."""

    def tier(key: str) -> Any:
        return _made(types["Tier"], key=key, name=key.title(), rank=1, benefits=["Points on every basket", "A gift"])

    def edges(connection: str, edge: str, nodes: list[Any]) -> Any:
        return _made(types[connection], edges=[_made(types[edge], node=node) for node in nodes])

    def entry(n: int) -> Any:
        told = {"kind": "EARN", "points": n, "balance": 9 * n, "occurredAt": "2026-05-01T12:00:00+00:00"}
        return _made(types["Entry"], id=f"RW50cnk6{n}", channel="STORE", label="Purchase", **told)

    def offer(n: int) -> Any:
        told = {"title": f"{n} % off", "description": "On one basket.", "kind": "PERCENT_OFF", "endsAt": None}
        offer = _made(types["Offer"], key=f"offer-{n}", **told)
        return _made(types["MemberOffer"], state="AVAILABLE", usesLeft=2, expiresAt=None, offer=offer)

    def reward(n: int) -> Any:
        told = {"title": f"A voucher {n}", "description": "In every store.", "points": 100 * n, "kind": "DISCOUNT"}
        reward = _made(types["Reward"], key=f"reward-{n}", image=f"/{n}.jpg", **told)
        return _made(types["MemberReward"], eligible=n < OFFERS // 2, missingPoints=10 * n, reward=reward)

    following = _made(types["Next"], tier=tier("gold"), missing=120, ratio=0.88)
    me = _made(
        types["Member"],
        number="9907359187",
        version=26,
        status=_made(types["Status"], tier=tier("silver"), since="2026-01-01T05:00:00+00:00", next=following),
        points=_made(types["Points"], available=880, pending=0),
        activity=edges("EntryConnection", "EntryEdge", [entry(n) for n in range(ENTRIES)]),
        offers=edges("OfferConnection", "OfferEdge", [offer(n) for n in range(OFFERS)]),
        rewards=edges("RewardConnection", "RewardEdge", [reward(n) for n in range(REWARDS)]),
    )
    return _made(types["Query"], me=me)


def by_hand(root: Any) -> dict[str, Any]:
    """Return the answer as somebody would write it who had nothing else to answer."""
    me = root.me
    status = me.status
    tier, following = status.tier, status.next
    return {
        "me": {
            "number": me.number,
            "version": me.version,
            "status": {
                "tier": {"key": tier.key, "name": tier.name, "rank": tier.rank, "benefits": [*tier.benefits]},
                "since": status.since,
                "next": {
                    "tier": {"name": following.tier.name},
                    "missing": following.missing,
                    "ratio": following.ratio,
                }
                if following is not None
                else None,
            },
            "points": {"available": me.points.available, "pending": me.points.pending},
            "activity": {"edges": [{"node": _entry_by_hand(edge.node)} for edge in me.activity.edges]},
            "offers": {"edges": [{"node": _offer_by_hand(edge.node)} for edge in me.offers.edges]},
            "rewards": {"edges": [{"node": _reward_by_hand(edge.node)} for edge in me.rewards.edges]},
        }
    }


def _entry_by_hand(entry: Any) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "points": entry.points,
        "balance": entry.balance,
        "occurredAt": entry.occurredAt,
        "channel": entry.channel,
        "label": entry.label,
    }


def _offer_by_hand(told: Any) -> dict[str, Any]:
    offer = told.offer
    return {
        "state": told.state,
        "usesLeft": told.usesLeft,
        "expiresAt": told.expiresAt,
        "offer": {
            "key": offer.key,
            "title": offer.title,
            "description": offer.description,
            "kind": offer.kind,
            "endsAt": offer.endsAt,
        },
    }


def _reward_by_hand(told: Any) -> dict[str, Any]:
    reward = told.reward
    return {
        "eligible": told.eligible,
        "missingPoints": told.missingPoints,
        "reward": {
            "key": reward.key,
            "title": reward.title,
            "description": reward.description,
            "points": reward.points,
            "kind": reward.kind,
            "image": reward.image,
        },
    }


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make the answer, and how often in a row it is timed."""

    name: str
    make: Callable[[], Any]
    times: int


def measured(ways: list[Way], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of each way in each round; the ways take turns."""
    found: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            started = perf_counter()
            for _ in range(way.times):
                way.make()
            found[way.name].append((perf_counter() - started) / way.times * 1e6)
    return found


def main() -> int:
    """Print the table; return 1 where the answers differ, or compiled code takes more than six times by hand."""
    parser = argparse.ArgumentParser(prog="python -m bench.execution", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="rounds in which the ways take turns (21)")
    asked = parser.parse_args()
    schema, document = build_schema(SCHEMA), parse(HOME)
    root = _root(_classes(schema))
    compiled = CompiledOperation(schema, document)
    ways = [
        Way("by hand", lambda: by_hand(root), 500),
        Way("compiled", lambda: compiled.execute(root, None, {}), 200),
        Way("graphql-core", lambda: execute(schema, document, root), 10),
    ]
    answers = [by_hand(root), compiled.execute(root, None, {}).data, execute(schema, document, root).data]  # type: ignore[union-attr]
    if validate(schema, document) or any(orjson.dumps(answer) != orjson.dumps(answers[0]) for answer in answers):
        print("the answers differ", file=sys.stderr)
        return 1
    found = measured(ways, asked.rounds)
    hand = median(found["by hand"])
    print("| way | us, median | least to most | times by hand |\n| --- | ---: | ---: | ---: |")
    for name, each in found.items():
        print(f"| {name} | {median(each):.1f} | {min(each):.1f} to {max(each):.1f} | {median(each) / hand:.1f} |")
    return int(median(found["compiled"]) > 6 * hand)


if __name__ == "__main__":
    sys.exit(main())
