"""The registry: every quantity that a claim, a table or a figure speaks of, declared once.

A quantity is a number that depends on a policy and n. Its float64 function has its name in
`bonmeter.bounds.formulas`, its ball function the same name in `bonmeter.certified.formulas`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bonmeter.numerics.validation import as_scalar_n

__all__ = ["QUANTITIES", "Domain", "Quantity", "bounds_on", "in_domain", "quantity"]


class Domain(NamedTuple):
    """The n for which a statement is proved: `holds` takes one n or an array of them."""

    text: str
    holds: Callable[[Any], Any]


REAL = Domain("real n >= 1", lambda n: n >= 1)
FROM_2 = Domain("n = 1 or real n >= 2", lambda n: (n == 1) | (n >= 2))
ABOVE_2 = Domain("real n > 2", lambda n: n > 2)
FROM_2_TO_3 = Domain("real n in [2, 3]", lambda n: (n >= 2) & (n <= 3))
OUTSIDE_2_3 = Domain("real n in [1, 2] or n >= 3", lambda n: (n <= 2) | (n >= 3))


class Quantity(NamedTuple):
    """What a quantity is and where it comes from.

    Attributes:
        meaning: in words and ASCII formulas.
        source: the paper's equation or theorem, or "ours".
        section: the heading of docs/theory.md that defines, proves or discusses it.
        bounds: the gap that it is a bound on, if it is one.
        domain: the n for which it is proved to be one; every n for what is no bound.
    """

    meaning: str
    source: str
    section: str
    bounds: str = ""
    domain: Domain = REAL


QUANTITIES: Mapping[str, Quantity] = {
    "zero": Quantity("0", "ours", "Setting"),
    "analytical_kl": Quantity("log n - (n-1)/n", "paper, Eq. 4", "Setting"),
    "kl": Quantity("KL divergence of best-of-n from the policy", "paper, Section 2", "Setting"),
    "kl_gap": Quantity("analytical formula minus KL", "paper, Theorem 3.1", "Theorem 3.1"),
    "win_rate": Quantity("win rate of best-of-n, ties 1/2", "paper, Section 5", "Win rate"),
    "continuous_win_rate": Quantity("n/(n+1)", "paper, Theorem 5.3", "Theorem 5.3"),
    "continuous_curve_kl": Quantity(
        "KL of the continuous best-of-n curve at the same win rate",
        "ours",
        "Above the continuous curve",
    ),
    "optimal_kl": Quantity(
        "least KL of any policy of the same win rate, the tilted optimum", "ours", "The optimum"
    ),
    "continuous_optimum": Quantity(
        "least KL of any policy of win rate n/(n+1)", "ours", "The optimum"
    ),
    "win_rate_gap": Quantity("n/(n+1) minus win rate", "paper, Theorem 5.3", "Theorem 5.3"),
    "chi_squared": Quantity(
        "chi-squared divergence of best-of-n from the policy", "ours", "Other divergences"
    ),
    "forward_kl": Quantity(
        "KL divergence of the policy from best-of-n", "ours", "Other divergences"
    ),
    "renyi_half": Quantity(
        "Renyi divergence of order 1/2 of best-of-n", "ours", "Other divergences"
    ),
    "renyi_2": Quantity("Renyi divergence of order 2 of best-of-n", "ours", "Other divergences"),
    "continuous_chi_squared": Quantity(
        "(n-1)^2/(2n-1), chi-squared without atoms", "ours", "Other divergences"
    ),
    "continuous_forward_kl": Quantity(
        "n - 1 - log n, forward KL without atoms", "ours", "Other divergences"
    ),
    "continuous_renyi_half": Quantity(
        "2 log((n+1)/2) - log n, Renyi-1/2 without atoms", "ours", "Other divergences"
    ),
    "continuous_renyi_2": Quantity(
        "log(n^2/(2n-1)), Renyi-2 without atoms", "ours", "Other divergences"
    ),
    "expected_estimator": Quantity(
        "mean of the estimator d_n over the selections", "paper, Eq. 25", "The estimator"
    ),
    "expected_estimator_gap": Quantity(
        "analytical formula minus the mean of the estimator", "paper, Section 4", "The estimator"
    ),
    "estimator_at_top": Quantity(
        "d_n at the mass of the top outcome", "paper, Eq. 25", "The estimator"
    ),
    "estimator_floor": Quantity(
        "(1 - delta) min(1, log n - (n-1)/n), a lower bound on the mean of the estimator",
        "ours",
        "Number of selections",
    ),
    "example_1": Quantity(
        "log 2 - h(2^{-n}), h the binary entropy", "paper, Example 1", "Example 1"
    ),
    "collision": Quantity("sum of squared masses, e^{-H_2}", "paper, Theorem 3.4", "Theorem 3.4"),
    "delta": Quantity("largest mass", "paper, Theorem 3.4", "Theorem 3.4"),
    "top_mass": Quantity(
        "mass of the outcome of highest reward", "paper, Theorem 3.6", "Theorem 3.6"
    ),
    "log_inverse_top_mass": Quantity(
        "-log(top_mass): what the KL saturates at, an upper bound",
        "ours",
        "Lower bound on the gap",
    ),
    "theorem_3_4_renyi": Quantity(
        "2 n (n-1) e^{-H_2}",
        "paper, Theorem 3.4; real n >= 2 ours",
        "Theorem 3.4",
        "kl_gap",
        FROM_2,
    ),
    "theorem_3_4_delta": Quantity(
        "2 n (n-1) delta", "paper, Theorem 3.4; real n ours", "Theorem 3.4", "kl_gap"
    ),
    "theorem_3_6_finite": Quantity(
        "log(n top_mass) - (n-1)/n, a lower bound",
        "ours, finite form of the paper's Theorem 3.6",
        "Theorem 3.6",
        "kl_gap",
    ),
    "top_outcome_gap": Quantity(
        "analytical formula minus d_n(top_mass), a lower bound",
        "ours",
        "Lower bound on the gap",
        "kl_gap",
    ),
    "elementary_delta": Quantity("n delta", "ours", "Elementary bounds", "kl_gap"),
    "elementary_renyi": Quantity("n (n-1) e^{-H_2}", "ours", "Elementary bounds", "kl_gap", FROM_2),
    "sharp_kl_gap": Quantity(
        "n (n-1)^2/(24 (n-2)) sum of p^2 (F^{n-2} - F_below^{n-2}); for n <= 2 the first outcome "
        "contributes p_1^n (log n - (n-1)/n), at n = 2 the others p^2/12 log(F/F_below)",
        "ours",
        "Sharp gap bound",
        "kl_gap",
    ),
    "sharp_kl_gap_delta": Quantity(
        "n (n-1)^2/(24 (n-2)) delta^2", "ours", "Sharp gap bound", "kl_gap", ABOVE_2
    ),
    "square_root": Quantity(
        "sum of p/6 (sqrt g(F) - sqrt g(F_below))^2, g(u) = n u^{n-1}",
        "ours",
        "Square-root bound",
        "kl_gap",
    ),
    "square_root_delta": Quantity("n delta/6", "ours", "Square-root bound", "kl_gap"),
    "square_root_renyi": Quantity(
        "n (n-1)/6 e^{-H_2}", "ours", "Square-root bound", "kl_gap", FROM_2
    ),
    "log_sobolev": Quantity(
        "the sharp bound with 1/(2 pi^2) for 1/24; for n <= 2 the first outcome contributes "
        "p_1^n (log n - (n-1)/n)",
        "ours",
        "Log-Sobolev bound",
        "kl_gap",
    ),
    "log_step": Quantity(
        "mean under best-of-n of min(log n - (n-1)/n, (n-1)^2 log^2(F/F_below)/24)",
        "ours",
        "Log-step bound",
        "kl_gap",
    ),
    "theorem_5_4_renyi": Quantity(
        "(n-1)/2 e^{-H_2}", "paper, Theorem 5.4; real n ours", "Theorem 5.4", "win_rate_gap"
    ),
    "theorem_5_4_delta": Quantity(
        "(n-1)/2 delta", "paper, Theorem 5.4; real n ours", "Theorem 5.4", "win_rate_gap"
    ),
    "sharp_win_rate_gap": Quantity(
        "1/12 sum of p^2 (h(F) - h(F_below)), h(u) = n u^{n-1}",
        "ours",
        "Sharp win-rate bound",
        "win_rate_gap",
        OUTSIDE_2_3,
    ),
    "scaled_win_rate_gap": Quantity(
        "6 (n-1)/(n (n+1)) times the sharp bound, at most 1.0295 times",
        "ours",
        "Sharp win-rate bound",
        "win_rate_gap",
        FROM_2_TO_3,
    ),
    "sharp_win_rate_gap_delta": Quantity(
        "n delta^2/12", "ours", "Sharp win-rate bound", "win_rate_gap", OUTSIDE_2_3
    ),
}
"""Every quantity by name: left-hand sides first, then the bounds on them."""


def quantity(name: str) -> Quantity:
    """The quantity of a name.

    Raises:
        ValueError: if there is none.

    Examples:
        >>> quantity("elementary_delta").meaning
        'n delta'
    """
    if not isinstance(name, str) or name not in QUANTITIES:
        raise ValueError(f"quantity = {name!r}: expected one of {', '.join(QUANTITIES)}")
    return QUANTITIES[name]


def in_domain(name: str, n: float) -> bool:
    """Whether a quantity is in its proven domain at n.

    Raises:
        ValueError: if the name or n is invalid.

    Examples:
        >>> in_domain("sharp_win_rate_gap", 2.5), in_domain("sharp_win_rate_gap", 3)
        (False, True)
    """
    return bool(quantity(name).domain.holds(as_scalar_n(n)))


def bounds_on(gap: str) -> list[str]:
    """Names of the bounds on a gap, in the order of the registry.

    Examples:
        >>> bounds_on("win_rate_gap")[0]
        'theorem_5_4_renyi'
    """
    return [name for name, each in QUANTITIES.items() if each.bounds == gap]
