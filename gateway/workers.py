"""Several gateways on one address: `carillon serve --workers N` uses N cores of one machine.

A worker is a complete gateway with its own event loop, connections to MongoDB, change stream and memory. Workers share
only the listening socket, from which a free one accepts the next connection. So they behave like gateways on several
machines. The parent process serves no requests: it starts the workers, replaces those that exit, and stops them in
order.
"""

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

import structlog
from prometheus_client.multiprocess import mark_process_dead

# A worker that exits this soon after its start would exit again; after EARLY_EXITS_MAX in a row, the parent gives up.
EARLY_EXIT_SECONDS = 10.0
EARLY_EXITS_MAX = 5
RESTART_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)
Work = Callable[[socket.socket, Path], None]


class WorkersKeepExiting(Exception):  # noqa: N818 - its message is for operators
    """Workers exit right after their start; the log has the reason."""


class Workers:
    """Runs `work(socket, metrics_dir)`, a module-level function, in `count` processes; replaces those that exit."""

    def __init__(self, work: Work, count: int, sock: socket.socket, metrics_dir: Path) -> None:
        self._work, self._count, self._sock, self._metrics_dir = work, count, sock, metrics_dir
        self._context = multiprocessing.get_context("spawn")
        self._started: dict[SpawnProcess, float] = {}
        self._stopping = False
        self._early_exits = 0

    def run(self) -> None:
        """Serve until a signal, and until every worker has ended.

        Raises:
            WorkersKeepExiting: they keep exiting right after their start.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while len(self._started) < self._count and not self._stopping:
                self._start()
            while self._started:
                wait([process.sentinel for process in self._started])
                self._replace()
        finally:
            self._signal(signal.SIGKILL)

    def _start(self) -> None:
        process = self._context.Process(target=_worker, args=(self._work, self._sock, self._metrics_dir), daemon=False)
        process.start()
        self._started[process] = monotonic()
        log.info("worker_started", worker=process.pid)

    def _replace(self) -> None:
        for process, started in [*self._started.items()]:
            if process.is_alive():
                continue
            del self._started[process]
            mark_process_dead(process.pid, str(self._metrics_dir))  # type: ignore[no-untyped-call]
            if self._stopping:
                continue
            log.error("worker_exited", worker=process.pid, exit=process.exitcode)
            self._early_exits = self._early_exits + 1 if monotonic() - started < EARLY_EXIT_SECONDS else 0
            if self._early_exits >= EARLY_EXITS_MAX:
                self._stopping = True
                self._signal(signal.SIGTERM)
                raise WorkersKeepExiting(
                    f"workers exit right after their start ({EARLY_EXITS_MAX} in a row); see the log for the reason"
                )
            sleep(RESTART_PAUSE_SECONDS)
            if not self._stopping:
                self._start()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Forward a signal: a worker drains on the first and stops on the second."""
        self._stopping = True
        self._signal(signal.SIGTERM if number == signal.SIGTERM else signal.SIGINT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._started:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)


def run_workers(work: Work, count: int, sock: socket.socket) -> None:
    """Run `count` workers on a listening socket until a signal; their metrics share a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="carillon-metrics-") as directory:
        # prometheus-client reads it on import, which each spawned worker repeats.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        Workers(work, count, sock, Path(directory)).run()


def _worker(work: Work, sock: socket.socket, metrics_dir: Path) -> None:
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    work(sock, metrics_dir)


def _end_with_parent() -> None:
    """Shut down in order when the parent is gone: nothing else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
