"""Example operations for the playground and for what `carillon up` prints."""

from datetime import datetime
from typing import Any

HOME = """query Home {
  me {
    number
    version
    status { tier { name benefits } until next { tier { name } missing ratio } }
    points { available lifetime expiring { points on } }
    activity(first: 5) { edges { node { label points balance occurredAt why { reason } } } }
  }
}"""

LIVE = """subscription Live {
  memberChanged {
    version
    member { status { tier { name } } points { available } }
    entries { label points balance }
    resync
  }
}"""

SCAN = """query Scan($number: String!) {
  member(by: {number: $number}) {
    profile { firstName }
    status { tier { name } next { missing } }
    points { available }
  }
}"""

PURCHASE = """mutation Purchase($input: RecordEventInput!) {
  recordEvent(input: $input) {
    replayed
    entries { points balance version }
    why { rule points applied reason }
    member { version points { available } status { tier { name } } }
    userErrors { code message path }
  }
}"""

PREVIEW = PURCHASE.replace("mutation Purchase", "mutation Preview").replace("recordEvent", "previewEvent")

ADJUST = """mutation Goodwill($input: AdjustPointsInput!) {
  adjustPoints(input: $input) {
    entries { points balance label }
    userErrors { code message }
  }
}"""

ENROL = """mutation Enrol($input: EnrolInput!) {
  enrol(input: $input) {
    member { number version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

PROGRAMME = """query Programme {
  programme { name version currency tiers { name threshold benefits } }
}"""


def purchase_input(number: str, now: datetime) -> dict[str, Any]:
    """Return a purchase of a member, with a key that is new each second."""
    return {
        "key": f"receipt-{now:%Y%m%d-%H%M%S}",
        "type": "purchase",
        "member": {"number": number},
        "occurredAt": now.isoformat(),
        "channel": "STORE",
        "store": "330",
        "purchase": {
            "total": "42.50",
            "currency": "USD",
            "lines": [
                {"sku": "bread", "amount": "12.50", "category": "BAKERY", "brand": "Private"},
                {"sku": "cheese", "amount": "30.00", "category": "DAIRY", "brand": "National"},
            ],
        },
    }


def examples(number: str, now: datetime) -> list[dict[str, Any]]:
    """Return the playground's examples, for a member's number."""
    purchase = purchase_input(number, now)
    return [
        {"title": "My status, points and history", "role": "member", "query": HOME, "variables": {}},
        {"title": "My status, live", "role": "member", "query": LIVE, "variables": {}},
        {"title": "Scan a card", "role": "kiosk", "query": SCAN, "variables": {"number": number}},
        {"title": "Record a purchase", "role": "till", "query": PURCHASE, "variables": {"input": purchase}},
        {
            "title": "Preview a purchase",
            "role": "till",
            "query": PREVIEW,
            "variables": {"input": {**purchase, "key": f"preview-{purchase['key']}"}},
        },
        {
            "title": "Give points as a goodwill",
            "role": "agent",
            "query": ADJUST,
            "variables": {
                "input": {
                    "key": f"goodwill-{now:%Y%m%d-%H%M%S}",
                    "member": {"number": number},
                    "points": 100,
                    "reason": "Goodwill after a late delivery",
                }
            },
        },
        {
            "title": "Enrol somebody",
            "role": "kiosk",
            "query": ENROL,
            "variables": {"input": {"key": f"enrol-{now:%Y%m%d-%H%M%S}", "channel": "KIOSK", "locale": "fr"}},
        },
        {"title": "The programme and its tiers", "role": "manager", "query": PROGRAMME, "variables": {}},
    ]
