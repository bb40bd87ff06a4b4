"""Meltano, run as a person runs it, with nothing of that person's own settings."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = ("MELTANO_", "TAP_SUPERMETRICS_", "TARGET_", "PIPELINEWISE_TARGET_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A Meltano project and the loader that the tap feeds there.

    Attributes:
        loader: name of the loader in `meltano.yml`.
        memory: folder of the system database, which holds the state between runs.
        project: folder of `meltano.yml`.
        environment: which of the environments of `meltano.yml` is used.
        env: settings of the plugins, as environment variables.
    """

    loader: str
    memory: Path
    project: Path = processes.PROJECT
    environment: str = "demo"
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_installed(self) -> bool:
        """Whether Meltano has the environments of both plugins."""
        plugins = self.project / ".meltano"
        tap = plugins / "extractors" / "tap-supermetrics" / "venv"
        return tap.exists() and (plugins / "loaders" / self.loader / "venv").exists()

    @property
    def catalog(self) -> Path:
        """The catalog of the last run."""
        return self.project / ".meltano" / "run" / "tap-supermetrics" / "tap.properties.json"

    def install(self) -> None:
        """Make the environments of both plugins."""
        self._meltano("install", "tap-supermetrics", self.loader)

    def install_loader(self) -> None:
        """Make the environment of the loader only."""
        self._meltano("install", self.loader)

    def run(self, *, end_date: str) -> str:
        """Load up to a day; gives Meltano's log."""
        return self._meltano(
            "run", "tap-supermetrics", self.loader, TAP_SUPERMETRICS_END_DATE=end_date
        )

    def _meltano(self, *arguments: str, **env: str) -> str:
        here = Path(sys.executable).parent
        fixed = {
            "MELTANO_PROJECT_ROOT": str(self.project),
            "MELTANO_DATABASE_URI": f"sqlite:///{self.memory / 'meltano.db'}",
            "MELTANO_CLI_LOG_FORMAT": "uncolored",
            "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        }
        if (here.parent / ".pip-only").exists():
            # `./dev` found that uv does not reach what pip does.
            fixed["MELTANO_VENV_BACKEND"] = "virtualenv"
        # A key or an address in the environment of whoever tries this must not be used.
        others = {name: os.environ[name] for name in os.environ if not name.startswith(_SETTINGS)}
        command = (str(here / "meltano"), f"--environment={self.environment}", *arguments)
        return processes.run(command, {**others, **fixed, **self.env, **env}, cwd=self.project)
