"""Somebody new, for tests that share a gateway and must not share its members."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt

from support.gateway import GatewayProcess

_ENROL = """mutation ($input: EnrolInput!) {
  enrol(input: $input) { member { number } userErrors { message } }
}"""
_RECORD = """mutation ($input: RecordEventInput!) {
  recordEvent(input: $input) { member { version } userErrors { message } }
}"""


@dataclass(frozen=True)
class Newcomer:
    """A member of the gateway's own programme, enrolled at a till a moment ago."""

    gateway: GatewayProcess
    number: str
    token: str

    @classmethod
    async def enrol(cls, gateway: GatewayProcess) -> "Newcomer":
        """Enrol somebody, and get a token for them from the development issuer."""
        told = {"key": uuid4().hex, "channel": "STORE"}
        answer = await gateway.ask(gateway.token("till"), _ENROL, input=told)
        number: str = _accepted(answer, "enrol")["number"]
        async with gateway.client() as client:
            issued = await client.post("/dev/token", json={"role": "member", "member": number})
        return cls(gateway, number, issued.json()["token"])

    def short_token(self, *, seconds: float) -> str:
        """Return a token that ends soon."""
        claims = jwt.decode(self.token, options={"verify_signature": False})
        return self.gateway.token("member", member=claims["member"], seconds=seconds)

    async def purchase(self) -> int:
        """Record a purchase at a till; return the member's version after it."""
        told = {
            "key": uuid4().hex,
            "type": "purchase",
            "member": {"number": self.number},
            "occurredAt": datetime.now(UTC).isoformat(),
            "channel": "STORE",
            "purchase": {"total": "3.00", "currency": "USD"},
        }
        answer = await self.gateway.ask(self.gateway.token("till"), _RECORD, input=told)
        version: int = _accepted(answer, "recordEvent")["version"]
        return version


def _accepted(answer: dict[str, Any], name: str) -> dict[str, Any]:
    payload = answer["data"][name]
    assert payload["userErrors"] == []
    member: dict[str, Any] = payload["member"]
    return member
