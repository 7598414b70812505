"""What the audit reads: outcomes are classes of tied responses, selections are enough."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from replication.audit.checks import InequalityCheck
from replication.audit.claims import Claim
from replication.audit.verdicts import audit_claims
from replication.pipeline.io import write_table
from workflow.scripts.checks import check_bounds
from workflow.scripts.concentration import COLUMNS, FEW, concentrate
from workflow.scripts.exact import compute_exact

FALSE = InequalityCheck(inequality="theorem_3_1", reversed=True)
TABLES = {
    "verifier": {"log_prob": np.log(np.full(40, 0.025)), "reward": np.arange(40) >= 30.0},
    "uniform": {"log_prob": np.log(np.full(5, 0.2)), "reward": np.arange(5.0)},
}


def cells_of(name: str, folder: Path) -> pd.DataFrame:
    policy, exact, checks = (
        str(folder / f"{name}_{stage}") for stage in ("policy", "exact", "checks")
    )
    write_table(
        {key: np.asarray(column, dtype=float) for key, column in TABLES[name].items()}, policy
    )
    compute_exact(policy, {exact: [2.0, 3.0]})
    check_bounds(name, policy, [2.0, 3.0], {"c": asdict(FALSE)}, [2.0], 100, checks)
    return pd.read_parquet(checks).assign(policy=name)


def test_the_smallest_counterexample_has_the_fewest_outcomes_not_responses(tmp_path: Path) -> None:
    cells = pd.concat([cells_of(name, tmp_path) for name in ("uniform", "verifier")])
    assert dict(zip(cells.policy, cells.outcomes, strict=True)) == {"uniform": 5, "verifier": 2}
    claim = Claim(
        id="c",
        source="control",
        statement="the formula is exact",
        origin="negative control",
        status="untrue",
        expected="refuted",
        check=FALSE,
    )
    table = audit_claims([claim], cells.reset_index(drop=True), {})
    assert table.worst_at.item() == "verifier, n = 2"


def test_the_number_of_selections_is_that_of_the_theorem(tmp_path: Path) -> None:
    cells_of("verifier", tmp_path)
    policies = [str(tmp_path / f"{name}_policy") for name in ("verifier", "one")]
    write_table({"log_prob": np.zeros(1), "reward": np.zeros(1)}, policies[1])
    output = str(tmp_path / "concentration")
    concentrate(["verifier", "one"], policies, [4, 64], 0.1, 0.05, 200, 0, output)
    table = pd.read_parquet(output)
    assert tuple(table.columns) == COLUMNS
    assert set(table.policy) == {"verifier"}  # of one outcome the estimate is always 0
    at_4, at_64 = table.selections
    assert at_4 == np.ceil(3 / (0.1**2 * 0.25) * np.log(40))
    assert at_64 > 3 * at_4
    assert (table.failures == 0).all()
    assert table.failures_of_few[0] > 20
    assert at_4 > 2 * FEW
