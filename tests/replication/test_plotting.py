"""The look of the figures, their captions, and that each is drawn byte for byte the same."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple

import jinja2
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from snakemake.report import publish_parts

from replication.llm.settings import load_settings
from replication.pipeline import plotting
from replication.pipeline.plotting import (
    COLOURS,
    MARGIN,
    MINOR_TICKS,
    figure_style,
    new_figure,
    rows_where,
    save_figure,
    spread,
    use_log_axes,
)
from replication.pipeline.widths import WIDTHS
from tests.figures import (
    CAPTIONS,
    CONFIG,
    DRAWINGS,
    ENDINGS,
    REPORT,
    ROOT,
    draw,
    files,
    tables,
    tabulate,
)

LLM = load_settings(ROOT / CONFIG["llm"])
PARAMS = {
    "settings": LLM.model_dump(mode="json"),
    "model": LLM.model,
    "prompts": list(LLM.prompts),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tabulate(tmp_path_factory.mktemp("tables"))


class Drawn(NamedTuple):
    """All figures, drawn by two processes, and what a reader would stumble over in each."""

    here: Path
    elsewhere: Path
    problems: dict[str, list[str]]


@pytest.fixture(scope="module")
def drawn(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    here, elsewhere = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("elsewhere")
    code = f"from tests.figures import draw_all; draw_all({str(inputs)!r}, {str(elsewhere)!r})"
    paths = os.pathsep.join(str(ROOT / part) for part in ("", "src"))
    process = subprocess.Popen(
        [sys.executable, "-Werror", "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": paths},
    )
    problems = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in DRAWINGS:
            found = watch(patch)
            draw(name, inputs, files(name, here))
            problems[name] = found
    assert process.wait() == 0
    return Drawn(here, elsewhere, problems)


def watch(patch: pytest.MonkeyPatch) -> list[str]:
    """A list that fills with what a reader would stumble over in the figures saved from now on."""
    found: list[str] = []

    def save(figure: Figure, paths: Iterable[str]) -> None:
        save_figure(figure, paths)
        found.extend(check(figure))

    patch.setattr(plotting, "save_figure", save)
    return found


def check(figure: Figure) -> list[str]:
    """What a reader would stumble over."""
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    legends = [legend.get_window_extent() for legend in figure.legends]
    overlaps = [a.overlaps(b) for a, b in itertools.combinations([*titles, *legends], 2)]
    problems = {
        "cut off": box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height,
        "too small": any(float(text.get_fontsize()) < 7 for text in texts),
        "overlap": any(overlaps),
    }
    return [problem for problem, found in problems.items() if found]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_two_processes_draw_the_same_bytes(name: str, ending: str, drawn: Drawn) -> None:
    file = f"{name}.{ending}"
    assert (drawn.here / file).read_bytes() == (drawn.elsewhere / file).read_bytes()


@pytest.mark.parametrize("name", DRAWINGS)
def test_width_is_that_of_an_icml_column(name: str, drawn: Drawn) -> None:
    width, _ = struct.unpack(">II", (drawn.here / f"{name}.png").read_bytes()[16:24])
    assert width == round(300 * WIDTHS[DRAWINGS[name].width])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_files_do_not_say_when_or_by_which_version(name: str, ending: str, drawn: Drawn) -> None:
    content = (drawn.here / f"{name}.{ending}").read_bytes()
    assert content
    assert [
        word for word in (b"Matplotlib v", b"CreationDate", b"dc:date") if word in content
    ] == []


@pytest.mark.parametrize("minor", [True, False])
def test_marks_are_the_pixels_of_minor_ticks(minor: bool, tmp_path: Path) -> None:
    def drawing() -> Figure:
        figure = Figure()
        log, linear, shared = figure.subplots(1, 3, sharey=True)
        use_log_axes(log, "x")
        log.set(xlim=(2, 3e4), ylim=(-1, 2), title="log", ylabel="y")
        linear.set(xlim=(-0.03, 1.03))
        shared.set_axis_off()
        return figure

    with mpl.rc_context({**figure_style("double", 2.0), **(MINOR_TICKS if minor else {})}):
        ticks = drawing()
        ConstrainedLayoutEngine(h_pad=MARGIN, w_pad=MARGIN).execute(ticks)
        ticks.savefig(tmp_path / "ticks.png", metadata={"Software": None})
    with mpl.rc_context({**figure_style("double", 2.0), **MINOR_TICKS}):
        save_figure(drawing(), [tmp_path / "marks.png"])
    same = (tmp_path / "ticks.png").read_bytes() == (tmp_path / "marks.png").read_bytes()
    assert same is minor


def test_without_care_two_drawings_differ(tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    for name in ("a.svg", "b.svg"):
        figure.savefig(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() != (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_text_is_inside_legible_and_apart(name: str, drawn: Drawn) -> None:
    assert drawn.problems[name] == []


def test_what_a_reader_would_stumble_over_is_found() -> None:
    with mpl.rc_context(figure_style("single", 2.0)):
        figure = Figure()
        panels = figure.subplots(1, 4)
        for axes in panels:
            axes.set_title("much too long for its panel", fontsize=6)
        panels[0].annotate("outside", (0, 0), (-200, 0), textcoords="offset points")
        assert check(figure) == ["cut off", "too small", "overlap"]


@pytest.mark.parametrize(
    ("script", "families"),
    [
        ("figure_estimator", None),
        ("figure_kl", ["uniform"]),
        ("figure_kl", ["staircase"]),
        ("figure_kl", ["markov_language_model"]),
        ("figure_ties", ["verifier", "tied_scores", "markov_language_model"]),
    ],
)
def test_labels_of_the_config_fit(
    script: str,
    families: list[str] | None,
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = watch(monkeypatch)
    policies = CONFIG["policies"].values()
    labels = [each["label"] for each in policies if not families or each["family"] in families]
    stages = {"figure_kl": ("exact", "estimates"), "figure_ties": ("exact",)}
    arguments = (
        tables(inputs, stage, ["binary"]) * len(labels)
        for stage in stages.get(script, ("estimates",))
    )
    import_module(f"workflow.scripts.{script}").plot(labels, *arguments, [tmp_path / "a.png"])
    assert found == []


def lightness(colour: str) -> float:
    """CIE L*, 0 (black) to 100 (white)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def smallest_difference(colours: Iterable[str]) -> float:
    return float(np.diff(sorted(map(lightness, colours))).min())


def test_colours_of_lines_survive_in_grey() -> None:
    assert lightness("white") == pytest.approx(100, abs=0.01)
    assert smallest_difference(COLOURS[name] for name in ("black", "blue", "red", "yellow")) > 18
    assert smallest_difference(["tab:blue", "tab:red", "tab:green"]) < 18


def test_style_is_complete_and_changes_nothing() -> None:
    before = dict(mpl.rcParams)
    style = figure_style("double", 3.0)
    assert dict(mpl.rcParams) == before
    assert set(mpl.rcParamsDefault) - set(style) == plotting.SKIPPED_DEFAULTS & set(mpl.rcParams)


def test_settings_of_the_reader_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, width in (("a", 1), ("b", 9)):
        monkeypatch.setitem(mpl.rcParams, "lines.linewidth", width)
        with new_figure([tmp_path / f"{name}.svg"], "single", 1) as figure:
            figure.subplots().plot([1, 2])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        ("triple", 2.0, "width = 'triple': expected one of single, double"),
        ("single", 0.0, "height = 0.0: expected a number of inches > 0"),
        ("single", float("nan"), "height = nan: expected a number of inches > 0"),
        ("single", float("inf"), "height = inf: expected a number of inches > 0"),
    ],
)
def test_bad_sizes(width: Literal["single"], height: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        figure_style(width, height)


def test_bad_paths_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected an ending \.svg, \.pdf, \.png"):
        save_figure(Figure(), [tmp_path / "a.svg", tmp_path / "a.jpg"])
    with pytest.raises(ValueError, match="paths is empty: expected at least one"):
        save_figure(Figure(), [])
    assert list(tmp_path.iterdir()) == []


def test_interrupted_drawing_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), new_figure([tmp_path / "a.svg"], "single", 1):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Figure, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError

    monkeypatch.setattr(Figure, "savefig", fail)
    figure = Figure()
    figure.subplots()
    with pytest.raises(OSError, match=r"^$"):
        save_figure(figure, [tmp_path / "a.svg"])
    assert list(tmp_path.iterdir()) == []


def test_logarithmic_lines_start_at_the_first_positive_value() -> None:
    axes = Figure().subplots()
    use_log_axes(axes, "both", most=3)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    with np.errstate(divide="ignore"):
        assert not np.isfinite(axes.transData.transform((1.0, 0.0))[1])


def test_spread_keeps_the_first_and_leaves_room() -> None:
    n = np.arange(1.0, 100.0)
    chosen = n[spread(n, 1.5)]
    assert chosen[0] == 1
    assert np.all(chosen[1:] / chosen[:-1] >= 1.5)
    assert np.all(chosen[1:] / chosen[:-1] <= 2)


def test_rows_where_all_values_agree() -> None:
    table = {"a": np.array([1, 1, 2]), "b": np.array(["x", "y", "y"])}
    assert rows_where(table, a=1, b="y")["a"].tolist() == [1]
    assert rows_where(table, a=3)["b"].size == 0


def render(caption: str) -> str:
    """As `snakemake --report` does, but strictly."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    text = environment.from_string((REPORT / f"{caption}.rst").read_text(encoding="utf-8")).render(
        snakemake={"config": CONFIG, "params": PARAMS}
    )
    return str(publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["body"])


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_say_what_is_exact(name: str) -> None:
    text, _, standing = render(name).partition("<em>Standing:</em>")
    assert text
    assert any(word in standing for word in ("exact", "reconstructed", "ours"))


def test_workflow_description_renders() -> None:
    assert f"{len(CONFIG['policies'])} reference" in render("workflow")
