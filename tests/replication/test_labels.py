import warnings

import pytest
import yaml
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from replication.pipeline.labels import unprintable
from replication.pipeline.plotting import figure_style
from tests.runs import ROOT

SHOWN = ["uniform, L = 1,000", "a < 1", "Zipf, $k^{-1}$", r"costs \$5", "é–∞ δ", r"$\alpha$ and ≤"]
REFUSED = {
    "50 $": "odd number of dollar signs",
    "a $x$ $": "odd number of dollar signs",
    r"$\foo$": r"Unknown symbol: \foo",
    "$x^$": "expected mathematics",
    "中文": "U+4E2D",
    "🙂 $x$": "U+1F642",
    "two\nlines": "line break",
    "</script><script>alert(1)": "</ begins a tag of HTML",
    "<img src=x>": "<i begins a tag of HTML",
    "a ]]> b": "]]> begins a tag",
}


@pytest.mark.parametrize("label", SHOWN)
def test_what_is_accepted_is_drawn_without_a_warning(label: str) -> None:
    assert unprintable(label) == ""
    draw(label)


def draw(label: str) -> None:
    with rc_context(figure_style("single", 2.0)), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure()
        figure.subplots().set_title(label)
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("label", "reason"), REFUSED.items())
def test_what_a_figure_cannot_show_is_named(label: str, reason: str) -> None:
    fault = unprintable(label)
    assert reason in fault
    assert "expected" in fault
    assert "\n" not in fault


@pytest.mark.parametrize("label", [r"$\foo$", "中文", "🙂 x"])
def test_what_is_refused_would_indeed_fail(label: str) -> None:
    with pytest.raises((ValueError, UserWarning)):
        draw(label)


def test_the_font_is_that_of_the_figures() -> None:
    assert figure_style("single", 2.0)["font.family"] == "STIXGeneral"
    assert figure_style("single", 2.0)["mathtext.fontset"] == "stix"


def test_the_labels_that_are_shipped_can_be_drawn() -> None:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert not [p["label"] for p in config["policies"].values() if unprintable(p["label"])]
