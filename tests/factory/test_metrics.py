"""What the service counts can be read by Prometheus."""

from __future__ import annotations

import math
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ishtar.workspace import Workspace
from runner.errors import SettingsError
from runner.ingest.ingest_outcome import Outcome
from runner.service.metrics import FAMILIES, Metrics, serve
from runner.service.observe import ServiceObserver
from runner.settings.file import address_of, read_settings

pytestmark = pytest.mark.whole

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
DESK = {
    "running": [{"subject": "00001"}],
    "waiting": {"live": 1, "person": 0, "backfill": 7},
    "shots_to_plan": 3,
    "finished": {},
}


def samples(text: str) -> dict[tuple[str, str], float]:
    """Read the text format strictly; each sample by its name and labels."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))", line)
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        found[match[1], match[2] or ""] = float(match[3])
    assert text.endswith("\n")
    return found


def test_counters_add_up_and_gauges_are_what_was_put_last():
    metrics = Metrics()
    metrics.count("ishtar_reports_total", state="ok", template="overview")
    metrics.count("ishtar_reports_total", state="ok", template="overview")
    metrics.count("ishtar_reports_total", state="failed", template="overview")
    metrics.put("ishtar_running", 4)
    metrics.put("ishtar_running", 2)
    found = samples(metrics.text())
    assert found["ishtar_reports_total", 'state="ok",template="overview"'] == 2
    assert found["ishtar_reports_total", 'state="failed",template="overview"'] == 1
    assert found["ishtar_running", ""] == 2


def test_a_histogram_counts_everything_up_to_each_limit():
    metrics = Metrics()
    for seconds in (0.05, 0.1, 3.0, 1e4):
        metrics.observe("ishtar_ingest_duration_seconds", seconds)
    found = samples(metrics.text())
    name = "ishtar_ingest_duration_seconds"
    buckets = [v for (n, _), v in found.items() if n == f"{name}_bucket"]
    assert buckets == sorted(buckets)
    assert found[f"{name}_bucket", 'le="0.1"'] == 2
    assert found[f"{name}_bucket", 'le="5.0"'] == 3
    assert found[f"{name}_bucket", 'le="+Inf"'] == found[f"{name}_count", ""] == 4
    assert found[f"{name}_sum", ""] == pytest.approx(10003.15)


def test_names_with_quotes_backslashes_and_newlines_stay_one_label():
    metrics = Metrics()
    metrics.count("ishtar_reports_total", state="ok", template='a"b\\c\nd')
    line = next(s for s in metrics.text().splitlines() if s.startswith("ishtar_reports_total"))
    assert line == r'ishtar_reports_total{state="ok",template="a\"b\\c\nd"} 1.0'
    assert len(samples(metrics.text())) == 1


def test_a_label_that_is_not_declared_is_an_error():
    with pytest.raises(ValueError, match="Incorrect label names"):
        Metrics().count("ishtar_reports_total", template="overview")
    with pytest.raises(ValueError, match="No label names"):
        Metrics().put("ishtar_running", 1, template="overview")


def test_what_nothing_was_said_of_is_not_zero():
    metrics = Metrics()
    metrics.put("ishtar_running", 0)
    assert samples(metrics.text()) == {("ishtar_running", ""): 0.0}


def test_every_metric_says_what_it_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert [f.name for f in FAMILIES if f"`{f.name}`" not in page] == []


def test_prometheus_gets_the_text_at_metrics_and_nothing_elsewhere():
    metrics = Metrics()
    metrics.put("ishtar_running", 1)
    with serve("127.0.0.1", 0, metrics.registry) as address:
        with urllib.request.urlopen(address, timeout=120) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            assert samples(answer.read().decode()) == {("ishtar_running", ""): 1.0}
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(address.replace("/metrics", "/"), timeout=120)
        error.value.close()
        assert error.value.code == 404
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=120)


def test_the_service_fills_the_metrics(factory):
    with ServiceObserver(factory.workspace, "127.0.0.1:0") as observer:
        factory.template("short", "a = 1")
        done = factory.run("short", kernels="cold")
        observer.report_made(done)
        source = Path("00002_Data.tdms")
        observer.ingested(Outcome(status="stored", source=source, shots=[2], seconds=0.3))
        observer.new_shot()
        held = factory.workspace.quarantine
        held.mkdir(parents=True)
        (held / "x.reason.json").write_text("{}")
        observer.ingested(Outcome(status="quarantined", source=Path("x")))
        with observer.publishing():
            pass
        observer.poll_done(DESK, {})
        with urllib.request.urlopen(observer.status_writer.holder.metrics, timeout=120) as answer:
            found = samples(answer.read().decode())
    assert found["ishtar_reports_total", 'state="ok",template="short"'] == 1
    assert found["ishtar_report_duration_seconds_sum", 'template="short"'] == pytest.approx(
        done.receipt.duration_s
    )
    assert found["ishtar_shots_ingested_total", ""] == 1
    assert found["ishtar_files_total", 'outcome="quarantined"'] == 1
    assert found["ishtar_quarantined_files", ""] == 1
    assert found["ishtar_waiting", 'priority="backfill"'] == 7
    assert found["ishtar_running", ""] == 1
    assert found["ishtar_publish_duration_seconds_count", ""] == 1
    assert 0 < found["ishtar_disk_free_bytes", ""] < math.inf


def test_files_in_quarantine_are_those_that_are_there(factory):
    """Only the service's own quarantining was counted: emptying the folder changed nothing."""
    folder = factory.workspace.quarantine
    folder.mkdir(parents=True)
    with ServiceObserver(factory.workspace, "file") as observer:
        for names in (["x", "y"], ["y"], []):
            for path in folder.iterdir():
                path.unlink()
            for name in names:
                (folder / name).write_text("")
                (folder / f"{name}.reason.json").write_text("{}")
            observer.poll_done(DESK, {})
            text = Path(observer.status_writer.holder.metrics).read_text()
            assert samples(text)["ishtar_quarantined_files", ""] == len(names)


def test_metrics_can_be_a_file_for_the_node_exporter(factory):
    with ServiceObserver(factory.workspace, "file") as observer:
        observer.poll_done(DESK, {})
    path = factory.workspace.root / "data" / "metrics.prom"
    assert samples(path.read_text())["ishtar_shots_to_plan", ""] == 3


def test_a_port_that_is_taken_is_said_and_the_service_goes_on(factory, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with ServiceObserver(factory.workspace, where) as observer:
            observer.poll_done(DESK, {})
            assert observer.status_writer.holder.metrics == ""
    assert f"cannot serve metrics at {where}" in caplog.text
    assert "change [watch] metrics" in caplog.text


def test_addresses_are_host_and_port():
    assert address_of("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert address_of("[::1]:9464") == ("::1", 9464)


@pytest.mark.parametrize("wrong", ["9464", "localhost:", "localhost:x", ":9464", "h:70000"])
def test_an_address_that_is_none_is_an_error_of_the_settings(tmp_path, wrong):
    (tmp_path / "ishtar.toml").write_text(f"[watch]\nmetrics = '{wrong}'\n")
    with pytest.raises(SettingsError, match=r"must be like '127.0.0.1:9464'"):
        read_settings(Workspace.at(tmp_path))
