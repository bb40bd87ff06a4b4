"""Settings and API, as the commands need them."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.singer.tables import Table
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.planner import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A run up to its plan.

    Attributes:
        settings: the configuration, with what a catalog changes.
        tables: the tables of each stream.
        selection: the reports that the run would read.
    """

    settings: Settings
    tables: Sequence[Table]
    selection: Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The API and the settings.

    Attributes:
        settings: the configuration.
        client: the API.
        lookups: what it lists; no query batch is submitted for it.
        begin: begins a run up to its plan, with bookmarks and the file of a catalog; raises
            SettingsError for what is wrong, and logs what is doubtful.
    """

    settings: Settings
    client: Client
    lookups: Lookups
    begin: Callable[[dict[str, Any], str | None], Beginning]


class Connect(Protocol):
    """Reads the settings from files, or from the environment."""

    def __call__(
        self,
        paths: Sequence[str],
        *,
        needs_reports: bool,
        also: Mapping[str, Any] | None = None,
        first_place: int = 0,
    ) -> Connection:
        """Return settings and API.

        Args:
            paths: configuration files; `ENV` for the environment.
            needs_reports: whether a configuration without `queries` is a mistake.
            also: settings beside those of the files.
            first_place: of the first of `queries`, where they are to be added to others.
        """


class _Collector(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record's text."""
        self.texts.append(record.getMessage())


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect what would be logged as a warning or worse, instead of writing it."""
    ours, collector = logging.getLogger("tap_supermetrics"), _Collector()
    ours.addHandler(collector)
    # Else the handlers of the root would write it too.
    was, ours.propagate = ours.propagate, False
    try:
        yield collector.texts
    finally:
        ours.removeHandler(collector)
        ours.propagate = was
