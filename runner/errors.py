"""Exceptions of the factory.

::

    IshtarError
    ├── TemplateError (ValueError)       a template notebook or its sidecar cannot be used
    │   └── NoSuchTemplate (KeyError)
    ├── ParameterError (ValueError)      a parameter that the template does not accept
    ├── SettingsError (ValueError)       ishtar.toml has an invalid setting
    ├── Busy (RuntimeError)              another coordinator works on this workspace
    ├── ClusterError (ConnectionError)   the cluster that the settings name cannot be used
    ├── MissingExtra (ImportError)       an optional library that is not installed
    ├── ReportsNotMade (RuntimeError)    some reports of a run could not be made, all others were
    ├── WorkersLost (RuntimeError)       a job ended every worker that tried it
    └── CoordinatorsLost (RuntimeError)  a job ended every coordinator that ran it

`KernelKilled` stays within the factory, so it is no `IshtarError`.
"""

from __future__ import annotations

from ishtar.errors import IshtarError, WorkspaceError


class TemplateError(IshtarError, ValueError):
    """A template notebook or its sidecar cannot be used.

    ``problems`` lists all problems, one text each.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NoSuchTemplate(TemplateError, KeyError):
    """There is no template with this name."""


class ParameterError(IshtarError, ValueError):
    """A template does not accept some parameters; the message lists all of them."""


class SettingsError(WorkspaceError):
    """``ishtar.toml`` has an invalid setting."""


class Busy(IshtarError, RuntimeError):
    """Another coordinator works on this workspace."""


class ClusterError(IshtarError, ConnectionError):
    """The cluster is unreachable, was lost, or does not see the workspace."""


class MissingExtra(IshtarError, ImportError):
    """An optional library that is not installed; ``extra`` is what installs it."""

    def __init__(self, library: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{library} is not installed: pip install 'ishtar-testbed[{extra}]'")


class ReportsNotMade(IshtarError, RuntimeError):
    """Some reports of a run could not be made, not even as failed; all others were."""


class WorkersLost(IshtarError, RuntimeError):
    """A job ended every worker that tried it; it is not retried automatically."""


class CoordinatorsLost(IshtarError, RuntimeError):
    """A job ended every coordinator that ran it; it is not retried automatically."""


class KernelKilled(Exception):
    """The kernel was killed by a SIGKILL that the engine did not send."""
