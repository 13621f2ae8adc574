"""Guessing through the front door: what a gateway answers to wrong look-ups, and whose address counts."""

from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from support.clients.api import PREVIEW, RECORD, ApiMember, data
from support.clients.api_tablet import ENROL_DEVICE, INVITE
from support.servers.command_line import run_carillon
from support.servers.gateway import GatewayProcess

from resolvers.tablets.device import WRONG_CODES_MAX

FREE = 2
PROXY = "127.0.0.1"
BY_CARD = "query ($card: String!) { member(by: {card: $card}) { number } }"
BY_NUMBER = "query ($number: String!) { member(by: {number: $number}) { number } }"


@pytest.fixture(scope="module")
def guarded_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """Start a gateway behind a proxy on this machine, whose callers may be wrong FREE times."""
    output = tmp_path_factory.mktemp("guarded") / "output.log"
    gateway = GatewayProcess.start(
        "serve",
        data_dir=development_gateway.data_dir,
        output=output,
        CARILLON_DRAIN_SECONDS="0",
        CARILLON_LIMIT_GUESSES=str(FREE),
        CARILLON_TRUSTED_PROXIES=f"{PROXY}, 10.0.0.0/8",
    )
    yield gateway
    assert gateway.stop() == 0, output.read_text(errors="replace")


async def enrolment_codes(
    gateway: GatewayProcess, *codes: str, forwarded_for: str, connected_from: str = PROXY
) -> Counter[str]:
    """Type enrolment codes of tablets in, through a proxy; return the number of each answer."""
    answers: list[str] = []
    async with httpx.AsyncClient(
        base_url=gateway.url,
        headers={"x-forwarded-for": forwarded_for},
        transport=httpx.AsyncHTTPTransport(local_address=connected_from),
    ) as client:
        for code in codes:
            variables = {"input": {"key": uuid4().hex, "code": code}}
            answer = await client.post("/graphql", json={"query": ENROL_DEVICE, "variables": variables})
            errors = data(answer.json())["enrolDevice"]["userErrors"]
            answers.append(errors[0]["code"] if errors else "ok")
    return Counter(answers)


async def invited_code(gateway: GatewayProcess) -> str:
    fields = {"key": uuid4().hex, "name": "Entrance"}
    code: str = data(await gateway.ask(gateway.token("manager"), INVITE, input=fields))["inviteDevice"]["code"]
    return code


async def test_kiosk_is_refused_after_wrong_cards_and_other_tokens_are_not(
    guarded_gateway: GatewayProcess, api_member: ApiMember
) -> None:
    kiosk = guarded_gateway.token("kiosk", sub=f"kiosk-{uuid4().hex}")
    for _ in range(FREE):
        assert data(await guarded_gateway.ask(kiosk, BY_CARD, card=uuid4().hex)) == {"member": None}
    for query, variables in ((BY_CARD, {"card": uuid4().hex}), (BY_NUMBER, {"number": api_member.number})):
        answer = await guarded_gateway.ask(kiosk, query, **variables)
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "LIMIT_REACHED"
        assert "Too many wrong attempts. Wait 1 second" in error["message"]
    other = guarded_gateway.token("kiosk", sub=f"kiosk-{uuid4().hex}")
    found = data(await guarded_gateway.ask(other, BY_NUMBER, number=api_member.number))
    assert found == {"member": {"number": api_member.number}}


async def test_preview_and_recording_count_as_look_ups(guarded_gateway: GatewayProcess, api_member: ApiMember) -> None:
    till = guarded_gateway.token("till", sub=f"till-{uuid4().hex}")
    allowed = 3 * FREE
    codes: list[str] = []
    for name, query in [("recordEvent", RECORD), ("previewEvent", PREVIEW)] * (allowed // 2 + 1):
        event = api_member.purchase("10.00", member={"card": uuid4().hex})
        answer = await guarded_gateway.ask(till, query, input=event)
        [error] = answer.get("errors") or answer["data"][name]["userErrors"]
        codes.append(error["extensions"]["code"] if "extensions" in error else error["code"])
    assert codes == ["NOT_FOUND"] * allowed + ["LIMIT_REACHED"] * 2


async def test_address_counts_only_as_a_trusted_proxy_reports_it(guarded_gateway: GatewayProcess) -> None:
    wrong = ["0000-0000"] * WRONG_CODES_MAX
    many = await enrolment_codes(guarded_gateway, *wrong, "0000-0000", forwarded_for="203.0.113.1")
    assert many == {"NOT_FOUND": WRONG_CODES_MAX, "LIMIT_REACHED": 1}
    # What the client itself put before the proxy's entry does not count, nor another proxy after it.
    chain = "198.51.100.1, 203.0.113.1, 10.1.2.3"
    assert await enrolment_codes(guarded_gateway, "0000-0000", forwarded_for=chain) == {"LIMIT_REACHED": 1}
    assert await enrolment_codes(guarded_gateway, "0000-0000", forwarded_for="203.0.113.2") == {"NOT_FOUND": 1}


async def test_header_of_a_stranger_changes_no_address(guarded_gateway: GatewayProcess) -> None:
    answers: Counter[str] = Counter()
    for number in range(WRONG_CODES_MAX + 5):
        answers += await enrolment_codes(
            guarded_gateway, "0000-0000", forwarded_for=f"203.0.113.{10 + number}", connected_from="127.0.0.7"
        )
    assert answers == {"NOT_FOUND": WRONG_CODES_MAX, "LIMIT_REACHED": 5}


async def test_wrong_codes_of_others_at_an_address_keep_no_tablet_out(guarded_gateway: GatewayProcess) -> None:
    wrong = ["0000-0000"] * (WRONG_CODES_MAX + 1)
    await enrolment_codes(guarded_gateway, *wrong, forwarded_for="203.0.113.3")
    right = await invited_code(guarded_gateway)
    assert await enrolment_codes(guarded_gateway, right, forwarded_for="203.0.113.3") == {"ok": 1}


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.1/8", "1.2.3"])
async def test_proxies_that_are_no_addresses_are_refused(proxies: str) -> None:
    ran = await run_carillon("serve", CARILLON_TRUSTED_PROXIES=proxies)
    assert ran.code != 0
    assert "CARILLON_TRUSTED_PROXIES" in ran.err
