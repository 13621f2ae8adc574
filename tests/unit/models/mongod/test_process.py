"""The options that mongod is started with."""

from pathlib import Path

from models.mongod.data_directory import Layout
from models.mongod.process import _command


def test_mongod_never_inflates_zlib(tmp_path: Path) -> None:
    """CVE-2025-14847: a malformed zlib message makes mongod reveal its memory, before any login."""
    command = _command(Path("/bin/true"), Layout(tmp_path), 27017, 0.25)
    assert command[command.index("--networkMessageCompressors") + 1] == "snappy,zstd"
