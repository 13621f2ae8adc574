"""Example operations of the playground."""

from datetime import datetime
from typing import Any

from schema.wire.ids import global_id

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

OFFERS = """query Offers {
  me {
    offers(first: 5) {
      edges { node { state why code usesLeft expiresAt offer { id kind title description direction } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

REWARDS = """query Rewards {
  me {
    points { available }
    rewards(first: 5) {
      edges { node { eligible missingPoints reasons reward { id kind title points stock direction } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

CATALOGUE = """query Catalogue($pointsMax: Int) {
  rewards(first: 20, pointsMax: $pointsMax, programme: "grocer") {
    edges { node { id title category points availableFrom availableUntil } }
    pageInfo { hasNextPage endCursor }
  }
}"""

ORDER = """mutation Order($input: PlaceOrderInput!) {
  placeOrder(input: $input) {
    order { id number state points code history { state at note } }
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

ORDERS = """query Orders {
  me { orders(first: 5) { edges { node { id number state reward { title } code history { state at note } } } } }
}"""

NEWS = """subscription News {
  memberChanged {
    version
    notices { kind text direction }
    resync
  }
}"""

REDEEM = """mutation Redeem($input: RedeemOfferInput!) {
  redeemOffer(input: $input) {
    memberOffer { state usesLeft offer { title } }
    entries { label points }
    replayed
    userErrors { code message path }
  }
}"""

CONTENT = """mutation Content($input: SaveCatalogueItemInput!) {
  saveCatalogueItem(input: $input) {
    content { key title body version }
    replayed
    userErrors { code message path }
  }
}"""

CONTENT_LIVE = """subscription ContentLive {
  contentChanged(key: "banner") { title body locale direction version }
}"""

PROGRAMME = """query Programme {
  programme { name version currency tiers { name threshold benefits } }
}"""


def purchase_input(number: str, now: datetime) -> dict[str, Any]:
    """Return the input of a member's purchase, with an event key that changes every second."""
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
    """Return the playground's examples for a membership number: title, role, query and variables of each."""
    return [*_member_examples(now), *_store_examples(number, now), *_staff_examples(number, now)]


def _member_examples(now: datetime) -> list[dict[str, Any]]:
    return [
        {"title": "My status, points and history", "role": "member", "query": HOME, "variables": {}},
        {"title": "My status, live", "role": "member", "query": LIVE, "variables": {}},
        {"title": "My offers, best first", "role": "member", "query": OFFERS, "variables": {}},
        {"title": "Rewards for my points", "role": "member", "query": REWARDS, "variables": {}},
        {
            "title": "Order a reward",
            "role": "member",
            "query": ORDER,
            "variables": {
                "input": {
                    "key": f"order-{now:%Y%m%d-%H%M%S}",
                    "reward": global_id("Reward", "grocer", "bread"),
                    "channel": "APP",
                }
            },
        },
        {"title": "My orders", "role": "member", "query": ORDERS, "variables": {}},
        {"title": "My news, live", "role": "member", "query": NEWS, "variables": {}},
        {
            "title": "The catalogue, open to everybody",
            "role": "member",
            "query": CATALOGUE,
            "variables": {"pointsMax": 500},
        },
    ]


def _store_examples(number: str, now: datetime) -> list[dict[str, Any]]:
    purchase = purchase_input(number, now)
    return [
        {"title": "Scan a card", "role": "kiosk", "query": SCAN, "variables": {"number": number}},
        {"title": "Record a purchase", "role": "till", "query": PURCHASE, "variables": {"input": purchase}},
        {
            "title": "Preview a purchase",
            "role": "till",
            "query": PREVIEW,
            "variables": {"input": {**purchase, "key": f"preview-{purchase['key']}"}},
        },
        {
            "title": "Use a code at the till",
            "role": "till",
            "query": REDEEM,
            "variables": {
                "input": {
                    "key": f"redeem-{now:%Y%m%d-%H%M%S}",
                    "member": {"number": number},
                    "code": "FRESH5",
                    "purchaseKey": purchase["key"],
                    "channel": "STORE",
                }
            },
        },
    ]


def _staff_examples(number: str, now: datetime) -> list[dict[str, Any]]:
    return [
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
        {
            "title": "Change a text without a release",
            "role": "manager",
            "query": CONTENT,
            "variables": {
                "input": {
                    "key": f"banner-{now:%Y%m%d-%H%M%S}",
                    "kind": "CONTENT",
                    "definition": {
                        "key": "banner",
                        "title": {"en": "This week", "fr": "Cette semaine", "ar": "هذا الأسبوع"},
                        "body": {
                            "en": "Double points on Saturday and Sunday.",
                            "fr": "Points doublés samedi et dimanche.",
                            "ar": "نقاط مضاعفة يومي السبت والأحد.",
                        },
                    },
                }
            },
        },
        {"title": "Follow that text, live", "role": "manager", "query": CONTENT_LIVE, "variables": {}},
        {"title": "The programme and its tiers", "role": "manager", "query": PROGRAMME, "variables": {}},
    ]
