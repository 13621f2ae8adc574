"""Progress on a terminal."""

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
    """Show a bar; give the function that moves it to so many done, of so many."""
    with Progress(*COLUMNS, console=console) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def count_bar(console: Console, title: str) -> Iterator[Callable[[int], None]]:
    """Show how many are done where nobody knows of how many; give the function that says so."""
    with progress_bar(console, title) as on_progress:
        yield lambda done: on_progress(done, done)
