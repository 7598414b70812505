"""What the language-model study is run on, as data: read and checked without the model."""

from __future__ import annotations

import os
import re
import reprlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from replication.pipeline.plain_yaml import read_yaml

__all__ = ["Prompt", "Settings", "Source", "load_settings"]

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


LONGEST = 300
"""Characters of a key or of a reason that a message repeats."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Record):
    """Where a model comes from: a GGUF file that a Python package ships, or a name or path.

    Attributes:
        path: the name of the file in the package, or a name or path for `AutoModelForCausalLM`.
        package: the Python package, none if empty.
        sha256: of the file.
        revision: of a model by name.
    """

    path: str
    package: str = ""
    sha256: str = ""
    revision: str = "main"


class Prompt(_Record):
    """A prompt and what its responses are scored by.

    Attributes:
        label: what figures call it.
        text: the user's message.
        judge: a question about a response, answered yes or no by the model itself.
        verifier: a regular expression that a right response contains; none if empty.
    """

    label: str
    text: str
    judge: str
    verifier: str = ""

    @field_validator("verifier")
    @classmethod
    def _expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{error}: expected a regular expression") from None
        return pattern


class Settings(_Record):
    """One study.

    Attributes:
        model: what captions call it.
        source: where it comes from.
        dtype: of the weights, by its name in torch.
        seed: of every random stream.
        token_limit: most tokens of a response, the end token among them.
        candidates: number of candidates for each temperature, multiples of 256.
        threshold: every response of at least this probability is searched for.
        log_prob_error: no computed log-probability is taken to be off by more, in nats.
        examples: texts to keep of each pool.
        prompts: by name.
        figure_4: names of the four prompts of Figure 4.
    """

    model: str
    source: Source
    dtype: str = "float32"
    seed: Annotated[int, Field(ge=0)]
    token_limit: Annotated[int, Field(ge=1)]
    candidates: dict[float, Annotated[int, Field(ge=256, multiple_of=256)]]
    threshold: Annotated[float, Field(gt=0, lt=1)]
    log_prob_error: Annotated[float, Field(ge=0)]
    examples: Annotated[int, Field(ge=0)] = 8
    prompts: dict[Name, Prompt]
    figure_4: tuple[str, str, str, str]

    @field_validator("candidates")
    @classmethod
    def _temperatures(cls, candidates: dict[float, int]) -> dict[float, int]:
        if not all(temperature > 0 for temperature in candidates):
            raise ValueError(f"{sorted(candidates)}: expected temperatures above 0")
        return candidates

    @model_validator(mode="after")
    def _drawn(self) -> Settings:
        for name in self.figure_4:
            if name not in self.prompts:
                raise ValueError(f"figure_4: {name!r}: expected one of {', '.join(self.prompts)}")
        return self


def load_settings(path: str | os.PathLike[str]) -> Settings:
    """The settings of a YAML file.

    Args:
        path: such as config/llm.yaml.

    Raises:
        ValueError: naming the file, the key and what is expected.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        ...     _ = file.write("{model: x, seed: 1}")
        ...     file.flush()
        ...     try:
        ...         load_settings(file.name)
        ...     except ValueError as error:
        ...         print(str(error).removeprefix(file.name))
        : source: Field required, got {'model': 'x', 'seed': 1}
    """
    try:
        return Settings.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:LONGEST]
        got = reprlib.repr(first["input"])
        raise ValueError(f"{path}: {where}: {first['msg'][:LONGEST]}, got {got}") from None
