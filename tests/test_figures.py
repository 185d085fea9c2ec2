"""Figures of kernels: what is shown is what Jupyter shows, from one drawing where that will do."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.pylabtools import print_figure
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MultipleLocator
from PIL import Image

from runner.kernel.drawing import cached_layout
from runner.kernel.figures import png

pytestmark = pytest.mark.whole


def new(layout: str | None = "constrained", **given: object) -> Figure:
    figure = Figure(figsize=(4, 3), dpi=100, layout=layout, **given)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def curve(figure: Figure) -> Figure:
    axes = figure.add_subplot(xlabel="time $t$ [s]", ylabel="$P$ [W]", title="a curve")
    axes.plot([0, 1, 2], [0, 3, 1])
    return figure


def pixels(text: str | bytes) -> np.ndarray:
    data = base64.b64decode(text) if isinstance(text, str) else text
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, one entry for each time."""
    drawn: list[Figure] = []
    draw = Figure.draw

    def counted(self: Figure, renderer: object) -> None:
        drawn.append(self)
        draw(self, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    return drawn


def test_a_figure_with_a_layout_is_drawn_once_and_looks_as_jupyter_shows_it(drawings):
    ours = pixels(png(curve(new())) or "")
    assert len(drawings) == 1
    jupyters = pixels(print_figure(curve(new())))
    assert np.abs(np.subtract(ours.shape, jupyters.shape)).max() <= 6
    dark = [(p.sum(axis=2) < 300).sum() for p in (ours, jupyters)]
    assert dark[0] == pytest.approx(dark[1], rel=0.1)


def test_around_a_picture_is_the_margin_in_the_colour_of_the_figure():
    found = pixels(png(curve(new(facecolor="#ffeecc"))) or "")
    pad = round(100 * mpl.rcParams["savefig.pad_inches"])
    ground = np.array([0xFF, 0xEE, 0xCC])
    filled = (found != ground).any(axis=2)
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    assert (rows[0], columns[0]) == (pad, pad)
    assert (found.shape[0] - rows[-1], found.shape[1] - columns[-1]) == (pad + 1, pad + 1)


def test_text_beyond_the_edge_is_not_cut_off():
    figure = curve(new())
    figure.text(0.9, 0.5, "text that goes on beyond the edge of the figure")
    assert pixels(png(figure) or "").shape[1] > 500


@pytest.mark.parametrize("layout", ["constrained", "tight", "compressed"])
@pytest.mark.parametrize("place", [(1.2, 0.5), (0.5, -0.3)])
def test_text_wholly_outside_is_shown(layout, place):
    inside, outside = curve(new(layout=layout)), curve(new(layout=layout))
    outside.text(*place, "FAR")
    more = np.subtract(pixels(png(outside) or "").shape, pixels(png(inside) or "").shape)
    assert more.max() > 40


def test_a_note_outside_of_the_axes_is_shown():
    inside, outside = curve(new()), curve(new())
    outside.axes[0].annotate("FAR", (1.6, 0.5), xycoords="axes fraction", annotation_clip=False)
    assert pixels(png(outside) or "").shape[1] > pixels(png(inside) or "").shape[1] + 15


def test_a_figure_may_have_no_margin():
    with mpl.rc_context({"savefig.pad_inches": 0.0}):
        found = pixels(png(curve(new())) or "")
    assert (found[0] != 255).any()
    assert (found[:, 0] != 255).any()


@pytest.mark.parametrize(
    "figure",
    [curve(new(layout=None)), curve(new(facecolor="none")), curve(new(layout="tight"))],
    ids=["no layout", "transparent", "tight"],
)
def test_every_figure_is_shown(figure):
    assert pixels(png(figure) or "").std() > 1


@pytest.mark.long
def test_a_figure_without_room_for_its_axes_is_shown_as_jupyter_does():
    figure = new()
    figure.set_size_inches(1.5, 1.0)
    figure.subplots(6, 6)
    with pytest.warns(UserWarning, match="axes sizes collapsed to zero"):
        shown = png(figure)
    assert pixels(shown or "").std() > 1


def test_an_empty_figure_is_not_shown():
    assert png(new()) is None


def shared_offsets(figure: Figure) -> None:
    above, below = figure.subplots(2, sharex=True, height_ratios=[1, 3])
    above.plot([1.0e6, 1.000004e6], [1e-7, 3e-7], label="$n_e$ [m$^{-3}$]")
    below.plot([1.0e6, 1.000002e6], [2e9, 2.0000004e9])
    above.legend(title="a legend\nof two lines")
    other = below.twinx()
    other.semilogy([1.0e6, 1.000004e6], [1e-3, 5e4])
    other.set_ylabel("the other axis")


def dates_and_colours(figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    left.plot(np.arange("2026-11-21", "2026-11-24", dtype="datetime64[h]"), np.arange(72))
    left.tick_params(axis="x", rotation=30)
    figure.colorbar(right.pcolormesh(np.arange(12).reshape(3, 4)), ax=right, label="dB")
    right.text(0.1, 0.1, "a long text that is wrapped where it meets an end", wrap=True)
    right.annotate("here", (2, 1), (3, 2), arrowprops={"arrowstyle": "->"}, va="center_baseline")


def round_and_deep(figure: Figure) -> None:
    figure.add_subplot(121, projection="polar").plot([0, 1, 2], [1, 2, 3])
    figure.add_subplot(122, projection="3d").plot([0, 1], [0, 1], [0, 1e5])


def one_formatter_for_two_axes(figure: Figure) -> None:
    axes = figure.add_subplot()
    axes.plot(np.arange("2024-01-01", "2024-01-05", dtype="datetime64[h]"), np.arange(96))
    other = axes.twiny()
    other.plot(np.arange("2026-03-01", "2026-03-05", dtype="datetime64[h]"), np.arange(96))
    formatter = ConciseDateFormatter(AutoDateLocator())
    axes.xaxis.set_major_formatter(formatter)
    other.xaxis.set_major_formatter(formatter)


@pytest.mark.long
@pytest.mark.parametrize(
    "fill", [shared_offsets, dates_and_colours, round_and_deep, one_formatter_for_two_axes]
)
@pytest.mark.parametrize("layout", ["constrained", "tight"])
def test_what_is_remembered_of_ticks_and_texts_changes_no_pixel(fill, layout):
    drawn = []
    for remember in (cached_layout, nullcontext):
        figure = Figure(figsize=(7, 4), dpi=100, layout=layout)
        canvas = FigureCanvasAgg(figure)
        fill(figure)
        with remember():
            canvas.draw()
            canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba()).copy())
    assert (drawn[0] == drawn[1]).all()


def test_ticks_are_looked_for_once_for_each_size_of_their_axes(monkeypatch):
    looked = []
    look = Axis._update_ticks
    monkeypatch.setattr(Axis, "_update_ticks", lambda axis: [looked.append(axis), look(axis)][1])
    png(curve(new()))
    assert len(looked) <= 2 * 3  # two axes; before, between and after the layout
    assert Axis._update_ticks is not look


def test_ticks_that_are_not_shown_are_not_looked_for():
    figure = new()
    axes = figure.add_subplot()
    axes.plot([0, 1e4])
    axes.tick_params(axis="y", left=False, labelleft=False)
    asked = []

    class Fine(MultipleLocator):
        def __call__(self):
            asked.append(self)
            return super().__call__()

    axes.yaxis.set_major_locator(Fine(5000))
    png(figure)
    assert asked == []


def test_threads_that_draw_leave_matplotlib_as_it_was():
    look, measure = Axis._update_ticks, Text._get_layout
    with ThreadPoolExecutor(3) as threads:
        pictures = list(threads.map(lambda _: png(curve(new())), range(6)))
    assert len(set(pictures)) == 1
    assert (Axis._update_ticks, Text._get_layout) == (look, measure)


def test_what_a_cell_changes_between_two_drawings_is_drawn():
    figure = curve(new())
    png(figure)
    figure.axes[0].set_xlim(0, 1e6)
    figure.axes[0].set_title("another title")
    fresh = curve(new())
    fresh.axes[0].set_xlim(0, 1e6)
    fresh.axes[0].set_title("another title")
    assert png(figure) == png(fresh)
