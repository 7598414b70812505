from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from bonmeter.exact.concentration import selections_needed
from bonmeter.exact.estimator import expected_kl_estimator, kl_estimator
from bonmeter.exact.values import analytical_kl, best_of_n_log_pmf
from bonmeter.policies.listed import Policy


@pytest.mark.parametrize("pass_rate", [0.5, 0.1, 0.001, 1e-6])
@pytest.mark.parametrize("n", [2, 4, 30, 1000])
def test_enough_for_two_outcomes(pass_rate: float, n: int) -> None:
    """The number of better outcomes among the selections is binomial: no simulation."""
    policy = Policy.from_probabilities([1 - pass_rate, pass_rate])
    mean = float(expected_kl_estimator(policy, n))
    low, high = kl_estimator(policy.log_mass, n)
    top = float(np.exp(best_of_n_log_pmf(policy, n)[-1]))

    def failure(selections: int, accuracy: float) -> float:
        """Of too few or too many of the outcome whose estimate is the larger."""
        if abs(high - low) < 1e-15:
            return 0.0
        bounds = ((1 + side * accuracy) * mean for side in (-1, 1))
        hits = sorted((bound - low) / (high - low) * selections for bound in bounds)
        below, above = np.ceil(hits[0]) - 1, np.floor(hits[1])
        return float(binom.cdf(below, selections, top) + binom.sf(above, selections, top))

    for accuracy, allowed in ((0.5, 0.05), (0.1, 0.3), (1.0, 0.01)):
        delta = 1 - pass_rate
        enough = float(selections_needed(delta, n, accuracy=accuracy, failure=allowed))
        assert failure(int(enough), accuracy) <= allowed
    if n >= 30 and pass_rate * n < 0.01:  # where the dependence on delta is needed
        few = int(0.01 / (n * pass_rate))
        assert failure(few, 0.5) > 0.9


def test_form_of_the_paper() -> None:
    n = np.array([2.0, 10.0, 1e3, 1e6, 1e12])
    wanted = {"accuracy": 0.1, "failure": 1e-3}
    enough = selections_needed(0.5, n, **wanted)
    assert (enough <= np.ceil(600 * np.maximum(1, np.log(n)) * np.log(2e3))).all()
    assert (np.diff(enough) >= 0).all()
    halved = selections_needed(0.5, n, accuracy=0.05, failure=1e-3)
    assert halved == pytest.approx(4 * enough, rel=1e-3)
    assert selections_needed(0.0, 1, **wanted) == np.ceil(300 * np.log(2e3))
    assert float(analytical_kl(1e6)) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delta": 1.0}, r"delta = 1.0: expected a number in \[0, 1\)"),
        ({"delta": float("nan")}, "delta = nan"),
        ({"accuracy": 0.0}, r"accuracy = 0.0: expected a number in \(0, 1\]"),
        ({"accuracy": 1.5}, "accuracy = 1.5"),
        ({"failure": 1.0}, r"failure = 1.0: expected a number in \(0, 1\)"),
        ({"n": 0.5}, "n = 0.5"),
    ],
)
def test_bad_input_is_named(change: dict[str, float], message: str) -> None:
    arguments = {"delta": 0.5, "n": 2.0, "accuracy": 0.1, "failure": 0.1}
    with pytest.raises(ValueError, match=message):
        selections_needed(**(arguments | change))
