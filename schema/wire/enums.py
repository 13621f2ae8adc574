"""Enumerations of the API; their values are the domain's own."""

from enum import StrEnum

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.consent import ConsentPurpose, ContactChannel
from loyalty.model.ledger import EntryKind
from loyalty.model.notice import NoticeKind
from loyalty.model.offer import OfferKind, OfferState
from loyalty.model.order import OrderState
from loyalty.model.reward import RewardKind
from models.definitions.catalogue_file import Kind
from models.tablets.device_store import DeviceState


class TextDirection(StrEnum):
    """How the words of a text run; LTR or RTL, as HTML's `dir` says it."""

    LTR = "LTR"
    RTL = "RTL"


strawberry.enum(Kind, name="CatalogueKind", description="What a manager can change without a release.")
strawberry.enum(Channel, description="Where something was said or done.")
strawberry.enum(ConsentPurpose, description="What personal data may be used for, besides the programme itself.")
strawberry.enum(ContactChannel, description="How a member is written to.")
strawberry.enum(
    DeviceState, description="Where a tablet stands: its code was told, it has its token, its token was taken."
)
strawberry.enum(EntryKind, description="What a ledger entry does.")
strawberry.enum(NoticeKind, description="What can have happened to a member.")
strawberry.enum(OfferKind, description="What an offer gives.")
strawberry.enum(OfferState, description="Where an offer stands for a member.")
strawberry.enum(OrderState, description="Where an order stands.")
strawberry.enum(RefusalCode, name="UserErrorCode", description="Why a caller was refused.")
strawberry.enum(RewardKind, description="What a reward is.")
strawberry.enum(TextDirection, description="How the words of a text run, for the `dir` of HTML.")

__all__ = [
    "Channel",
    "ConsentPurpose",
    "ContactChannel",
    "DeviceState",
    "EntryKind",
    "Kind",
    "NoticeKind",
    "OfferKind",
    "OfferState",
    "OrderState",
    "RefusalCode",
    "RewardKind",
    "TextDirection",
]
