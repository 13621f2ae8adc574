"""`python -m bench.execution`: build a home screen's answer with graphql-core, with compiled code, and by hand.

No HTTP, no database, no rules: all three put the same 330 plain values from memory into one dictionary. By hand is one
literal written for exactly this answer; the others are compared with it.
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

from bench.interpreter import prefer_optimised
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
    """Return a plain class for each type, and give the compiler its hints."""
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


def _new(cls: type, **values: Any) -> Any:
    instance = cls()
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


def _root(types: dict[str, type]) -> Any:
    """Return a root with a member that has all values of a home screen."""

    def tier(key: str) -> Any:
        return _new(types["Tier"], key=key, name=key.title(), rank=1, benefits=["Points on every basket", "A gift"])

    def edges(connection: str, edge: str, nodes: list[Any]) -> Any:
        return _new(types[connection], edges=[_new(types[edge], node=node) for node in nodes])

    def entry(n: int) -> Any:
        values = {"kind": "EARN", "points": n, "balance": 9 * n, "occurredAt": "2026-05-01T12:00:00+00:00"}
        return _new(types["Entry"], id=f"RW50cnk6{n}", channel="STORE", label="Purchase", **values)

    def offer(n: int) -> Any:
        values = {"title": f"{n} % off", "description": "On one basket.", "kind": "PERCENT_OFF", "endsAt": None}
        offer = _new(types["Offer"], key=f"offer-{n}", **values)
        return _new(types["MemberOffer"], state="AVAILABLE", usesLeft=2, expiresAt=None, offer=offer)

    def reward(n: int) -> Any:
        values = {"title": f"A voucher {n}", "description": "In every store.", "points": 100 * n, "kind": "DISCOUNT"}
        reward = _new(types["Reward"], key=f"reward-{n}", image=f"/{n}.jpg", **values)
        return _new(types["MemberReward"], eligible=n < OFFERS // 2, missingPoints=10 * n, reward=reward)

    following = _new(types["Next"], tier=tier("gold"), missing=120, ratio=0.88)
    me = _new(
        types["Member"],
        number="9907359187",
        version=26,
        status=_new(types["Status"], tier=tier("silver"), since="2026-01-01T05:00:00+00:00", next=following),
        points=_new(types["Points"], available=880, pending=0),
        activity=edges("EntryConnection", "EntryEdge", [entry(n) for n in range(ENTRIES)]),
        offers=edges("OfferConnection", "OfferEdge", [offer(n) for n in range(OFFERS)]),
        rewards=edges("RewardConnection", "RewardEdge", [reward(n) for n in range(REWARDS)]),
    )
    return _new(types["Query"], me=me)


def by_hand(root: Any) -> dict[str, Any]:
    """Return the answer, written out for this one query."""
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


def _offer_by_hand(member_offer: Any) -> dict[str, Any]:
    offer = member_offer.offer
    return {
        "state": member_offer.state,
        "usesLeft": member_offer.usesLeft,
        "expiresAt": member_offer.expiresAt,
        "offer": {
            "key": offer.key,
            "title": offer.title,
            "description": offer.description,
            "kind": offer.kind,
            "endsAt": offer.endsAt,
        },
    }


def _reward_by_hand(member_reward: Any) -> dict[str, Any]:
    reward = member_reward.reward
    return {
        "eligible": member_reward.eligible,
        "missingPoints": member_reward.missingPoints,
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
class Method:
    """A method to build the answer, and the number of runs per timing."""

    name: str
    make: Callable[[], Any]
    times: int


def measured(methods: list[Method], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds per run of each method in each round; the methods take turns."""
    found: dict[str, list[float]] = {method.name: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            started = perf_counter()
            for _ in range(method.times):
                method.make()
            found[method.name].append((perf_counter() - started) / method.times * 1e6)
    return found


def main() -> int:
    """Print the table; return 1 if the answers differ or compiled code takes over six times as long as by hand."""
    parser = argparse.ArgumentParser(prog="python -m bench.execution", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="rounds; the methods take turns (21)")
    options = parser.parse_args()
    prefer_optimised()
    schema, document = build_schema(SCHEMA), parse(HOME)
    root = _root(_classes(schema))
    compiled = CompiledOperation(schema, document)
    methods = [
        Method("by hand", lambda: by_hand(root), 500),
        Method("compiled", lambda: compiled.execute(root, None, {}), 200),
        Method("graphql-core", lambda: execute(schema, document, root), 10),
    ]
    answers = [by_hand(root), compiled.execute(root, None, {}).data, execute(schema, document, root).data]  # type: ignore[union-attr]
    if validate(schema, document) or any(orjson.dumps(answer) != orjson.dumps(answers[0]) for answer in answers):
        print("the answers differ", file=sys.stderr)
        return 1
    found = measured(methods, options.rounds)
    hand = median(found["by hand"])
    print("| method | us, median | min to max | multiple of by hand |\n| --- | ---: | ---: | ---: |")
    for name, each in found.items():
        print(f"| {name} | {median(each):.1f} | {min(each):.1f} to {max(each):.1f} | {median(each) / hand:.1f} |")
    return int(median(found["compiled"]) > 6 * hand)


if __name__ == "__main__":
    sys.exit(main())
