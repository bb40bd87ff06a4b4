"""The page: style, script and data in one file. Its script draws the data, as text."""

from __future__ import annotations

import json
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.page.run_json import RunHead
from tap_supermetrics.page.shards import as_one, current_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tap_supermetrics.page.run_json import Failure, ReportPart, RunJson

MAX_EXAMPLES: Final = 50
"""Most accounts that are named below each cause."""
_OF_A_RUN: Final = tuple(
    each for each in RunHead.__struct_fields__ if each not in {"format", "ended_at"}
)
"""Fields of each run that the page shows."""
# No text in the data ends the script, or a line of it.
_ESCAPED: Final = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def html_of(
    newest_first: Sequence[RunJson], now: datetime, reports: Iterable[ReportPart] = ()
) -> str:
    """Return the page.

    Args:
        newest_first: the runs.
        now: when it is made, with offset.
        reports: the days of reports that are newer than the runs'.
    """
    # By one name for all: each run counts, whatever it read.
    last = current_runs(newest_first, lambda _: ("",)).get("", [])
    data = {
        "made": f"{now:%Y-%m-%d %H:%M} UTC",
        "runs": [
            {name: getattr(each, name) for name in _OF_A_RUN} | {"is_last": each in last}
            for each in newest_first
        ],
        "reports": _reports(newest_first, reports),
        "causes": _causes(newest_first),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
    page = files(__package__)
    return Template((page / "page.html").read_text(encoding="utf-8")).substitute(
        style=(page / "page.css").read_text(encoding="utf-8"),
        script=(page / "page.js").read_text(encoding="utf-8"),
        data=text,
    )


def _reports(newest_first: Iterable[RunJson], better: Iterable[ReportPart]) -> list[dict[str, Any]]:
    """Return each report of the newest run that had it, with accounts as triples."""
    found: dict[str, dict[str, Any]] = {part.name: _part_to_json(part, "") for part in better}
    for name, runs in current_runs(newest_first, _names_of_parts).items():
        parts = [part for run in runs for part in run.reports if part.name == name]
        found.setdefault(name, _part_to_json(as_one(parts), runs[0].started_at))
    return [*found.values()]


def _names_of_parts(run: RunJson) -> list[str]:
    return [part.name for part in run.reports]


def _part_to_json(part: ReportPart, of_run: str) -> dict[str, Any]:
    accounts = [(each.account_id, each.days, each.account_name) for each in part.accounts]
    shown: dict[str, Any] = msgspec.to_builtins(part)
    return {**shown, "accounts": accounts, "as_of": of_run}


def _causes(newest_first: Iterable[RunJson]) -> list[dict[str, Any]]:
    """Return why queries failed in the newest run of each report, the most frequent cause first."""
    causes: dict[tuple[str, str], dict[str, Any]] = {}
    for name, runs in current_runs(newest_first, _names).items():
        for failure in (each for run in runs for each in run.failures if each.report == name):
            _count(causes, failure)
    return sorted(causes.values(), key=lambda cause: -cause["queries"])


def _names(run: RunJson) -> list[str]:
    return [*_names_of_parts(run), *(failure.report for failure in run.failures)]


def _count(causes: dict[tuple[str, str], dict[str, Any]], failure: Failure) -> None:
    alike = (failure.code, failure.advice or failure.message)
    cause = causes.setdefault(
        alike,
        {
            "code": failure.code,
            "message": failure.message,
            "advice": failure.advice,
            "queries": 0,
            "places": 0,
            "examples": [],
        },
    )
    cause["queries"] += failure.queries
    cause["places"] += 1
    if len(cause["examples"]) < MAX_EXAMPLES:
        cause["examples"].append([failure.report, failure.account_id, failure.days])
