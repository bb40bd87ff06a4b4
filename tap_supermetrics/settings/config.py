"""The configuration: its settings, each declared once, checked whole and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import WHOLE, Shard, kinds
from tap_supermetrics.model.declared import declared, setting
from tap_supermetrics.redaction import without_key
from tap_supermetrics.settings.entries import (
    ENTRY_SCHEMA,
    OVERRIDABLE,
    check_log_name,
    check_report_names,
    check_unknown,
    read_report,
)
from tap_supermetrics.settings.reading import Mistakes, check_nulls, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.model import Report

DEFAULT_API_URL: Final = "https://api.supermetrics.com/enterprise/v2"
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


class Mode(str, Enum):
    """The ways to submit queries."""

    AUTO = "auto"
    BATCH = "batch"
    ASYNC = "async"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, checked; the settings of reports are in these.

    Attributes:
        given: names of the settings that are given at the top level.
    """

    given: frozenset[str] = field(default=frozenset(), compare=False)
    api_key: str = setting(
        kinds.key(),
        "API key of Supermetrics. Sent only in the Authorization header, to `api_url`.",
        required=True,
    )
    api_url: str = setting(
        kinds.address(),
        "Base address of the API.",
        default=DEFAULT_API_URL,
    )
    reports: tuple[Report, ...] = setting(
        kinds.entries(ENTRY_SCHEMA),
        "The reports to load; each entry becomes one stream.",
        required=True,
        name="queries",
    )
    mode: Mode = setting(
        kinds.one_of(Mode),
        "`batch`: ask by query batches. `async`: ask query by query, which may run up to four hours"
        " each. `auto`: by query batches, and query by query where the key has no batches or a "
        "batch cannot finish a query in time.",
        default="auto",
    )
    max_running_batches: int = setting(
        kinds.whole(1, 2),
        "Query batches kept running at the same time. The API runs at most two.",
        default=2,
    )
    max_running_queries: int = setting(
        kinds.whole(1, 50),
        "Queries kept running at the same time where they are asked query by query.",
        default=10,
    )
    batch_description: str | None = setting(
        kinds.text(),
        "Text that the vendor's pages show beside each query batch.",
    )
    shard: Shard = setting(
        kinds.shard(),
        "Which of several runs this is, such as `2/5`: of the accounts of every report it takes "
        "the second of five shares. Each run needs a state of its own.",
        unset=WHOLE,
    )
    max_queries_per_run: int | None = setting(
        kinds.whole(1, 10_000_000),
        "Most queries that one run asks; the next run goes on. Spent on the last days of what is "
        "loaded, then in `backfill_order`, over all reports.",
    )
    max_rows_per_run: int | None = setting(
        kinds.whole(1, 1_000_000_000),
        "When so many rows were fetched, the run asks nothing more; the next run goes on. Queries "
        "on their way may exceed it.",
    )
    requests_per_second: float = setting(
        kinds.number(0.01, 1000),
        "Most requests to the API in a second, by all of the tap together.",
        default=15,
    )
    journal_dir: str | None = setting(
        kinds.folder(),
        "Folder in which a run notes what it submits, so that after a pipeline was killed, which "
        "leaves no state, the next run collects what the API still holds and pays for nothing "
        "twice. Holds no key. Set by the plugin definition for Meltano; empty: no journal.",
        in_meltano="$MELTANO_PROJECT_ROOT/.meltano/tap-supermetrics-journal",
    )
    report_dir: str | None = setting(
        kinds.folder(),
        "Folder in which every run leaves a JSON that tells how it went, for alerts, and one page "
        "for people, `index.html`: the last runs, failures with what to do, and a calendar of each "
        "account's days. Holds no key and no row; left out or empty: none.",
    )
    query_log: bool = setting(
        kinds.flag(),
        "Write one more stream, the query log: a record of each query that ended, with report, "
        "account, days, rows, times, error. By it SQL tells an empty day from a failed or missing "
        "one, and hides rows that are gone at the source (`tap-supermetrics sql`).",
        default=False,
    )
    query_log_name: str = setting(
        kinds.text("a name for a stream", r"[A-Za-z_][A-Za-z0-9_]*"),
        "Name of the query log.",
        default="supermetrics_query_log",
    )
    on_failure: Literal["fail_at_end", "continue", "stop"] = setting(
        kinds.choice("fail_at_end", "continue", "stop"),
        "When a query fails: `fail_at_end` loads all else and exits with 3, `continue` loads all "
        "else and exits with 0, `stop` ends the run at once.",
        default="fail_at_end",
    )

    @property
    def log_names(self) -> tuple[str, ...]:
        """Return the name of the query log; nothing where none is wanted."""
        return (self.query_log_name,) if self.query_log else ()

    @classmethod
    def connection_of(cls, config: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return `api_url` and `api_key`; None where they are wrong: `from_config` names why."""
        mistakes = Mistakes(config.get("api_key"))
        needed = [each for each in OF_THE_TAP if each.name in {"api_url", "api_key"}]
        values = read(config, needed, "", mistakes)
        _check_api_url(values["api_url"], mistakes)
        return None if mistakes else (values["api_url"], values["api_key"])

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], also_allowed: Sequence[str] = (), first_place: int = 0
    ) -> Settings:
        """Return a configuration as settings, checked whole.

        Args:
            config: what the user wrote.
            also_allowed: keys that are not the tap's, such as the SDK's own.
            first_place: of the first of `queries`, where they are to be added to others.

        Raises:
            SettingsError: with every mistake, each by its path.
        """
        mistakes = Mistakes(config.get("api_key"))
        known = [*(each.name for each in TOP_LEVEL), *also_allowed]
        check_unknown(config, known, "", mistakes)
        check_nulls(config, TOP_LEVEL, "", mistakes)
        values = read(config, TOP_LEVEL, "", mistakes)
        _check_api_url(values["api_url"], mistakes)
        # Taken out, as these are values of the reports and not of the configuration.
        of_all = {each.attribute: values.pop(each.attribute) for each in OVERRIDABLE}
        of_all |= {name: values[name] for name in ("batch_description", "shard")}
        entries = enumerate(values["reports"] or (), first_place)
        read_reports = [read_report(entry, place, of_all, mistakes) for place, entry in entries]
        reports = tuple(filter(None, read_reports))
        check_report_names(reports, mistakes)
        if values["query_log"] and values["query_log_name"]:
            check_log_name(values["query_log_name"], reports, mistakes)
        if mistakes:
            # Any text that a person wrote may contain the key, a name too.
            lines = dict.fromkeys(without_key(each, mistakes.key) for each in mistakes)
            raise SettingsError([*lines])
        given = frozenset(name for name, value in config.items() if value is not None)
        return cls(**values | {"reports": reports, "given": given})


def _check_api_url(url: str | None, mistakes: Mistakes) -> None:
    parts = urlsplit(url or DEFAULT_API_URL)
    if parts.scheme == "http" and parts.hostname not in _LOCAL_HOSTS:
        mistakes.append(
            f"api_url: expected an https address, got http for {parts.hostname}: "
            "the key would travel unencrypted"
        )
    if parts.username or parts.password:
        mistakes.append("api_url: expected an address without a user name or password")


OF_THE_TAP: Final = declared(Settings)
"""Settings of the top level only."""

# Readers look for these three first, then for the defaults of reports.
_NEEDED_FIRST: Final = ("api_key", "api_url", "queries")
TOP_LEVEL: Final = (
    *(each for each in OF_THE_TAP if each.name in _NEEDED_FIRST),
    *OVERRIDABLE,
    *(each for each in OF_THE_TAP if each.name not in _NEEDED_FIRST),
)
"""Every setting of the top level, in the order of the documentation."""


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the whole configuration."""
    return {
        "type": "object",
        "properties": {each.name: each.schema for each in TOP_LEVEL},
        "required": [each.name for each in TOP_LEVEL if each.is_required],
    }
