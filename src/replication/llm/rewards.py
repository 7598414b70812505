"""Rewards of responses that are not their likelihood."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from replication.llm.model import LanguageModel
from replication.llm.prompts import Judgement

__all__ = ["judge", "lengths", "verify"]

TOKENS_AT_ONCE = {"cuda": 2**18, "cpu": 2**13}


def lengths(tokens: NDArray[np.int32], ended: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Tokens of each response, the end token not counted.

    Examples:
        >>> lengths(np.array([[5, 2, -1], [5, 6, 7]], np.int32), np.array([True, False])).tolist()
        [1, 3]
    """
    return np.asarray(np.sum(tokens >= 0, axis=1) - ended)


def verify(texts: Sequence[str], pattern: str) -> NDArray[np.bool_]:
    r"""Whether each text contains the pattern, a regular expression, in any case.

    Examples:
        >>> verify(["It is Paris.", "It is parish"], r"\bparis\b").tolist()
        [True, False]
    """
    found = re.compile(pattern, re.IGNORECASE)
    return np.array([found.search(text) is not None for text in texts], dtype=np.bool_)


def judge(
    model: LanguageModel, question: Judgement, responses: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """The model's log-odds, in nats, that the answer to a question about each response is yes.

    The odds are of the first token of its answer, at temperature 1.

    Args:
        model: at any temperature.
        question: the tokens around the response.
        responses: their tokens, without the end token.

    Returns:
        Shape (responses,).

    Examples:
        >>> from replication.llm.tiny import tiny_model
        >>> question = Judgement(before=[1], after=[1], yes=[2], no=[3])
        >>> odds = judge(tiny_model(), question, [[2], [3, 3]])
        >>> logits = tiny_model().logits_after(torch.tensor([[1, 2, 1]]))[0]
        >>> bool(abs(odds[0] - float(logits[2] - logits[3])) < 1e-5)
        True
    """
    odds = np.empty(len(responses))
    size = np.array([len(response) for response in responses])
    around = len(question.before) + len(question.after)
    for length in np.unique(size).tolist():  # equal lengths need no padding
        rows = np.flatnonzero(size == length)
        at_once = max(1, TOKENS_AT_ONCE[model.device.type] // (around + length))
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            odds[part] = _log_odds(model, question, [responses[i] for i in part])
    return odds


def _log_odds(
    model: LanguageModel, question: Judgement, responses: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    whole = [[*question.before, *response, *question.after] for response in responses]
    logits = model.logits_after(torch.tensor(whole, device=model.device)).double()
    yes, no = (logits[:, answer].logsumexp(dim=1) for answer in (question.yes, question.no))
    return np.asarray((yes - no).cpu().numpy())
