"""Operations sent by name: registered ones, and texts stored by their hash."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from graphql import get_introspection_query
from prometheus_client.parser import text_string_to_metric_families
from support.clients.api import ApiMember, code_of, data, enrol, only_error
from support.clients.registered_operations import (
    LIVE,
    LIVE_TRANSPORTS,
    NAME_ONLY,
    OWN_ID,
    RECORD,
    TRANSPORTS,
    WITH_VARIABLES,
    apollo,
    by_get,
    by_post,
    by_socket,
    hash_of,
    write_manifest,
)
from support.servers.gateway import GatewayProcess

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.executor import Executor, InvalidOperation
from gateway.operations.manifest import Manifest
from gateway.operations.persisted import (
    CACHED_CHARACTERS_MAX,
    CACHED_TEXTS_MAX,
    TRUSTED_ROLES,
    Operations,
    RequestParameters,
    texts_by_hash,
)
from resolvers.core.actor import Actor, Role

NOT_FOUND = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
GRAPHQL_RESPONSE = "application/graphql-response+json"
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
every_live_transport = pytest.mark.parametrize("transport", LIVE_TRANSPORTS)


@pytest.fixture(scope="module")
def closed_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway on the same MongoDB that runs registered operations only."""
    folder = tmp_path_factory.mktemp("closed")
    gateway = GatewayProcess.start(
        "serve",
        data_dir=development_gateway.data_dir,
        output=folder / "output.log",
        CARILLON_DRAIN_SECONDS="0",
        CARILLON_OPERATIONS=str(write_manifest(folder / "operations.json")),
        CARILLON_OPERATIONS_ONLY="true",
    )
    yield gateway
    assert gateway.stop() == 0, gateway.output.read_text(errors="replace")


@pytest.fixture(scope="module")
async def somebody(development_gateway: GatewayProcess) -> ApiMember:
    return await enrol(development_gateway)


def unique() -> str:
    """Return a text that no gateway has seen."""
    return f"query Once{uuid4().hex} {{ me {{ number }} }}"


async def documents(gateway: GatewayProcess, how: str) -> float:
    """Return the number of operations that a gateway counted of this kind."""
    async with gateway.client() as client:
        text = (await client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return sum(sample.value for sample in families["carillon_documents"].samples if sample.labels == {"how": how})


# Registered operations


@every_transport
@pytest.mark.parametrize(
    "named",
    [
        {"documentId": f"sha256:{hash_of(NAME_ONLY)}"},
        {"documentId": hash_of(NAME_ONLY)},
        {"documentId": OWN_ID},
        {"extensions": apollo(NAME_ONLY)},
        {"extensions": apollo(NAME_ONLY, OWN_ID)},
        {"documentId": OWN_ID, "query": ""},
    ],
    ids=["prefixed hash", "hash", "own id", "Apollo's hash", "Apollo's own id", "beside an empty text"],
)
async def test_registered_operation_is_run_by_its_name(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str, named: dict[str, Any]
) -> None:
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), named)
    assert answer == {"data": {"me": {"number": somebody.number}, "__typename": "Query"}}


@every_transport
async def test_registered_operation_gets_its_variables_and_name(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    named = {"documentId": hash_of(WITH_VARIABLES), "operationName": "Counted", "variables": {"first": 1}}
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), named)
    assert data(answer) == {"me": {"activity": {"edges": []}}}
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), {**named, "operationName": "Another"})
    assert only_error(answer)["message"] == "The document has no operation named 'Another'."


@every_live_transport
async def test_registered_subscription_is_run_by_its_name(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), {"documentId": hash_of(LIVE)})
    assert data(answer) == {"memberChanged": {"version": 1}}


async def test_registered_mutation_is_run_by_its_name_and_not_by_get(closed_gateway: GatewayProcess) -> None:
    api_member, till = await enrol(closed_gateway), closed_gateway.token("till")
    named = {"documentId": hash_of(RECORD), "variables": {"input": api_member.purchase("10.00")}}
    async with closed_gateway.client(till) as client:
        for path in ("/graphql", "/graphql/stream"):
            refused = await client.get(path, params={"documentId": hash_of(RECORD)})
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    for replayed in (False, True):
        answer = await by_post(closed_gateway, till, named)
        assert data(answer) == {"recordEvent": {"replayed": replayed, "userErrors": []}}
    assert (await api_member.state())["version"] == 2


@every_transport
async def test_unknown_operation_is_refused(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    send, hash_ = TRANSPORTS[transport], hash_of(unique())
    assert only_error(await send(closed_gateway, somebody.token(), {"extensions": apollo("", hash_)})) == NOT_FOUND
    for id_ in (f"sha256:{hash_}", "md5:0", "x" * 500):
        error = only_error(await send(closed_gateway, somebody.token(), {"documentId": id_}))
        assert error["extensions"] == {"code": "PERSISTED_QUERY_NOT_FOUND"}
        assert error["message"] == (
            f"There is no operation “{id_[:100]}” here. Check that this version of the client is registered, "
            "or send the text of the operation."
        )


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_status_of_an_unknown_operation_follows_the_accepted_type(
    closed_gateway: GatewayProcess, method: str
) -> None:
    unknown = {"documentId": "unknown"}
    sent: dict[str, Any] = {"json": unknown} if method == "POST" else {"params": unknown}
    for kind, status in (("application/json", 200), (GRAPHQL_RESPONSE, 404)):
        async with closed_gateway.client(None, accept=kind) as client:
            answer = await client.request(method, "/graphql", **sent)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
        assert code_of(answer.json()) == "PERSISTED_QUERY_NOT_FOUND"


MALFORMED: list[dict[str, Any]] = [
    {"documentId": OWN_ID, "query": NAME_ONLY},
    {"documentId": OWN_ID, "extensions": apollo(NAME_ONLY)},
    {"documentId": ""},
    {"documentId": 7},
    {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash_of(NAME_ONLY)}}},
    {"extensions": {"persistedQuery": {"version": 1}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ""}}},
    {"extensions": {"persistedQuery": hash_of(NAME_ONLY)}},
    {"extensions": {"persistedQuery": None}},
    {},
]


@pytest.mark.parametrize("parameters", MALFORMED, ids=map(str, range(len(MALFORMED))))
async def test_request_that_names_no_or_two_operations_is_refused(
    closed_gateway: GatewayProcess, parameters: dict[str, Any]
) -> None:
    async with closed_gateway.client() as client:
        for path in ("/graphql", "/graphql/stream"):
            answer = await client.post(path, json=parameters)
            assert answer.status_code == 400
            assert code_of(answer.json()) == "BAD_USER_INPUT"


async def test_socket_that_names_two_operations_is_closed(closed_gateway: GatewayProcess) -> None:
    with pytest.raises(Exception, match=r"4400.*documentId identifies the operation"):
        await by_socket(closed_gateway, None, {"documentId": OWN_ID, "query": NAME_ONLY})


# Texts that come with their hash, where texts are allowed


@every_transport
async def test_text_is_stored_by_its_hash(
    development_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    send, text, token = TRANSPORTS[transport], unique(), somebody.token()
    number = {"data": {"me": {"number": somebody.number}}}
    named = {"extensions": apollo(text)}
    assert only_error(await send(development_gateway, token, named)) == NOT_FOUND
    assert await send(development_gateway, token, {"query": text, **named}) == number
    assert await send(development_gateway, token, named) == number
    assert await by_post(development_gateway, token, {"documentId": f"sha256:{hash_of(text)}"}) == number


@every_transport
async def test_wrong_hash_is_refused_and_nothing_stored(
    development_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    send, text, other = TRANSPORTS[transport], unique(), unique()
    both = {"query": text, "extensions": apollo(other)}
    error = only_error(await send(development_gateway, somebody.token(), both))
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["message"].startswith("The hash doesn’t match the text.")
    for hash_ in (hash_of(text), hash_of(other)):
        named = {"extensions": apollo("", hash_)}
        assert only_error(await by_post(development_gateway, somebody.token(), named)) == NOT_FOUND


async def test_invalid_text_is_not_stored(development_gateway: GatewayProcess) -> None:
    text = f"query Once{uuid4().hex} {{ nothing }}"
    for _ in range(2):
        answer = await by_post(development_gateway, None, {"query": text, "extensions": apollo(text)})
        assert code_of(answer) == "BAD_USER_INPUT"
    assert only_error(await by_post(development_gateway, None, {"extensions": apollo(text)})) == NOT_FOUND


def test_stored_texts_are_bounded() -> None:
    remembered = texts_by_hash()
    for n in range(CACHED_TEXTS_MAX + 2):
        remembered[str(n)] = "text"
        assert remembered.get("0") == "text"
    assert [remembered.get(str(n)) for n in (1, 2, 3)] == [None, None, "text"]
    remembered["large"] = "x" * CACHED_CHARACTERS_MAX
    assert remembered.get("0") is None
    remembered["small"] = "x"
    assert (remembered.get("large"), remembered.get("small")) == (None, "x")


def test_text_larger_than_the_whole_cache_is_executed_and_not_remembered() -> None:
    executor = Executor(compilable_schema(), Limits(characters=2 * CACHED_CHARACTERS_MAX), Metrics())
    operations = Operations(executor, Manifest(), Metrics(), only_registered=False)
    manager = Actor(Role.MANAGER, "grocer", "manager", datetime.max.replace(tzinfo=UTC))
    text = f"query Large {{ __typename }} #{'x' * CACHED_CHARACTERS_MAX}"
    sent = RequestParameters(text, sha256=hash_of(text))
    for _ in range(2):
        assert operations.prepare(sent, manager).name == "Large"
    with pytest.raises(InvalidOperation) as refused:
        operations.prepare(RequestParameters(None, sha256=hash_of(text)), manager)
    assert refused.value.code == "PERSISTED_QUERY_NOT_FOUND"


# Registered operations only


@every_transport
@pytest.mark.parametrize("role", [None, "member", "kiosk"])
async def test_text_of_a_client_is_refused(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str, role: str | None
) -> None:
    tokens = {None: None, "member": somebody.token(), "kiosk": closed_gateway.token("kiosk")}
    before = await documents(closed_gateway, "refused")
    texts = (unique(), "{ __typename }", get_introspection_query(), "{", f"{NAME_ONLY} ")
    for text in texts:
        for extensions in ({}, apollo(text)):
            parameters = {"query": text, "extensions": extensions}
            error = only_error(await TRANSPORTS[transport](closed_gateway, tokens[role], parameters))
            assert error["extensions"] == {"code": "FORBIDDEN"}
            assert error["message"] == (
                "Only registered operations run here. Send the `documentId` of one; register others when you build "
                "the client."
            )
    assert await documents(closed_gateway, "refused") == before + 2 * len(texts)


@pytest.mark.parametrize(
    ("locale", "words"),
    [("fr", "Seules les opérations enregistrées s’exécutent ici."), ("ar", "لا تُنفَّذ هنا إلا العمليات المسجّلة.")],
)
async def test_refusal_is_in_the_language_of_the_request(
    closed_gateway: GatewayProcess, locale: str, words: str
) -> None:
    async with closed_gateway.client(**{"accept-language": locale}, accept=GRAPHQL_RESPONSE) as client:
        answer = await client.post("/graphql", json={"query": "{ __typename }"})
    assert answer.status_code == 403
    assert only_error(answer.json())["message"].startswith(words)


@every_transport
@pytest.mark.parametrize("role", ["till", "agent", "manager", "service"])
async def test_back_ends_send_their_own_texts(closed_gateway: GatewayProcess, transport: str, role: str) -> None:
    answer = await TRANSPORTS[transport](closed_gateway, closed_gateway.token(role), {"query": "{ __typename }"})
    assert answer == {"data": {"__typename": "Query"}}


def test_roles_that_send_their_own_texts_are_those_of_back_ends_and_staff() -> None:
    assert {Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE} == TRUSTED_ROLES


@every_transport
async def test_client_does_not_run_what_a_back_end_has_sent(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    text = unique()
    sent = {"query": text, "extensions": apollo(text)}
    till = closed_gateway.token("till")
    assert data(await by_post(closed_gateway, till, sent)) == {"me": None}
    assert data(await by_post(closed_gateway, till, {"extensions": apollo(text)})) == {"me": None}
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), {"extensions": apollo(text)})
    assert only_error(answer) == NOT_FOUND


@every_transport
async def test_registered_operation_may_be_sent_as_its_text(
    closed_gateway: GatewayProcess, somebody: ApiMember, transport: str
) -> None:
    answer = await TRANSPORTS[transport](closed_gateway, somebody.token(), {"query": NAME_ONLY})
    assert data(answer)["me"] == {"number": somebody.number}


# The same for every way to name an operation


async def test_answer_to_a_named_operation_is_cached_and_recomputed_after_a_change(
    closed_gateway: GatewayProcess,
) -> None:
    api_member = await enrol(closed_gateway)
    named = {"documentId": hash_of(WITH_VARIABLES), "variables": {"first": 5}}

    async def points() -> list[int]:
        answer = data(await by_post(closed_gateway, api_member.token(), named))
        return [edge["node"]["points"] for edge in answer["me"]["activity"]["edges"]]

    before = await documents(closed_gateway, "registered")
    assert [await points() for _ in range(3)] == [[], [], []]
    assert await documents(closed_gateway, "registered") == before + 1, "two of the three came from memory"
    await api_member.buy("10.00")
    assert [await points() for _ in range(2)] == [[10], [10]]
    assert await documents(closed_gateway, "registered") == before + 2


async def test_get_of_a_named_operation_returns_304_while_nothing_changes(closed_gateway: GatewayProcess) -> None:
    api_member = await enrol(closed_gateway)
    params = {"documentId": f"sha256:{hash_of(WITH_VARIABLES)}", "variables": '{"first":5}'}
    async with closed_gateway.client(api_member.token()) as client:
        tag = (await client.get("/graphql", params=params)).headers["etag"]
        assert (await client.get("/graphql", params=params, headers={"if-none-match": tag})).status_code == 304
        await api_member.buy("10.00")
        changed = await client.get("/graphql", params=params, headers={"if-none-match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


async def test_invalid_token_is_reported_before_the_operation(closed_gateway: GatewayProcess) -> None:
    async with closed_gateway.client("not-a-token") as client:
        answer = await client.post("/graphql", json={"documentId": "unknown"})
    assert (answer.status_code, code_of(answer.json())) == (401, "UNAUTHENTICATED")


async def test_kinds_of_named_operations_are_counted(closed_gateway: GatewayProcess, somebody: ApiMember) -> None:
    till, text = closed_gateway.token("till"), unique()
    sent: list[tuple[str | None, dict[str, Any], str]] = [
        (somebody.token(), {"documentId": OWN_ID, "variables": {"n": 1}}, "registered"),
        (somebody.token(), {"query": NAME_ONLY, "variables": {"n": 1}}, "text"),
        (till, {"query": text, "extensions": apollo(text)}, "own_text"),
        (till, {"extensions": apollo(text)}, "remembered"),
        (somebody.token(), {"extensions": apollo(text)}, "unknown"),
        (None, {"query": text}, "refused"),
    ]
    for token, parameters, how in sent:
        before = await documents(closed_gateway, how)
        await by_post(closed_gateway, token, parameters)
        assert await documents(closed_gateway, how) == before + 1, how


async def test_open_gateway_accepts_texts_and_names(development_gateway: GatewayProcess, somebody: ApiMember) -> None:
    text = unique()
    plain = await by_get(development_gateway, somebody.token(), {"query": text})
    hashed = await by_get(development_gateway, somebody.token(), {"query": text, "extensions": apollo(text)})
    assert plain == hashed == {"data": {"me": {"number": somebody.number}}}
