"""What is kept of a run of the language model, under version control: tables and a manifest."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from replication.llm.settings import Settings, load_settings
from replication.pipeline.io import atomic_path, read_frame
from replication.pipeline.job import job
from replication.pipeline.manifest import fingerprint
from replication.pipeline.provenance import code_digest

Key = tuple[str, float]

COMPUTED_BY = tuple(f"replication.llm.{name}" for name in ("rewards", "sampling", "search"))
"""The modules whose digest is kept."""

FLOATS = ("log_prob", "judge", "difference")


def keep(
    config: str,
    pools: Mapping[Key, str],
    found: Mapping[Key, str],
    precision: Mapping[str, str],
    made_with: Mapping[str, str],
    folder: Path,
) -> None:
    """Write the tables of all prompts and temperatures, and what they were made with.

    Args:
        config: the settings.
        pools: table of the candidates of each prompt and temperature.
        found: table of the likely responses of each.
        precision: table of the measured precision of each prompt.
        made_with: versions and device.
        folder: where to; files there are replaced.
    """
    settings = load_settings(config)
    candidates = _stacked(pools)
    texts = candidates.groupby(["prompt", "temperature"], sort=False).head(settings.examples)
    measured = _stacked({(name, 1.0): path for name, path in precision.items()})
    _write(candidates.drop(columns="text"), folder / "pools.parquet")
    _write(_stacked(found), folder / "found.parquet")
    _write(texts, folder / "texts.parquet")
    _write(measured, folder / "precision.parquet")
    tables = sorted(folder.glob("*.parquet"))
    manifest = {
        **_manifest(settings, measured, made_with),
        "code": {name: code_digest(name) for name in COMPUTED_BY},
        "sha256": {path.name: fingerprint(path) for path in tables},
    }
    with atomic_path(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _stacked(paths: Mapping[Key, str]) -> pd.DataFrame:
    tables = {key: read_frame(path) for key, path in paths.items()}
    whole = pd.concat(tables, names=["prompt", "temperature"])
    return whole.droplevel(-1).reset_index()


def _write(table: pd.DataFrame, path: Path) -> None:
    """The digits of floats vary most at their end: apart from the others, they compress."""
    floats = [name for name in FLOATS if name in table]
    with atomic_path(path) as temporary:
        table.to_parquet(
            temporary,
            index=False,
            write_page_checksum=True,
            compression="zstd",
            compression_level=19,
            use_dictionary=[name for name in table if name not in (*floats, "response")],
            column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        )


def _manifest(
    settings: Settings, measured: pd.DataFrame, made_with: Mapping[str, str]
) -> dict[str, object]:
    sizes = measured.assign(difference=measured.difference.abs()).groupby("route").difference
    return {
        "made_with": dict(made_with),
        "settings": settings.model_dump(mode="json"),
        "precision": {
            str(route): {"median": _short(each.median()), "largest": _short(each.max())}
            for route, each in sizes
        },
    }


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def by_key(
    prompts: Sequence[str], temperatures: Sequence[float], paths: Sequence[str]
) -> dict[Key, str]:
    """The paths by prompt and temperature, in the order of a product of the two."""
    keys = [(prompt, temperature) for prompt in prompts for temperature in temperatures]
    return dict(zip(keys, paths, strict=True))


if __name__ == "__main__":
    from replication.llm.model import environment

    with job(snakemake):
        prompts, temperatures = snakemake.params.prompts, snakemake.params.temperatures
        keep(
            snakemake.input.config,
            by_key(prompts, temperatures, snakemake.input.pools),
            by_key(prompts, temperatures, snakemake.input.found),
            dict(zip(prompts, snakemake.input.precision, strict=True)),
            environment(),
            Path(snakemake.params.folder),
        )
