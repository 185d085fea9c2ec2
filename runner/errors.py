"""What can go wrong in the factory.

::

    IshtarError
    ├── TemplateError (ValueError)       a template notebook or its sidecar cannot be used
    │   └── NoSuchTemplate (KeyError)
    ├── ParameterError (ValueError)      a parameter that the template does not take
    ├── SettingsError (ValueError)       ishtar.toml says something that is not understood
    ├── Busy (RuntimeError)              another coordinator works on this workspace
    ├── ClusterError (ConnectionError)   the cluster that the settings name cannot be used
    ├── MissingExtra (ImportError)       an optional library that is not installed
    ├── ReportsNotMade (RuntimeError)    some reports of a run could not be made, all others were
    ├── WorkersLost (RuntimeError)       a job ended every worker that tried it
    └── CoordinatorsLost (RuntimeError)  a job ended every service that had it made
"""

from __future__ import annotations

from ishtar.errors import IshtarError, WorkspaceError


class TemplateError(IshtarError, ValueError):
    """A template notebook or its sidecar that cannot be used.

    ``problems`` are all that is wrong, one text each.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NoSuchTemplate(TemplateError, KeyError):
    """There is no template of that name."""


class ParameterError(IshtarError, ValueError):
    """Parameters that a template does not take; all of them in one text."""


class SettingsError(WorkspaceError):
    """``ishtar.toml`` says something that is not understood."""


class Busy(IshtarError, RuntimeError):
    """Another coordinator works on this workspace."""


class ClusterError(IshtarError, ConnectionError):
    """The cluster cannot be used: it is not reached, was lost, or does not see the workspace."""


class MissingExtra(IshtarError, ImportError):
    """An optional library that is not installed; ``extra`` is what installs it."""

    def __init__(self, library: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{library} is not installed: pip install 'ishtar-testbed[{extra}]'")


class ReportsNotMade(IshtarError, RuntimeError):
    """Reports of a run that nothing is left of, not even a failed one; all others were made."""


class WorkersLost(IshtarError, RuntimeError):
    """A job ended every worker that tried it; it is not tried again by itself."""


class CoordinatorsLost(IshtarError, RuntimeError):
    """A job ended every coordinator that had it made; it is not tried again by itself."""


class KernelKilled(Exception):
    """The kernel got a SIGKILL that was not ours."""
