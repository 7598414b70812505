"""Equalities by proof: ball arithmetic cannot tell equal numbers apart, so they are declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bonmeter.bounds.quantities import quantity
from bonmeter.certified.balls import BallPolicy

__all__ = ["IDENTITIES", "Identity", "canonical"]


class Identity(NamedTuple):
    """Quantities that are equal when a condition holds, and why."""

    reason: str
    holds: Callable[[BallPolicy, float], bool]
    equal: Mapping[str, str]


IDENTITIES: tuple[Identity, ...] = (
    Identity(
        "the derivative of n u^(n-1) is affine: Chebyshev's inequality is an equality",
        lambda policy, n: n in (2, 3),
        {
            "win_rate_gap": "sharp_win_rate_gap",
            "scaled_win_rate_gap": "sharp_win_rate_gap",  # the factor is 1
        },
    ),
    Identity(
        "all masses are delta, and the sums over outcomes telescope",
        lambda policy, n: policy.uniform and n > 1,
        {
            "collision": "delta",
            "top_mass": "delta",
            "theorem_3_4_renyi": "theorem_3_4_delta",
            "theorem_5_4_renyi": "theorem_5_4_delta",
            "sharp_win_rate_gap": "sharp_win_rate_gap_delta",
        },
    ),
    Identity(
        "all masses are delta, and the integral of u^(n-3) over [0, 1] is 1/(n-2)",
        lambda policy, n: policy.uniform and n > 2,
        {"sharp_kl_gap": "sharp_kl_gap_delta"},
    ),
    Identity(
        "one outcome: best-of-n is the policy",
        lambda policy, n: policy.size == 1,
        dict.fromkeys(
            (
                *("kl", "expected_estimator", "estimator_at_top", "log_inverse_top_mass"),
                *("continuous_curve_kl", "optimal_kl", "estimator_floor"),
                *("chi_squared", "forward_kl", "renyi_half", "renyi_2"),
            ),
            "zero",
        )
        | dict.fromkeys(
            (
                *("kl_gap", "expected_estimator_gap", "top_outcome_gap"),
                *("theorem_3_6_finite", "log_step"),
            ),
            "analytical_kl",
        ),
    ),
    Identity(
        "one outcome: both are (n-1)/(2(n+1))",
        lambda policy, n: policy.size == 1,
        {"win_rate_gap": "scaled_win_rate_gap"},
    ),
    Identity(
        "one outcome, and these bounds keep the first outcome's gap exactly",
        lambda policy, n: policy.size == 1 and n <= 2,
        {"sharp_kl_gap": "analytical_kl", "log_sobolev": "analytical_kl"},
    ),
    Identity(
        "one draw: best-of-1 is the policy, and every factor n - 1 is 0",
        lambda policy, n: n == 1,
        {"win_rate": "continuous_win_rate"}
        | dict.fromkeys(
            (
                *("analytical_kl", "kl", "kl_gap", "win_rate_gap", "sharp_win_rate_gap"),
                *("expected_estimator", "expected_estimator_gap", "estimator_floor", "example_1"),
                *("continuous_curve_kl", "optimal_kl", "continuous_optimum"),
                *("chi_squared", "forward_kl", "renyi_half", "renyi_2"),
                *("continuous_chi_squared", "continuous_forward_kl"),
                *("continuous_renyi_half", "continuous_renyi_2"),
                *("sharp_kl_gap", "square_root", "square_root_renyi"),
                *("estimator_at_top", "top_outcome_gap"),
                *("theorem_3_4_renyi", "theorem_3_4_delta", "elementary_renyi"),
                *("theorem_5_4_renyi", "theorem_5_4_delta", "log_sobolev", "log_step"),
            ),
            "zero",
        ),
    ),
)
"""Equalities by proof, applied in this order: the last name reached stands for the first."""


def canonical(name: str, policy: BallPolicy, n: float, extrapolate: bool = False) -> str:
    """The simplest quantity that is equal by proof.

    Args:
        name: of a quantity.
        policy: the reference policy.
        n: a real number from 1 to 1e12.
        extrapolate: allow an n outside the proven domain of the quantity.

    Raises:
        ValueError: if the name is unknown, or n is outside the domain.

    Examples:
        >>> from bonmeter.policies.listed import Policy
        >>> canonical("kl", BallPolicy(Policy.from_probabilities([0.5, 0.5])), 1)
        'zero'
    """
    domain = quantity(name).domain
    if not (extrapolate or domain.holds(n)):
        raise ValueError(f"{name} at n = {n!r}: proved only for {domain.text}")
    for identity in IDENTITIES:
        if identity.holds(policy, n):
            name = identity.equal.get(name, name)
    return name
