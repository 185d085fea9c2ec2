"""Kernels that are ready in milliseconds: forked from a server that has imported everything.

::

    owner.py        starts the server, starts it again when it ends, takes it away
    server.py       the single-threaded process that forks kernels and hands them out
    preload.py      what it has imported, and whether that is still what lies on the disk
    kernel.py       what a forked process does until it is a kernel like any other
    lease.py        one kernel, held by a connection: when that closes, the kernel is gone
    provisioner.py  the same as a `jupyter_client` kernel provisioner
    processes.py    what the system offers so that no process is left behind

A kernel runs one notebook and is never used again.
"""

__all__ = ["folders", "lease", "owner", "processes", "provisioner", "server"]
