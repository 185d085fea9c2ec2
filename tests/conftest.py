"""What tests of the library share: a small workspace whose truth is known."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ishtar.calibration import Declarations, load_declarations
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from tests.library_fakes import write_workspace

# How fast a machine is says nothing about the code: no test fails for being slow.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Let the many processes that tests start read bytecode, also where none is to be written.

    Such a Python compiles all that it imports each time: a server of kernels takes three times as
    long to start. The bytecode lies with pytest's cache, not beside the sources.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = str(config.rootpath / ".pytest_cache" / "bytecode")
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = folder
        sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests read of sites out of the user's cache, and send no credentials of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISHTAR_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("ISHTAR_TOKEN", raising=False)
        yield


@pytest.fixture(scope="session")
def stored_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Write the workspace once; nobody changes it."""
    return write_workspace(tmp_path_factory.mktemp("library") / "ws")


@pytest.fixture(scope="session")
def declared(stored_workspace: Workspace) -> Declarations:
    """Give what the workspace that nobody changes declares."""
    return load_declarations(stored_workspace.calibrations)


@pytest.fixture
def workspace(stored_workspace: Workspace, tmp_path: Path) -> Workspace:
    """Give a copy of the workspace that a test may change."""
    return Workspace.at(shutil.copytree(stored_workspace.root, tmp_path / "workspace"))


@pytest.fixture
def testbed(stored_workspace: Workspace) -> Testbed:
    """Give the testbed of the workspace that nobody changes; it has no catalogue."""
    return Testbed(stored_workspace)


@pytest.fixture(scope="session")
def published(stored_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Publish a copy of the workspace; nobody changes it."""
    from tests.remote_fakes import write_published  # which few tests need

    return write_published(stored_workspace, tmp_path_factory.mktemp("published") / "ws")


@pytest.fixture(scope="session")
def site_address(published: Workspace) -> Iterator[str]:
    """Serve what was published, as `ishtar serve` or nginx does; give the address."""
    from tests.remote_fakes import serving, serving_by_nginx

    by_nginx = os.environ.get("ISHTAR_TEST_SERVER") == "nginx"
    with (serving_by_nginx if by_nginx else serving)(published.root / "www") as address:
        yield address


@pytest.fixture
def near_tb(published: Workspace) -> Testbed:
    """The workspace."""
    return Testbed(published)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one test alone, empty."""
    monkeypatch.setenv("ISHTAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def site_folder(published: Workspace) -> Path:
    """The folder of the site."""
    return Path(published.root / "www" / "sub" / "path")
