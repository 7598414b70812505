"""The claims of the audit, as data: what is stated, by whom, and how it is checked."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bestofn.certify import QUANTITIES, Inequality
from bestofn.checks import Check

__all__ = ["Claim", "FunctionCheck", "InequalityCheck", "load_claims"]

Standing = Literal[
    "paper, exact",
    "paper, reconstructed",
    "paper, wording unknown",
    "paper's conjecture, proved here",
    "ours, proved",
    "ours, measured",
    "ours, conjecture",
    "misconception",
    "negative control",
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InequalityCheck(_Record):
    """lhs <= factor * rhs, decided on every cell (policy, n) where it applies.

    Attributes:
        lhs, rhs: names in `bestofn.certify.QUANTITIES`.
        factor: a fraction such as "1/2".
        policies: names of the only policies it speaks of.
        n: the only values of n at which it is decided.
        extrapolate: decide it also at n for which it is not proved.
    """

    lhs: str
    rhs: str
    factor: str = "1"
    policies: tuple[str, ...] | None = None
    n: tuple[float, ...] | None = None
    extrapolate: bool = False

    @field_validator("lhs", "rhs")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in QUANTITIES:
            raise ValueError(f"expected one of {', '.join(QUANTITIES)}")
        return name

    @field_validator("factor")
    @classmethod
    def _fraction(cls, text: str) -> str:
        Fraction(text)
        return text

    def as_check(self) -> Check:
        """The same for `bestofn.checks.check_policy`."""
        inequality = Inequality(self.lhs, self.rhs, Fraction(self.factor))
        policies = None if self.policies is None else frozenset(self.policies)
        return Check(inequality, policies, self.n, self.extrapolate)


class FunctionCheck(_Record):
    """A check of its own: the name of a function in `bestofn.audit.CHECKS`."""

    run: str


class Claim(_Record):
    """One claim.

    Attributes:
        id: its name in tables, unique.
        source: where in the paper it stands, or that it is ours.
        statement: what is claimed, in words and ASCII formulas.
        standing: who states it, and how sure its wording or proof is.
        expected: the verdict the audit must reach, or the build fails.
        check: how it is decided; none if its wording is unknown.
        function: the library function that computes it.
        proof: the section of docs/theory.md that proves or discusses it.
        test: the test of the same statement.
        figure: the figure that shows it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    source: str
    statement: str
    standing: Standing
    expected: Literal["holds", "refuted", "unknown"]
    check: InequalityCheck | FunctionCheck | None
    function: str | None = None
    proof: str | None = None
    test: str | None = None
    figure: str | None = None


def load_claims(path: str | os.PathLike[str]) -> list[Claim]:
    """The claims of a YAML file, a list of records.

    Args:
        path: such as config/claims.yaml.

    Raises:
        ValueError: naming the claim, the key and what is expected, for anything that is not a valid
            list of claims with different ids.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        ...     _ = file.write("- {id: conjecture_7_2, source: paper, statement: not recovered,"
        ...         " standing: 'paper, wording unknown', expected: unknown, check: null}")
        ...     file.flush()
        ...     load_claims(file.name)[0].expected
        'unknown'
    """
    records = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(records, list) or not records:
        raise ValueError(f"{path}: expected a list of at least one claim")
    claims = [_claim(record, f"{path}, claim {i}") for i, record in enumerate(records)]
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"{path}: id {name!r} appears {ids.count(name)} times: expected once")
    return claims


def _claim(record: object, where: str) -> Claim:
    if isinstance(record, dict) and "id" in record:
        where = f"{where} ({record['id']})"
    try:
        return Claim.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {key} = {first['input']!r}: {first['msg']}") from error
