"""Settling: lots expire and tier periods end because time has passed."""

from dataclasses import dataclass

from loyalty.model.ledger import Cause


@dataclass(frozen=True, slots=True)
class Settle:
    """Do what time alone demands: expire lots, end a tier's period."""

    cause: Cause
