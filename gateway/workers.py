"""Several gateways on one address: `carillon serve --workers N` uses so many cores of one machine.

A worker is a gateway of its own, with its own event loop, connections to MongoDB, change stream and memory; all it
shares is the listening socket, from which whoever is free takes the next connection. So what holds for gateways on
several machines holds for workers, and there is nothing else to know of them. This process serves nobody: it starts
them, starts anew the ones that fall, and ends them in order.
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

# A worker that falls sooner than this after its start will fall again; after so many in a row, all is given up.
SOON_SECONDS = 10.0
SOON_MAX = 5
PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)
Work = Callable[[socket.socket, Path], None]


class WorkersFell(Exception):  # noqa: N818 - told to whoever started them
    """Workers end as soon as they are started; why is in the log."""


class Workers:
    """Keeps `count` processes at `work`, which has to be a function of a module: it gets the socket and a directory."""

    def __init__(self, work: Work, count: int, sock: socket.socket, metrics_dir: Path) -> None:
        self._work, self._count, self._sock, self._metrics_dir = work, count, sock, metrics_dir
        self._context = multiprocessing.get_context("spawn")
        self._started: dict[SpawnProcess, float] = {}
        self._stopping = False
        self._fallen_soon = 0

    def run(self) -> None:
        """Serve until a signal, and until every worker has ended.

        Raises:
            WorkersFell: they end as soon as they are started.
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
            self._tell(signal.SIGKILL)

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
            log.error("worker_fell", worker=process.pid, exit=process.exitcode)
            self._fallen_soon = self._fallen_soon + 1 if monotonic() - started < SOON_SECONDS else 0
            if self._fallen_soon >= SOON_MAX:
                self._stopping = True
                self._tell(signal.SIGTERM)
                raise WorkersFell(f"workers end as soon as they are started ({SOON_MAX} in a row); see the log")
            sleep(PAUSE_SECONDS)
            if not self._stopping:
                self._start()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on: a worker drains at the first, and stops at the second."""
        self._stopping = True
        self._tell(signal.SIGTERM if number == signal.SIGTERM else signal.SIGINT)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._started:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)


def run_workers(work: Work, count: int, sock: socket.socket) -> None:
    """Run `count` workers on a listening socket until a signal; what they count is summed in one directory."""
    with tempfile.TemporaryDirectory(prefix="carillon-metrics-") as directory:
        # prometheus-client looks for it where it is imported, which a worker does anew.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        Workers(work, count, sock, Path(directory)).run()


def _worker(work: Work, sock: socket.socket, metrics_dir: Path) -> None:
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    work(sock, metrics_dir)


def _end_with_parent() -> None:
    """Leave in order when the parent is gone: nobody else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
