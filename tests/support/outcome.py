"""Checks of a command's outcome."""

from loyalty.kernel.refusal import Refusal
from models.commits.request import Committed, Outcome


def committed(outcome: Outcome) -> Committed:
    """Return the outcome if it was committed; fail the test if not."""
    assert isinstance(outcome, Committed), outcome
    return outcome


def refused(outcome: Outcome) -> Refusal:
    """Return the outcome if it is a refusal; fail the test if not."""
    assert isinstance(outcome, Refusal), outcome
    return outcome
