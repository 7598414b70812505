"""The short attack: each target by hypothesis, which shrinks what it finds; and controls."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import count, targets
from tests.fuzz.count import Crash, attack, outcome
from tests.fuzz.runs import judge
from tests.fuzz.targets import TARGETS
from tests.fuzz.values import spoilt, spoilt_bytes
from tests.runs import TINY

SLOW = {"config_file", "claims", "settings", "logs"}
"""They read files, in a hundredth of a second each."""


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_hostile_is_accepted_or_refused(target: str) -> None:
    @settings(
        max_examples=15 if target in SLOW else 150,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def call(random: Random) -> None:
        assert outcome(target, random) in {"", "refused"}

    call()


@pytest.mark.parametrize("target", TARGETS)
def test_seeded_calls_do_not_crash(target: str) -> None:
    calls = 30 if target in SLOW else 300
    counts, crashes = attack(target, calls, seed=0, seconds=60)
    assert crashes == []
    assert sum(counts.values()) == calls
    assert counts["refused"] > 0


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ValueError("a: expected b"), ""),
        (ValueError("x" * 3000), "message of 3000"),
        (TypeError("'<' not supported"), "TypeError at ?: '<' not supported"),
        (UnicodeDecodeError("ascii", b"\xff", 0, 1, "why"), "UnicodeDecodeError"),
        (RecursionError(), "RecursionError"),
    ],
)
def test_what_is_no_refusal_is_counted(
    error: Exception, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(random: Random) -> None:
        raise error

    monkeypatch.setattr(count, "TARGETS", {"fail": fail})
    counts, crashes = attack("fail", 5, seed=0, seconds=60)
    assert counts == {"accepted": 0, "refused": 0 if found else 5, "crashed": 5 if found else 0}
    assert [crash.target for crash in crashes] == (["fail"] if found else [])
    assert all(isinstance(crash, Crash) and found in crash.error for crash in crashes)


def test_what_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(random: Random) -> None:
        while True:
            try:
                random.random()
            except Exception:
                continue

    monkeypatch.setattr(count, "TARGETS", {"hang": hang})
    monkeypatch.setattr(count, "DEADLINE", 0.2)
    assert outcome("hang", Random(1)) == "hang"


def test_the_same_seed_makes_the_same_input() -> None:
    assert repr(spoilt(Random("1"), TINY)) == repr(spoilt(Random("1"), TINY))
    assert spoilt_bytes(Random("1"), b"a: b") == spoilt_bytes(Random("1"), b"a: b")
    assert targets.config_bytes(Random("1")) != targets.config_bytes(Random("2"))


@pytest.mark.parametrize(
    ("code", "output", "kind"),
    [
        (0, "Job stats", "planned"),
        (1, "WorkflowError:\na: expected b", "refused"),
        (1, "WorkflowError:\nTraceback (most recent call last)", "crashed"),
        (1, "KeyError in file", "crashed"),
        (-14, "", "crashed"),
    ],
)
def test_a_start_is_judged_by_its_end(code: int, output: str, kind: str) -> None:
    assert judge(code, output) == kind
