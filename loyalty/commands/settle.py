"""Settling: what is overdue takes effect. Holds lapse, lots expire, tier periods end."""

from dataclasses import dataclass

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.ledger import Cause


@dataclass(frozen=True, slots=True)
class Settle:
    """Let what is overdue take effect. The system's own command: it has no key."""

    cause: Cause


@handles(Settle, operation="settle", owns_key=False)
def settle(command: Settle, builder: DecisionBuilder) -> Decision | NothingToSettle:
    """Return the decision to settle a member; `NothingToSettle` if nothing is overdue."""
    return builder.close(command.cause) if builder.changed else NothingToSettle()
