"""The manifest of registered operations: its formats, and the faults that keep a gateway from starting."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.clients.registered_operations import NAME_ONLY, OWN_ID, TEXTS, hash_of, write_manifest
from support.servers.command_line import run_carillon, run_carillon_process

from gateway.auth.development_key import DevelopmentKey
from gateway.config import InvalidSettings, Limits, Settings
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.manifest import FAULTS_REPORTED_MAX, Manifest, read_manifest

NOWHERE = Path("/nowhere/operations.json")
APOLLO = {"format": "apollo-persisted-query-manifest", "version": 1}


def read(content: Any, folder: Path, **limits: Any) -> Manifest:
    """Read a manifest with this content: JSON, or bytes as they are."""
    file = folder / "operations.json"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_manifest(Settings(operations=file), Limits(**limits), compilable_schema(), built=NOWHERE)


def refused(content: Any, folder: Path, **limits: int) -> str:
    """Return the reason why a manifest is refused."""
    with pytest.raises(InvalidSettings) as caught:
        read(content, folder, **limits)
    words = str(caught.value)
    assert words.startswith(f"CARILLON_OPERATIONS: {folder}/operations.json cannot be used: ")
    assert "`make clients`" in words
    return words


def test_manifest_of_code_generator_is_read(tmp_path: Path) -> None:
    manifest = read({hash_of(text): text for text in TEXTS}, tmp_path)
    assert len(manifest) == len(TEXTS)
    for text in TEXTS:
        assert manifest.find(hash_of(text)) == manifest.find(f"sha256:{hash_of(text)}") == text
        assert manifest.contains(text)
        assert not manifest.contains(f"{text} ")
    assert manifest.find(hash_of("{ me { id } }")) is None


def test_manifest_of_apollo_is_read_with_ids_of_its_own(tmp_path: Path) -> None:
    settings = Settings(operations=write_manifest(tmp_path / "apollo.json"))
    manifest = read_manifest(settings, Limits(), compilable_schema(), built=NOWHERE)
    assert len(manifest) == len(TEXTS)
    assert manifest.find(OWN_ID) == manifest.find(hash_of(NAME_ONLY)) == NAME_ONLY


def test_manifest_of_the_clients_build_is_read_where_none_is_named(tmp_path: Path) -> None:
    built = write_manifest(tmp_path / "built.json")
    assert len(read_manifest(Settings(), Limits(), compilable_schema(), built=built)) == len(TEXTS)
    assert len(read_manifest(Settings(), Limits(), compilable_schema(), built=NOWHERE)) == 0
    named = tmp_path / "named.json"
    named.write_text(json.dumps({hash_of(NAME_ONLY): NAME_ONLY}))
    assert len(read_manifest(Settings(operations=named), Limits(), compilable_schema(), built=built)) == 1


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "it is not JSON ("),
        ([], "it is not an object such as"),
        ({}, "it lists no operation"),
        ({**APOLLO, "operations": []}, "it lists no operation"),
        ({**APOLLO, "version": 2, "operations": []}, "its format is not apollo-persisted-query-manifest, version 1"),
        ({"format": "another"}, "its format is not apollo-persisted-query-manifest, version 1"),
        ({**APOLLO, "operations": {}}, "its operations are not a list"),
        ({**APOLLO, "operations": [{"id": "a"}]}, "operation number 1 needs id, name, type and body"),
        (
            {**APOLLO, "operations": [{"id": "a b", "name": "Home", "type": "query", "body": NAME_ONLY}]},
            "operation Home has the id 'a b'; use letters, digits and -._~",
        ),
        ({hash_of(NAME_ONLY): 7}, f"operation {hash_of(NAME_ONLY)} has no text"),
        ({"home": NAME_ONLY}, "operation Registered is listed under 'home', which is not a SHA-256"),
        ({"0" * 64: NAME_ONLY}, f"operation Registered ({'0' * 64}): the id is a SHA-256, but not that of its text"),
        (
            {**APOLLO, "operations": [{"id": "0" * 64, "name": "Home", "type": "query", "body": NAME_ONLY}]},
            f"operation Home ({'0' * 64}): the id is a SHA-256, but not that of its text",
        ),
        (
            {
                **APOLLO,
                "operations": [
                    {"id": "a", "name": name, "type": "query", "body": f"query {name} {{ me {{ id }} }}"}
                    for name in ("A", "B")
                ],
            },
            "operation B (a): another operation has the same id",
        ),
    ],
)
def test_manifest_that_is_broken_is_refused_with_the_fault(tmp_path: Path, content: Any, fault: str) -> None:
    assert fault in refused(content, tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("query Old { me { nickname } }", "operation Old ({id}): Cannot query field 'nickname' on type 'Member'"),
        ("query Old {", "operation Old ({id}): Syntax Error: Expected Name, found <EOF>"),
        ("{ shop }", "operation without a name ({id}): Cannot query field 'shop' on type 'Query'"),
        (
            "query Deep { me { activity { edges { node { why { rule } } } } } }",
            "operation Deep ({id}): The operation is nested more than 4 levels deep (CARILLON_LIMIT_DEPTH)",
        ),
    ],
)
def test_operation_that_could_not_run_is_named_with_the_reason(tmp_path: Path, text: str, fault: str) -> None:
    id_ = sha256(text.encode()).hexdigest()
    assert fault.format(id=id_) in refused({id_: text, hash_of(NAME_ONLY): NAME_ONLY}, tmp_path, depth=4)


def test_number_of_listed_faults_is_bounded_and_the_rest_counted(tmp_path: Path) -> None:
    texts = [f"query Old{n} {{ nothing{n} }}" for n in range(FAULTS_REPORTED_MAX + 3)]
    words = refused({hash_of(text): text for text in texts}, tmp_path)
    assert words.count("Cannot query field") == FAULTS_REPORTED_MAX
    assert "; and 3 more. Rebuild the clients" in words


def test_missing_file_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"/nowhere/operations\.json cannot be used: it cannot be read \(No such"):
        read_manifest(Settings(operations=NOWHERE), Limits(), compilable_schema(), built=NOWHERE)


def test_registered_operations_only_and_none_registered_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="CARILLON_OPERATIONS_ONLY: no operations are registered"):
        read_manifest(Settings(operations_only=True), Limits(), compilable_schema(), built=NOWHERE)


async def test_gateway_does_not_start_on_operations_that_could_not_run(tmp_path: Path) -> None:
    DevelopmentKey.load(tmp_path)
    file = tmp_path / "operations.json"
    text = "query Old { me { nickname } }"
    file.write_text(json.dumps({hash_of(text): text}))
    url = "mongodb://127.0.0.1:1/?replicaSet=carillon"
    settings: dict[str, Any] = {
        "CARILLON_MONGODB_URL": url,
        "CARILLON_DATA_DIR": str(tmp_path),
        "CARILLON_OPERATIONS": str(file),
    }
    for ran in (
        await run_carillon("serve", "--port", "0", **settings),
        await run_carillon_process("up", "--port", "0", **settings),
    ):
        assert (ran.code, ran.out) == (1, "")
        assert "Traceback" not in ran.err
        assert f"CARILLON_OPERATIONS: {file} cannot be used: operation Old ({hash_of(text)}): Cannot query" in ran.err


async def test_gateway_says_which_setting_is_wrong(tmp_path: Path) -> None:
    ran = await run_carillon("serve", CARILLON_DATA_DIR=str(tmp_path), CARILLON_OPERATIONS_ONLY="perhaps")
    assert ran.code == 1
    assert "CARILLON_OPERATIONS_ONLY: Input should be a valid boolean" in ran.err
