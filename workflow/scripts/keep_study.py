"""Keep the table of a long study, under version control, and say of what it was made."""

import json
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replication.pipeline.io import atomic_path
from replication.pipeline.job import job
from replication.pipeline.manifest import fingerprint
from replication.pipeline.verify import read_entries, upstream


def keep(table: str, made_of: Mapping[str, Any], folder: Path, name: str) -> None:
    """Write `name`.csv and `name`.json.

    Args:
        table: the study, as text.
        made_of: its seed, settings, code and the like.
        folder: where to; the files there are replaced.
        name: of the study.
    """
    jobs = upstream(table, read_entries()[0])
    versions = ChainMap(*(dict(entry.versions) for entry in jobs))
    record = {
        **made_of,
        "sha256": {f"{name}.csv": fingerprint(table)},
        "versions": dict(versions),
    }
    with atomic_path(folder / f"{name}.csv") as path:
        path.write_bytes(Path(table).read_bytes())
    with atomic_path(folder / f"{name}.json") as path:
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job(snakemake):
        for name, made_of in snakemake.params.made_of.items():
            keep(snakemake.input[name], made_of, Path(snakemake.params.folder), name)
