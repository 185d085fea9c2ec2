"""Publish the pages that a command has changed; the site has one writer at a time."""

from __future__ import annotations

from collections.abc import Sequence

from runner.monitoring.status import service_works
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.service.backfill import request_pages


def publish_or_request(coordinator: Coordinator, subjects: Sequence[Subject]) -> None:
    """Publish subjects, or request it from the service if one works on the workspace."""
    if service_works(coordinator.workspace):
        request_pages(coordinator.workspace, subjects)
        return
    from runner.publish import publish_workspace

    publish_workspace(coordinator, subjects)
