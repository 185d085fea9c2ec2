"""Kernels that are ready in milliseconds, forked from a server that has imported everything.

::

    owner.py        starts the server, restarts it when it ends, closes it
    server.py       the single-threaded process that forks kernels and leases them
    preload.py      imports modules for the server, and detects changes of their files
    kernel.py       turns a forked process into an ordinary kernel
    lease.py        one kernel, tied to a connection: the kernel ends when that closes
    provisioner.py  leases as a `jupyter_client` kernel provisioner
    folders.py      private folders for sockets, removed even after a crash
    processes.py    finds and kills processes, so that none is left behind

A kernel runs one notebook and is never reused.
"""

__all__ = ["folders", "lease", "owner", "processes", "provisioner", "server"]
