"""Enrols members, in store, online, in the app or through an agent."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from loyalty.commands.enrol import Enrol
from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest, sent_only
from loyalty.kernel.membership_number import number_from
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.member import Profile
from models.commits.request import Outcome, Request
from resolvers.core.command import cause_of
from resolvers.core.context import Context
from resolvers.core.guessing import callers, waiting, withheld
from resolvers.core.idempotency_key import email_content, key_refusal, phone_content
from resolvers.core.member import commit
from resolvers.core.operation_error import Unavailable
from resolvers.core.profile_fields import read_fields

NUMBER_DRAWS = 5
STORE_LENGTH_MAX = 200
# The fields of an enrolment before 0.2.0, sent or not. It never changes.
FORMER_FIELDS = ("first_name", "last_name", "email", "phone", "birth_date", "channel", "card", "store")


@dataclass(frozen=True, slots=True)
class EnrolmentInput:
    """The input of an enrolment, as sent."""

    key: str
    channel: Channel
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    locale: str | None = None
    card: str | None = None
    store: str | None = None


def _texts(enrolment: EnrolmentInput) -> dict[str, str | None]:
    names = ("first_name", "last_name", "email", "phone", "locale", "card")
    return {name: getattr(enrolment, name) for name in names}


def _former_digest(content: dict[str, Any], profile: Profile) -> str:
    """Return the digest as releases before 0.2.0 computed it: of all their fields, and of the locale in use."""
    return content_digest({**{name: content[name] for name in FORMER_FIELDS}, "locale": profile.locale})


async def enrol(
    context: Context,
    enrolment: EnrolmentInput,
    *,
    occurred_at: datetime | None = None,
    random_below: Callable[[int], int] = secrets.randbelow,
) -> Outcome:
    """Enrol a member; one key enrols one member, for ever.

    Returns `ALREADY_EXISTS` if another member has the card, e-mail or phone, `INVALID` if a field is invalid,
    `LIMIT_REACHED` if the caller found too many people who are members already.
    `random_below` returns a random whole number below its argument, for the membership number.
    """
    programme, now = context.programme(), context.now()
    refusal = key_refusal(enrolment.key) or await waiting(context, callers(context))
    if refusal is not None:
        return refusal
    if len(enrolment.store or "") > STORE_LENGTH_MAX:
        return Refusal(RefusalCode.INVALID, "text_too_long", ("store",), {"max": STORE_LENGTH_MAX})
    read = read_fields(_texts(enrolment), programme)
    if isinstance(read, Refusal):
        return read
    card, locale = read.pop("card"), read.pop("locale")
    profile = Profile(locale or programme.locale, birth_date=enrolment.birth_date, **read)
    content: dict[str, Any] = {
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "email": email_content(profile.email) if profile.email else None,
        "phone": phone_content(profile.phone) if profile.phone else None,
        "birth_date": profile.birth_date,
        "locale": locale,
        "channel": enrolment.channel,
        "card": card,
        "store": enrolment.store,
    }
    digest = content_digest(sent_only(content))
    for _ in range(NUMBER_DRAWS):
        member = str(ObjectId())
        command = Enrol(
            member=member,
            number=number_from(random_below(1_000_000_000)),
            profile=profile,
            card=card,
            channel=enrolment.channel,
            store=enrolment.store,
            occurred_at=occurred_at or now,
            cause=cause_of(context, Enrol, enrolment.key),
        )
        with suppress(DuplicateKeyError):  # the number is taken
            request = Request(
                command, member, programme, now, digest, former_digest=partial(_former_digest, content, profile)
            )
            return await withheld(context, await commit(context, request))
    raise Unavailable("commit_unavailable")
