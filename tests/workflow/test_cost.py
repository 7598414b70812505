"""The figure of growing costs draws every point, and its page says what the file says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import cost, growth, routes, runs
from bonmeter.certified.decide import certify
from bonmeter.policies.listed import Policy
from tests.runs import TINY

PAGE = Path(cost.__file__).parents[1] / "docs" / "performance.md"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(cost.FIGURE.with_suffix(".csv"))


def test_every_point_is_drawn(table: pd.DataFrame) -> None:
    drawn = {(name, route) for name, panel in cost.DRAWN.items() for route in panel.routes}
    assert set(zip(table["panel"], table["route"], strict=True)) == drawn
    assert list(growth.PANELS) == list(cost.DRAWN)
    assert (table["seconds"] > 0).all()
    assert table["timed"].between(0, 1, inclusive="right").all()


def test_the_machine_is_told() -> None:
    told = json.loads(cost.FIGURE.with_suffix(".json").read_text(encoding="utf-8"))
    assert told.keys() == cost.describe_machine().keys()


def test_table_of_the_page_is_that_of_the_file() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search("<!-- cost: begin -->\n(.*)\n<!-- cost: end -->", text, re.DOTALL)
    assert found is not None
    assert found[1] == "\n".join(cost.table())


def test_routes_compute_the_same() -> None:
    """What is timed side by side agrees; dropping the power of n would not."""
    responses = routes.log_normal(1000)
    policy = Policy(*responses)
    ours = float(routes.bonmeter_kl(responses, np.array([1000.0]))[0])
    digits = routes.textbook_kl_in_50_digits(policy.mass.tolist(), 1000)
    assert routes.textbook_kl(policy.mass, np.array([1000.0])) == pytest.approx([ours], rel=1e-9)
    assert digits == pytest.approx(ours, rel=1e-9)
    assert float(certify("kl", policy, 1000)) == pytest.approx(ours, rel=1e-12)
    assert routes.textbook_kl_in_50_digits(policy.mass.tolist(), 999) != pytest.approx(ours, 1e-6)


def test_plug_in_table_of_a_log(tmp_path: Path) -> None:
    runs.write_log(10, growth.POOL_SIZE, tmp_path / "log.jsonl")
    found = growth.plug_in_table(tmp_path / "log.jsonl")
    assert found["plug_in_win_rate", 1][0] == pytest.approx(0.5)
    assert found["plug_in_kl", 1][0] == pytest.approx(0, abs=1e-12)
    assert found["plug_in_reward", 64][0] > found["plug_in_reward", 1][0]


def test_policies_are_added_to_those_of_the_tiny_configuration() -> None:
    config = growth.with_policies(21)
    assert len(config["policies"]) == 21
    assert TINY["policies"].items() <= config["policies"].items()
