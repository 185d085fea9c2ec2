"""What lists say in short: failures alike, changes of many signals, ranges; files in order."""

from __future__ import annotations

import pytest

from runner.publish.changes import MAX_SIGNALS, changes
from runner.publish.quantities import range_text
from runner.publish.records import ShotRecord, WiringRow
from runner.publish.view import group_alike
from runner.publish.view_models import Failure, Link, Mark
from runner.publish.writer import MAX_PENDING, Writer
from runner.render.format import range_ends
from runner.render.sanitise import Document, clean_output

pytestmark = pytest.mark.whole


def failure(shot: int, template: str = "sound_speed", reason: str = "KeyError: 'He'") -> Failure:
    mark = Mark(
        template=template,
        title=template,
        state="failed",
        href=f"shots/{shot:05d}/{template}.html",
        reason=reason,
    )
    return Failure(mark=mark, subject=Link(href="", text=f"Shot {shot}"), started="")


def record(shot: int, n_missing: int) -> ShotRecord:
    wiring = [
        WiringRow(signal=f"s{k}", unit="V", problem="not recorded")
        if k < n_missing
        else WiringRow(signal=f"s{k}", unit="V", channel=f"c/{k}", device=f"d{k}", calibration="v1")
        for k in range(10)
    ]
    return ShotRecord(shot=shot, date=None, attributes={}, sources=(), wiring=wiring, components=())


def test_failures_of_one_template_for_one_reason_are_one_entry_that_names_the_others():
    first, other, third = group_alike(
        [failure(9), failure(8, reason="it took too long"), failure(7), failure(6, "langmuir")]
    )
    assert first.subject.text == "Shot 9"
    assert [(link.text, link.href) for link in first.alike] == [
        ("7", "shots/00007/sound_speed.html")
    ]
    assert not other.alike
    assert third.mark.template == "langmuir"


def test_a_signal_that_came_back_is_one_change_and_not_one_for_each_thing_it_is_made_of():
    (change,) = changes(record(7, 1), record(8, 0))
    assert (change.name, change.before, change.after) == ("s0", "not recorded", "available")


def test_many_signals_that_come_and_go_with_a_whole_file_are_one_change():
    many = MAX_SIGNALS + 1
    (back,) = changes(record(7, many), record(8, 0))
    assert back.name.startswith(f"{many} signals: s0, s1")
    assert (back.before, back.after) == ("not available", "available")
    (gone,) = changes(record(7, 0), record(8, many))
    assert (gone.before, gone.after) == ("available", "not available")


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        (5.8602, 5.8604, ("5.8602", "5.8604")),  # three digits would not tell them apart
        (0.064, 0.0641, ("0.0640", "0.0641")),
        (2.0, 30.0, ("2", "30")),
        (0.0, 0.0, ("0", "0")),
    ],
)
def test_ends_of_a_range_have_equal_decimals_and_differ_where_they_do(low, high, ends):
    assert range_ends(low, high) == ends


def test_a_range_of_one_value_is_that_value():
    assert range_text(0.0, 0.0) == "0"
    assert range_text(1.0, 2.0) == "1 … 2"


def test_heads_of_nothing_are_cells_and_tables_are_numbered():
    document = Document()
    frame = "<table><tr><th></th><th>T</th></tr><tr><th>1</th><td>2</td></tr></table>"
    html = "".join(str(clean_output(frame, document).html) for _ in range(2))
    assert html.count("<td></td>") == 2
    assert html.count("<th>T</th>") == 2
    assert 'aria-label="Table 1"' in html
    assert 'aria-label="Table 2"' in html


def test_new_files_are_there_before_a_page_that_changed_leads_to_them(tmp_path):
    (tmp_path / "index.html").write_text("old")
    writer = Writer.plain(tmp_path)
    writer.bytes("index.html", b"new", rank=3)
    for k in range(MAX_PENDING - 1):
        writer.bytes(f"shots/{k}.html", b"a")
    assert not (tmp_path / "shots" / "0.html").exists()
    writer.bytes("shots/last.html", b"a")
    assert (tmp_path / "shots" / "0.html").read_text() == "a"
    assert (tmp_path / "index.html").read_text() == "old"
    writer.bytes("shots/later.html", b"a")
    writer.switch()
    assert writer.written[-2:] == ["shots/later.html", "index.html"]
    assert (tmp_path / "index.html").read_text() == "new"
    assert not list(tmp_path.rglob(".tmp-*"))


def test_what_was_prepared_before_an_error_is_gone(tmp_path):
    writer = Writer.plain(tmp_path)
    writer.bytes("a.html", b"a")
    writer.drop_staged()
    assert [p.name for p in tmp_path.iterdir()] == []
