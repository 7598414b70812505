"""Rewards from a second file, joined to the candidates by what identifies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from bonmeter.logs.problems import LogProblem

__all__ = ["with_rewards"]

BY_TEXT = ("prompt", "response")


def with_rewards(
    candidates: pd.DataFrame,
    scores: pd.DataFrame,
    join_on: Sequence[str],
    say: Callable[[str], None],
) -> pd.DataFrame:
    """The candidates with the rewards, the gold rewards or both of `scores`.

    Both tables name candidates by the fields of `join_on`; without it by the ids that both hold,
    else by prompt and response. Every candidate must have its reward, and just one.

    Args:
        candidates: columns as gathered from the logs (`file`, `line`, `id:…`, …).
        scores: likewise, from the second file.
        join_on: names of fields.
        say: takes a line that says how they were joined.

    Raises:
        LogProblem: if a candidate has no reward, or two different ones.

    Examples:
        >>> log = pd.DataFrame({"file": "a", "line": [1, 2], "id:id": ["x", "y"]})
        >>> scores = pd.DataFrame({"file": "b", "line": [1, 2], "id:id": ["y", "x"]})
        >>> scores = scores.assign(reward=[2.0, 1.0])
        >>> with_rewards(log, scores, [], print)["reward"].tolist()
        b: rewards joined by id
        [1.0, 2.0]
    """
    rewards = [name for name in ("reward", "gold_reward") if name in scores]
    name = str(scores["file"].iloc[0])
    if not rewards or ("reward" not in rewards and "reward" not in candidates):
        raise LogProblem(f"{name}: expected a reward of each candidate, found none")
    keys = _keys(candidates, scores, join_on, name)
    for side in (candidates, scores):
        _reject_unnamed(side, keys)
    left, right = candidates[keys], scores[[*keys, *rewards, "line"]]
    right = right.drop_duplicates([*keys, *rewards])
    twice = right.duplicated(keys, keep=False)
    if twice.any():
        first, second = right[twice].sort_values([*keys, "line"], kind="stable")["line"].iloc[:2]
        raise LogProblem(
            f"{name}, line {second}: another reward for the candidate of line {first} "
            f"({_named(right[twice].iloc[0], keys)}): expected one"
        )
    joined = left.merge(right, on=keys, how="left", indicator=True, validate="many_to_one")
    lost = (joined["_merge"] == "left_only").to_numpy()
    if lost.any():
        at = candidates.iloc[int(lost.argmax())]
        raise LogProblem(
            f"{at['file']}, line {at['line']}: no reward in {name} for this candidate "
            f"({_named(at, keys)}), nor for {int(lost.sum()) - 1} others"
        )
    unused = len(right) - len(right[keys].merge(left.drop_duplicates(), on=keys))
    by = " and ".join(key.removeprefix("id:") for key in keys)
    rest = f"; {unused:,} rewards of no candidate left aside" if unused else ""
    replaced = [reward for reward in rewards if reward in candidates]
    rest += f"; in place of {' and '.join(replaced)} of the log" if replaced else ""
    say(f"{name}: rewards joined by {by}{rest}")
    return candidates.assign(**{reward: joined[reward].to_numpy() for reward in rewards})


def _reject_unnamed(table: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse a row that lacks what identifies its candidate."""
    for key in keys:
        if (missing := table[key].isna().to_numpy()).any():
            at = table.iloc[int(missing.argmax())]
            field = key.removeprefix("id:")
            raise LogProblem(
                f"{at['file']}, line {at['line']}: field {field}: expected what identifies the "
                "candidate, got none"
            )


def _keys(
    candidates: pd.DataFrame, scores: pd.DataFrame, join_on: Sequence[str], name: str
) -> list[str]:
    """Columns by which to join."""
    if "id:index" in candidates and "id:index" not in scores and scores["position"].any():
        scores["id:index"] = scores["position"].astype(str)
    held = [str(key) for key in candidates if str(key).startswith("id:")]
    asked = [key if key in BY_TEXT else f"id:{key}" for key in join_on]
    for keys in (asked,) if asked else (held, list(BY_TEXT)):
        if keys and all(key in candidates and key in scores for key in keys):
            return keys
    wanted = asked or held or list(BY_TEXT)
    missing = [key.removeprefix("id:") for key in wanted if key not in scores]
    missing = missing or [key.removeprefix("id:") for key in wanted]
    raise LogProblem(
        f"{name}: nothing to join the rewards by: expected fields {', '.join(missing)}, or prompt "
        "and response, in both files (choose others with --join-on)"
    )


def _named(row: pd.Series, keys: Sequence[str]) -> str:
    return ", ".join(f"{key.removeprefix('id:')} {row[key]!r:.40}" for key in keys)
