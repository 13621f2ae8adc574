"""A tablet in a store as a client of the API: enrolment by code, and sessions with their own token."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from support.clients.api import data, mutation
from support.servers.gateway import GatewayProcess

INVITE = mutation("inviteDevice", "device { id name state enrolledAt } code codeExpiresAt")
ENROL_DEVICE = mutation("enrolDevice", "device { id state } token")
OPEN = mutation(
    "openSession", "token session { id greeting confirmed idleSeconds member { version points { available } } }"
)
PASS = "{ pass { code digits expiresAt } }"
TOKEN_LENGTH_MIN = 60


@dataclass
class Tablet:
    """An enrolled tablet."""

    gateway: GatewayProcess
    id: str
    token: str

    @classmethod
    async def enrolled(cls, gateway: GatewayProcess) -> "Tablet":
        fields = {"key": uuid4().hex, "name": "Entrance", "store": "lyon"}
        invited = data(await gateway.ask(gateway.token("manager"), INVITE, input=fields))["inviteDevice"]
        assert invited["userErrors"] == []
        typed = {"key": uuid4().hex, "code": invited["code"]}
        payload = data(await gateway.ask(None, ENROL_DEVICE, input=typed))["enrolDevice"]
        assert payload["userErrors"] == []
        assert payload["device"] == {"id": invited["device"]["id"], "state": "ENROLLED"}
        assert len(payload["token"]) > TOKEN_LENGTH_MIN
        return cls(gateway, payload["device"]["id"], payload["token"])

    async def open(self, **by: str) -> dict[str, Any]:
        answer = await self.gateway.ask(self.token, OPEN, input={"key": uuid4().hex, "by": by})
        payload: dict[str, Any] = data(answer)["openSession"]
        return payload

    async def session(self, **by: str) -> str:
        payload = await self.open(**by)
        assert payload["userErrors"] == []
        return str(payload["token"])
