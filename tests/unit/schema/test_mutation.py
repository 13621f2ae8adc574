"""Mutations are found in their files."""

from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from schema.mutation import parts


def test_file_without_a_mutation_type_keeps_the_schema_from_being_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "unserved_mutations"
    folder.mkdir()
    for name, text in (
        ("__init__", ""),
        ("payload", "class MemberPayload: ..."),
        ("rename", "class RenameMutation: ..."),
    ):
        (folder / f"{name}.py").write_text(f"{text}\n", encoding="utf-8")
    package = import_module(folder.name)
    assert [kind.__name__ for kind in parts(package)] == ["RenameMutation"]
    (folder / "swap.py").write_text("class Swap: ...\n", encoding="utf-8")
    invalidate_caches()
    with pytest.raises(TypeError, match=r"unserved_mutations\.swap has no class whose name ends in Mutation"):
        list(parts(package))
