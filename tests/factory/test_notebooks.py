"""What a notebook is read for, and what is made of its pictures while it runs."""

from __future__ import annotations

import base64
import io
import json
import threading

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from runner.execution.notebooks import read_scraps, scraps_in, write
from runner.receipts import Scrap
from runner.render.images import draw_thumbnail
from runner.render.notebook import render_report, write_plainly
from runner.render.prefetch import ThumbnailPrefetch


def glued(name: str, data: object, encoder: str = "json"):
    """Return a cell that has glued a value by scrapbook."""
    kind = f"application/scrapbook.scrap.{encoder}+json"
    payload = {"name": name, "data": data, "encoder": encoder, "version": 1}
    marks = {"scrapbook": {"name": name, "data": True, "display": False}}
    return new_code_cell(
        "", outputs=[new_output("display_data", data={kind: payload}, metadata=marks)]
    )


def picture(width: int = 900, height: int = 600, mode: str = "RGB", color: object = "navy"):
    """Return the bytes of a PNG of one colour."""
    file = io.BytesIO()
    Image.new(mode, (width, height), color).save(file, "PNG")
    return file.getvalue()


def shown(*pictures: bytes):
    """Return a cell that has put out pictures."""
    data = [{"image/png": base64.b64encode(p).decode()} for p in pictures]
    return new_code_cell("plot()", outputs=[new_output("display_data", data=d) for d in data])


CELLS = [
    glued("number", 4.25),
    glued("text", "4.25", "text"),
    glued("text in JSON", "17"),
    glued("words in JSON", "seventeen"),
    glued("nothing", {"value": None}),
    glued("list", [1, 2]),
    glued("number", 5),
]


def test_scraps_are_read_as_scrapbook_reads_them(tmp_path):
    import scrapbook

    path = tmp_path / "report.ipynb"
    write(new_notebook(cells=CELLS), path)
    found = {s.name: s.value for s in read_scraps(path)}
    peer = {name: scrap.data for name, scrap in scrapbook.read_notebook(str(path)).scraps.items()}
    assert list(found) == list(peer)
    assert found == peer | {"nothing": None, "list": "[1, 2]"}
    assert scraps_in(CELLS) == read_scraps(path)


def test_sigma_and_unit_lie_beside_a_scrap_and_a_picture_is_none():
    cell = glued("Te", 4.0)
    cell.outputs[0].metadata["ishtar"] = {"sigma": 0.2, "unit": "eV"}
    (scrap,) = scraps_in([new_markdown_cell("words"), cell, shown(picture())])
    assert (scrap.name, scrap.value, scrap.sigma, scrap.unit) == ("Te", 4.0, 0.2, "eV")
    assert (scrap.label, scrap.symbol) == ("", "")


def test_label_and_symbol_lie_beside_a_scrap_and_are_texts():
    cell, odd = glued("Te", 4.0), glued("ne", 1e17)
    cell.outputs[0].metadata["ishtar"] = {"label": "electron temperature", "symbol": "T_e"}
    odd.outputs[0].metadata["ishtar"] = {"label": ["a"], "symbol": 3}
    te, ne = scraps_in([cell, odd])
    assert (te.label, te.symbol) == ("electron temperature", "T_e")
    assert (ne.label, ne.symbol) == ("", "")


@pytest.mark.parametrize(
    "extra", [{"sigma": "x", "unit": None}, {"sigma": True}, {"sigma": float("inf")}, 3]
)
def test_what_is_no_sigma_or_unit_is_none(extra):
    payload = {"name": "x", "data": 1.0, "encoder": "json"}
    data = {"application/scrapbook.scrap.json+json": payload}
    output = {"output_type": "display_data", "data": data, "metadata": {"ishtar": extra}}
    assert scraps_in([{"outputs": [output]}]) == (Scrap(name="x", value=1.0),)


def test_a_notebook_is_written_as_jupyter_does(tmp_path):
    notebook = new_notebook(cells=[*CELLS, new_markdown_cell("Größe\nα")])
    write(notebook, tmp_path / "ours.ipynb")
    nbformat.write(notebook, tmp_path / "theirs.ipynb")
    ours = (tmp_path / "ours.ipynb").read_text(encoding="utf-8")
    assert ours == (tmp_path / "theirs.ipynb").read_text(encoding="utf-8")


@pytest.mark.parametrize("early", [True, False])
def test_a_page_is_the_same_whether_its_picture_was_drawn_ahead_or_not(tmp_path, early):
    cells = [shown(picture(), picture(color="red"))]
    (tmp_path / "report.ipynb").write_text(json.dumps(new_notebook(cells=cells)))
    ahead = ThumbnailPrefetch()
    if early:
        ahead.cell(cells[0])
    render_report(
        tmp_path / "report.ipynb", tmp_path, thumbnail=ahead.thumbnail, write=write_plainly
    )
    ahead.close()
    drawn = draw_thumbnail(picture())
    assert (tmp_path / "thumbnail.png").read_bytes() == drawn.data
    assert sorted(p.name[:9] for p in (tmp_path / "figures").iterdir()) == [
        "figure-1-",
        "figure-2-",
    ]


def test_pictures_that_cannot_be_drawn_small_are_no_trouble_and_no_thread_stays():
    before = threading.active_count()
    ahead = ThumbnailPrefetch()
    broken = new_output("display_data", data={"image/png": "no base64!", "text/plain": "x"})
    ahead.cell(new_code_cell("", outputs=[broken]))
    ahead.cell(shown(picture()[:60]))
    assert ahead.thumbnail(picture()[:60]) is None
    assert ahead.thumbnail(picture()).size == (480, 320)
    ahead.close()
    assert threading.active_count() == before


def test_what_is_clear_in_a_picture_is_white_in_its_thumbnail():
    drawn = draw_thumbnail(picture(mode="RGBA", color=(255, 0, 0, 0)))
    with Image.open(io.BytesIO(drawn.data)) as image:
        assert image.size == drawn.size == (480, 320)
        assert image.convert("RGB").getextrema() == ((255, 255),) * 3


def test_a_thumbnail_keeps_light_grey_apart_from_white():
    image = Image.effect_noise((900, 600), 60).convert("RGB")  # many colours, of which 64 stay
    image.paste("white", (0, 0, 450, 300))
    image.paste("#f0f0f0", (450, 0, 900, 300))
    file = io.BytesIO()
    image.save(file, "PNG")
    with Image.open(io.BytesIO(draw_thumbnail(file.getvalue()).data)) as drawn:
        white, grey = (drawn.convert("L").getpixel((x, 80)) for x in (120, 360))
    assert white - grey > 8
