"""Jobs on the workers of a dask cluster: many machines that share the workspace's files.

::

    coordinator                              scheduler            worker, one job at a time
    a thread for each job on its way   ──→   finds a worker  ──→  checks that it sees the workspace,
    renames the report, notes it       ←──                   ←──  runs it with a warm kernel of its
                                                                  own, stages the report

**Nothing has two results.** The scheduler runs a job again when its worker was lost, and a worker
that was only cut off may finish it, too. So a worker leaves its report under a temporary name, and
only the coordinator renames the one that was reported to it; whatever else lies there goes with
the other leftovers.

::

    pool.py         the executor, and how it is opened
    connection.py   the way to the scheduler, which may be lost and found again
    worker.py       what a worker is sent, and what it checks before it works

`distributed` is imported with the first job.
"""
