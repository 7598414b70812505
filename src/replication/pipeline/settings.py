"""What config/config.yaml may hold; `replication.pipeline.config` checks it by these models.

A description ends a message "...: expected <description>", so it says what is allowed.
workflow/schemas/config.schema.yaml is made from them (`make schema`), for editors and readers.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from replication.policies.families import FAMILIES

__all__ = ["Config", "PolicyOf", "Simulation", "schema_text"]

Entry = TypeVar("Entry")
Family = TypeVar("Family")
Parameters = TypeVar("Parameters")


def _whole(low: int, high: int | None = None, meaning: str = "") -> Any:  # noqa: ANN401 - as of Field
    """A whole number from `low` to `high`."""
    allowed = f">= {low}" if high is None else f"from {low} to {_short(high)}"
    description = f"a whole number {allowed}{meaning and ', '}{meaning}"
    return Field(ge=low, le=high, description=description)


def _short(number: int) -> str:
    power = len(str(number)) - 1
    return f"10**{power}" if power >= 6 and number == 10**power else str(number)


def _all_different(entries: list[Entry]) -> list[Entry]:
    if any(entry in entries[:i] for i, entry in enumerate(entries)):
        raise ValueError("expected different entries")
    return entries


Different = Annotated[
    list[Entry],
    AfterValidator(_all_different),
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
]
RealN = Annotated[float, Field(ge=1, le=1e12, description="a number from 1 to 10**12")]
Count = Annotated[int, _whole(1, 10**7)]
Mass = Annotated[float, Field(gt=0, lt=1, description="a probability strictly between 0 and 1")]
Order = Annotated[
    Literal["ascending", "descending"],
    Field(description="ascending (the likeliest response has the highest reward) or descending"),
]
Exponent = Annotated[
    float, Field(ge=0, le=100, description="a number from 0 (equally likely) to 100")
]
Stream = Annotated[
    int,
    Field(
        ge=0,
        description="a whole number >= 0; policies with the same stream share their random draws",
    ),
]


class _Mapping(BaseModel):
    """Exactly the keys of the class; a whole number has no decimal point, nan is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Binary(_Mapping):
    """A mapping with the key p: the probability of the better response."""

    p: Mass


class Uniform(_Mapping):
    """A mapping with the key size: the number of responses."""

    size: Count


class Probabilities(_Mapping):
    """A mapping with the key probabilities: one per response, lowest reward first."""

    probabilities: list[
        Annotated[float, Field(ge=0, le=1, description="a probability from 0 to 1")]
    ] = Field(min_length=1, description="a list of at least one probability, summing to 1")


class Staircase(_Mapping):
    """A mapping with the key tail_masses: the probability of each step or higher."""

    tail_masses: list[Mass] = Field(
        min_length=1, description="a decreasing list of at least one probability"
    )


class Geometric(_Mapping):
    """A mapping with the keys ratio (of successive probabilities), size and order."""

    ratio: Mass
    size: Count
    order: Order


class Zipf(_Mapping):
    """A mapping with the keys exponent, size and order."""

    exponent: Exponent
    size: Count
    order: Order


class TopAtom(_Mapping):
    """A mapping with the keys mass (of the best response) and small (how many others)."""

    mass: Mass
    small: Count


class Verifier(_Mapping):
    """A mapping with the keys pass_rate, passing and failing (numbers of responses)."""

    pass_rate: Mass
    passing: Count
    failing: Count


class TiedScores(_Mapping):
    """A mapping with the keys size, scores (how many different ones) and exponent."""

    size: Count
    scores: Count
    exponent: Exponent


class Dirichlet(_Mapping):
    """A mapping with the keys concentration, size and stream."""

    concentration: float = Field(
        ge=0.001,
        le=1e6,
        description="a number from 0.001 (most mass on few responses) to 10**6 (nearly uniform)",
    )
    size: Count
    stream: Stream


class MarkovLanguageModel(_Mapping):
    """A mapping with the keys vocabulary, max_length, scale, end_logit, reward and stream."""

    vocabulary: Count
    max_length: int = _whole(1, 1000, "the longest response in tokens")
    scale: float = Field(
        ge=0, le=100, description="a number from 0 to 100, the standard deviation of the logits"
    )
    end_logit: float = Field(
        ge=-100,
        le=100,
        description="a number from -100 to 100, added to the logit of the end token",
    )
    reward: Literal["log_likelihood", "negative_length"] = Field(
        description="the reward of a response: log_likelihood or negative_length"
    )
    stream: Stream


class PolicyOf(_Mapping, Generic[Family, Parameters]):
    """A policy of one family."""

    family: Family = Field(description=f"one of {', '.join(FAMILIES)}")
    label: str = Field(
        min_length=1, max_length=60, description="a text of 1 to 60 characters, shown in figures"
    )
    standing: Literal["exact", "reconstructed", "ours"] = Field(
        description=(
            "exact (a distribution of the paper), reconstructed (from its description) or ours"
        )
    )
    parameters: Parameters


Policy = Annotated[
    PolicyOf[Literal["binary"], Binary]
    | PolicyOf[Literal["uniform"], Uniform]
    | PolicyOf[Literal["probabilities"], Probabilities]
    | PolicyOf[Literal["staircase"], Staircase]
    | PolicyOf[Literal["geometric"], Geometric]
    | PolicyOf[Literal["zipf"], Zipf]
    | PolicyOf[Literal["top_atom"], TopAtom]
    | PolicyOf[Literal["verifier"], Verifier]
    | PolicyOf[Literal["tied_scores"], TiedScores]
    | PolicyOf[Literal["dirichlet"], Dirichlet]
    | PolicyOf[Literal["markov_language_model"], MarkovLanguageModel],
    Field(
        discriminator="family",
        description="a mapping with the keys family, label, standing and parameters",
    ),
]
PolicyName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{0,63}$",
        description=(
            "a policy name of lower-case letters, digits and underscores, since files bear it"
        ),
    ),
]


class Study(_Mapping):
    """A mapping with the keys pool_sizes, n, repeats, class_policies, evaluations and chunks."""

    pool_sizes: Different[Annotated[int, _whole(4, 10**6)]] = Field(
        description=(
            "a list of different whole numbers from 4 to 10**6, the candidates in a pool (N)"
        )
    )
    n: Different[Annotated[int, _whole(2)]] = Field(
        description="a list of different whole numbers >= 2; those up to N/2 are studied"
    )
    repeats: int = _whole(2, 10**6, "pools per policy and size")
    class_policies: int = _whole(1, 10**4, "random policies of a few reward classes")
    evaluations: int = _whole(100, 10**8, "margins computed in each adversarial search")
    chunks: int = _whole(1, 10**5, "jobs that share each study")


class Studies(_Mapping):
    """A mapping with the keys quick and full, the sizes of the long studies."""

    quick: Study
    full: Study


class Grid(_Mapping):
    """A mapping with the keys all_up_to, per_decade and largest."""

    all_up_to: int = _whole(1, 1000, "below which every n is in the grid")
    per_decade: int = _whole(1, 100, "of log-spaced n in each decade beyond")
    largest: int = _whole(1, 10**12, "the end of the grid")


class Certification(_Mapping):
    """A mapping with the keys largest_policy and n."""

    largest_policy: int = _whole(1, 10**7, "the most outcomes a policy may have to be certified")
    n: Different[RealN] = Field(
        description="a list of different numbers >= 1, not all of them need be whole"
    )


class Simulation(_Mapping):
    """A mapping with the keys selections and repeats."""

    selections: int = _whole(1, 10**9, "best-of-n selections averaged in one estimate (M)")
    repeats: int = _whole(2, 10**6, "independent estimates per policy and n (R)")


class Concentration(_Mapping):
    """A mapping with the keys n, accuracy, failure and repeats."""

    n: Different[RealN] = Field(
        description="a list of different numbers >= 1, draws of each selection"
    )
    accuracy: float = Field(
        ge=0.05,
        le=1,
        description="a number from 0.05 to 1, the relative error allowed of the mean estimate",
    )
    failure: float = Field(
        ge=0.001,
        le=0.5,
        description="a number from 0.001 to 0.5, how often the mean may be off by more",
    )
    repeats: int = _whole(2, 10**6, "independent means per policy and n")


class Rivals(_Mapping):
    """A mapping with the keys n and softness."""

    n: Different[Annotated[int, _whole(2, 1000)]] = Field(
        description="a list of different whole numbers from 2 to 1000, of candidates to choose from"
    )
    softness: float = Field(
        ge=0.01,
        le=100,
        description=(
            "a number from 0.01 to 100, the temperature of soft best-of-n on a policy in ranges "
            "of its rewards"
        ),
    )


LogPath = Annotated[str, Field(min_length=1, description="the path of a log")]
Logs = LogPath | Annotated[list[LogPath], Field(description="a list of paths of logs")]


def _paths(samples: object) -> object:
    """The paths of logs, of which there may be one."""
    paths = [samples] if isinstance(samples, str) else samples
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise ValueError("expected paths")
    return _all_different(paths)


class Config(_Mapping):
    """A mapping with the keys seed, study, llm, studies, n_grid, certification, simulation, concentration, rivals, samples and policies."""  # noqa: E501

    seed: int = Field(
        ge=0,
        le=2**63 - 1,
        description="a whole number from 0 to 2**63 - 1, from which every random stream derives",
    )
    study: Literal["kept", "quick", "full"] = Field(
        description="of the long studies: kept (what study/ keeps of them), quick (do without "
        "them) or full (run them anew)"
    )
    llm: str = Field(
        min_length=1,
        description="the path of the settings of a language model, such as config/llm.yaml",
    )
    studies: Studies
    n_grid: Grid
    certification: Certification
    simulation: Simulation
    concentration: Concentration
    rivals: Rivals
    samples: Annotated[list[LogPath], BeforeValidator(_paths, json_schema_input_type=Logs)] = Field(
        description="the path of a log, or a list of different ones"
    )
    policies: dict[PolicyName, Policy] = Field(
        min_length=1, description="a mapping of at least one policy, by name"
    )


def schema_text() -> str:
    """The JSON Schema of a configuration, as YAML (ours).

    Examples:
        >>> yaml.safe_load(schema_text())["properties"]["study"]["enum"]
        ['kept', 'quick', 'full']
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    made = "# Made by `make schema` from src/replication/pipeline/settings.py.\n"
    return made + yaml.safe_dump(dialect | Config.model_json_schema(), sort_keys=False, width=100)


if __name__ == "__main__":
    print(schema_text(), end="")
