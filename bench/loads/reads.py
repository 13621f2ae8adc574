"""The measured reads: home screen, scanned card, an old page of the ledger, the catalogue; and the checks of answers.

The queries are the same text for all servers. An answer is right if it equals the member's stored document, its ledger
and the programme, field by field. Each server chooses the offers and rewards that it shows: Carillon ranks them, the
others take the first of the catalogue; each one shown is compared with the programme.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from bench.http import BenchError
from bench.loads.members import StoredMember
from bench.snapshot_views import Catalogue, encoded, entries_of, points_of, status_of
from bench.world import World
from schema.wire.ids import cursor

ENTRIES, FIRST, CATALOGUE = 20, 10, 20
DEEP_VERSION_FROM_END = 30
"""A deep page begins this many versions before the newest, beyond the entries in a snapshot."""
LEAVES_MIN = 300

HOME = """query Home {
  me {
    number
    version
    profile { firstName }
    status {
      tier { key name rank benefits }
      since
      next { tier { name } missing ratio }
    }
    points { available pending expiring { points on } }
    activity(first: 20) { edges { node { id kind points balance occurredAt channel label } } }
    offers(first: 10) {
      edges { node { state usesLeft expiresAt offer { key title description kind endsAt } } }
    }
    rewards(first: 10) {
      edges { node { eligible missingPoints reward { key title description points kind image } } }
    }
  }
}"""

KIOSK = """query Kiosk($number: String!) {
  member(by: {number: $number}) {
    number
    version
    status { tier { name } next { missing ratio } }
    points { available }
  }
}"""

DEEP = """query Deep($after: String!) {
  me {
    number
    activity(first: 20, after: $after) { edges { node { id kind points balance occurredAt label } } }
  }
}"""

REWARDS = """query Rewards {
  rewards(first: 20) { edges { node { id key kind title description image category points } } }
}"""

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """A query: its request for a member (token and body), and the check of an answer.

    `bytes_min` is the minimum size of a right answer for any member, in bytes.
    """

    bytes_min: int
    request: Callable[[World, StoredMember], tuple[str, bytes]]
    check: Callable[["Truth", Data], None]


@dataclass(frozen=True, slots=True)
class Truth:
    """The source of right answers: a member's stored document, its records by version, the localised catalogue."""

    member: Mapping[str, Any]
    records: Mapping[int, Mapping[str, Any]]
    catalogue: Catalogue


def _body(query: str, **variables: Any) -> bytes:
    return orjson.dumps({"query": query, "variables": variables} if variables else {"query": query})


def _expect(name: str, *, is_: Any, should: Any) -> None:
    if is_ != should:
        raise BenchError(f"{name} is {str(is_)[:300]}, but should be {str(should)[:300]}")


def _expect_moment(name: str, is_: str | None, should: str | None) -> None:
    """Compare two moments: servers write `Z` or `+00:00`, with or without milliseconds."""
    moments = [datetime.fromisoformat(text) if text is not None else None for text in (is_, should)]
    _expect(name, is_=moments[0], should=moments[1])


def _check_entries(page: Data, expected: Sequence[Data], *, count: int) -> None:
    nodes = [edge["node"] for edge in page["edges"]]
    _expect("the number of entries", is_=len(nodes), should=count)
    for node, right in zip(nodes, expected, strict=True):
        _expect_moment("occurredAt", node["occurredAt"], right["occurredAt"])
        for name in node.keys() - {"occurredAt"}:
            _expect(f"an entry's {name}", is_=node[name], should=right[name])


def leaves(value: Any) -> int:
    """Return the number of scalars in a JSON value."""
    if isinstance(value, dict | list):
        return sum(leaves(item) for item in (value.values() if isinstance(value, dict) else value))
    return 1


def _check_home(truth: Truth, data: Data) -> None:
    me, member, catalogue = data["me"], truth.member, truth.catalogue
    if leaves(data) < LEAVES_MIN:
        raise BenchError(f"a home screen has only {leaves(data)} fields")
    for name in ("number", "version"):
        _expect(name, is_=me[name], should=member[name])
    _expect("firstName", is_=me["profile"]["firstName"], should=member["profile"].get("first_name"))
    status = status_of(member, catalogue)
    _expect("the tier", is_=me["status"]["tier"], should={name: status["tier"][name] for name in me["status"]["tier"]})
    _expect_moment("since", me["status"]["since"], status["since"])
    following = status["next"] and {**status["next"], "tier": {"name": status["next"]["tier"]["name"]}}
    _expect("the next tier", is_=me["status"]["next"], should=following)
    _expect("points", is_=me["points"], should=points_of(member))
    _check_entries(me["activity"], entries_of(member, catalogue), count=ENTRIES)
    _check_offers([edge["node"] for edge in me["offers"]["edges"]], catalogue)
    _check_rewards([edge["node"] for edge in me["rewards"]["edges"]], catalogue, member["balances"]["available"])


def _check_offers(shown: Sequence[Data], catalogue: Catalogue) -> None:
    known = {offer["key"]: offer for offer in catalogue.every_offer}
    _expect("the number of offers", is_=len({one["offer"]["key"] for one in shown}), should=FIRST)
    for one in shown:
        offer = known[one["offer"]["key"]]
        for name in ("title", "description", "kind"):
            _expect(f"an offer's {name}", is_=one["offer"][name], should=offer[name])
        for moment in (one["offer"]["endsAt"], one["expiresAt"]):
            _expect_moment("an offer's end", moment, offer["endsAt"])
        _expect("an offer's state", is_=one["state"], should="AVAILABLE")
        _expect("usesLeft", is_=one["usesLeft"], should=offer["usesPerMember"])


def _check_rewards(shown: Sequence[Data], catalogue: Catalogue, available: int) -> None:
    known = {reward["key"]: reward for reward in catalogue.rewards}
    _expect("the number of rewards", is_=len({one["reward"]["key"] for one in shown}), should=FIRST)
    for one in shown:
        reward = known[one["reward"]["key"]]
        for name in ("title", "description", "points", "kind", "image"):
            _expect(f"a reward's {name}", is_=one["reward"][name], should=reward[name])
        missing = max(0, reward["points"] - available)
        _expect("missingPoints", is_=one["missingPoints"], should=missing)
        if missing:
            _expect("eligible", is_=one["eligible"], should=False)


def _check_kiosk(truth: Truth, data: Data) -> None:
    found, member = data["member"], truth.member
    status = status_of(member, truth.catalogue)
    following = status["next"] and {name: status["next"][name] for name in ("missing", "ratio")}
    _expect(
        "a member",
        is_=found,
        should={
            "number": member["number"],
            "version": member["version"],
            "status": {"tier": {"name": status["tier"]["name"]}, "next": following},
            "points": {"available": member["balances"]["available"]},
        },
    )


def deep_start(versions: int) -> int:
    """Return the version after which a deep page begins, in a ledger with `versions` versions."""
    return versions - DEEP_VERSION_FROM_END


def _check_deep(truth: Truth, data: Data) -> None:
    member, labels = truth.member, truth.catalogue.labels
    _expect("number", is_=data["me"]["number"], should=member["number"])
    newest = max(truth.records)
    start = deep_start(newest)
    expected = [
        {
            "id": encoded(f"LedgerEntry:{member['_id']}:{version}:0"),
            "kind": entry["kind"],
            "points": entry["points"],
            "balance": entry["balance"],
            "occurredAt": entry["occurred_at"].isoformat(),
            "label": labels[entry["params"]["type"] if entry["label"] == "event" else entry["label"]],
        }
        for version in range(start - 1, start - 1 - ENTRIES, -1)
        for entry in truth.records[version]["entries"]
    ]
    _check_entries(data["me"]["activity"], expected, count=ENTRIES)


def _check_catalogue(truth: Truth, data: Data) -> None:
    names = ("id", "key", "kind", "title", "description", "image", "category", "points")
    cheapest = truth.catalogue.rewards[:CATALOGUE]
    nodes = [edge["node"] for edge in data["rewards"]["edges"]]
    _expect("the catalogue", is_=nodes, should=[{name: reward[name] for name in names} for reward in cheapest])


def _home(world: World, member: StoredMember) -> tuple[str, bytes]:
    return world.member_token(member), _body(HOME)


def _kiosk(world: World, member: StoredMember) -> tuple[str, bytes]:
    return world.kiosk_token, _body(KIOSK, number=member.number)


def _deep(world: World, member: StoredMember) -> tuple[str, bytes]:
    return world.member_token(member), _body(DEEP, after=cursor(deep_start(member.versions), 0))


def _catalogue(_world: World, _member: StoredMember) -> tuple[str, bytes]:
    return "", _body(REWARDS)


READS: dict[str, Read] = {
    "home": Read(6_000, _home, _check_home),
    "kiosk": Read(120, _kiosk, _check_kiosk),
    "deep": Read(2_500, _deep, _check_deep),
    "catalogue": Read(2_500, _catalogue, _check_catalogue),
}
