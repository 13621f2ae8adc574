"""Audits the receipts of one member: each is credited to one event, and a claim gives nothing until it is accepted."""

from collections.abc import Iterator
from typing import Any

from loyalty.model.event import PURCHASE, ClaimState

_DECIDED = frozenset({ClaimState.MATCHED.value, ClaimState.REFUSED.value})


class ReceiptProof:
    """Collects the receipts and the purchases of one member."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._stated: dict[str, str] = {}
        self._known: set[tuple[str, str]] = set()
        self._found: list[str] = []

    def add_receipt(self, document: dict[str, Any]) -> None:
        """Add a receipt; its event must be one of the member's."""
        self._holders[document["_id"]] = document["event"]

    def add_event(self, event: dict[str, Any]) -> None:
        """Add an event, counted or claimed."""
        receipt, claim = event.get("receipt"), event.get("claim")
        name = f"event {event['cause']['key']!r}"
        if receipt is not None:
            self._known.add((receipt, event["key"]))
        if claim is not None and claim["state"] != ClaimState.ACCEPTED and any(map(_points, event["grants"])):
            self._found.append(f"{name} is a claim in state {claim['state']!r}, and gave points")
        if receipt is None and event.get("type") == PURCHASE and event.get("purchase", {}).get("receipt") is not None:
            self._found.append(f"{name} states a receipt, and is not stored with it")
        if receipt is not None and (claim is None or claim["state"] not in _DECIDED):
            self._stated[event["key"]] = receipt

    def faults(self) -> Iterator[str]:
        """Yield the differences between the receipts and the events."""
        yield from self._found
        for event, receipt in self._stated.items():
            if self._holders.get(receipt) != event:
                yield f"{event} counts for the receipt {receipt!r}, which does not belong to it"
        for receipt, event in self._holders.items():
            if (receipt, event) not in self._known:
                yield f"the receipt {receipt!r} belongs to {event}, which is no event of it with that receipt"


def _points(grant: list[Any]) -> int:
    return sum(grant[1])
