"""Numbers of a report by their name and n, as values with an interval and a unit."""

from __future__ import annotations

import math

import pandas as pd

from bonmeter.report.findings import Findings
from bonmeter.report.numbers import Value

__all__ = ["NAMES", "Lookup", "excess", "unit_of"]

NAMES = {
    "kl": "KL divergence",
    "kl_formula": "formula",
    "excess": "formula\u00a0−\u00a0KL",
    "win_rate": "win rate",
    "reward": "reward",
    "reward_gain": "gain in reward",
    "gold_reward": "gold reward",
    "gold_gain": "gain in gold reward",
    "pass_rate": "pass rate",
    "gold_pass_rate": "one of n passes (gold)",
    "draws": "draws",
    "tokens": "tokens",
}
"""Quantity -> what a page calls it."""

UNITS = {"kl": "nats", "kl_formula": "nats", "excess": "nats"}
WHOLE = frozenset({"draws", "tokens"})
CHANCES = frozenset({"win_rate", "pass_rate", "gold_pass_rate"})

UNTOLD = Value(math.nan)


class Lookup:
    """What `Findings` hold, to be asked for one number at a time.

    Args:
        found: the tables.
    """

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.quantities = tuple(found.summary["quantity"].unique())
        self._rows = _values(found.summary, ["quantity", "n"], self)

    def has(self, quantity: str) -> bool:
        """Whether these candidates tell a quantity."""
        return quantity in self.quantities

    def unit(self, quantity: str) -> str:
        """The unit of a quantity; gold rewards that are all 0 or 1 are chances."""
        return unit_of(quantity, binary_gold=self.has("gold_pass_rate"))

    def at(self, quantity: str, n: int) -> Value:
        """A mean over prompts."""
        if quantity == "excess":
            return excess(self.at("kl", n), self.at("kl_formula", n))
        return self._rows.get((quantity, n), UNTOLD)

    def prompts(self) -> dict[tuple[str, object], Value]:
        """Values of single prompts at the headline n, by quantity and prompt."""
        return _values(self.found.per_prompt, ["quantity", "prompt"], self)

    def all_reliable(self, n: int) -> bool:
        """Whether no pool is too thin for n."""
        return self.at("kl", n).reliable


def unit_of(quantity: str, *, binary_gold: bool) -> str:
    """The unit of a quantity, "" for rewards.

    Examples:
        >>> [unit_of(q, binary_gold=True) for q in ("kl", "win_rate", "reward", "gold_reward")]
        ['nats', '%', '', '%']
    """
    gold = binary_gold and quantity in ("gold_reward", "gold_gain")
    return "%" if quantity in CHANCES or gold else UNITS.get(quantity, "")


def excess(kl: Value, formula: Value) -> Value:
    """How much the formula exceeds the KL, with the interval of the KL mirrored.

    Examples:
        >>> round(excess(Value(1.0, 0.9, 1.1), Value(1.2)).upper, 12)
        0.3
    """
    f = formula.estimate
    return Value(f - kl.estimate, f - kl.upper, f - kl.lower, "nats", kl.reliable)


def _values(
    table: pd.DataFrame, keys: list[str], lookup: Lookup
) -> dict[tuple[str, object], Value]:
    columns = [table[name] for name in (*keys, "estimate", "lower", "upper", "reliable")]
    return {
        (quantity, key): Value(
            float(estimate),
            float(lower),
            float(upper),
            lookup.unit(quantity),
            bool(sure),
            0 if quantity in WHOLE else None,
        )
        for quantity, key, estimate, lower, upper, sure in zip(*columns, strict=True)
    }
