"""What is asked of the model, and what is asked about its answers: text to tokens."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Judgement", "judgement_tokens", "prompt_tokens"]

SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for the response while the text around it is made."""


class Judgement(NamedTuple):
    """Tokens around a response in a question about it, and the tokens of the two answers."""

    before: list[int]
    after: list[int]
    yes: list[int]
    no: list[int]


def prompt_tokens(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401
    """A user's message in the model's own template, up to where its response begins.

    Examples:
        >>> from replication.llm.tiny import tiny_tokenizer
        >>> prompt_tokens(tiny_tokenizer(), "yes")  # <user> yes <user>
        [1, 2, 1]
    """
    return _encoded(tokenizer, _in_template(tokenizer, text))


def judgement_tokens(tokenizer: Any, prompt: str, question: str) -> Judgement:  # noqa: ANN401
    """The question whether a response to `prompt` is this or that, to be answered yes or no.

    Raises:
        ValueError: if yes or no is not one token.

    Examples:
        >>> from replication.llm.tiny import tiny_tokenizer
        >>> judgement_tokens(tiny_tokenizer(), "yes", "no").yes
        [2, 4]
    """
    message = f"Question: {prompt}\nAnswer: {SLOT}\n\n{question} Answer only yes or no."
    before, after = _in_template(tokenizer, message).split(SLOT)
    answers = [
        [_single(tokenizer, word) for word in (answer, answer.capitalize())]
        for answer in ("yes", "no")
    ]
    return Judgement(_encoded(tokenizer, before), _encoded(tokenizer, after), *answers)


def _in_template(tokenizer: Any, text: str) -> str:  # noqa: ANN401
    messages = [{"role": "user", "content": text}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _encoded(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def _single(tokenizer: Any, word: str) -> int:  # noqa: ANN401
    tokens = _encoded(tokenizer, word)
    if len(tokens) != 1:
        raise ValueError(f"{word!r} is {len(tokens)} tokens: expected one")
    return tokens[0]
