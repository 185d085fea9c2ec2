"""Run jobs on the workers of a dask cluster: many machines that share the workspace's files.

::

    coordinator                              scheduler            worker, one job at a time
    one thread for each sent job       ──→   finds a worker  ──→  checks that it sees the workspace,
    renames the report, notes it       ←──                   ←──  runs it with a warm kernel of its
                                                                  own, stages the report

**Each job has one result.** The scheduler runs a job again when its worker was lost, and a worker
that was only disconnected may finish it, too. So a worker leaves its report under a temporary name,
and the coordinator renames only the one that was returned to it; the rest is removed with the other
leftovers.

::

    cluster_pool.py     the executor, and how to open it
    connection.py       the connection to the scheduler, with reconnects
    cluster_worker.py   what a worker receives, and its checks before a job

`distributed` is imported with the first job.
"""

__all__ = ["cluster_pool"]
