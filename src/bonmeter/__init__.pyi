from .bounds import kl_gap_bounds, win_rate_gap_bounds
from .certify import certify
from .estimator import expected_kl_estimator, kl_estimator
from .exact import (
    analytical_kl,
    best_of_n_log_pmf,
    exact_kl,
    exact_win_rate,
    kl_gap,
    win_rate_gap,
)
from .implicit import GeometricPolicy, UniformPolicy
from .policy import Policy
from .pool import best_of_n_weights, estimate_kl, estimate_win_rate, kl_interval, mean_interval
from .tradeoff import best_of_n_tradeoff, rewind_and_repeat, tilted_tradeoff

__all__ = [
    "GeometricPolicy",
    "Policy",
    "UniformPolicy",
    "analytical_kl",
    "best_of_n_log_pmf",
    "best_of_n_tradeoff",
    "best_of_n_weights",
    "certify",
    "estimate_kl",
    "estimate_win_rate",
    "exact_kl",
    "exact_win_rate",
    "expected_kl_estimator",
    "kl_estimator",
    "kl_gap",
    "kl_gap_bounds",
    "kl_interval",
    "mean_interval",
    "rewind_and_repeat",
    "tilted_tradeoff",
    "win_rate_gap",
    "win_rate_gap_bounds",
]
