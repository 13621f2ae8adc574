"""A brand's tablets, and the pass that a member shows at a tablet."""

from datetime import datetime
from typing import Self

import strawberry

from models.tablets import device_store as stored
from resolvers.tablets import session as kiosk_session
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import DeviceState
from schema.wire.ids import global_id, order_cursor
from schema.wire.page import Connection


@strawberry.type
class Device:
    """A tablet of the brand. Managers invite it, the tablet enrols itself, managers revoke it."""

    id: strawberry.ID = field(REACHED, "Opaque id, which `revokeDevice` takes.")
    name: str = field(REACHED, "Name that the manager gave it, such as its place in the store.")
    store: str | None = field(REACHED, "Key of its store; null if the invitation named none.")
    state: DeviceState = field(REACHED, "Whether it is invited, enrolled or revoked.")
    enrolled_at: datetime | None = field(REACHED, "When it received its token, in UTC; null before that.")
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
    """A tablet and its position in the list."""

    node: Device = field(REACHED, "The tablet at this position.")

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the tablets that follow."""
        return order_cursor(self.node.device.invited_at, self.node.device.id)


@strawberry.type
class DeviceConnection(Connection[DeviceEdge]):
    """A page of the brand's tablets, newest first."""


@strawberry.type
class Pass:
    """Proves to a tablet or a till who the member is. Valid for 60 seconds, and for the first that reads it.

    As soon as it is used, `passUsed` says so: read a new pass then.
    """

    code: str = field(
        REACHED, "Text of the QR code that the app shows; `openSession` and `MemberKey` take it as `pass`."
    )
    digits: str = field(
        REACHED, "Six digits that confirm a session opened by phone or e-mail; `confirmSession` takes them."
    )
    expires_at: datetime = field(REACHED, "When `code` expires, in UTC; read a new pass before then.")

    @classmethod
    def of(cls, issued: kiosk_session.Pass) -> Self:
        """Return a pass."""
        return cls(code=issued.code, digits=issued.digits, expires_at=issued.expires_at)
