"""The claims of the audit, as data: what is stated, by whom, and how it is checked."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from replication.audit.checks import InequalityCheck
from replication.audit.function_checks import CHECKS
from replication.pipeline.plain_yaml import read_yaml

__all__ = ["Claim", "FunctionCheck", "load_claims", "reject_unknown"]

Origin = Literal["paper", "ours", "misconception", "negative control"]
Status = Literal[
    "exact",
    "reconstructed",
    "wording unknown",
    "conjecture, proved here",
    "proved",
    "measured",
    "untrue",
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FunctionCheck(_Record):
    """A check of its own: the name of a function in `replication.audit.function_checks`."""

    run: str

    @field_validator("run")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CHECKS:
            raise ValueError(f"expected one of {', '.join(CHECKS)}")
        return name


class Claim(_Record):
    """One claim.

    Attributes:
        id: its name in tables, unique.
        source: where in the paper it stands, or that it is ours.
        statement: what is claimed, in words and plain-text formulas.
        tex: the same, its formulas in TeX between dollars; none if it has no formula.
        origin: who states it.
        status: how sure its wording or proof is.
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
    origin: Origin
    status: Status
    expected: Literal["holds", "refuted", "unknown"]
    check: InequalityCheck | FunctionCheck | None
    function: str | None = None
    proof: str | None = None
    test: str | None = None
    figure: str | None = None
    tex: str | None = None

    @property
    def standing(self) -> str:
        """Origin and status in one phrase."""
        return f"{self.origin}, {self.status}"


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
        ...         " origin: paper, status: wording unknown, expected: unknown, check: null}")
        ...     file.flush()
        ...     load_claims(file.name)[0].expected
        'unknown'
    """
    records = read_yaml(path)
    if not isinstance(records, list) or not records:
        raise ValueError(f"{path}: expected a list of at least one claim")
    claims = [_claim(record, f"{path}, claim {i}") for i, record in enumerate(records)]
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"{path}: id {name!r} appears {ids.count(name)} times: expected once")
    return claims


def reject_unknown(claims: Iterable[Claim], policies: Iterable[str], n: Iterable[float]) -> None:
    """Reject claims about what the config does not hold.

    Args:
        claims: the claims.
        policies: names of the policies.
        n: every n at which something is decided.

    Raises:
        ValueError: naming the claim and the first unknown policy or n.

    Examples:
        >>> check = InequalityCheck(inequality="kl_nonnegative", policies=("binari",))
        >>> claim = Claim(id="c", source="ours", statement="0 <= KL", origin="ours",
        ...     status="proved", expected="holds", check=check)
        >>> reject_unknown([claim], ["binary"], [2])
        Traceback (most recent call last):
        ValueError: claim c: policies = 'binari': expected one of binary
    """
    known, grid = list(policies), {float(each) for each in n}
    for claim in claims:
        if isinstance(claim.check, InequalityCheck):
            for name in claim.check.policies or ():
                if name not in known:
                    raise ValueError(
                        f"claim {claim.id}: policies = {name!r}: expected one of {', '.join(known)}"
                    )
            for each in claim.check.n or ():
                if each not in grid:
                    raise ValueError(f"claim {claim.id}: n = {each:g}: expected one of the grids")


def _claim(record: object, where: str) -> Claim:
    if isinstance(record, dict) and "id" in record:
        where = f"{where} ({record['id']})"
    try:
        return Claim.model_validate(record)
    except ValidationError as error:
        # of the two kinds of check, the one that was meant has the more telling error
        vague = ("missing", "extra_forbidden", "unexpected_keyword_argument")
        first = min(error.errors(), key=lambda each: each["type"] in vague)
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{where}: {key} = {reprlib.repr(first['input'])}: {first['msg']}"
        ) from error
