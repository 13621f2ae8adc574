"""The layout of the repository, as far as import-linter does not look at it."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("gateway", "schema", "resolvers", "models", "loyalty", "bench", "tools", "tests")
FILES_MAX = 20


def test_no_folder_has_more_files_than_a_reader_takes_in() -> None:
    files = [file for part in CODE for file in (ROOT / part).rglob("*.py") if "node_modules" not in file.parts]
    assert len(files) > 400
    count = Counter(file.parent.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py")
    assert {folder: number for folder, number in count.items() if number > FILES_MAX} == {}
