"""Whatever a cell puts out, its report is made, and so are all others."""

from __future__ import annotations

import pytest

from runner.kernel.messages import is_shallow, make_valid
from runner.receipts import Receipt

pytestmark = pytest.mark.whole

# Each is valid for the kernel, and no notebook could hold it as it comes.
ODD_DISPLAYS = {
    "an object of a kind without json": '{"application/vnd.x.json": {"a": 1}}',
    "a kind of which nobody has heard": '{"chemical/x-pdb": ["ATOM", 1]}',
    "a number for a text": '{"text/plain": 5}',
    "objects and lists for text": '{"text/plain": {"a": 1}, "text/html": 7, "image/png": [1, 2]}',
    "no picture": '{"image/png": None}',
    "nothing": "{}",
    "not a number": '{"application/json": float("nan")}',
    "a value nested hundreds deep": '{"application/json": deep(900)}',
    "kinds that are none": '{"": "z", "k" * 5000: "z", "no-slash": 3}',
}
# What the kernel itself would not send, but a cell can.
ODD_MESSAGES = {
    "display_data": ['{"data": "text"}', "{}", '{"data": {}, "transient": {"display_id": [1]}}'],
    "execute_result": ['{"data": {}, "metadata": 5, "execution_count": "x"}'],
    "stream": ['{"name": "other", "text": 5}', "{}"],
    "status": ["{}"],
    "comm_open": ["{}", '{"comm_id": "a", "target_name": "jupyter.widget", "data": {"state": 3}}'],
    "comm_msg": ['{"comm_id": "a"}'],
    "update_display_data": ['{"data": 3, "transient": {"display_id": {}}}'],
    "nonsense": ["{}"],
}
ODD_SCRAPS = {
    "another version": '{"name": "v", "data": {"a": 1}, "encoder": "nope"}',
    "brackets": '{"name": "b", "data": "[" * 100_000, "encoder": "json"}',
    "a large number": '{"name": "n", "data": 10**400, "encoder": "json"}',
    "a larger one than the catalogue holds": '{"name": "m", "data": 2**70, "encoder": "json"}',
    "a list": "[1]",
    "a long name": '{"name": "x" * 5000, "data": 1, "encoder": "json"}',
}
SCRAP = "application/scrapbook.scrap.json+json"


def test_no_output_ends_more_than_it_says(factory):
    cells = ["def deep(n):\n    return [deep(n - 1)] if n else 1"]
    cells += [f"display({bundle}, raw=True)\nprint('there')" for bundle in ODD_DISPLAYS.values()]
    send = "k = get_ipython().kernel\nk.session.send(k.iopub_socket, {!r}, {}, k.get_parent())"
    for kind, contents in ODD_MESSAGES.items():
        cells += [send.format(kind, content) + "\nprint('there')" for content in contents]
    factory.template("odd", *cells, "print('the end')")
    done = factory.run("odd")
    assert (done.receipt.state, done.receipt.reason) == ("ok", "")
    printed = [
        "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
        for cell in factory.notebook(done).cells
        if cell.cell_type == "code"
    ]
    assert all("there" in text for text in printed[3:-1])
    assert "the end" in printed[-1]


def test_an_odd_output_keeps_its_words(factory):
    factory.template("odd", 'display({"application/vnd.x.json": {"a": "é"}}, raw=True)')
    done = factory.run("odd")
    (output,) = factory.notebook(done).cells[-1].outputs
    assert output.data == {"application/vnd.x.json": '{"a": "é"}'}


def test_a_report_with_odd_scraps_and_one_that_spoils_its_kernel_end_no_other(factory, call):
    shows = [f"display({{{SCRAP!r}: {scrap}}}, raw=True)" for scrap in ODD_SCRAPS.values()]
    of_sigma = '{"name": "s", "data": 1, "encoder": "json"}'
    odd_sigma = 'metadata={"ishtar": {"sigma": 10**400, "unit": 3}}'
    factory.template("glues", *shows, f"display({{{SCRAP!r}: {of_sigma}}}, {odd_sigma}, raw=True)")
    garbage = "get_ipython().kernel.iopub_socket.send_multipart([b'garbage'])"
    factory.template("spoils", "print('before')", garbage, "print('after')")
    factory.template("other", "print('other')")
    code, out, err = call("run")
    assert "3 reports made" in out, out + err
    code, out, err = call("publish")
    assert code in (0, None), out + err
    found = {}
    for path in factory.workspace.reports.glob("00001/*/*"):
        found[path.parent.name] = Receipt.read(path)
    values = {s.name[:5]: s.value for s in found["glues"].scraps}
    assert values["n"] == "1" + "0" * 199
    assert values["m"] == float(2**70)
    assert values["xxxxx"] == 1
    assert all(s.sigma is None for s in found["glues"].scraps)
    assert found["spoils"].reason.startswith(
        "UnreadableMessage: what the kernel sent cannot be read"
    )
    assert found["spoils"].reason.endswith("(in code cell 3)")
    assert found["other"].state == "ok"


def test_what_a_program_prints_belongs_to_the_cell_that_started_it(factory, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it ipykernel leaves the streams alone
    # a long interval between threads: the one that reads the pipe comes late
    cells = [f"os.write({1 + k % 2}, b'line {k} \\xc3\\xa9\\n'); None" for k in range(24)]
    factory.template("writes", "import os, sys\nsys.setswitchinterval(1.0)", *cells)
    done = factory.run("writes", kernels="cold")
    written = [
        [(o.name, o.text) for o in cell.outputs] for cell in factory.notebook(done).cells[4:]
    ]
    names = ("stdout", "stderr")
    assert written == [[(names[k % 2], f"line {k} é\n")] for k in range(24)]


def test_cells_are_counted_as_their_author_counts_them(factory):
    factory.template("bad", "x = 1", "1 / 0")
    done = factory.run("bad")
    assert done.receipt.reason == "ZeroDivisionError: division by zero (in code cell 3)"
    cells = [c for c in factory.notebook(done).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == [1, None, 2, 3]
    assert "In[3]" in "".join(cells[-1].outputs[-1].traceback)


def test_the_number_of_the_running_cell_is_the_authors(factory):
    from papermill.engines import papermill_engines

    from runner.execution.notebooks import prepare
    from runner.templates.template import read_template

    path = factory.template("slow", "import time; time.sleep(0.5)")
    told = []
    papermill_engines.execute_notebook_with_engine(
        "ishtar",
        prepare(read_template(path), {"shot": 1}),
        "python3",
        progress_bar=False,
        folder=str(factory.workspace.root),
        cell_begins=lambda number, of: told.append((number, of)),
    )
    assert told[-1] == (2, 2)


def test_a_message_that_is_as_it_should_be_stays_as_it_is():
    content = {
        "data": {"text/plain": ["a\n", "b"], "application/x+json": {"a": [1]}},
        "metadata": {"a": {"b": 1}},
        "transient": {"display_id": "x"},
        "execution_count": 3,
    }
    message = {"msg_type": "execute_result", "content": content}
    before = repr(message)
    make_valid(message)
    assert repr(message) == before


def test_depth_is_counted_without_descending():
    value: object = 1
    for _level in range(50_000):
        value = [value]
    assert not is_shallow(value, 100)
    assert is_shallow([[[1]], {"a": [2]}], 3)
    assert not is_shallow([[[[1]]]], 3)
