"""Builds a release from a clean clone and checks it: `make release`, or `python -m tools.release`."""

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tools.wheel import (
    ROOT,
    Broken,
    build,
    check_commands,
    check_contents,
    check_installed,
    locked_environment,
    project_version,
    publish,
    run,
)

_RELEASED = re.compile(r"^## (\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2}$", re.MULTILINE)


def clean_clone(destination: Path) -> str:
    """Clone the current commit, and return its abbreviated hash.

    Raises:
        Broken: there are changes that are not committed; the release would not contain them.
    """
    if changed := run("git", "status", "--porcelain").strip():
        raise Broken(f"commit or remove these first:\n{changed}")
    run("git", "clone", "--quiet", ROOT, destination)
    return run("git", "rev-parse", "--short", "HEAD", cwd=destination).strip()


def check_version(root: Path) -> str:
    """Return the version, which pyproject.toml and the newest dated section of CHANGELOG.md name.

    Raises:
        Broken: they differ, or no section is dated.
    """
    version = project_version(root)
    released = _RELEASED.search((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    newest = released[1] if released else None
    if newest != version:
        raise Broken(f"pyproject.toml has version {version}; the newest dated section of CHANGELOG.md is {newest}")
    return version


def _ignore_rule(line: str) -> tuple[re.Pattern[str], bool]:
    """Return the expression of one .dockerignore line, for files and folders, and whether it excludes."""
    pattern = line.removeprefix("!").strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(wild.get(part) or re.escape(part) for part in parts)
    return re.compile(f"{expression}(?:/.*)?"), not line.startswith("!")


def build_context(root: Path) -> list[str]:
    """Return the paths of the files that a Docker build of `root` may copy: all but those .dockerignore excludes."""
    lines = [line.strip() for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()]
    rules = [_ignore_rule(line) for line in lines if line and not line.startswith("#")]
    paths = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    excluded = {path: [excludes for rule, excludes in rules if rule.fullmatch(path)][-1:] == [True] for path in paths}
    return [path for path in paths if not excluded[path]]


def copies(dockerfile: str) -> dict[str, list[tuple[list[str], str]]]:
    """Return, for each stage, the sources in the build context and the destination of each COPY."""
    stages: dict[str, list[tuple[list[str], str]]] = {}
    stage = ""
    for line in dockerfile.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["FROM"]:
            stage = words[-1] if "AS" in words else "image"
            stages[stage] = []
        elif words[:1] == ["COPY"] and not words[1].startswith("--from="):
            *sources, destination = words[1:]
            stages[stage].append((sources, destination))
    return stages


def lay_out_image(root: Path, folder: Path) -> int:
    """Copy into `folder` what the image's last stage copies from the build context; return the number of files.

    Raises:
        Broken: a file that some stage copies is missing, or .dockerignore excludes it.
    """
    context = build_context(root)
    count = 0
    for stage, instructions in copies((root / "Dockerfile").read_text(encoding="utf-8")).items():
        for source, destination in ((each, to) for sources, to in instructions for each in sources):
            name = source.strip("/")
            found = [path for path in context if path == name or path.startswith(f"{name}/")]
            if not found:
                raise Broken(f"Dockerfile, stage {stage}: COPY {source}: not in the build context")
            if stage == "image":
                for path in found:
                    # A folder's content is copied into the destination, a file under its own name.
                    target = folder / destination / (Path(path).name if path == name else path.removeprefix(f"{name}/"))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(root / path, target)
                    count += 1
    return count


def check_image(root: Path, folder: Path, python: Path) -> int:
    """Run the command in a copy of the image's files, with its dependencies alone; return the number of files.

    Raises:
        Broken: a file is missing, or a command fails there.
    """
    count = lay_out_image(root, folder)
    # What the image's `carillon` does, with PYTHONPATH, in any directory.
    start = f"import runpy, sys; sys.path.insert(0, {str(folder)!r}); runpy.run_module('gateway', run_name='__main__')"
    check_commands((python, "-c", start), root)
    return count


def check_compose(root: Path) -> list[str]:
    """Check that docker-compose.yml names only files that exist, and return its services.

    The files of secrets are the operator's: each must be one that git ignores.

    Raises:
        Broken: a file or a named volume, secret or service does not exist.
    """
    compose: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    services: dict[str, dict[str, Any]] = compose["services"]
    faults: list[str] = []
    for name, service in services.items():
        if "build" in service:
            built = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
            dockerfile = root / built["context"] / built.get("dockerfile", "Dockerfile")
            faults += [] if dockerfile.is_file() else [f"{name}: no {dockerfile.relative_to(root)}"]
        for volume in service.get("volumes", ()):
            source = volume.split(":", 1)[0]
            known = (root / source).exists() if source.startswith(".") else source in compose["volumes"]
            faults += [] if known else [f"{name}: no volume {source}"]
        faults += [f"{name}: no service {each}" for each in service.get("depends_on", ()) if each not in services]
        faults += [f"{name}: no secret {each}" for each in service.get("secrets", ()) if each not in compose["secrets"]]
    for name, secret in compose.get("secrets", {}).items():
        try:
            run("git", "check-ignore", "--quiet", secret["file"], cwd=root)
        except Broken:
            faults.append(f"secret {name}: git does not ignore {secret['file']}")
    if faults:
        raise Broken("\n".join(f"docker-compose.yml: {fault}" for fault in faults))
    return list(services)


def main() -> None:
    """Build and check the release of the current commit, and leave the wheel and the sdist in dist/."""
    with tempfile.TemporaryDirectory(prefix="carillon-") as folder:
        clone, target, image, environment = (Path(folder) / name for name in ("clone", "dist", "image", "environment"))
        commit = clean_clone(clone)
        version = check_version(clone)
        services = check_compose(clone)
        built = build(clone, target)
        packed = check_contents(built.wheel, clone)
        python = locked_environment(environment, clone)
        copied = check_image(clone, image, python)
        check_installed(built.wheel, python, clone)
        publish(built)
    print(f"The wheel's {packed} files are complete, and its commands run in an empty environment.")
    print(f"The image's {copied} files are in the build context, and its commands run on requirements-serve.lock.")
    print(f"docker-compose.yml: {', '.join(services)}.")
    print(f"Carillon {version}, commit {commit}: ready to tag.")


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(str(broken))
