"""Enumerations of the API; their values are the domain's own."""

import strawberry

from loyalty.event import Channel
from loyalty.ledger import EntryKind
from loyalty.refusal import RefusalCode

strawberry.enum(Channel, description="Where something was said or done.")
strawberry.enum(EntryKind, description="What a ledger entry does.")
strawberry.enum(RefusalCode, name="UserErrorCode", description="Why a caller was refused.")

__all__ = ["Channel", "EntryKind", "RefusalCode"]
