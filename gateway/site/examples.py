"""Example operations of the playground, grouped by story: shopper, till, return, kiosk, agent and manager.

Every field of Query, Mutation and Subscription has an example; tests/api/site/test_examples.py runs each.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.site import example_documents as documents
from schema.wire.ids import global_id

PROGRAMME = "grocer"


@dataclass(frozen=True, slots=True)
class Need:
    """A value that an example takes from the result of an earlier one: the path in its data, and where it goes.

    `into` is the path in the variables; empty for the token that the request is sent with.
    """

    title: str
    result: tuple[str | int, ...]
    into: tuple[str, ...] = ()

    def comment(self) -> str:
        """Return the instruction, as a comment of the operation."""
        source = f"# Run “{self.title}” first"
        path = ".".join(map(str, self.result))
        if not self.into:
            header = '{"authorization": "Bearer TOKEN"}'
            return f"{source}, and send this with its {path},\n# in the tab Headers: {header}\n"
        return f"{source}, and copy its {path}\n# into the variable {'.'.join(self.into)}.\n"

    def as_json(self) -> dict[str, Any]:
        """Return the need as the development session sends it."""
        return {"title": self.title, "result": list(self.result), "into": list(self.into)}


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
    """Return the playground's examples for a membership number: story, title, role, query, variables and needs."""
    at = f"{now:%Y%m%d-%H%M%S}"
    stories = {
        "shopper": _shopper(number, at),
        "till": _till(number, at, now),
        "return": _return(number, at, now),
        "kiosk": _kiosk(number, at, now),
        "agent": _agent(number, at),
        "manager": _manager(at),
    }
    return [{"story": story, **example} for story, found in stories.items() for example in found]


def _example(title: str, role: str, query: str, /, *needs: Need, **variables: Any) -> dict[str, Any]:
    return {
        "title": title,
        "role": role,
        "query": "".join(need.comment() for need in needs) + query,
        "variables": variables,
        "needs": [need.as_json() for need in needs],
    }


def _shopper(number: str, at: str) -> list[dict[str, Any]]:
    bread, tasting = global_id("Reward", PROGRAMME, "bread"), global_id("Offer", PROGRAMME, "basket-5")
    order = {"key": f"order-{at}", "reward": bread, "channel": "APP"}
    seen = {"key": f"seen-{at}", "seen": [tasting]}
    consents = [{"purpose": "PERSONALISATION", "granted": True}]
    ordered, held = ("placeOrder", "order", "id"), ("hold", "hold", "id")
    return [
        _example("My status, points and history", "member", documents.STATUS, entries=5),
        _example("My status, live", "member", documents.LIVE, after=None),
        _example("My news, live", "member", documents.NEWS, after=None),
        _example("My offers, best first", "member", documents.OFFERS, first=5),
        _example("Tell which offers I saw", "member", documents.NOTE, input=seen),
        _example("Rewards for my points", "member", documents.REWARDS, first=5),
        _example("The catalogue, open to everybody", "member", documents.CATALOGUE, programme=PROGRAMME, pointsMax=500),
        _example("A reward by its id", "member", documents.NODE, id=bread),
        _example("Reserve points", "member", documents.HOLD, input={"key": f"hold-{at}", "points": 10}),
        _example(
            "Release the points",
            "member",
            documents.RELEASE,
            Need("Reserve points", held, ("input", "hold")),
            input={"key": f"release-{at}", "hold": "ID"},
        ),
        _example("Order a reward", "member", documents.ORDER, input=order),
        _example("My orders", "member", documents.ORDERS, first=5),
        _example(
            "Cancel the order",
            "member",
            documents.CANCEL,
            Need("Order a reward", ordered, ("input", "order")),
            input={"key": f"cancel-{at}", "order": "ID", "reason": "Ordered twice"},
        ),
        _example(
            "Allow offers made for me", "member", documents.CONSENTS, input={"key": f"yes-{at}", "consents": consents}
        ),
        _example(
            "Choose my preferences",
            "member",
            documents.PREFERENCES,
            input={"key": f"topics-{at}", "topics": ["category:COFFEE"]},
        ),
        _example(
            "Correct my profile",
            "member",
            documents.PROFILE,
            input={"key": f"profile-{at}", "nickname": "Sam", "timeZone": "America/New_York"},
        ),
        _example("Link a card", "member", documents.ADD_CARD, input={"key": f"add-{at}", "card": f"SPARE-{at}"}),
        _example(
            "Unlink a lost card", "member", documents.REMOVE_CARD, input={"key": f"lost-{at}", "card": f"SPARE-{at}"}
        ),
        _example("Show my pass", "member", documents.SHOW, number=number),
        _example("Show my pass at the till", "member", documents.SHOW, number=number),
        _example("The uses of my pass, live", "member", documents.USED_LIVE),
        _example("Order a voucher", "member", documents.ORDER, input={**order, "key": f"voucher-{at}"}),
        _example("My vouchers", "member", documents.VOUCHERS, first=5),
    ]


def _till(number: str, at: str, now: datetime) -> list[dict[str, Any]]:
    purchase = purchase_input(number, now)
    code = {
        "key": f"redeem-{at}",
        "member": {"number": number},
        "code": "FRESH5",
        "purchaseKey": purchase["key"],
        "channel": "STORE",
    }
    given_up = {**code, "key": f"given-up-{at}", "purchaseKey": f"given-up-{at}"}
    released = {**given_up, "key": f"released-{at}"}
    visit = {key: purchase[key] for key in ("member", "occurredAt", "channel", "store")}
    many = [{**purchase, "key": f"first-{at}"}, {**visit, "key": f"visit-{at}", "type": "visit"}]
    shown = ("placeOrder", "order", "voucher", "code")
    return [
        _example("Scan a card", "till", documents.CARD, number=number),
        _example(
            "Read the app’s code",
            "till",
            documents.APP_CODE,
            Need("Show my pass at the till", ("pass", "code"), ("by", "pass")),
            by={"pass": "CODE"},
        ),
        _example("Preview a purchase", "till", documents.PREVIEW, input={**purchase, "key": f"preview-{at}"}),
        _example("Record a purchase", "till", documents.PURCHASE, input=purchase),
        _example("Use a code for a sale to come", "till", documents.REDEEM, input=given_up),
        _example("Release the code: no sale", "till", documents.RELEASE_OFFER, input=released),
        _example("Use a code at the till", "till", documents.REDEEM, input=code),
        _example(
            "Find an order by its voucher",
            "till",
            documents.FIND_ORDER,
            Need("Order a voucher", shown, ("by", "code")),
            by={"code": "CODE"},
        ),
        _example(
            "Use a voucher",
            "till",
            documents.REDEEM_VOUCHER,
            Need("Order a voucher", shown, ("input", "code")),
            input={"key": f"use-{at}", "code": "CODE", "channel": "STORE", "store": "330"},
        ),
        _example("Record what waited while offline", "till", documents.BATCH, input=many),
    ]


def _return(number: str, at: str, now: datetime) -> list[dict[str, Any]]:
    purchase = purchase_input(number, now)
    returned = {
        **purchase,
        "key": f"return-{at}",
        "type": "refund",
        "refundOf": purchase["key"],
        "purchase": {"total": "30.00", "currency": "USD", "lines": [purchase["purchase"]["lines"][1]]},
    }
    return [_example("Take a product back", "till", documents.PURCHASE, input=returned)]


def _kiosk(number: str, at: str, now: datetime) -> list[dict[str, Any]]:
    tablet, shopper = (
        Need("Enrol the tablet", ("enrolDevice", "token")),
        Need("Open a session", ("openSession", "token")),
    )
    by_phone = Need("Greet a shopper by phone", ("openSession", "token"))
    typed = {
        **purchase_input(number, now),
        "key": f"typed-{at}",
        "channel": "KIOSK",
        "purchase": {"total": "42.50", "currency": "USD", "receipt": f"A-{at}"},
    }
    return [
        _example(
            "Enrol the tablet",
            "kiosk",
            documents.ENROL_DEVICE,
            Need("Invite a tablet", ("inviteDevice", "code"), ("input", "code")),
            input={"key": f"tablet-{at}", "code": "CODE"},
        ),
        _example(
            "Enrol somebody",
            "kiosk",
            documents.ENROL,
            input={"key": f"enrol-{at}", "channel": "KIOSK", "locale": "fr", "phone": f"+336{at[-6:]}00"},
        ),
        _example(
            "Open a session",
            "kiosk",
            documents.OPEN,
            tablet,
            Need("Show my pass", ("pass", "code"), ("input", "by", "pass")),
            input={"key": f"open-{at}", "by": {"pass": "CODE"}},
        ),
        _example("The shopper at the tablet", "kiosk", documents.SESSION, shopper, entries=5),
        _example("End the session", "kiosk", documents.END, shopper, input={"key": f"end-{at}"}),
        _example("Find a member by number", "kiosk", documents.SCAN, number=number),
        _example("Type a purchase, which waits for the till", "kiosk", documents.TYPE, input=typed),
        _example(
            "Greet a shopper by phone",
            "kiosk",
            documents.OPEN,
            tablet,
            input={"key": f"greet-{at}", "by": {"phone": f"+336{at[-6:]}00"}},
        ),
        _example(
            "Confirm with the digits of the pass",
            "kiosk",
            documents.CONFIRM,
            by_phone,
            input={"key": f"confirm-{at}", "digits": "DIGITS"},
        ),
    ]


def _agent(number: str, at: str) -> list[dict[str, Any]]:
    goodwill = {
        "key": f"goodwill-{at}",
        "member": {"number": number},
        "points": 100,
        "reason": "Goodwill after a late delivery",
    }
    invitation = {
        "key": f"activate-{at}",
        "offer": global_id("Offer", PROGRAMME, "produce-10"),
        "member": {"number": number},
    }
    order = {
        "key": f"gift-{at}",
        "member": {"number": number},
        "reward": global_id("Reward", PROGRAMME, "bread"),
        "channel": "AGENT",
    }
    return [
        _example("Give points as a goodwill", "agent", documents.ADJUST, input=goodwill),
        _example("Purchases that wait", "agent", documents.CLAIMS, number=number),
        _example(
            "Accept a purchase that waits",
            "agent",
            documents.DECIDE,
            Need("Type a purchase, which waits for the till", ("recordEvent", "entries", 0, "id"), ("input", "entry")),
            input={"key": f"accept-{at}", "entry": "ID", "accept": True, "reason": "The shopper showed the receipt"},
        ),
        _example("Activate an offer for a member", "agent", documents.ACTIVATE, input=invitation),
        _example("Order for a member", "agent", documents.ORDER, input=order),
        _example(
            "Confirm that order",
            "agent",
            documents.ADVANCE,
            Need("Order for a member", ("placeOrder", "order", "id"), ("input", "order")),
            input={"key": f"advance-{at}", "order": "ID", "state": "CONFIRMED"},
        ),
    ]


def _manager(at: str) -> list[dict[str, Any]]:
    banner = {
        "key": "banner",
        "title": {"en": "This week", "fr": "Cette semaine", "ar": "هذا الأسبوع"},
        "body": {
            "en": "Double points on Saturday and Sunday.",
            "fr": "Points doublés samedi et dimanche.",
            "ar": "نقاط مضاعفة يومي السبت والأحد.",
        },
    }
    content = {"key": f"banner-{at}", "kind": "CONTENT", "definition": banner}
    passing = {**content, "key": f"passing-{at}", "definition": {**banner, "key": "passing"}}
    second = Need("Invite a tablet to remove", ("inviteDevice", "device", "id"), ("input", "device"))
    return [
        _example("The programme and its tiers", "manager", documents.PROGRAMME, banner="home"),
        _example("Change a text without a release", "manager", documents.CONTENT, input=content),
        _example("Read that text", "manager", documents.CONTENT_READ, key="banner", programme=PROGRAMME),
        _example("Follow that text, live", "manager", documents.CONTENT_LIVE, key="banner"),
        _example("Save a text to retire", "manager", documents.CONTENT, input=passing),
        _example(
            "Retire that text",
            "manager",
            documents.RETIRE,
            input={"key": f"retire-{at}", "kind": "CONTENT", "item": "passing"},
        ),
        _example("Invite a tablet", "manager", documents.INVITE, input={"key": f"invite-{at}", "name": "Entrance"}),
        _example(
            "Invite a tablet to remove", "manager", documents.INVITE, input={"key": f"spare-{at}", "name": "Spare"}
        ),
        _example("Remove a tablet", "manager", documents.REVOKE, second, input={"key": f"revoke-{at}", "device": "ID"}),
        _example("The brand’s tablets", "manager", documents.DEVICES, first=20),
        _example("Refunds that wait for their purchase", "manager", documents.WAITING, first=20),
    ]
