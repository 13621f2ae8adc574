"""Checks of a command's outcome."""

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.commits.request import Committed, Outcome


def committed(outcome: Outcome) -> Committed:
    """Return the outcome if it was committed; fail the test if not."""
    assert isinstance(outcome, Committed), outcome
    return outcome


def refused(outcome: Outcome) -> Refusal:
    """Return the outcome if it is a refusal; fail the test if not."""
    assert isinstance(outcome, Refusal), outcome
    return outcome


def code_and_reason(refusal: object) -> tuple[RefusalCode, str]:
    """Return what a refusal says to programs, and the key of its sentence; fail the test if it is none."""
    assert isinstance(refusal, Refusal), refusal
    return refusal.code, refusal.reason
