"""Warm kernels: they are what a fresh kernel is, and nothing is left of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runner.kernel.warm import owner
from runner.kernel.warm.lease import Lease, WarmKernelError
from runner.kernel.warm.owner import WarmServer
from runner.kernel.warm.processes import kill_tree
from tests.factory.warm_fakes import alive, execute, kernels_from, printed, soon

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not owner.available(), reason="kernels are not forked here"),
]

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
"""
OWNER = """
import asyncio, os, sys, time
from runner.kernel.warm.lease import Lease
from runner.kernel.warm.owner import WarmServer

async def main():
    server = WarmServer()
    server.start()
    lease = Lease(server.address)
    await lease.order(cwd=".", env=dict(os.environ))
    print(server.pid, lease.pid, server.address, flush=True)
    time.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[WarmServer]:
    """Give a server with two kernels ready."""
    with WarmServer(spare=2) as found:
        found.start()
        yield found


@pytest.fixture
def server(shared: WarmServer) -> Iterator[WarmServer]:
    """Let notebooks take their kernels from the shared server."""
    with kernels_from(shared.address):
        yield shared


def files_of(pid: int) -> set[str]:
    """Return the pipes, sockets and files that a process has open, by what they are."""
    links = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.add(os.readlink(link))
        except FileNotFoundError:  # it was the listing itself
            continue
    return links - {"/dev/null"}


def test_figures_appear_as_png(server, tmp_path):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    notebook = execute(tmp_path, code, "1")
    outputs = notebook.cells[0].outputs
    assert [o.output_type for o in outputs] == ["display_data"], notebook
    assert outputs[0].data["image/png"].startswith("iVBOR")


def test_execution_counts_begin_at_one_and_no_name_comes_from_another_notebook(server, tmp_path):
    for _ in range(2):
        notebook = execute(tmp_path, "print('x' in globals())", "x = 1")
        assert [c.execution_count for c in notebook.cells] == [1, 2]
        assert printed(notebook) == "False"


def test_each_notebook_has_a_process_of_its_own_with_random_numbers_of_its_own(server, tmp_path):
    code = "import os, random, numpy as np\nprint(os.getpid(), random.random(), np.random.rand())"
    numbers = [printed(execute(tmp_path, code)).split() for _ in range(3)]
    for column in zip(*numbers, strict=True):
        assert len(set(column)) == 3


def test_folder_and_environment_are_those_of_the_notebook(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ISHTAR_TEST_HERE", "later than the server")
    folder = tmp_path / "a folder"
    folder.mkdir()
    code = (
        "import os\nprint(os.getcwd(), os.environ['ISHTAR_TEST_HERE'], os.environ['OWN'], sep='|')"
    )
    notebook = execute(folder, code, kernel_env={"OWN": "ä\udcff"})
    assert printed(execute(folder, "import os\nprint(ascii(os.environ.get('OWN')))")) == "None"
    assert (
        printed(notebook)
        .encode("utf-8", "replace")
        .startswith(f"{folder.resolve()}|later than the server|ä".encode())
    )


def test_a_kernel_shares_no_pipe_socket_or_data_file_with_the_server_or_another(server, tmp_path):
    assert len(os.listdir(f"/proc/{server.pid}/task")) == 1
    code = (
        "import h5py, os, threading\n"
        "print(os.getpid(), h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE))"
    )

    async def two() -> tuple[set[str], set[str]]:
        leases = [Lease(server.address) for _ in range(2)]
        for lease in leases:
            await lease.order(cwd=str(tmp_path), env=dict(os.environ))
        found = [files_of(lease.pid) for lease in leases]
        for lease in leases:
            lease.close()
        return found[0], found[1]

    first, second = asyncio.run(two())
    anonymous = {f for f in first & second if not f.startswith("anon_inode")}
    assert {f for f in anonymous if f.startswith(("socket:", "pipe:"))} == set()
    ours = {f for f in files_of(server.pid) & first if not f.startswith("anon_inode")}
    assert ours == set()
    assert not [f for f in files_of(server.pid) if f.endswith((".h5", ".hdf5"))]
    assert printed(execute(tmp_path, code)).split()[1] == "0"


def test_sockets_are_files_that_only_the_owner_can_reach(server, tmp_path):
    folder = Path(server.address).parent
    assert stat.S_IMODE(folder.stat().st_mode) & 0o777 == 0o700
    code = "from ipykernel.kernelapp import IPKernelApp\napp = IPKernelApp.instance()\n"
    code += "print(app.transport, app.ip)"
    transport, prefix = printed(execute(tmp_path, code)).split()
    assert transport == "ipc"
    assert Path(prefix).parent == folder
    assert len(prefix) < 100


def test_what_a_notebook_leaves_running_ends_with_it_even_in_a_session_of_its_own(server, tmp_path):
    execute(tmp_path, DAEMON, "import os; os._exit(0)")
    execute(tmp_path, DAEMON)
    assert soon(lambda: sum(alive(p.pid) for p in psutil.Process(server.pid).children(True)) <= 2)


def test_who_speaks_nonsense_or_leaves_at_once_harms_nobody(server, tmp_path):
    pid = server.pid
    for said in (b"", b"\n", b"[]\n", b'{"cwd": 1}\n', b'{"cwd": "", "env": 3}\n', b"\xff\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(server.address)
            connection.sendall(said)
    for code in ("1", DAEMON, "import os; os._exit(0)"):  # given up while its kernel is buried
        for _ in range(5):
            execute(tmp_path, code)
    assert printed(execute(tmp_path, "print(6 * 7)")) == "42"
    assert server.pid == pid


@pytest.mark.long
def test_a_changed_module_makes_the_server_new_and_no_lease_is_lost(tmp_path):
    # Python imports it at its start, the server as well
    module = tmp_path / "sitecustomize.py"
    module.write_text("VERSION = 'old'")
    code = "import sitecustomize\nprint(sitecustomize.VERSION)"

    async def held(address: str) -> Lease:
        lease = Lease(address)
        await lease.order(cwd=str(tmp_path), env=dict(os.environ))
        return lease

    with WarmServer(environment={"PYTHONPATH": str(tmp_path)}) as server:
        server.start()
        with kernels_from(server.address):
            assert printed(execute(tmp_path, code)) == "old"
            lease, pid = asyncio.run(held(server.address)), server.pid
            module.write_text("VERSION = 'the new one'")
            assert printed(execute(tmp_path, code)) == "the new one"
            assert server.pid == pid
            assert lease.poll() is None
            assert alive(lease.pid)
            lease.close()
            assert soon(lambda: not alive(lease.pid))


def test_nothing_is_left_when_the_owner_is_killed(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server, kernel, address = process.stdout.readline().split()
        below = [p.pid for p in psutil.Process(int(server)).children(recursive=True)]
        assert int(kernel) in below
        process.kill()
    assert soon(lambda: not any(alive(p) for p in [int(server), *below]))
    assert soon(lambda: not Path(address).parent.exists())


LEFT_ALONE = """
import os, socket, sys
from pathlib import Path
from runner.kernel.warm import server

server.preload_required = server.preload_optional = list
server.Server._fork = lambda self: print("a kernel begins")
folder = Path(sys.argv[1])
os.chdir(folder.parent)
listener = socket.socket(socket.AF_UNIX)
listener.bind("server")
listener.listen()
server.Server(listener, folder, spare=1).run()
print(folder.exists())
"""


def test_a_server_whose_owner_went_while_it_imported_begins_no_kernel(tmp_path):
    folder = tmp_path / "of the server"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE, folder],
        stdin=subprocess.DEVNULL,  # its end is the end of the owner
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n") == ["False", ""]


def test_kernels_die_with_a_server_that_is_killed_and_its_owner_starts_it_again(tmp_path):
    with WarmServer() as server:
        server.start()
        with kernels_from(server.address):
            first = int(printed(execute(tmp_path, "import os\nprint(os.getppid())")))
            below = psutil.Process(first).children()
            os.kill(first, signal.SIGKILL)
            assert soon(lambda: not any(alive(p.pid) for p in below))
            second = int(printed(execute(tmp_path, "import os\nprint(os.getppid())")))
    assert first != second


def test_a_process_that_leads_no_group_is_killed_with_what_is_below_it():
    below = "import subprocess; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); "
    with subprocess.Popen(
        [sys.executable, "-c", below + "p.wait()"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        kill_tree(process.pid)
        assert process.wait(120) == -signal.SIGKILL
    assert soon(lambda: not alive(child))


def test_where_no_server_can_run_notebooks_run_on_ordinary_kernels(tmp_path, caplog):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    with WarmServer(environment={"PYTHONPATH": str(tmp_path)}) as server:
        server.start()
        with kernels_from(server.address):
            assert printed(execute(tmp_path, "print(6 * 7)")) == "42"
        with pytest.raises(WarmKernelError, match="cold"):
            Lease(server.address)
    assert "kernels start cold" in caplog.text
    assert "Traceback" not in caplog.text  # the report is made: a line will do


def test_warm_and_cold_kernels_give_the_same(server, tmp_path):
    code = (
        "import os, numpy as np, matplotlib as mpl\n"
        "print(mpl.get_backend(), mpl.rcParams['figure.dpi'], np.geterr(), os.getcwd())\n"
        "print(sorted(k for k in globals() if not k.startswith('_')))\n"
        "a = np.random.default_rng(1).normal(size=(50, 50))\nprint(np.linalg.inv(a).sum().hex())"
    )
    # but for what Jupyter's launcher and debugger say to themselves
    theirs = {"JPY_PARENT_PID", "IPYTHONDIR", "LC_CTYPE", "PYDEVD_USE_FRAME_EVAL"}
    keys = f"print(sorted(set(os.environ) - {theirs}))"
    warm = execute(tmp_path, code, keys, kernels="warm")
    assert printed(warm) == printed(execute(tmp_path, code, keys, kernels="cold"))


def test_jupyter_can_ask_for_one_by_name(server, tmp_path, monkeypatch):
    from jupyter_client.manager import start_new_kernel

    folder = tmp_path / "kernels" / "ishtar"
    folder.mkdir(parents=True)
    stanza = {"kernel_provisioner": {"provisioner_name": "ishtar-warm"}}
    spec = {"display_name": "Warm", "language": "python", "argv": [], "metadata": stanza}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    manager, client = start_new_kernel(kernel_name="ishtar", cwd=str(tmp_path))
    try:
        said: list[str] = []

        def hook(message: dict) -> None:
            said.append(message["content"].get("text", ""))

        client.execute_interactive("import os; print(os.getcwd())", output_hook=hook, timeout=120)
        assert "".join(said).strip() == str(tmp_path.resolve())
        first = manager.provisioner.pid
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=120)
        assert manager.provisioner.pid != first
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert soon(lambda: not alive(first))


@pytest.mark.long
def test_thirty_notebooks_leave_no_process_thread_file_or_socket(server, tmp_path):
    folder = Path(server.address).parent

    def what_is_there() -> dict[str, int]:
        here, there = psutil.Process(), psutil.Process(server.pid)
        return {
            "files here": here.num_fds(),
            "threads here": here.num_threads(),
            "files there": there.num_fds(),
            "threads there": there.num_threads(),
            "kernels": len(there.children(recursive=True)),
            "sockets and folders": len(list(folder.iterdir())),
        }

    def grown(before: dict[str, int]) -> list[str]:
        return [f"{name}: {n}" for name, n in what_is_there().items() if n > before[name]]

    for _ in range(3):
        execute(tmp_path, "1")
    # the server's lock, socket, log and profile; and of each kernel that is ready five sockets with
    # a file that says where they are
    ready = {"kernels": 2, "sockets and folders": 4 + 2 * 6}
    assert soon(lambda: ready.items() <= what_is_there().items()), sorted(folder.iterdir())
    before = what_is_there()
    for k in range(30):
        assert printed(execute(tmp_path, f"print({k})")) == str(k)
    assert soon(lambda: not grown(before)), (before, grown(before))
