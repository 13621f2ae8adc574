"""Supplies that members share: stock, uses and budgets of offers, appointment places, pools of codes.

Each counter holds what was taken so far, net of returns; the limit is in the programme. So changing a limit needs no
migration, and the audit can recompute each counter from orders, holds and offers.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class CounterKind(StrEnum):
    """The kinds of shared counters. MongoDB stores the values."""

    STOCK = "stock"
    SLOT = "slot"
    USES = "uses"
    BUDGET = "budget"
    ACTIVITY = "activity"


class CounterKey(NamedTuple):
    """Identifies a counter: pieces of a reward, places at one appointment, uses of an offer, or charges to its budget.

    `key` is the key of the reward or offer; `at` is the time of an appointment. Activity is what a programme limits per
    hour or day, from `at` on; its `key` is that of `loyalty/rules/activity.py`. A budget counts points, or money in a
    `BudgetUnit`. A named tuple, because a page looks up dozens of them and a dataclass hashes in Python.
    """

    kind: CounterKind
    key: str
    at: datetime | None = None


class CodeState(StrEnum):
    """The state of a pool code. A code that was revealed never becomes free again. MongoDB stores the values."""

    FREE = "free"
    HELD = "held"
    ISSUED = "given"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class CodeTransition:
    """A state change of a pool code. `holder` is what uses it then: `order/ID`, `hold/ID`, `offer/KEY` or None."""

    pool: str
    code: str
    state_before: CodeState
    state_after: CodeState
    holder: str | None
