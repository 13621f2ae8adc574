"""The measured operations: home screen, scanned card, purchase, batch of purchases, live member."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

import orjson

from bench.gateway import Member, Site
from bench.http import BenchError, http_request
from bench.loads.load import Data, Request
from loyalty.commands.registry import EVENT_OPERATION
from models.mongo.ids import event_key
from resolvers.core.actor import Role
from resolvers.imports.journey import PROGRAMME

HOME = """query Home {
  me {
    number
    version
    status {
      tier { name rank threshold benefits } since until
      next { tier { name threshold } qualifying required missing ratio before }
    }
    points { available pending held lifetime expiring { points on } }
    activity(first: 20) {
      edges { node { id label points balance occurredAt why { rule points applied reason } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

KIOSK = """query Kiosk($number: String!) {
  member(by: {number: $number}) {
    number
    version
    status { tier { name benefits } next { missing ratio } }
    points { available pending }
  }
}"""

EVENT = """mutation Event($input: RecordEventInput!) {
  recordEvent(input: $input) {
    replayed
    entries { points balance label }
    member { version points { available } status { tier { name } } }
    userErrors { code message path }
  }
}"""

BATCH = """mutation Batch($input: [RecordEventInput!]!) {
  recordEvents(input: $input) { replayed member { version } userErrors { code message path } }
}"""

LIVE = """subscription Live {
  memberChanged {
    version
    member { status { tier { name } } points { available } }
    entries { label points balance }
    resync
  }
}"""

BATCH_SIZE = 100
LINES = 5
ARTICLES = (("BAKERY", "National"), ("DAIRY", "Private"), ("GROCERY", "National"), ("MEAT", "Private"))
_rounds = count(1)


def _expect(holds: bool, problem: str, answer: Any) -> None:
    if not holds:
        raise BenchError(f"{problem}: {orjson.dumps(answer)[:500].decode()}")


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def purchase_lines(rng: Random) -> tuple[list[dict[str, str]], str]:
    """Return LINES lines of a purchase, and their total."""
    lines, total = [], 0
    for _ in range(LINES):
        article, cents = rng.randrange(1000), rng.randrange(100, 2000)
        category, brand = ARTICLES[article % len(ARTICLES)]
        line = {"sku": f"sku-{article}", "amount": _dollars(cents), "category": category, "brand": brand}
        # Sent although it is the default: graphql-jit rejects list items that omit a field with a default.
        lines.append({**line, "quantity": "1"})
        total += cents
    return lines, _dollars(total)


def wire(site: Site, token: str, query: str, **variables: Any) -> bytes:
    """Return an operation as an HTTP request."""
    body = orjson.dumps({"query": query, "variables": variables})
    return http_request("POST", "/graphql", site.host, token=token, body=body)


class Reads:
    """One query for a random member each time."""

    items = 1

    def __init__(self, requests: list[Request], seed: int) -> None:
        self._requests = requests
        self._random = Random(seed)

    def next_request(self) -> Request:
        """Return the request for a random member."""
        return self._random.choice(self._requests)

    async def verify(self) -> None:
        """Do nothing: reads write nothing."""


def home(site: Site, seed: int) -> Reads:
    """Return the load of members who open their home screen, each with its own token."""

    def check_of(member: Member) -> Callable[[Data], None]:
        def check(data: Data) -> None:
            me = data["me"]
            _expect(me is not None and me["number"] == member.number, "the member is not the token's", data)
            _expect(bool(me["activity"]["edges"]) and bool(me["status"]["tier"]["name"]), "a screen is empty", data)

        return check

    return Reads([Request(wire(site, one.token, HOME), check_of(one)) for one in site.members], seed)


def kiosk(site: Site, seed: int) -> Reads:
    """Return the load of a kiosk that scans cards."""
    token = site.token(Role.KIOSK, "bench-kiosk")

    def check_of(member: Member) -> Callable[[Data], None]:
        def check(data: Data) -> None:
            found = data["member"]
            _expect(found is not None and found["number"] == member.number, "the member is not the requested one", data)
            _expect(bool(found["status"]["tier"]["name"]) and bool(found["points"]), "a screen is empty", data)

        return check

    return Reads([Request(wire(site, token, KIOSK, number=one.number), check_of(one)) for one in site.members], seed)


class Till:
    """A till with its own subject, so that its keys are new; counts the acknowledged purchases."""

    items = 1

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._subject = f"bench-till-{next(_rounds)}"
        self._token = site.token(Role.TILL, self._subject)
        self._random = Random(seed)
        self._receipts = count(1)
        self._acknowledged = 0

    def purchase(self, member: Member) -> dict[str, Any]:
        """Return the input of a new purchase of LINES lines."""
        lines, total = purchase_lines(self._random)
        return {
            "key": f"receipt-{next(self._receipts)}",
            "type": "purchase",
            "member": {"number": member.number},
            "occurredAt": datetime.now(UTC).isoformat(),
            "channel": "STORE",
            "store": "330",
            "purchase": {"total": total, "currency": "USD", "lines": lines},
        }

    def next_request(self) -> Request:
        """Return a purchase of a random member."""
        return self.request_for(self._random.choice(self._site.members))

    def request_for(self, member: Member) -> Request:
        """Return a purchase of one member."""
        request = wire(self._site, self._token, EVENT, input=self.purchase(member))
        return Request(request, lambda data: self._count(data["recordEvent"]))

    def _count(self, payload: Data) -> None:
        """Count an acknowledged event, which must be new and have created a version of a member."""
        counted = not payload["userErrors"] and payload["replayed"] is False and payload["member"]["version"] > 0
        _expect(counted, "an event was refused or replayed", payload)
        self._acknowledged += 1

    async def verify(self) -> None:
        """Check that MongoDB stores each acknowledged event once."""
        prefix = event_key(PROGRAMME, EVENT_OPERATION, self._subject, "")
        stored = await self._site.database.records.count_documents({"key": {"$regex": f"^{re.escape(prefix)}"}})
        if stored != self._acknowledged:
            raise BenchError(f"{self._acknowledged} events were acknowledged, {stored} are stored")


class BatchTill(Till):
    """A till that sends purchases in batches of BATCH_SIZE."""

    items = BATCH_SIZE

    def next_request(self) -> Request:
        """Return a batch of purchases of random members."""
        batch = [self.purchase(self._random.choice(self._site.members)) for _ in range(BATCH_SIZE)]
        return Request(wire(self._site, self._token, BATCH, input=batch), self._count_all)

    def _count_all(self, data: Data) -> None:
        payloads = data["recordEvents"]
        _expect(len(payloads) == BATCH_SIZE, "the number of answers differs from the number of events", len(payloads))
        for payload in payloads:
            self._count(payload)
