"""Health, readiness, metrics, logs without personal data, CORS and the local issuer."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from bson import Binary
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from support.clients.api import (
    LIVE,
    RECORD,
    ApiMember,
    data,
    enrol,
    event_stream,
    next_update,
    only_error,
    record,
    watch,
)
from support.servers.gateway import GatewayProcess, environment

from gateway.auth.development_key import DevelopmentKey
from gateway.observability.interpreter import described, is_optimised
from gateway.observability.metrics import OPERATION_NAMES_MAX, Metrics
from gateway.site import development
from models.mongo.database import connect
from models.mongod.server import find_running

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def samples(gateway: GatewayProcess) -> Samples:
    """Return every sample of /metrics by name and labels."""
    async with gateway.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def rise(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """Return the increase of a sample."""
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0.0) - before.get(key, 0.0)


async def test_gateway_is_alive_and_ready(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


async def test_metrics_count_what_happened(second_gateway: GatewayProcess, api_member: ApiMember) -> None:
    gateway, name = second_gateway, f"Counted{uuid4().hex}"
    # The brand's own systems name the operations that are counted apart.
    await gateway.ask(gateway.token("manager"), f"query {name} {{ __typename }}")
    before = await samples(gateway)
    async with gateway.socket(api_member.token()) as socket, event_stream(gateway, api_member.token(), LIVE) as stream:
        await watch(socket)
        await next_update(socket)
        await stream.next_update()
        await record(gateway, api_member.purchase())
        await next_update(socket)
        await stream.next_update()
        data(await gateway.ask(api_member.token(), f"query {name} {{ me {{ number }} }}"))
        await gateway.ask(None, f"query {name} {{ me {{ number }} }}")
        during = await samples(gateway)
    for transport in ("websocket", "sse"):
        assert rise(before, during, "carillon_sockets", transport=transport) == 1
        assert rise(before, during, "carillon_deliveries_total", transport=transport) == 2
        assert rise(before, during, "carillon_requests_total", transport=transport, outcome="ok") == 1
    assert rise(before, during, "carillon_requests_total", transport="http", outcome="ok") == 2
    assert rise(before, during, "carillon_requests_total", transport="http", outcome="UNAUTHENTICATED") == 1
    assert rise(before, during, "carillon_execution_seconds_count", operation=name) == 2
    assert rise(before, during, "carillon_execution_seconds_count", operation="anonymous") == 1
    assert 0 < rise(before, during, "carillon_execution_seconds_sum", operation=name) < 5
    for counted in ("carillon_commits_total", "carillon_group_size_count", "carillon_group_size_sum"):
        assert rise(before, during, counted) == 1
    assert rise(before, during, "carillon_commit_seconds_count") == 1
    assert rise(before, during, "carillon_feed_lag_seconds_count") == 1
    assert 0 <= rise(before, during, "carillon_feed_lag_seconds_sum") < 5
    assert during["carillon_unsettled_members", ()] == 0


def test_labels_of_operations_are_bounded() -> None:
    metrics = Metrics()
    names = [f"Operation{n}" for n in range(OPERATION_NAMES_MAX + 50)]
    assert {metrics.operation_label(name) for name in names} == {"other"}
    for name in ("x" * 101, None, *names):
        metrics.know_operation(name)
    assert [metrics.operation_label(name) for name in names[:OPERATION_NAMES_MAX]] == names[:OPERATION_NAMES_MAX]
    assert {metrics.operation_label(name) for name in names[OPERATION_NAMES_MAX:]} == {"other"}
    assert metrics.operation_label(None) == "anonymous"
    assert metrics.operation_label("x" * 101) == "other"


async def test_names_that_strangers_invent_are_no_labels(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    for token in (None, api_member.token()):
        invented = f"Invented{uuid4().hex}"
        for _ in range(2):
            await gateway.ask(token, f"query {invented} {{ __typename }}")
        async with gateway.client() as client:
            assert invented not in (await client.get("/metrics")).text


# Logs


def lines_of(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """Return a gateway's log; every line must be a JSON object."""
    lines = gateway.output.read_text(encoding="utf-8").splitlines()
    logged = [json.loads(line) for line in lines]
    assert all({"event", "level", "logger", "timestamp"} <= set(line) for line in logged)
    return logged


async def test_gateway_warns_once_at_start_of_an_interpreter_that_is_not_optimised(
    second_gateway: GatewayProcess,
) -> None:
    warnings = [line for line in lines_of(second_gateway) if line["event"] == "interpreter_not_optimised"]
    assert [(line["level"], line["python"]) for line in warnings] == [("warning", described())] * (not is_optimised())


async def test_logs_carry_the_request_id_and_no_personal_data(second_gateway: GatewayProcess) -> None:
    gateway, mark = second_gateway, uuid4().hex
    about = {
        "firstName": f"Ada{mark}",
        "lastName": f"Lovelace{mark}",
        "email": f"ada{mark}@example.org",
        "phone": f"+4420{uuid4().int % 10**8:08d}",
        "card": f"card{mark}",
    }
    api_member = await enrol(gateway, **about)
    query = "query ($by: MemberKey!) { member(by: $by) { profile { firstName lastName email phone } } }"
    request = f"request-{mark}"
    async with gateway.client(gateway.token("agent"), **{"x-request-id": request}) as client:
        answer = await client.post("/graphql", json={"query": query, "variables": {"by": {"email": about["email"]}}})
        assert data(answer.json())["member"]["profile"]["firstName"] == about["firstName"]
        assert answer.headers["x-request-id"] == request
        wrong = await client.post("/graphql", json={"query": f'{{ member(by: {{email: "{about["email"]}"}}) }}'})
        assert "errors" in wrong.json()
    failure = await _internal_error(gateway, api_member)
    logged = lines_of(gateway)
    [operation] = [line for line in logged if line.get("request") == request]
    assert (operation["event"], operation["outcome"], operation["type"]) == ("operation", "ok", "query")
    [error] = [line for line in logged if line.get("id") == failure]
    assert (error["event"], error["level"]) == ("internal_error", "error")
    assert error["request"]
    assert error["exception"][0]["type"] == "orjson.JSONDecodeError"
    assert any(place.startswith("models/mongo/snapshot.py:") for place in error["exception"][0]["places"])
    text = gateway.output.read_text(encoding="utf-8")
    for value in (mark, about["phone"], about["phone"][1:], api_member.number, api_member.token()):
        assert value not in text.replace(request, "")


async def _internal_error(gateway: GatewayProcess, api_member: ApiMember) -> str:
    """Make an operation fail with an internal error, by corrupt data; return the error's id."""
    running = find_running(gateway.data_dir)
    assert running is not None
    database = connect(running.url)
    try:
        stored = await database.members.find_one({"number": api_member.number})
        assert stored is not None
        broken = Binary(f'["{stored["profile"]["email"]}"'.encode())
        await database.members.update_one({"_id": stored["_id"]}, {"$set": {"recent": broken}})
        answer = await gateway.ask(api_member.token(), "{ me { number activity { edges { cursor } } } }")
        await database.members.update_one({"_id": stored["_id"]}, {"$set": {"recent": stored["recent"]}})
    finally:
        await database.close()
    assert answer["data"] == {"me": None}
    error = only_error(answer)
    assert set(error["extensions"]) == {"code", "id"}
    assert (
        error["message"] == f"Something went wrong on our side. Give this id to support: {error['extensions']['id']}."
    )
    return str(error["extensions"]["id"])


async def test_live_operations_are_logged_with_an_id_of_their_connection(
    second_gateway: GatewayProcess, api_member: ApiMember
) -> None:
    name = f"Live{uuid4().hex}"
    async with second_gateway.socket(api_member.token()) as socket:
        await watch(socket, query=f"query {name} {{ me {{ number }} }}")
        assert "data" in json.loads(await socket.recv())["payload"]
    async with event_stream(second_gateway, api_member.token(), f"query {name} {{ me {{ number }} }}") as stream:
        assert (await stream.next())[0] == "next"
    logged = [line for line in lines_of(second_gateway) if line.get("name") == name]
    assert len(logged) == 2
    assert len({line["request"] for line in logged}) == 2


@pytest.mark.parametrize("id_", ["", "two words", "x" * 65, 'a"b', "é".encode()])
async def test_invalid_request_id_is_replaced(development_gateway: GatewayProcess, id_: str | bytes) -> None:
    async with development_gateway.client() as client:
        headers: Any = {"x-request-id": id_}
        answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.headers["x-request-id"] != id_
    assert len(answer.headers["x-request-id"]) == 32


def test_exception_messages_are_not_logged() -> None:
    program = """
import asyncio, logging
from gateway.observability.logs import configure_logs, log_lost_exception
from schema.wire.error import reported

async def main():
    asyncio.get_running_loop().set_exception_handler(log_lost_exception)
    asyncio.get_running_loop().create_future().set_exception(ValueError("ada@example.org"))
    try:
        try:
            {}["ada@example.org"]
        except KeyError as error:
            raise ExceptionGroup("ada@example.org", [OSError("ada@example.org")]) from error
    except ExceptionGroup as error:
        reported(error)
        logging.getLogger("somebody.else").exception("it failed")

configure_logs("info")
asyncio.run(main())
"""
    ran = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", program], env=environment(), check=True, capture_output=True, text=True
    )
    lost, *result = (json.loads(line) for line in ran.stderr.splitlines())
    assert "ada@example.org" not in ran.stderr
    assert (lost["event"], lost["exception"][0]["type"]) == ("exception_lost", "ValueError")
    assert [line["event"] for line in result] == ["internal_error", "it failed"]
    for line in result:
        assert [found["type"] for found in line["exception"]] == ["ExceptionGroup", "OSError", "KeyError"]
        assert line["exception"][0]["places"] == ["<string>:13 main"]


# Browsers


async def test_browsers_may_call_from_the_origins_of_the_setting_only(low_limits_gateway: GatewayProcess) -> None:
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with low_limits_gateway.client() as client:
        for origin in ("https://shop.example", "https://app.example"):
            answer = await client.options("/graphql", headers={"origin": origin, **asking})
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == origin
            assert "authorization" in answer.headers["access-control-allow-headers"]
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-expose-headers"] == "etag, x-request-id"
        for origin in ("https://evil.example", "https://shop.example.evil.example", "null"):
            answer = await client.options("/graphql", headers={"origin": origin, **asking})
            assert answer.status_code == 400
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers={"origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_without_the_setting_no_other_origin_is_allowed(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        headers = {"origin": "https://shop.example"}
        answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


# The local issuer


async def test_development_issuer_issues_a_token_for_every_role(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        session = (await client.get("/dev/session")).json()
        assert session["programme"] == "grocer"
        assert session["roles"] == ["member", "kiosk", "till", "agent", "manager", "service"]
        number = session["members"][0]["number"]
        for role in session["roles"]:
            body = {"role": role, "member": number if role == "member" else None}
            token = (await client.post("/dev/token", json=body)).json()["token"]
            me = data(await development_gateway.ask(token, "{ me { number } }"))["me"]
            assert me == ({"number": number} if role == "member" else None)


async def test_every_answer_has_the_gateways_time_for_screens_whose_clock_is_wrong(
    development_gateway: GatewayProcess,
) -> None:
    async with development_gateway.client() as client:
        answers = [
            await client.get("/dev/session"),
            await client.post("/dev/token", json={"role": "till"}),
            await client.post("/graphql", json={"query": "{ programme { name } }"}),
            await client.post("/graphql", json={"query": "{"}),
        ]
    for answer in answers:
        assert abs((parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"role": "member", "member": "0000000000"}, "programme 'grocer' has no member with number '0000000000'"),
        ({"role": "member"}, "a member's token needs the membership number; add --member NUMBER"),
        ({"role": "till", "member": "0000000000"}, "role till takes no membership number; leave it out"),
        ({"role": "admin"}, 'Send {"role": ROLE, "member": NUMBER or null}.'),
        ([], 'Send {"role": ROLE, "member": NUMBER or null}.'),
        ({"role": "member", "member": 7}, 'Send {"role": ROLE, "member": NUMBER or null}.'),
    ],
)
async def test_issuer_says_what_is_wrong(development_gateway: GatewayProcess, body: Any, message: str) -> None:
    async with development_gateway.client() as client:
        answer = await client.post("/dev/token", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.7:8000", "localhost.evil.example"])
async def test_issuer_refuses_other_host_names(development_gateway: GatewayProcess, host: str) -> None:
    async with development_gateway.client(host=host) as client:
        session = await client.get("/dev/session")
        token = await client.post("/dev/token", json={"role": "manager"})
        baskets = await client.get("/dev/baskets")
    for answer in (session, token, baskets):
        assert answer.status_code == 403
        assert answer.json() == {"error": "The development issuer answers on this machine only."}


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "somewhere"])
async def test_issuer_refuses_other_machines(address: str) -> None:
    state: Any = None
    app = Starlette(routes=development.routes(state, DevelopmentKey("5f" * 32), "grocer"))
    transport = httpx.ASGITransport(app=app, client=(address, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        session = await client.get("/dev/session")
        token = await client.post("/dev/token", json={"role": "manager"})
        baskets = await client.get("/dev/baskets")
    assert (session.status_code, token.status_code, baskets.status_code) == (403, 403, 403)


async def test_member_with_most_to_spend_is_shown_first(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        numbers = [member["number"] for member in (await client.get("/dev/session")).json()["members"]]
    agent = development_gateway.token("agent")
    query = "query ($by: MemberKey!) { member(by: $by) { points { available } } }"
    spendable = [
        data(await development_gateway.ask(agent, query, by={"number": number}))["member"]["points"]["available"]
        for number in numbers
    ]
    assert len(spendable) > 1
    assert spendable == sorted(spendable, reverse=True)


async def test_issuer_returns_real_baskets_to_scan(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        first, again = await asyncio.gather(*(client.get("/dev/baskets") for _ in range(2)))
    assert first.status_code == 200
    assert first.json() == again.json()
    baskets = first.json()
    assert len(baskets) == 36
    for basket in baskets:
        assert [*basket] == ["lines", "total", "currency"]
        assert basket["currency"] == "USD"
        assert 2 <= len(basket["lines"]) <= 12
        for line in basket["lines"]:
            assert [*line] == ["sku", "name", "category", "brand", "quantity", "amount"]
            assert all(isinstance(value, str) and value for value in line.values())
            assert line["name"][1:] == line["name"][1:].lower()
        amounts = [Decimal(line["amount"]) for line in basket["lines"]]
        assert min(amounts) > 0
        assert sum(amounts) == Decimal(basket["total"])


async def test_every_basket_can_be_scanned(development_gateway: GatewayProcess, api_member: ApiMember) -> None:
    async with development_gateway.client() as client:
        baskets = (await client.get("/dev/baskets")).json()
    for basket in baskets:
        lines = [{name: line[name] for name in line if name != "name"} for line in basket["lines"]]
        purchase = {"total": basket["total"], "currency": basket["currency"], "lines": lines}
        payload = await record(development_gateway, api_member.purchase(purchase=purchase))
        assert payload["userErrors"] == []
    assert (await api_member.state())["version"] == 1 + len(baskets)


async def test_only_up_has_an_issuer(second_gateway: GatewayProcess) -> None:
    async with second_gateway.client() as client:
        session = await client.get("/dev/session")
        token = await client.post("/dev/token", json={"role": "manager"})
        baskets = await client.get("/dev/baskets")
    assert (session.status_code, token.status_code, baskets.status_code) == (404, 404, 404)


async def test_error_of_the_operation_is_counted_on_every_transport(
    second_gateway: GatewayProcess, api_member: ApiMember
) -> None:
    before = await samples(second_gateway)
    answer = await second_gateway.ask(api_member.token(), RECORD, input=api_member.purchase())
    assert only_error(answer)["extensions"] == {"code": "FORBIDDEN"}
    after = await samples(second_gateway)
    assert rise(before, after, "carillon_requests_total", transport="http", outcome="FORBIDDEN") == 1
    assert rise(before, after, "carillon_commits_total") == 0
