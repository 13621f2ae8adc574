"""Mutations of tablets: inputs, payloads, rights and fields."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.tablets.device_store import Device as StoredDevice
from resolvers.core.context import Context
from resolvers.tablets import device
from resolvers.tablets.device import device_token
from schema.mutations.catalogue import MANAGERS
from schema.types.device import Device
from schema.wire.access import PUBLIC, REACHED, field, mutation
from schema.wire.error import UserError
from schema.wire.ids import parts_of
from schema.wire.info import Info


@strawberry.input
class InviteDeviceInput:
    """A tablet that is to be enrolled."""

    key: str
    name: str
    store: str | None = strawberry.UNSET

    def given_store(self) -> str | None:
        """Return the store, if one is named."""
        return self.store or None


@strawberry.input
class EnrolDeviceInput:
    """The short code that a manager told."""

    key: str
    code: str


@strawberry.input
class RevokeDeviceInput:
    """A tablet whose token is taken away."""

    key: str
    device: strawberry.ID


@strawberry.type
class DevicePayload:
    """The tablet as it stands now."""

    device: Device | None = field(REACHED)
    code: str | None = field(
        REACHED, description="The short code of an invitation, to be typed at the tablet: once, within 15 minutes."
    )
    code_expires_at: datetime | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, code: str | None = None) -> Self:
        """Return the answer to an invitation, which has a code, or to its end."""
        if isinstance(outcome, Refusal):
            errors = [UserError.of(outcome)]
            return cls(device=None, code=None, code_expires_at=None, replayed=False, user_errors=errors)
        device, replayed = outcome
        return cls(
            device=Device.of(device),
            code=code,
            code_expires_at=device.code_expires_at if code is not None else None,
            replayed=replayed,
            user_errors=[],
        )


@strawberry.type
class EnrolDevicePayload:
    """The tablet with its token."""

    device: Device | None = field(REACHED)
    token: str | None = field(
        REACHED, description="The bearer token of the tablet: kept by it alone, valid until it is revoked."
    )
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, context: Context) -> Self:
        """Return the answer to a short code."""
        if isinstance(outcome, Refusal):
            return cls(device=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        device, replayed = outcome
        return cls(device=Device.of(device), token=device_token(context, device), replayed=replayed, user_errors=[])


@strawberry.type
class DeviceMutation:
    """The mutations of tablets."""

    @mutation(MANAGERS, description="A short code by which one tablet is enrolled.")
    async def invite_device(self, info: Info, input: InviteDeviceInput) -> DevicePayload:  # noqa: A002
        """Invite a tablet."""
        outcome = await device.invite(info.context, key=input.key, name=input.name, store=input.given_store())
        if isinstance(outcome, Refusal):
            return DevicePayload.of(outcome)
        invited, code, replayed = outcome
        return DevicePayload.of((invited, replayed), code)

    @mutation(PUBLIC, description="Turns a short code into a tablet's token; needs no token itself.")
    async def enrol_device(self, info: Info, input: EnrolDeviceInput) -> EnrolDevicePayload:  # noqa: A002
        """Enrol a tablet."""
        return EnrolDevicePayload.of(await device.enrol(info.context, key=input.key, code=input.code), info.context)

    @mutation(MANAGERS, description="Takes a tablet's token away, at once.")
    async def revoke_device(self, info: Info, input: RevokeDeviceInput) -> DevicePayload:  # noqa: A002
        """Revoke a tablet."""
        [id_] = parts_of("Device", input.device, 1)
        return DevicePayload.of(await device.revoke(info.context, key=input.key, device=id_))
