# ruff: noqa: SLF001 - the limit of the log and the choice of a port are nobody else's to know

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession

from models.mongo.replica_set import NotAReplicaSet, require_replica_set
from models.mongod import process
from models.mongod.errors import (
    BinaryMissing,
    DataDirectoryInUse,
    EmbeddedServerError,
    SharedLibraryMissing,
    StartFailed,
)
from models.mongod.server import EmbeddedServer, attach_or_start, find_running

REPOSITORY = Path(process.__file__).parent.parent
OWNER = """
import sys, threading
from pathlib import Path
from models.mongod.server import EmbeddedServer
server = EmbeddedServer.start(Path(sys.argv[1]), purpose="another owner", cache_gib=0.25)
print(server.pid, server.url, flush=True)
sys.stdin.read()
server.stop()
"""
FINDER = """
import sys
from pathlib import Path
from models.mongod.server import find_running
print(find_running(Path(sys.argv[1])))
"""

Document = dict[str, Any]


def start(data_dir: Path, **options: Any) -> EmbeddedServer:
    return EmbeddedServer.start(data_dir, purpose="a test", cache_gib=0.25, **options)


def write(url: str, key: int) -> None:
    with MongoClient[Document](url) as client:
        client.test.things.insert_one({"_id": key})


def keys(url: str) -> list[int]:
    with MongoClient[Document](url) as client:
        return [thing["_id"] for thing in client.test.things.find().sort("_id")]


def port_of(server: EmbeddedServer) -> int:
    return int(server.url.split("/")[2].rpartition(":")[2])


def has_ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"  # ended; whoever adopted it has not looked yet


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def spawn(code: str, data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code, str(data_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def fake_mongod(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with start(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def another_owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    with spawn(OWNER, tmp_path) as process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        yield process, int(pid), url
        process.kill()
    wait_until(lambda: has_ended(int(pid)), 10)


def test_starts_a_writable_replica_set(shared: EmbeddedServer) -> None:
    def transact(session: ClientSession) -> None:
        client.test.accounts.insert_one({"_id": 1}, session=session)
        client.test.accounts.insert_one({"_id": 2}, session=session)

    with MongoClient[Document](shared.url) as client:
        require_replica_set(client.admin.command("hello"))
        with client.test.accounts.watch(max_await_time_ms=2000) as changes:
            with client.start_session() as session:
                session.with_transaction(transact)
            assert [next(changes)["documentKey"]["_id"] for _ in range(2)] == [1, 2]


def test_keeps_to_its_directory_and_to_loopback(shared: EmbeddedServer) -> None:
    with MongoClient[Document](shared.url) as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]
        oplog = client.local.command("collStats", "oplog.rs")
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["storage"]["dbPath"] == str(shared.data_dir / "db")
    assert oplog["maxSize"] == 512 * 1024 * 1024
    assert shared.log_path.is_relative_to(shared.data_dir)
    assert "Waiting for connections" in shared.log_path.read_text()


def test_mongod_is_in_a_session_of_its_own_so_ctrl_c_passes_it_by(shared: EmbeddedServer) -> None:
    assert os.getsid(shared.pid) == shared.pid


def test_mongod_does_not_inherit_the_lock(shared: EmbeddedServer) -> None:
    opened = [str(link.readlink()) for link in Path(f"/proc/{shared.pid}/fd").iterdir() if link.exists()]
    assert str(shared.data_dir / "server.lock") not in opened


def test_second_start_on_the_same_directory_is_refused_with_the_holder_named(shared: EmbeddedServer) -> None:
    with pytest.raises(DataDirectoryInUse, match=rf"process {os.getpid()} \(a test\)") as caught:
        start(shared.data_dir)
    assert (caught.value.data_dir, caught.value.pid) == (shared.data_dir, os.getpid())
    assert caught.value.purpose == "a test"
    assert keys(shared.url) is not None


def test_attaches_to_the_server_that_runs_and_leaves_it_running(shared: EmbeddedServer) -> None:
    with attach_or_start(shared.data_dir, purpose="a command") as running:
        assert (running.url, running.pid, running.owned) == (shared.url, shared.pid, False)
    assert not has_ended(shared.pid)


def test_starts_where_none_runs_and_stops_it_after(tmp_path: Path) -> None:
    with attach_or_start(tmp_path, purpose="a command") as running:
        assert running.owned
        write(running.url, 1)
        assert find_running(tmp_path) is not None
    assert find_running(tmp_path) is None
    assert has_ended(running.pid)


def test_data_survives_a_restart_and_a_move_to_another_port(tmp_path: Path) -> None:
    with start(tmp_path / "a") as server:
        write(server.url, 1)
        former = port_of(server)
    server.stop()  # once more does nothing
    with start(tmp_path / "a") as server:
        assert port_of(server) == former
        assert keys(server.url) == [1]
        write(server.url, 2)
    # The port goes to the server of another directory, a set of the same name.
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "server.json").write_bytes((tmp_path / "a" / "server.json").read_bytes())
    with start(tmp_path / "b") as other, start(tmp_path / "a") as server:
        assert port_of(other) == former
        assert port_of(server) != former
        assert (keys(server.url), keys(other.url)) == ([1, 2], [])


def test_tries_another_port_if_the_first_is_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = process._free_port
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        answers = iter([stranger.getsockname()[1]])
        monkeypatch.setattr(process, "_free_port", lambda preferred=0: next(answers, None) or choose(preferred))
        with start(tmp_path) as server:
            assert port_of(server) != stranger.getsockname()[1]
            write(server.url, 1)


def test_another_process_owns_finds_and_ends_its_server(
    tmp_path: Path, another_owner: tuple[subprocess.Popen[str], int, str]
) -> None:
    process, pid, url = another_owner
    running = find_running(tmp_path)
    assert running is not None
    assert (running.url, running.pid, running.owned) == (url, pid, False)
    with pytest.raises(DataDirectoryInUse, match=rf"process {process.pid} \(another owner\)"):
        start(tmp_path)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    assert has_ended(pid)
    assert find_running(tmp_path) is None


def test_find_running_finds_it_from_another_process(shared: EmbeddedServer) -> None:
    with spawn(FINDER, shared.data_dir) as process:
        found, _ = process.communicate(timeout=20)
    assert shared.url in found
    assert f"pid={shared.pid}" in found


def test_mongod_ends_when_its_parent_is_killed_and_starts_again_with_its_data(
    tmp_path: Path, another_owner: tuple[subprocess.Popen[str], int, str]
) -> None:
    process, pid, url = another_owner
    write(url, 1)
    process.kill()
    process.wait(10)
    with start(tmp_path) as server:  # at once: it waits for the former mongod
        assert has_ended(pid)
        assert keys(server.url) == [1]


def test_starts_again_after_mongod_is_killed(tmp_path: Path) -> None:
    server = start(tmp_path)
    write(server.url, 1)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: find_running(tmp_path) is None, 10)
    server.stop()
    with start(tmp_path) as server:
        assert keys(server.url) == [1]


def test_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    servers: list[EmbeddedServer] = []
    thread = threading.Thread(target=lambda: servers.append(start(tmp_path)))
    thread.start()
    thread.join()
    with servers[0] as server:
        time.sleep(0.3)
        write(server.url, 1)


def test_state_files_left_behind_are_no_server(tmp_path: Path) -> None:
    assert find_running(tmp_path / "nowhere") is None
    (tmp_path / "server.lock").touch()
    state = {"phase": "ready", "owner_pid": os.getpid(), "purpose": "gone", "port": 1, "mongod_pid": os.getpid()}
    for left in (json.dumps(state), "[]", '{"phase": "ready"', '{"colour": "red"}'):
        (tmp_path / "server.json").write_text(left)
        assert find_running(tmp_path) is None


def test_orphaned_mongod_in_the_directory_is_named(
    tmp_path: Path, another_owner: tuple[subprocess.Popen[str], int, str]
) -> None:
    _, pid, _ = another_owner
    (tmp_path / "server.lock").unlink()  # as if its owner had never been
    with pytest.raises(DataDirectoryInUse, match=f"process {pid}"):
        start(tmp_path, start_timeout_seconds=0.2)


def test_log_over_its_limit_is_rotated_at_the_start(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "mongod.log").write_bytes(b"x" * (process._LOG_LIMIT_BYTES + 1))
    with pytest.raises(StartFailed):
        start(tmp_path, binary=fake_mongod(tmp_path / "mongod", '[ "$1" = --version ]'))
    assert not (logs / "mongod.log").exists()
    assert (logs / "mongod.log.1").stat().st_size > process._LOG_LIMIT_BYTES


def test_without_the_wheel_it_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_DISTRIBUTION", "no-such-distribution-of-mongod")
    with pytest.raises(BinaryMissing, match=r"CARILLON_MONGODB_URL.*docker compose"):
        start(tmp_path)


def test_a_missing_or_foreign_binary_says_what_to_do_instead(tmp_path: Path) -> None:
    foreign = fake_mongod(tmp_path / "foreign", "")
    foreign.write_bytes(b"\x7fELF made for another machine")
    for binary in (tmp_path / "nothing", foreign):
        with pytest.raises(BinaryMissing, match=r"CARILLON_MONGODB_URL.*docker compose"):
            start(tmp_path / "data", binary=binary)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("said", "library"),
    [
        (
            (
                "mongod: error while loading shared libraries: libcurl.so.4: "
                "cannot open shared object file: No such file or directory"
            ),
            "libcurl.so.4",
        ),
        ("mongod: /lib64/libc.so.6: version 'GLIBC_2.34' not found (required by mongod)", "libc.so.6"),
    ],
)
def test_a_missing_shared_library_is_named(tmp_path: Path, said: str, library: str) -> None:
    binary = fake_mongod(tmp_path / "mongod", f'echo "{said}" >&2\nexit 127')
    with pytest.raises(SharedLibraryMissing, match=r"CARILLON_MONGODB_URL.*docker compose") as caught:
        start(tmp_path, binary=binary)
    assert caught.value.library == library
    assert library in str(caught.value)


def test_a_failed_start_shows_what_mongod_said_and_leaves_the_directory_free(tmp_path: Path) -> None:
    binary = fake_mongod(tmp_path / "mongod", '[ "$1" = --version ] && exit 0\necho "the disk is on fire"\nexit 100')
    for _ in range(2):
        with pytest.raises(StartFailed, match=r"status 100") as caught:
            start(tmp_path / "data", binary=binary)
        assert caught.value.log_tail == ("the disk is on fire",)
        assert caught.value.log_path == tmp_path / "data" / "logs" / "mongod.log"


def test_start_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    binary = fake_mongod(tmp_path / "mongod", f'[ "$1" = --version ] && exit 0\necho $$ > {pid}\nexec sleep 60')
    with pytest.raises(StartFailed, match="does not listen yet"):
        start(tmp_path / "data", binary=binary, start_timeout_seconds=1)
    assert has_ended(int(pid.read_text()))


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerError, match="file/data cannot be used"):
        start(tmp_path / "file" / "data")


def test_a_cache_mongod_would_refuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.25"):
        EmbeddedServer.start(tmp_path, purpose="a test", cache_gib=0.1)


@pytest.mark.parametrize("hello", [{"setName": "rs0", "isWritablePrimary": True}, {"msg": "isdbgrid"}])
def test_replica_set_and_mongos_are_accepted(hello: dict[str, object]) -> None:
    require_replica_set(hello)


@pytest.mark.parametrize("hello", [{"isWritablePrimary": True}, {"isreplicaset": True}, {"setName": ""}])
def test_a_standalone_server_is_refused_with_the_reason_and_the_remedy(hello: dict[str, object]) -> None:
    with pytest.raises(NotAReplicaSet, match=r"transactions and change streams.*rs\.initiate\(\)"):
        require_replica_set(hello)
