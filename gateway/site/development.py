"""Development endpoints of `carillon up`, for this machine only: tokens for every role, sample baskets to scan."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.auth.development_key import DevelopmentKey
from gateway.clock import now
from gateway.site.examples import examples
from gateway.site.sample_baskets import real_baskets
from gateway.state import State
from gateway.transports.http import BadRequest, limited_body, parsed_json
from loyalty.kernel import canonical
from models.loading.complete_journey import DataMissing
from models.mongo.ids import identity_key
from resolvers.core.actor import Role
from resolvers.core.operation_error import LimitExceeded

TOKEN_TTL = timedelta(hours=1)
MEMBERS_SHOWN = 10
# The member with the most points has the most to show: offers, affordable rewards, a history.
RICHEST_FIRST = [("balances.available", -1), ("_id", 1)]
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class UnknownMember(LookupError):  # noqa: N818 - its message is for the caller
    """A token was requested for a member who does not exist, or a number for a role that takes none."""


BLANK_SENDER = "a sender needs a name; write for example --sender till-2"


class SenderRefused(ValueError):  # noqa: N818 - its message is for the caller
    """A token was requested for a sender that it cannot have."""


async def issue(
    state_database: Any,
    key: DevelopmentKey,
    *,
    role: Role,
    programme: str,
    number: str | None,
    ttl: timedelta,
    sender: str | None = None,
) -> str:
    """Return a development token, valid for `ttl`; role member needs the membership number.

    `sender` is its `sub`, None for the role's name. A member's is its id.

    Raises:
        UnknownMember: role member needs the number of an existing member; other roles take none.
        SenderRefused: the sender is blank, or one is named for role member.
    """
    if sender is not None and (role is Role.MEMBER or not sender.strip()):
        raise SenderRefused("a member's token names the member; leave out --sender" if sender.strip() else BLANK_SENDER)
    member: str | None = None
    if role is Role.MEMBER:
        if number is None:
            raise UnknownMember("a member's token needs the membership number; add --member NUMBER")
        identity = await state_database.identities.find_one(
            {"_id": identity_key(programme, "number", canonical.number(number) or number)}
        )
        if identity is None:
            raise UnknownMember(f"programme {programme!r} has no member with number {number!r}")
        member = identity["member"]
    elif number is not None:
        raise UnknownMember(f"role {role.value} takes no membership number; leave it out")
    subject = member or sender or role.value
    return key.issue(role=role, programme=programme, subject=subject, member=member, ttl=ttl, now=now())


Endpoint = Callable[[Request], Awaitable[Response]]


def _local(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers this machine only.

    Another machine must not get tokens if CARILLON_HOST admits it, nor a web page of another host name that resolves
    to this address (DNS rebinding).
    """

    async def guarded(request: Request) -> Response:
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in LOCAL_HOSTS or request.client is None or not _is_loopback(request.client.host):
            return JSONResponse({"error": "The development issuer answers on this machine only."}, 403)
        return await endpoint(request)

    return guarded


class _Baskets:
    """Baskets of the real data, read once, at the first request; concurrent requests share the read."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[list[dict[str, Any]]] | None = None

    async def response(self, currency: str) -> Response:
        """Return the baskets as JSON; 503 with the reason if the data set is not installed."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(real_baskets, currency))
        try:
            # A client that disconnects cancels its own wait, not the shared read.
            return JSONResponse(await asyncio.shield(self._reading))
        except DataMissing as error:
            self._reading = None
            return JSONResponse({"error": f"No baskets to scan: {error}."}, 503)


def routes(state: State, key: DevelopmentKey, programme: str) -> list[BaseRoute]:
    """Return the routes of the development issuer: session, token and baskets."""
    baskets = _Baskets()

    async def session(_request: Request) -> Response:
        members = state.services.database.members.find(
            {"programme": programme}, {"number": 1, "profile": 1}, sort=RICHEST_FIRST, limit=MEMBERS_SHOWN
        )
        shown = [{"number": found["number"], "name": _name(found["profile"])} async for found in members]
        return JSONResponse(
            {
                "programme": programme,
                "roles": [role.value for role in Role],
                "members": shown,
                "examples": examples(shown[0]["number"] if shown else "", now()),
            }
        )

    async def token(request: Request) -> Response:
        try:
            body = parsed_json(await limited_body(request, state.limits.of_caller(anonymous=True)), "The body")
            role, number = Role(body["role"]), _text(body.get("member"))
            issued = await issue(
                state.services.database, key, role=role, programme=programme, number=number, ttl=TOKEN_TTL
            )
        except LimitExceeded as fault:
            return JSONResponse({"error": f"The body has at most {fault.value} bytes."}, 413)
        except (BadRequest, UnknownMember) as error:
            return JSONResponse({"error": str(error)}, 400)
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": 'Send {"role": ROLE, "member": NUMBER or null}.'}, 400)
        return JSONResponse({"token": issued, "expiresAt": (now() + TOKEN_TTL).isoformat()})

    async def sample_baskets(_request: Request) -> Response:
        return await baskets.response(state.services.programmes.get(programme).currency)

    return [
        Route("/dev/session", _local(session)),
        Route("/dev/token", _local(token), methods=["POST"]),
        Route("/dev/baskets", _local(sample_baskets)),
    ]


def _text(value: object) -> str | None:
    """Return a text or None; raise TypeError for any other value."""
    if not isinstance(value, str | None):
        raise TypeError(value)
    return value


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _name(profile: dict[str, Any]) -> str:
    return " ".join(filter(None, (profile.get("first_name"), profile.get("last_name")))) or "Member"
