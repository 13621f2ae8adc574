"""What a release check refuses. `make release` runs the whole check; it takes half a minute and a package index."""

import subprocess
from pathlib import Path

import pytest

from tools.release import build_context, check_compose, check_version, lay_out_image
from tools.wheel import ROOT, Broken, project_version


def write(root: Path, **files: str) -> Path:
    """Write files; `__` in a name is a dot."""
    for name, text in files.items():
        file = root / name.replace("__", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def test_project_passes_the_checks_of_its_version_and_compose_file() -> None:
    assert check_version(ROOT) == project_version()
    assert check_compose(ROOT)[-1] == "gateway"


def test_version_without_a_dated_section_is_refused(tmp_path: Path) -> None:
    changes = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-01-31\n\n## 1.1.0 - 2026-01-01\n"
    write(tmp_path, CHANGELOG__md=changes, pyproject__toml='[project]\nversion = "1.2.0"\n')
    assert check_version(tmp_path) == "1.2.0"
    write(tmp_path, pyproject__toml='[project]\nversion = "1.3.0"\n')
    with pytest.raises(Broken, match=r"version 1\.3\.0; the newest dated section of CHANGELOG\.md is 1\.2\.0"):
        check_version(tmp_path)
    write(tmp_path, CHANGELOG__md="# Changelog\n\n## Unreleased\n")
    with pytest.raises(Broken, match=r"CHANGELOG\.md is None"):
        check_version(tmp_path)


def test_build_context_is_what_dockerignore_leaves(tmp_path: Path) -> None:
    names = ("a.py", "deep/dist/b.py", "dist/c.py", "tests/d.py", "deep/tests/e.py", "notes.md", "keep.md", "deep/x.md")
    write(tmp_path, **dict.fromkeys(names, ""), __dockerignore="# a comment\n**/dist\n/tests\n*.md\n!keep.md\n")
    assert sorted(build_context(tmp_path)) == [".dockerignore", "a.py", "deep/tests/e.py", "deep/x.md", "keep.md"]


def test_file_that_the_image_copies_has_to_be_in_the_build_context(tmp_path: Path) -> None:
    dockerfile = "FROM one AS first\nCOPY whole.txt ./\nFROM two\nCOPY lock.txt \\\n  ./\nCOPY code/ code/\n"
    dockerfile += "COPY --from=first /built built\n"
    write(tmp_path, Dockerfile=dockerfile, __dockerignore="**/secret\n", **{"lock.txt": "", "whole.txt": ""})
    write(tmp_path, **{"code/a.py": "", "code/in/b.py": "", "code/secret": ""})
    image = tmp_path / "image"
    assert lay_out_image(tmp_path, image) == 3
    copied = sorted(file.relative_to(image).as_posix() for file in image.rglob("*") if file.is_file())
    assert copied == ["code/a.py", "code/in/b.py", "lock.txt"]
    write(tmp_path, __dockerignore="whole.*\n")
    with pytest.raises(Broken, match=r"stage first: COPY whole\.txt: not in the build context"):
        lay_out_image(tmp_path, image)


def test_compose_file_names_what_exists_and_secrets_that_git_ignores(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)  # noqa: S603, S607
    compose = (
        "services:\n  db: {image: mongo, volumes: ['data:/data'], secrets: [key]}\n"
        "  web: {build: ., depends_on: {db: {}}, volumes: ['./etc:/etc']}\n"
        "secrets: {key: {file: ./secrets/key}}\nvolumes: {data:}\n"
    )
    write(tmp_path, **{"docker-compose.yml": compose, "Dockerfile": "", "etc/conf": "", ".gitignore": "secrets/\n"})
    assert check_compose(tmp_path) == ["db", "web"]
    (tmp_path / "Dockerfile").unlink()
    (tmp_path / "etc" / "conf").rename(tmp_path / "conf")
    (tmp_path / "etc").rmdir()
    wrong = compose.replace("data:/", "elsewhere:/").replace("[key]", "[lock]").replace("{db: {}}", "[cache]")
    write(tmp_path, **{"docker-compose.yml": wrong, ".gitignore": ""})
    with pytest.raises(Broken) as refused:
        check_compose(tmp_path)
    assert str(refused.value).splitlines() == [
        "docker-compose.yml: db: no volume elsewhere",
        "docker-compose.yml: db: no secret lock",
        "docker-compose.yml: web: no Dockerfile",
        "docker-compose.yml: web: no volume ./etc",
        "docker-compose.yml: web: no service cache",
        "docker-compose.yml: secret key: git does not ignore ./secrets/key",
    ]
