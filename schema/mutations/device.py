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
from schema.mutations.payload import REPLAYED, USER_ERRORS
from schema.types.device import Device
from schema.wire.access import PUBLIC, REACHED, field, mutation
from schema.wire.error import UserError
from schema.wire.ids import parts_of
from schema.wire.info import Info
from schema.wire.input_field import KEY, optional, required


@strawberry.input
class InviteDeviceInput:
    """A tablet to enrol."""

    key: str = required(KEY)
    name: str = required("Name for managers, such as its place in the store: 1 to 100 characters.")
    store: str | None = optional("Key of the tablet's store, up to 100 characters.")

    def given_store(self) -> str | None:
        """Return the store; None if none is named."""
        return self.store or None


@strawberry.input
class EnrolDeviceInput:
    """The short code of an invitation, typed at the tablet."""

    key: str = required(
        "Idempotency key that the tablet chooses: 1 to 200 characters. A call with the same key and code returns the "
        "same token again, with `replayed: true`; another key is refused with `CONFLICT`."
    )
    code: str = required("Short code from `inviteDevice`. Letter case, spaces and hyphens do not matter.")


@strawberry.input
class RevokeDeviceInput:
    """A tablet to revoke."""

    key: str = required(
        "Idempotency key that the caller chooses: 1 to 200 characters. A call with the same key returns the revoked "
        "tablet again, with `replayed: true`; another key is refused with `CONFLICT`."
    )
    device: strawberry.ID = required("Id of the tablet, from `devices` or `inviteDevice`.")


@strawberry.type
class DevicePayload:
    """Result of `inviteDevice` and `revokeDevice`."""

    device: Device | None = field(REACHED, "The tablet after the change; null if the call was refused.")
    code: str | None = field(
        REACHED,
        "Short code to type at the tablet, once, within 15 minutes; null for `revokeDevice` and if refused.",
    )
    code_expires_at: datetime | None = field(REACHED, "When `code` expires, in UTC; null without a code.")
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, code: str | None = None) -> Self:
        """Return the payload of an invitation, which has a code, or of a revocation."""
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
    """Result of `enrolDevice`."""

    device: Device | None = field(REACHED, "The enrolled tablet; null if the call was refused.")
    token: str | None = field(
        REACHED,
        "Bearer token of the tablet, valid until it is revoked; only the tablet stores it. Null if refused.",
    )
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, context: Context) -> Self:
        """Return the payload of an enrolment."""
        if isinstance(outcome, Refusal):
            return cls(device=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        device, replayed = outcome
        return cls(device=Device.of(device), token=device_token(context, device), replayed=replayed, user_errors=[])


@strawberry.type
class DeviceMutation:
    """The mutations of tablets."""

    @mutation(MANAGERS)
    async def invite_device(self, info: Info, input: InviteDeviceInput) -> DevicePayload:  # noqa: A002
        """Create a short code that enrols one tablet. For managers."""
        outcome = await device.invite(info.context, key=input.key, name=input.name, store=input.given_store())
        if isinstance(outcome, Refusal):
            return DevicePayload.of(outcome)
        invited, code, replayed = outcome
        return DevicePayload.of((invited, replayed), code)

    @mutation(PUBLIC)
    async def enrol_device(self, info: Info, input: EnrolDeviceInput) -> EnrolDevicePayload:  # noqa: A002
        """Exchange a short code for a tablet's token; the call itself needs no token.

        After 20 wrong codes from one network address within 15 minutes, further calls are refused with `LIMIT_REACHED`.
        """
        return EnrolDevicePayload.of(await device.enrol(info.context, key=input.key, code=input.code), info.context)

    @mutation(MANAGERS)
    async def revoke_device(self, info: Info, input: RevokeDeviceInput) -> DevicePayload:  # noqa: A002
        """Revoke a tablet's token and end its session, at once. For managers."""
        [id_] = parts_of("Device", input.device, 1)
        return DevicePayload.of(await device.revoke(info.context, key=input.key, device=id_))
