"""A brand's tablets, and the pass that a member shows at one."""

from datetime import datetime
from typing import Self

import strawberry

from models.tablets import device_store as stored
from resolvers.tablets import session as kiosk_session
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import DeviceState
from schema.wire.ids import global_id, order_cursor
from schema.wire.node import PageInfo
from schema.wire.page import page_info


@strawberry.type
class Device:
    """A tablet in a store."""

    id: strawberry.ID = field(REACHED)
    name: str = field(REACHED)
    store: str | None = field(REACHED)
    state: DeviceState = field(REACHED)
    enrolled_at: datetime | None = field(REACHED)
    device: strawberry.Private[stored.Device]

    @classmethod
    def of(cls, device: stored.Device) -> Self:
        """Return a tablet."""
        return cls(
            id=strawberry.ID(global_id("Device", device.id)),
            name=device.name,
            store=device.store,
            state=device.state,
            enrolled_at=device.enrolled_at,
            device=device,
        )


@strawberry.type
class DeviceEdge:
    """A tablet and its place in the list."""

    node: Device = field(REACHED)

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return order_cursor(self.node.device.invited_at, self.node.device.id)


@strawberry.type
class DeviceConnection:
    """A page of tablets."""

    edges: list[DeviceEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)


@strawberry.type
class Pass:
    """What a member shows to be known at a tablet. Good once, for a minute."""

    code: str = field(REACHED, description="What the QR code says.")
    digits: str = field(REACHED, description="For a session that was opened by phone or e-mail.")
    expires_at: datetime = field(REACHED)

    @classmethod
    def of(cls, issued: kiosk_session.Pass) -> Self:
        """Return a pass."""
        return cls(code=issued.code, digits=issued.digits, expires_at=issued.expires_at)
