"""Progress bars on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TaskProgressColumn(),
    TimeRemainingColumn(),
)


@contextmanager
def progress_bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yield the function that updates it: `(done, total)`."""
    with Progress(*COLUMNS, console=console) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def count_bar(console: Console, title: str) -> Iterator[Callable[[int], None]]:
    """Show a counter without a known total; yield the function that updates it: `(done)`."""
    with progress_bar(console, title) as on_progress:
        yield lambda done: on_progress(done, done)
