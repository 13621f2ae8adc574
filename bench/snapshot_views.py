"""Builds a home screen from a stored snapshot by hand, as plain dictionaries, for the Python peers.

The offers and rewards are the first ones of the catalogue with their state for the member, without ranking; their texts
are prepared in each language when a process starts.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Any

import orjson

Document = Mapping[str, Any]
Answer = dict[str, Any]
FIRST, RECENT = 10, 20
# The packed rows of a snapshot: points of qualifying days, and lots. Days are ordinals, integers are little-endian.
_DAY, _LOT = Struct("<2q"), Struct("<2I2q")
_NEVER = (1 << 31) - 1


def encoded(text: str) -> str:
    """Return a node's id or a cursor."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


class Catalogue:
    """The programme's data in one language."""

    def __init__(self, data: Document, locale: str) -> None:
        self.locale = locale
        self.months: int = data["months"]
        self.tiers = [_localised(tier, locale) for tier in data["tiers"]]
        self.tier = {tier["key"]: tier for tier in self.tiers}
        self.offers = [_localised(offer, locale) for offer in data["offers"]]
        self.every_offer = [_localised(offer, locale) for offer in data["every_offer"]]
        self.rewards = [_localised(reward, locale) for reward in data["rewards"]]
        self.labels: dict[str, str] = data["labels"][locale]


def _localised(item: Document, locale: str) -> Answer:
    texts = ("name", "title", "description", "terms")
    localised = {name: value[locale] if name in texts else value for name, value in item.items()}
    if "benefits" in item:
        localised["benefits"] = [benefit[locale] for benefit in item["benefits"]]
    return localised


def catalogues(file: Path) -> dict[str, Catalogue]:
    """Return the programme's data in a file, by language."""
    data = orjson.loads(file.read_bytes())
    return {locale: Catalogue(data, locale) for locale in data["labels"]}


def _last_excluded_day(months: int) -> int:
    """Return the ordinal of the last day that no longer counts: `months` before today."""
    today = datetime.now(UTC).date()
    month = today.year * 12 + today.month - 1 - months
    return date(month // 12, month % 12 + 1, min(today.day, 28)).toordinal() + max(0, today.day - 28)


@lru_cache(maxsize=4096)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def status_of(member: Document, catalogue: Catalogue) -> Answer:
    """Return a member's status with the progress to the next tier."""
    standing = member["standing"]
    current = catalogue.tier[standing["tier"]]
    answer = {"tier": current, "since": standing["since"].isoformat(), "next": None}
    if current["rank"] + 1 < len(catalogue.tiers):
        tier = catalogue.tiers[current["rank"] + 1]
        first = _last_excluded_day(catalogue.months)
        qualifying = sum(points for day, points in _DAY.iter_unpack(member["qualifying"]) if day > first)
        required = tier["threshold"]
        missing, ratio = max(0, required - qualifying), min(1.0, max(0.0, qualifying / required))
        answer["next"] = {"tier": tier, "missing": missing, "ratio": ratio}
    return answer


def points_of(member: Document) -> Answer:
    """Return a member's balances."""
    by_day: dict[int, int] = {}
    for _, on, points, _ in _LOT.iter_unpack(member["lots"]):
        if points and on != _NEVER:
            by_day[on] = by_day.get(on, 0) + points
    balances = member["balances"]
    return {
        "available": balances.get("available", 0),
        "pending": balances.get("pending", 0),
        "expiring": [{"points": points, "on": _day(on)} for on, points in sorted(by_day.items())],
    }


def entries_of(member: Document, catalogue: Catalogue, first: int = RECENT) -> list[Answer]:
    """Return the newest entries of the ledger, from the snapshot."""
    id_, labels = member["_id"], catalogue.labels
    return [
        {
            "id": encoded(f"LedgerEntry:{id_}:{row[0]}:{row[1]}"),
            "kind": row[3],
            "points": row[4],
            "balance": row[5],
            "occurredAt": row[6],
            "channel": row[7],
            "label": labels[row[10]["type"] if row[9] == "event" else row[9]],
        }
        for row in orjson.loads(member["recent"])[:first]
    ]


def offers_of(member: Document, catalogue: Catalogue, first: int = FIRST) -> list[Answer]:
    """Return the first offers with their state for the member."""
    used = member.get("offers", {})
    views = []
    for offer in catalogue.offers[:first]:
        uses, limit = used.get(offer["key"], {}).get("uses", 0), offer["usesPerMember"]
        state = "REDEEMED" if limit is not None and uses >= limit else "AVAILABLE"
        left = None if limit is None else limit - uses
        views.append({"state": state, "usesLeft": left, "expiresAt": offer["endsAt"], "offer": offer})
    return views


def rewards_of(member: Document, catalogue: Catalogue, first: int = FIRST) -> list[Answer]:
    """Return the first rewards with their eligibility for the member."""
    available = member["balances"].get("available", 0)
    views = []
    for reward in catalogue.rewards[:first]:
        missing = max(0, reward["points"] - available)
        views.append({"eligible": not missing, "missingPoints": missing, "reward": reward})
    return views
