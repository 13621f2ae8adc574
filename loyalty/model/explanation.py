"""Explanations: why a rule gave points or none, as values. The schema floor puts them into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loyalty.kernel.fast_dataclass import fast_init


class RuleOutcome(StrEnum):
    """Why a rule gave what it gave for one event. MongoDB stores the values.

    Those from GIVEN_BY_STAFF on are not stored: `loyalty/rules/self_explanation.py` computes them.
    """

    AWARDED = "given"
    CAPPED = "capped"
    CAP_REACHED = "cap_reached"
    CONDITION = "condition"
    CHANNEL = "channel"
    STORE = "store"
    PARTNER = "partner"
    TIER = "tier"
    WINDOW = "window"
    WEEKDAY = "weekday"
    HOURS = "hours"
    NO_POINTS = "nothing_due"
    EXCLUDED = "excluded"
    NOT_BEST = "outdone"
    TOO_LATE = "too_late"
    RULE_ERROR = "fault"
    REVERSED = "taken_back"
    WRITTEN_OFF = "written_off"
    ALREADY_EXPIRED = "already_expired"
    WRITE_OFF_RECOVERED = "recovered"
    GRANTED = "granted"
    BELOW_MINIMUM = "below_minimum"
    AUDIENCE = "audience"
    LIMIT = "limit"
    OUT_OF_STOCK = "out_of_stock"
    WAITING = "waiting"
    NOTHING_OFF = "nothing_off"
    USE_RESTORED = "use_restored"
    USE_STAYS = "use_stays"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_STAYS = "order_stays"
    ORDER_KEPT = "order_kept"
    GIVEN_BY_STAFF = "given_by_staff"
    DEDUCTED_BY_STAFF = "deducted_by_staff"
    SPENT = "spent"
    RESTORED = "restored"
    HELD = "held"
    RELEASED = "released"
    LAPSED = "lapsed"
    EXPIRED = "expired"
    AWAITS_RECEIPT = "awaits_receipt"
    AWAITS_STAFF = "awaits_staff"
    CLAIM_REFUSED = "claim_refused"

    # Enum's own hash is a Python function, too slow for every explanation.
    __hash__ = str.__hash__


# Of purchases that do not count: not yet, or never.
NOT_COUNTED = frozenset({RuleOutcome.AWAITS_RECEIPT, RuleOutcome.AWAITS_STAFF, RuleOutcome.CLAIM_REFUSED})


@fast_init
@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule gave for one event, and why.

    `rule` is the rule's key in the programme file. `points` is negative for a reversal and 0 if the rule did not apply.
    `params` fill the sentence of `reason`.
    """

    rule: str
    points: int
    applied: bool
    reason: RuleOutcome
    params: Mapping[str, str | int] = field(default_factory=dict)
