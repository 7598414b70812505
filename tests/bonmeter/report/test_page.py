"""What the page says is what the tables hold, and it is a page that stands alone."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd
import pytest

from bonmeter.report.findings import TABLES, Findings, find, headline, spaced
from bonmeter.report.lookup import Lookup
from bonmeter.report.rows import columns_by_n, columns_by_prompt
from bonmeter.report.write import render, write_report, write_tables
from tests.bonmeter.report.reading import (
    SVG,
    body_rows,
    by_id,
    downloads,
    every,
    parsed,
    table_with,
    tables,
    text,
)
from tests.bonmeter.report.simulated import hostile, language_model, ranks_only, scaled, verifier

ROOT = Path(__file__).parents[3]


def gold_verifier() -> pd.DataFrame:
    """Scores of a model, judged by a verifier."""
    frame = language_model(prompts=12, candidates=80)
    return frame.assign(gold_reward=(frame["gold_reward"] > 0.3).astype(float))


CASES: dict[str, Callable[[], pd.DataFrame]] = {
    "language model": lambda: language_model(prompts=12, candidates=160),
    "verifier": verifier,
    "ranks alone": ranks_only,
    "gold verifier": gold_verifier,
    "hostile": hostile,
    "one candidate": lambda: pd.DataFrame({"prompt": ["p"], "reward": [0.3]}),
    "two candidates": lambda: pd.DataFrame({"prompt": ["p", "p"], "reward": [0.3, 0.4]}),
    "constant": lambda: pd.DataFrame({"prompt": ["p"] * 30, "reward": [0.5] * 30}),
    "one prompt": lambda: language_model(prompts=1, candidates=200),
    "tiny rewards": lambda: scaled(ranks_only(), 1e-9),
    "huge rewards": lambda: scaled(ranks_only(), 1e9),
    "ragged": lambda: language_model(prompts=8, candidates=60).iloc[:-45],
    "some log-probs": lambda: language_model(6, 40).assign(
        log_prob=lambda t: t["log_prob"].where(t["prompt"] != t["prompt"].iloc[0])
    ),
    "weights": lambda: language_model(6, 40).assign(weight=2.0),
    "categorical": lambda: language_model(6, 40).astype({"prompt": "category"}),
    "all n": lambda: language_model(4, 40),
    "given n": lambda: language_model(4, 40),
}
GIVEN: dict[str, Sequence[int]] = {"all n": range(1, 41), "given n": [3, 7, 40]}


@cache
def found_in(case: str) -> Findings:
    return find(CASES[case](), GIVEN.get(case))


@cache
def page_of(case: str) -> str:
    return render(CASES[case](), n=GIVEN.get(case))


def test_the_comparison_of_numbers_can_fail() -> None:
    assert agrees("1.55", 1.5549)
    assert agrees("−2.0\u00a0×\u00a010⁻⁹".replace("\u00a0", " "), -2.04e-9)
    assert not agrees("1.55", 1.556)
    assert not agrees("< 0.001", 0.0012)
    assert not agrees("2.0 × 10⁻⁹", 2.06e-9)
    assert not agrees("0", 0.6)


def values_of(table: pd.DataFrame, key: str) -> dict[tuple[str, object], list[float]]:
    """Estimate and ends by quantity and another column."""
    names = ["quantity", key, "estimate", "lower", "upper"]
    rows = zip(*(table[name] for name in names), strict=True)
    return {(quantity, place): list(ends) for quantity, place, *ends in rows}


@cache
def tree_of(case: str) -> Element:
    return parsed(page_of(case))


def number(words: str) -> float:
    """A number as a page writes it."""
    power = re.fullmatch(r"(.+) × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", words)
    if power:
        digits = power[2].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        return number(power[1]) * 10.0 ** int(digits)
    return float(words.replace("−", "-").replace(",", ""))


def agrees(words: str, value: float) -> bool:
    """Whether a number, as it is written, is a value rounded to the digits shown."""
    if math.isnan(value):
        return words == "–"
    if words.startswith("< "):
        return 0 < value < number(words[2:])
    mantissa, _, power = words.partition(" × ")
    scale = number(f"1 × {power}") if power else 1.0
    unit = scale * 10.0 ** -len(mantissa.partition(".")[2])
    if "." not in mantissa and not power:
        unit = 1.0
    return abs(number(words) - value) <= 0.5001 * unit + 1e-12 * abs(value)


def cell_agrees(cell: Element, ends: Sequence[float], unit: str) -> None:
    """A cell holds the number, its interval, and what it is sorted by."""
    estimate, lower, upper = ends
    scale = 100.0 if unit == "%" else 1.0
    small = every(cell, "small")
    own = " ".join((cell.text or "").split())
    assert agrees(own, estimate * scale)
    assert cell.get("data-v") == ("" if math.isnan(estimate) else f"{estimate:.7g}")
    if small:
        low, high = text(small[0]).split(" to ")
        assert agrees(low, lower * scale)
        assert agrees(high, upper * scale)
    else:
        assert not upper > lower


@pytest.mark.parametrize("case", CASES)
def test_the_table_by_n_is_the_summary(case: str) -> None:
    found, tree = found_in(case), tree_of(case)
    look = Lookup(found)
    numbers = values_of(found.summary, "n")
    rows = body_rows(by_id(tree, "by-n"))[: len(found.shown)]
    assert [int(text(row[0]).rstrip("†")) for row in rows] == list(found.shown)
    for row, n in zip(rows, found.shown, strict=True):
        assert ("†" in text(row[0])) == (not look.all_reliable(n))
        for column, cell in zip(columns_by_n(look), row[1:], strict=True):
            ends = numbers["kl" if column.key == "excess" else column.key, n]
            if column.key == "excess":
                formula = numbers["kl_formula", n][0]
                ends = [formula - ends[place] for place in (0, 2, 1)]
            cell_agrees(cell, ends, column.unit)


@pytest.mark.parametrize("case", [c for c in CASES if c != "categorical"])
def test_every_prompt_has_its_row(case: str) -> None:
    found, tree = found_in(case), tree_of(case)
    numbers = values_of(found.per_prompt, "prompt")
    rows = body_rows(by_id(tree, "prompt-table"))
    candidates = CASES[case]()
    prompts = candidates["prompt"].unique()
    assert len(rows) == len(prompts)
    have = candidates.dropna(subset="reward").groupby("prompt").size()
    for row, prompt in zip(rows, prompts, strict=True):
        assert int(row[1].attrib["data-v"]) == have.get(prompt, 0)
        for column, cell in zip(columns_by_prompt(Lookup(found)), row[2:], strict=True):
            if (column.key, prompt) in numbers:
                cell_agrees(cell, numbers[column.key, prompt], column.unit)


def test_prompts_too_small_for_n_are_there_without_numbers() -> None:
    found, tree = found_in("ragged"), tree_of("ragged")
    assert found.pools["candidates"].min() == 15
    assert not Lookup(found).all_reliable(2)
    rows = body_rows(by_id(tree, "prompt-table"))
    assert int(rows[-1][1].attrib["data-v"]) == 15
    wide = render(CASES["ragged"](), n=[32], level=0.9)
    last = body_rows(by_id(parsed(wide), "prompt-table"))[-1]
    assert [text(cell) for cell in last[1:]] == ["15", *["–"] * (len(last) - 2)]


@pytest.mark.parametrize("case", CASES)
def test_the_checks_are_those_of_diagnose(case: str) -> None:
    rows = body_rows(by_id(tree_of(case), "checks"))
    table = found_in(case).diagnostics
    assert [[text(cell) for cell in row] for row in rows] == [
        [check, status, " ".join(detail.split())]
        for check, status, detail in table[["check", "status", "detail"]].values.tolist()
    ]


@pytest.mark.parametrize("case", CASES)
def test_downloads_are_the_tables(case: str, tmp_path: Path) -> None:
    tree = tree_of(case)
    write_tables(CASES[case](), tmp_path, n=GIVEN.get(case))
    contents = {name.removesuffix(".gz"): content for name, content in downloads(tree)}
    assert contents == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name, table in tables(tree).items():
        expected = getattr(found_in(case), name)
        assert list(table.columns) == list(expected.columns)
        assert len(table) == len(expected)
        for column in expected.select_dtypes("number"):
            np.testing.assert_allclose(table[column].astype(float), expected[column], rtol=1e-11)
    assert list(tables(tree)) == list(TABLES)


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_well_formed_and_accessible(case: str) -> None:
    tree = tree_of(case)
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert max(Counter(ids).values()) == 1
    for element in tree.iter():
        for reference in ("aria-labelledby", "aria-controls", "for"):
            assert element.get(reference) is None or element.get(reference) in ids
        href = element.get("href") or ""
        assert not href.startswith("#") or href[1:] in ids
    assert [e.get("lang") for e in every(tree, "html")] == ["en"]
    assert len(every(tree, "main")) == len(every(tree, "h1")) == 1
    levels = [int(e.tag[-1]) for e in tree.iter() if re.fullmatch(r".*\}h[1-6]", str(e.tag))]
    assert all(b <= a + 1 for a, b in pairwise(levels))
    for table in every(tree, "table"):
        assert len(every(table, "caption")) == 1
        assert all(head.get("scope") in ("row", "col") for head in every(table, "th"))
        [heads] = [every(row, "th") for row in every(every(table, "thead")[0], "tr")]
        assert all(len(row) == len(heads) for row in body_rows(table))
    charts = [s for s in tree.iter(SVG + "svg") if s.get("class", "").startswith("chart")]
    assert all(s.get("role") == "img" and len(s.get("aria-label", "")) > 40 for s in charts)
    assert len(charts) == 2 * len(every(tree, "figure"))
    assert not re.search(
        r"\bnan\b|NaN\b|\binf\b|\bNone\b(?! of these)", page_of(case).partition("<script>")[0]
    )


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_loaded_from_elsewhere(case: str) -> None:
    html = page_of(case)
    assert not re.search(r"https?:|@import|//[a-z]+\.", html.replace("http://www.w3.org", ""))
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {"#hatch"}
    for element in parsed(html).iter():
        assert element.get("src") is None
        assert re.match(r"#|data:", element.get("href") or "#")


def test_figures_follow_what_is_there() -> None:
    def titles(case: str) -> list[str]:
        return [text(e) for e in every(by_id(tree_of(case), "figures"), "h3")]

    cost = ["What it cost: KL divergence", "How far the formula is off", "What it bought: win rate"]
    several = ["Prompt by prompt, at n = 4"]
    assert titles("ranks alone") == [*cost, "What it bought: reward", "What a nat bought", *several]
    assert titles("verifier")[3] == "What it bought: pass rate"
    gold = ["What it bought: gold reward", "What a nat bought", "What a nat bought in gold reward"]
    assert titles("language model")[4:7] == gold
    assert titles("one prompt")[-1] == gold[-1]
    assert titles("one candidate") == []


@pytest.mark.parametrize("case", ["language model", "verifier", "given n"])
def test_points_are_drawn_where_the_numbers_are(case: str) -> None:
    """Back from pixels: ticks give the scale, marks the numbers."""
    found = found_in(case)
    kl = Lookup(found)
    svg = next(s for s in tree_of(case).iter(SVG + "svg") if "wide" in s.get("class", ""))
    axis = [t for t in svg.iter(SVG + "text") if t.get("text-anchor") == "end"]
    value = [float("".join(t.itertext())) for t in axis]
    pixel = [float(t.attrib["y"]) - 4 for t in axis]
    slope, start = np.polyfit(pixel, value, 1)
    marks = [c for c in svg.iter(SVG + "circle")]
    assert len(marks) == len(found.shown)
    for mark, n in zip(marks, found.shown, strict=True):
        at = slope * float(mark.attrib["cy"]) + start
        assert at == pytest.approx(kl.at("kl", n).estimate, abs=abs(slope))
        assert ("hollow" in mark.attrib["class"]) == (not kl.all_reliable(n))


def test_labels_of_an_axis_are_short_whatever_the_scale() -> None:
    for case, factor in (("tiny rewards", "× 10⁻⁸"), ("huge rewards", "× 10¹⁰")):
        words = [t.text or "" for t in tree_of(case).iter(SVG + "text")]
        assert f"mean reward of the selected, {factor}" in words
        assert not [word for word in words if "× 10" in word and "selected" not in word]


def test_a_gain_that_may_be_none_is_said_to_be() -> None:
    rng = np.random.default_rng(5)
    log = pd.DataFrame({"prompt": np.repeat(range(4), 80), "reward": rng.normal(size=320)})
    noise = render(log.assign(gold_reward=rng.normal(size=320)))
    signal = render(log.assign(gold_reward=log["reward"]))
    assert "whether it pays at all is open" in noise
    assert "whether it pays at all is open" not in signal


def test_the_answer_is_in_plain_words() -> None:
    answer = text(by_id(tree_of("language model"), "answer"))
    found = found_in("language model")
    assert found.n == 16
    assert "Best-of-16 cost" in answer
    assert "Gold reward, selected by reward, rose from" in answer
    assert "For n = 64 the pools are too small to vouch for" in answer
    assert "of the candidates repeat a response of their prompt" in answer
    assert "Up to n = 16 every pool has ten candidates" in answer


def test_without_log_probs_it_says_so() -> None:
    answer = text(by_id(tree_of("ranks alone"), "answer"))
    assert "without log-probabilities" in answer
    assert "KL is then from ranks and ties alone" in answer
    assert "1 check warns" in answer
    some = text(by_id(tree_of("some log-probs"), "answer"))
    assert "1 of 6 prompts have no log-probabilities" in some
    assert "ranks and ties alone" not in text(by_id(tree_of("language model"), "answer"))


def test_how_it_was_computed_is_said() -> None:
    log = language_model(3, 40)
    plain, ranks, paper = (
        text(parsed(render(log, method=m))) for m in (None, "rank-only", "paper")
    )
    assert "Log-probabilities were not to be used" in ranks
    assert "method='rank-only'" in ranks
    assert "estimator (Eq. 25)" in paper
    assert "method=" not in plain
    assert "Eq. 25" not in plain
    gone = ranks_only()
    assert "count as having reward 0.0" in text(parsed(render(gone, missing_reward=0.0)))
    assert "precision=0.01" in text(parsed(render(log, precision=0.01)))
    assert "Means over prompts are weighted" in text(tree_of("weights"))
    assert "Means over prompts are weighted" not in plain


def test_pools_too_small_are_said_to_be() -> None:
    answer = text(by_id(tree_of("two candidates"), "answer"))
    assert "Too few candidates." in answer
    assert "These pools are too small to tell" in answer
    assert "nothing to select from" in text(by_id(tree_of("one candidate"), "answer"))
    assert "Too few" not in text(by_id(tree_of("language model"), "answer"))


def test_missing_rewards_are_counted() -> None:
    tree = tree_of("ranks alone")
    missing = int(ranks_only()["reward"].isna().sum())
    assert f"{missing} candidates without a reward are left out" in text(by_id(tree, "checks"))
    said = [text(row[1]) for row in body_rows(by_id(tree, "prompt-table"))]
    assert sum(int(s.split()[1]) for s in said if "missing" in s) == missing


def test_a_formula_that_is_right_is_said_to_be() -> None:
    rng = np.random.default_rng(3)
    reward = rng.normal(size=(5, 100))
    frame = pd.DataFrame({"prompt": np.repeat(range(5), 100), "reward": reward.ravel()})
    answer = text(by_id(parsed(render(frame)), "answer"))
    assert "right to within one per cent" in answer
    assert "right to within one per cent" not in text(by_id(tree_of("language model"), "answer"))


def test_where_gold_reward_falls_it_says_so() -> None:
    rng = np.random.default_rng(4)
    reward = rng.normal(size=(40, 640))
    gold = -((reward - 1.0) ** 2)  # best at n of about 4
    frame = pd.DataFrame(
        {
            "prompt": np.repeat(range(40), 640),
            "reward": reward.ravel(),
            "gold_reward": gold.ravel(),
        }
    )
    found = find(frame)
    assert found.n == 64
    answer = text(by_id(parsed(render(frame)), "answer"))
    assert "selecting harder by reward lowers it" in answer
    peak = found.summary[found.summary["quantity"] == "gold_reward"].set_index("n")["estimate"]
    assert f"Gold reward is highest at n = {peak.idxmax()} " in answer


def test_hostile_text_stays_text() -> None:
    evil = "</title><script>alert(0)</script>{{ 7 * 7 }}"
    html = render(hostile(), title=evil, notes=[evil, "\"'"], command=f"bonmeter report '{evil}'")
    tree = parsed(html)
    assert len(every(tree, "script")) == len(every(tree, "style")) == 1
    assert not every(tree, "img")
    assert text(every(tree, "h1")[0]) == text(every(tree, "title")[0]) == evil
    assert evil in text(by_id(tree, "checks"))
    assert evil in text(by_id(tree, "reproduce"))
    assert not [k for e in tree.iter() for k in e.attrib if k.startswith("on")]
    shown = [text(row[0]) for row in body_rows(by_id(tree, "prompt-table"))]
    assert shown[0] == "</script><script>alert(1)</script>"
    assert "{{ 7 * 7 }} {% raw %}" in shown[1]
    assert shown[3].startswith("]]>�")
    assert shown[4].endswith("…")
    assert len(shown[4]) <= 160
    assert shown[5] == "(blank)"


def test_the_full_text_of_a_prompt_is_in_the_csv() -> None:
    prompts = tables(tree_of("hostile"))["per_prompt"]["prompt"]
    assert set(prompts) >= {p for p in hostile()["prompt"] if "\x00" not in p}
    assert any(p.startswith("]]>") for p in prompts)


def test_a_thousand_prompts_are_less_than_a_megabyte() -> None:
    html = render(language_model(prompts=1000, candidates=48))
    assert len(html.encode()) < 1_000_000
    assert len(body_rows(by_id(parsed(html), "prompt-table"))) == 1000


def test_all_n_are_in_the_csv_and_some_on_the_page() -> None:
    tree = tree_of("all n")
    assert tables(tree)["summary"]["n"].nunique() == 40
    assert len(found_in("all n").shown) <= 15
    assert "of 40 n are listed" in text(by_id(tree, "by-n"))


def test_one_draw_is_always_compared_with() -> None:
    found = found_in("given n")
    assert found.shown == (1, 3, 7, 40)
    assert found.n == 3
    assert found.steps[["n_from", "n"]].values.tolist() == [[1, 3], [3, 7], [7, 40]]


@pytest.mark.parametrize("case", CASES)
def test_steps_add_up(case: str) -> None:
    found = found_in(case)
    mean = found.summary[found.summary["quantity"] == found.worth].set_index("n")
    whole = mean[mean["prompts"] == mean["prompts"].iloc[0]]["estimate"]
    steps = found.steps[found.steps["n"].isin(whole.index)]
    reached = whole.iloc[0] + steps["estimate"].cumsum().to_numpy()
    np.testing.assert_allclose(reached, whole[steps["n"]], rtol=1e-9)


@pytest.mark.parametrize(
    ("size", "n"), [(1, 1), (2, 2), (9, 2), (19, 2), (20, 2), (79, 4), (639, 32), (640, 64)]
)
def test_the_headline_is_64_or_the_largest_reliable_n(size: int, n: int) -> None:
    frame = pd.DataFrame({"prompt": 1, "reward": np.arange(float(size))})
    assert find(frame).n == n


def test_larger_pools_still_speak_of_64() -> None:
    table = pd.DataFrame({"quantity": "kl", "n": [1, 64, 128], "reliable": True})
    assert headline(table) == 64
    assert headline(table[table["n"] != 64]) == 128


def test_spaced_keeps_the_ends() -> None:
    for most in range(2, 40):
        some = spaced(range(1, 1001), most)
        assert some[0] == 1
        assert some[-1] == 1000
        assert len(some) <= most
        assert some == sorted(set(some))


def test_the_same_input_makes_the_same_page(tmp_path: Path) -> None:
    log = tmp_path / "a <b> & c.csv"
    language_model(3, 40).to_csv(log)
    one, two = (render(language_model(3, 40), sources=[log]) for _ in range(2))
    assert one == two
    rows = body_rows(table_with(parsed(one), "Input"))
    assert text(rows[0][0]) == log.name
    assert text(rows[0][2]) == hashlib.sha256(log.read_bytes()).hexdigest()
    assert str(tmp_path) not in one


def test_what_was_assumed_is_said() -> None:
    frame = language_model(3, 40)
    frame.attrs["notes"] = ["a.jsonl: recognised vLLM", "assumed: temperature 1"]
    said = text(by_id(parsed(render(frame)), "checks"))
    assert "a.jsonl: recognised vLLM" in said
    assert "assumed: temperature 1" in said
    assert "given as a table" not in said
    assert "given as a table" in text(by_id(parsed(render(language_model(3, 40))), "checks"))


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    with pytest.raises(ValueError, match="reward"):
        write_report(pd.DataFrame({"prompt": [1]}), page)
    with pytest.raises(FileNotFoundError):
        write_report(language_model(2, 20), page, sources=[tmp_path / "absent.jsonl"])
    assert not list(tmp_path.iterdir())
    write_report(language_model(2, 20), page, title="A", tables=tmp_path / "tables")
    assert page.read_text(encoding="utf-8") == render(language_model(2, 20), title="A")
    assert len(list((tmp_path / "tables").iterdir())) == len(TABLES)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "tables"}


def test_theorems_are_where_the_page_says() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/theory.md").read_text(encoding="utf-8"), re.M)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    named = set(re.findall(r"theory\.md#([\w-]+)", page_of("one prompt")))
    assert len(named) == 7
    assert named <= anchors
