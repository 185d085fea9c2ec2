"""The imports of a worker process before its first job; the fork server preloads this module."""

import nbconvert
import papermill
import scrapbook

import runner.execution.execute
import runner.render.notebook

__all__ = ["nbconvert", "papermill", "runner", "scrapbook"]
