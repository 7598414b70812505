"""The page beside peers: its tables come from the file it links to, and its claims hold there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import peers

PAGE = Path(peers.__file__).parents[1] / "docs" / "peers.md"


def test_tables_of_the_page_are_those_of_the_file() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search("<!-- peers: begin -->\n(.*)\n<!-- peers: end -->", text, re.DOTALL)
    assert found is not None
    assert found[1] == "\n".join(peers.tables()).strip()


def test_file_is_that_of_the_methods() -> None:
    """A few pools anew, by another sample: same signs, same order of size."""
    table = pd.read_csv(peers.FIGURE.with_suffix(".csv"))
    case = peers.cases()["scores 1 to 10"]
    pools = [case.draw(np.random.default_rng(k)) for k in range(30)]
    for quantity, methods in peers.METHODS.items():
        for method, estimate in methods.items():
            error = np.array([estimate(pool, 16) for pool in pools]) - case.truth[quantity][1]
            kept = table[
                (table["policy"] == "scores 1 to 10")
                & (table["quantity"] == quantity)
                & (table["method"] == method)
                & (table["n"] == 16)
            ]
            rmse = float(np.sqrt(np.mean(error**2)))
            assert rmse == pytest.approx(float(kept["rmse"].iloc[0]), rel=0.5), (quantity, method)


def test_ours_is_never_much_worse_and_unbiased_where_it_says_so() -> None:
    table = pd.read_csv(peers.FIGURE.with_suffix(".csv"))
    ours = table[table["method"] == "bonmeter"].set_index(["policy", "quantity", "n"])
    others = table[table["method"] != "bonmeter"].set_index(["policy", "quantity", "n"])
    best = others["rmse"].groupby(level=[0, 1, 2]).min().reindex(ours.index)
    worse = ours["rmse"] > 1.15 * best + 1e-6
    assert not worse.any(), ours[worse]
    values = ours.drop("kl", level="quantity")
    scatter = values["rmse"] / np.sqrt(peers.POOLS)
    assert (values["bias"].abs() <= 3.5 * scatter + 1e-9).all()
