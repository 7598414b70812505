"""Best-of-n sampling: what it really costs (KL divergence) and buys (win rate).

Public names are imported from here, `from bonmeter import exact_kl`; each is loaded from its module
when it is first used, so that no one pays for what they do not call.
"""

from importlib import import_module

PUBLIC = {
    "GeometricPolicy": "policies.implicit",
    "Policy": "policies.listed",
    "TopPolicy": "exact.top",
    "UniformPolicy": "policies.implicit",
    "analytical_kl": "exact.values",
    "best_of_n_log_pmf": "exact.values",
    "best_of_n_tradeoff": "exact.tradeoff",
    "best_of_n_weights": "pools.estimate",
    "certify": "certified.decide",
    "estimate_kl": "pools.estimate",
    "estimate_win_rate": "pools.win_rates",
    "exact_kl": "exact.values",
    "exact_win_rate": "exact.values",
    "expected_kl_estimator": "exact.estimator",
    "kl_bracket": "exact.top",
    "kl_estimator": "exact.estimator",
    "kl_gap": "exact.values",
    "kl_gap_bounds": "bounds.evaluate",
    "kl_interval": "pools.estimate",
    "kl_lower_bound": "exact.top",
    "mean_interval": "pools.estimate",
    "read_log": "logs.read",
    "rewind_and_repeat": "exact.tradeoff",
    "tilted_tradeoff": "exact.tradeoff",
    "win_rate_gap": "exact.values",
    "win_rate_gap_bounds": "bounds.evaluate",
    "write_log": "logs.write",
    "write_report": "report.write",
    "write_tables": "report.write",
}
"""Public name -> the module that holds it; `__init__.pyi` tells type checkers the same."""

__all__ = list(PUBLIC)


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
