"""Trying a changed template: what changed, by how much, and that nothing else is touched."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from ishtar.lineage.record import Input
from runner.errors import ParameterError
from runner.preview.code_difference import code_difference
from runner.preview.compare import compare_inputs, compare_scraps
from runner.preview.figure_difference import (
    Figure,
    compare_figures,
    compare_pair,
    compare_pixels,
    on_one_canvas,
    pixels,
    to_png,
)
from runner.preview.preview_result import Preview, SubjectPreview, sigmas_text
from runner.preview.preview_run import golden_subjects
from runner.receipts import Receipt, Scrap, Subject
from runner.render.images import Picture
from runner.templates.template import read_template

pytestmark = pytest.mark.whole

TOOLS = "import ishtar\nfrom ishtar.report import glue\nshot_ = ishtar.open()[shot]"
GLUE = 'glue("I", {value}, sigma=0.1, unit="A")\nglue("gas", "Ar")'
PLOT = 'import matplotlib.pyplot as plt\nplt.figure(figsize=(2, 2))\nplt.plot([0, 1], color="{y}");'


# --- results ---------------------------------------------------------------------------------


def only_change(before: Scrap | None, after: Scrap | None):
    """Return the change of the one result of two reports."""
    (change,) = compare_scraps([before] if before else [], [after] if after else [])
    return change


def te(value, sigma=0.1, unit="eV"):
    return Scrap(name="Te", value=value, sigma=sigma, unit=unit)


@pytest.mark.parametrize(
    ("before", "after", "kind", "sigmas"),
    [
        (te(3.0), te(3.0), "same", 0.0),
        (te(3.0), te(3.0 + 1e-14), "same", 0.0),
        (te(3.0), te(3.05), "within", 0.5),
        (te(3.0), te(2.8), "beyond", -2.0),
        (te(3.0), te(3.0, sigma=0.2), "within", 0.0),  # only the sigma
        (te(3.0), te(3.2, sigma=10.0), "beyond", 2.0),  # a larger error hides nothing
        (te(3.0, sigma=None), te(3.4, sigma=0.2), "beyond", 2.0),
        (te(3.0, sigma=None), te(3.1, sigma=None), "changed", None),
        (te(3, sigma=None), te(3, sigma=None), "same", 0.0),
        (te(3.0, sigma=None), te(3.0, sigma=None), "same", 0.0),
        (te(3.0, sigma=0.0), te(3.1, sigma=0.0), "changed", None),
        (te("H"), te("H"), "same", None),
        (te("H"), te("W"), "text", None),
        (te(True), te(False), "text", None),
        (te(True), te(1), "text", None),
        (te(3.0), te(None), "lost", None),
        (te(None), te(3.0), "found", None),
        (te(None), te(None), "same", None),
        (te(3.0, unit="m"), te(3.0, unit="eV"), "unit", None),
        (te(3.0, unit="1/m^3"), te(3.0, unit="m^-3"), "same", 0.0),
        (te(3.0), None, "gone", None),
        (None, te(3.0), "new", None),
    ],
)
def test_a_result_is_judged_by_the_sigma_that_was_published(before, after, kind, sigmas):
    change = only_change(before, after)
    assert change.kind == kind
    assert change.sigmas == (None if sigmas is None else pytest.approx(sigmas))


def test_a_result_in_another_unit_of_its_kind_is_still_compared():
    change = only_change(te(2.0, unit="m"), te(2100.0, sigma=100.0, unit="mm"))
    assert (change.kind, change.note) == ("unit", "m → mm")
    assert change.sigmas == pytest.approx(1.0)


def test_what_matters_most_comes_first():
    def scraps(**values):
        return [Scrap(name=n, value=v, sigma=1.0) for n, v in values.items()]

    before = scraps(a=1.0, b=1.0, c=1.0, d=1.0, e=1.0)
    after = scraps(a=1.0, b=3.0, c=-9.0, d=1.5, f=1.0)
    assert [c.name for c in compare_scraps(before, after)] == ["e", "c", "b", "f", "d", "a"]


@pytest.mark.parametrize(
    ("after", "limit", "exceeds"),
    [
        (te(3.25), 3.0, False),
        (te(3.35), 3.0, True),
        (te(3.0), 0.0, False),
        (te(None), 1e9, True),
        (None, 1e9, True),
    ],
)
def test_a_limit_in_sigmas_lets_small_changes_pass_and_no_loss(after, limit, exceeds):
    assert only_change(te(3.0), after).exceeds(limit) is exceeds


def test_a_new_result_is_no_change_of_the_published_ones():
    assert not only_change(None, te(3.0)).exceeds(0.0)


@pytest.mark.parametrize(
    ("sigmas", "text"),
    [(None, ""), (0.0, "0.0 σ"), (0.01, "+<0.1 σ"), (-2.44, "−2.4 σ"), (12345.6, "+1.23e+04 σ")],
)
def test_sigmas_are_written_with_their_sign(sigmas, text):
    assert sigmas_text(sigmas) == text


# --- inputs ----------------------------------------------------------------------------------


def receipt(*inputs: Input, state="ok", **kw) -> Receipt:
    return Receipt(
        scope="shot",
        subject="00001",
        template="probe",
        title="Probe",
        template_digest="t",
        parameters=kw.pop("parameters", {"shot": 1}),
        state=state,
        digest="d",
        inputs=inputs,
        started="2026-11-22T10:00:00",
        duration_s=1.0,
        **kw,
    )


def test_inputs_that_are_new_gone_or_of_another_version_are_named():
    def of(kind, name, version, digest, subject="00001"):
        return Input(kind=kind, name=name, subject=subject, version=version, digest=digest)

    before = receipt(
        of("calibration", "probe_1", "v1", "aa"),
        of("signal", "Lang_I", "", "bb"),
        of("attribute", "gas", "Ar", "cc"),
        of("scraps", "Te", "", "0123456789", subject="00002"),
        code={"ishtar.langmuir": "1" * 20, "ishtar.rf": "2" * 20},
    )
    after = receipt(
        of("calibration", "probe_1", "v2", "ab"),
        of("attribute", "gas", "Ar", "cc"),
        of("channel", "S7/p", "", "absent"),
        of("scraps", "Te", "", "9876543210", subject="00002"),
        parameters={"shot": 1, "t_start": 0.5},
        code={"ishtar.langmuir": "3" * 20, "ishtar.rf": "2" * 20},
    )
    found = {(c.what, c.name): (c.before, c.after) for c in compare_inputs(before, after)}
    assert found == {
        ("parameter", "t_start"): ("no such parameter", "0.5"),
        ("calibration", "probe_1"): ("v1", "v2"),
        ("channel", "S7/p"): ("not read", "absent"),
        ("scraps", "Te (00002)"): ("01234567", "98765432"),
        ("signal", "Lang_I"): ("read", "not read"),
        ("library", "ishtar.langmuir"): ("11111111", "33333333"),
    }


@pytest.mark.parametrize(
    ("before", "after", "scraps", "verdict"),
    [
        ("ok", "failed", (), "failed"),
        ("failed", "timeout", (), "failed"),
        ("failed", "ok", (), "beyond"),
        ("ok", "skipped", (), "beyond"),
        (None, "ok", (), "unpublished"),
        ("skipped", "skipped", (), "same"),
        ("ok", "ok", (te(3.0), te(3.05)), "within"),
        ("ok", "ok", (te(3.0), te(3.5)), "beyond"),
    ],
)
def test_the_verdict_is_the_worst_of_states_and_results(before, after, scraps, verdict):
    preview = SubjectPreview(
        subject=Subject.shot(1),
        before=receipt(state=before) if before else None,
        after=receipt(state=after),
        scraps=(only_change(*scraps),) if scraps else (),
    )
    assert preview.verdict == verdict
    fine = SubjectPreview(subject=Subject.shot(2), before=receipt(), after=receipt())
    both = Preview(template="probe", title="Probe", folder=Path("x"), subjects=(fine, preview))
    assert both.verdict == verdict


# --- figures ---------------------------------------------------------------------------------


def figure(
    cell: str, value: int = 255, size: tuple[int, int] = (4, 5), data: bytes = b""
) -> Figure:
    """Return a figure of one grey; ``size`` is height and width."""
    picture = Picture(file="figure-1.png", width=size[1], height=size[0])
    image = np.full((*size, 3), value, dtype=np.uint8)
    return Figure(cell=cell, n=0, picture=picture, alt="grey", data=data or to_png(image))


def kinds(before, after):
    return [c.kind for c in compare_figures(before, after)]


def test_figures_of_the_same_cell_belong_together_whatever_their_order():
    before, after = [figure("a", 10), figure("b", 90)], [figure("b", 90), figure("a", 10)]
    assert kinds(before, after) == ["same", "same"]


def test_figures_of_cells_without_ids_are_paired_by_their_order():
    assert kinds([figure("", 10), figure("", 90)], [figure("", 10)]) == ["same", "gone"]
    assert kinds([figure("", 10)], [figure("", 10), figure("", 90)]) == ["same", "new"]
    assert kinds([figure("a", 10), figure("b", 90)], [figure("c", 10), figure("b", 0)]) == [
        "same",
        "differs",
    ]


def test_the_share_and_the_place_of_the_pixels_that_differ_are_told():
    before = np.full((10, 20, 3), 255, dtype=np.uint8)
    after = before.copy()
    before[2, 3] = 0  # ink that went
    after[7, 11] = (0, 0, 255)  # ink that came
    after[5, 5] = 250  # nobody sees that
    share, marked = compare_pixels(before, after)
    assert share == pytest.approx(2 / 200)
    assert tuple(marked[2, 3]) == tuple(marked[2, 4]) == (213, 94, 0)
    assert tuple(marked[7, 11]) == tuple(marked[6, 11]) == (0, 114, 178)
    assert tuple(marked[5, 5]) == (255, 255, 255)


def test_what_is_transparent_is_paper():
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(file, "PNG")
    assert (pixels(file.getvalue()) == 255).all()


def test_figures_of_nearly_one_size_are_laid_over_each_other_where_they_fit():
    before = np.full((40, 60, 3), 255, dtype=np.uint8)
    before[5:30, 7] = before[22, 7:50] = 0  # two axes
    after = np.pad(before, [(0, 3), (4, 0), (0, 0)], constant_values=255)[2:]
    after[10, 2] = 0  # a tick label that the figure was made wider for
    share, marked = compare_pixels(*on_one_canvas(before, after))
    assert share == pytest.approx(1 / (marked.shape[0] * marked.shape[1]))
    shares = [
        compare_pair(figure("a", data=to_png(i)), figure("a", data=to_png(j))).share
        for i, j in ((before, after), (after, before))
    ]
    assert shares == [share, share]


def test_a_figure_of_another_size_or_without_pixels_is_told_and_not_compared():
    (change,) = compare_figures([figure("a")], [figure("a", size=(4, 70))])
    assert (change.kind, change.share, change.difference) == ("size", None, None)
    assert kinds([figure("a", data=b"<svg/>")], [figure("a", data=b"<svg />")]) == ["unlike"]


def test_other_bytes_of_the_same_pixels_are_the_same_figure():
    assert kinds([figure("a")], [figure("a", data=figure("a").data + b"more")]) == ["same"]


# --- what it is tried on ---------------------------------------------------------------------


def test_golden_shots_of_the_sidecar_stand_in_for_shots_that_are_not_given(factory, coordinator):
    for number in (2, 3):
        factory.shot(number)
    coordinator.sync_shots()
    plain = read_template(factory.template("plain", "1"))
    golden = read_template(factory.template("probe", "1", sidecar="golden = [1, 3]"))
    of = [golden_subjects(coordinator.catalogue, t, None) for t in (plain, golden)]
    assert of == [[Subject.shot(3)], [Subject.shot(1), Subject.shot(3)]]
    assert golden_subjects(coordinator.catalogue, golden, "2") == [Subject.shot(2)]


def test_days_and_ranges_are_named_as_people_name_them(factory, coordinator):
    factory.shot(2, date="2026-11-23T10:00:00")
    coordinator.sync_shots()
    daily = read_template(
        factory.template("daily", "1", parameters='day: str = "x"', sidecar="scope = 'day'")
    )
    ranged = read_template(
        factory.template(
            "ranged", "1", parameters="first: int = 1\nlast: int = 2", sidecar="scope = 'range'"
        )
    )

    def named(template, text):
        return [s.key for s in golden_subjects(coordinator.catalogue, template, text)]

    assert named(daily, "2026-11-22, latest") == ["2026-11-22", "2026-11-23"]
    assert named(daily, "1..2") == ["2026-11-22", "2026-11-23"]
    assert named(ranged, "1..2,2..9") == ["00001..00002", "00002..00009"]
    with pytest.raises(ParameterError, match="range of shots"):
        named(ranged, None)


# --- the whole -------------------------------------------------------------------------------


def everything(root: Path) -> dict[str, str]:
    """Return the digest of each file that a preview must leave alone."""
    kept = [p for part in ("reports", "site", "templates_nb") for p in (root / part).rglob("*")]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept if p.is_file()}


def test_a_preview_lies_beside_the_published_report_and_touches_nothing_else(factory, call):
    factory.template("probe", TOOLS, GLUE.format(value=1.0), PLOT.format(y="red"))
    assert call("run", "--workers", "0")[0] == 0
    assert call("publish")[0] == 0
    root = factory.workspace.root
    factory.template(
        "probe",
        TOOLS,
        GLUE.format(value=1.3) + '\nglue("new", "<b>")\nshot_["Lang_I"].load();',
        PLOT.format(y="blue"),
    )
    before, reports = everything(root), call("reports", "--json")[1]
    code, out, _ = call("template", "test", "probe", "--shot", "1", "--workers", "0", "--json")
    assert (code, everything(root), call("reports", "--json")[1]) == (0, before, reports)

    told = json.loads(out)
    (part,) = told["subjects"]
    assert (told["verdict"], part["state_before"], part["state"]) == ("beyond", "ok", "ok")
    by_name = {s["name"]: (s["kind"], s["sigmas"]) for s in part["scraps"]}
    assert by_name == {
        "I": ("beyond", pytest.approx(3.0)),
        "new": ("new", None),
        "gas": ("same", None),
    }
    (drawn,) = part["figures"]
    assert drawn["kind"] == "differs"
    assert 0 < drawn["share"] < 0.5
    assert ("signal", "Lang_I", "not read") in {
        (i["what"], i["name"], i["before"]) for i in part["inputs"]
    }

    page = Path(told["page"])
    html = page.read_text()
    assert page == root / "trials" / "probe" / "index.html"
    assert "+3.0 σ" in html
    assert "&lt;b&gt;" in html
    shown = re.findall(r'(?:src|href)="([^":#]+)"', html)
    assert len([s for s in shown if s.endswith(".png")]) == 6  # each picture, and its link
    assert [s for s in shown if not (page.parent / s).is_file()] == []
    assert not any(s.startswith("..") for s in shown)
    assert "glue(&#34;I&#34;, 1.3" in html
    whole = (page.parent / "00001" / "index.html").read_text()
    shown = re.findall(r'(?:src|href)="([^":#]+)"', whole)
    assert [s for s in shown if not (page.parent / "00001" / s).is_file()] == []
    assert (root / "trials" / ".gitignore").read_text() == "*\n"
    assert sorted(p.name for p in (root / "trials").iterdir()) == [".gitignore", "probe"]


def test_a_preview_of_an_unchanged_template_says_that_nothing_changed(factory, call):
    factory.template("probe", TOOLS, GLUE.format(value=1.0), PLOT.format(y="red"))
    assert call("run", "--workers", "0")[0] == 0
    code, out, err = call(
        *("template", "test", "probe", "--workers", "0", "--fail-on-change", "0", "-o", "a.ipynb")
    )
    assert code == 0
    assert "shot 1: nothing changed; 0 of 1 figures differ" in out
    assert "[1/1] shot 1 probe ok" in err
    root = factory.workspace.root
    made = root / "trials" / "probe" / "00001" / "report.ipynb"
    assert (root / "a.ipynb").read_bytes() == made.read_bytes()
    assert code_difference(made, made) == ()


def test_a_change_fails_only_who_asks_for_it_and_a_failed_preview_always(factory, call):
    factory.template("probe", TOOLS, GLUE.format(value=1.0))
    assert call("run", "--workers", "0")[0] == 0
    factory.template("probe", TOOLS, GLUE.format(value=1.3))
    test = ("template", "test", "probe", "--workers", "0")
    assert call(*test, "--fail-on-change", "3.5")[0] == 0
    code, out, _ = call(*test, "--fail-on-change", "2.5")
    assert code == 1
    assert "+3.0 σ" in out
    factory.template("probe", TOOLS, "1 / 0")
    code, out, _ = call(*test)
    assert code == 1
    assert "failed: ZeroDivisionError" in out


def test_a_template_that_was_never_published_is_tried_all_the_same(factory, call):
    factory.template("probe", TOOLS, GLUE.format(value=1.0))
    code, out, _ = call("template", "test", "probe", "--workers", "0", "--fail-on-change", "0")
    assert code == 0
    assert "nothing published to compare with" in out
    assert "I    – → 1.00(10) A, new" in out.replace("\N{NO-BREAK SPACE}", " ")


def test_one_place_for_several_notebooks_is_refused(factory, call):
    factory.shot(2)
    factory.template("probe", "1")
    code, _, err = call("template", "test", "probe", "--shots", "1,2", "-o", "a.ipynb")
    assert code == 2
    assert "there are 2" in err
    assert not (factory.workspace.root / "trials").exists()
