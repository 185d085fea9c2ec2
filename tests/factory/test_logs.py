"""Logs can be one JSON object a line, which knows the shot and the job that it is about."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ishtar.workspace import Workspace
from runner.errors import SettingsError
from runner.monitoring import logs
from runner.receipts import Subject
from runner.scheduling.pool import open_pool
from runner.settings.file import read_settings

pytestmark = pytest.mark.whole

logger = logging.getLogger("a.logger")


@pytest.fixture
def as_json(capsys) -> Iterator[object]:
    """Configure JSON logs for a test; give what reads the lines that were written."""
    root = logging.getLogger()
    level = root.level
    logs.configure("json", logging.INFO)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    for handler in [h for h in root.handlers if isinstance(h, logs.Handler)]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_is_one_object_with_time_level_logger_and_message(as_json):
    logger.warning("two\nlines and %s", "ümläute")
    (line,) = as_json()
    assert (line["level"], line["logger"]) == ("warning", "a.logger")
    assert line["message"] == "two\nlines and ümläute"
    assert line["time"].endswith("Z")
    assert "shot" not in line


def test_what_is_bound_is_in_every_line_of_the_block_and_inner_blocks_add_to_it(as_json):
    with logs.bound(shot=7):
        with logs.bound(template="langmuir"):
            logger.info("inside")
        logger.info("between")
    logger.info("after")
    inside, between, after = as_json()
    assert (inside["shot"], inside["template"]) == (7, "langmuir")
    assert between["shot"] == 7
    assert "template" not in between
    assert "shot" not in after


def test_what_a_line_brings_goes_over_what_is_bound(as_json):
    with logs.bound(shot=7):
        logger.info("another", extra=logs.about(Subject.shot(8), "rf_power"))
    (line,) = as_json()
    assert line["shot"] == 8
    assert line["job"] == "00008/rf_power"
    assert line["subject"] == "00008"


def test_a_day_is_no_shot():
    assert logs.about(Subject.day("2026-11-22"), "day") == {
        "subject": "2026-11-22",
        "template": "day",
        "job": "2026-11-22/day",
    }


def test_a_traceback_stays_in_its_line(as_json):
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logger.exception("failed")
    (line,) = as_json()
    assert line["message"] == "failed"
    assert "ValueError: what went wrong" in line["exception"]


def test_configuring_again_takes_the_place_of_the_first(as_json, capsys):
    logs.configure("text", logging.INFO)
    assert logs.configured() == "text"
    logger.info("hello")
    assert capsys.readouterr().err.endswith("INFO a.logger: hello\n")


def say(text: str) -> None:
    with logs.bound(shot=3):
        logger.warning(text)


@pytest.mark.long
def test_workers_log_as_the_process_that_has_them(tmp_path):
    code = (
        "from runner.monitoring import logs; from runner.scheduling.pool import open_pool\n"
        "from tests.factory.test_logs import say\n"
        "if __name__ == '__main__':\n"
        "    logs.configure('json')\n"
        "    with open_pool(1, kernels='cold') as pool:\n"
        "        pool.submit(say, 'from a worker').result()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["message"], line["shot"]) for line in lines] == [("from a worker", 3)]


def test_the_form_is_a_setting_of_the_service(tmp_path):
    (tmp_path / "ishtar.toml").write_text("[watch]\nlog = 'json'\n")
    assert read_settings(Workspace.at(tmp_path)).watch.log == "json"
    (tmp_path / "ishtar.toml").write_text("[watch]\nlog = 'xml'\n")
    with pytest.raises(SettingsError, match="must be one of text, json"):
        read_settings(Workspace.at(tmp_path))


def test_a_worker_of_a_process_without_logs_is_left_as_it_is():
    assert logs.configured() is None
    with open_pool(1, kernels="cold") as pool:
        assert pool.submit(logs.configured).result() is None
