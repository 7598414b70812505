import os
import subprocess
import sys
from pathlib import Path


def test_temporary_files_and_caches_are_kept_inside(tmp_path: Path) -> None:
    code = """
import os, tempfile
from pathlib import Path
from replication.pipeline.places import keep_inside
keep_inside(Path(".snakemake"))
print(os.environ["MPLCONFIGDIR"], tempfile.gettempdir(), os.environ["TMPDIR"], sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    inside = tmp_path / ".snakemake"
    expected = [inside / "MPLCONFIGDIR", inside / "tmp", inside / "tmp"]
    assert done.stdout.splitlines() == [str(path) for path in expected]
    assert all(path.is_dir() for path in expected)
