"""The form of the JSON of a run, as docs/page.md has it: names never change."""

from __future__ import annotations

import msgspec

FORMAT = 1


class AccountCalendar(msgspec.Struct, kw_only=True):
    """The days of an account after a run.

    Attributes:
        account_id: the account, or the accounts joined.
        account_name: its name, where the run learned it.
        days: a letter for each day from the report's first on; see `page.days`.
    """

    account_id: str
    account_name: str = ""
    days: str = ""


class ReportPart(msgspec.Struct, kw_only=True):
    """One report in a run: its queries and rows, and its days afterwards.

    Attributes:
        note: why there are no days; empty where there are.
        rows: written in this run.
        queries_done: queries of this run that gave a result.
        queries_failed: queries of this run that gave none.
        first: first day of the calendars.
        last: last day of the calendars.
        days: number of days with each letter, over all accounts.
    """

    name: str
    ds_id: str = ""
    note: str = ""
    rows: int = 0
    queries_done: int = 0
    queries_failed: int = 0
    first: str | None = None
    last: str | None = None
    days_done: int = 0
    days_empty: int = 0
    days_sampled: int = 0
    days_stale: int = 0
    days_failed: int = 0
    days_missing: int = 0
    accounts: list[AccountCalendar] = []


class Failure(msgspec.Struct, kw_only=True):
    """Queries of one report and account that failed for the same reason.

    Attributes:
        account_id: empty where the report has none, or could not be submitted at all.
        days: the days as ranges, in words.
        queries: how many failed; 0 where the report could not be submitted.
        code: the API's, or one of the tap's own; empty where there is none.
        message: what happened; empty where it might show a value of a row.
        advice: what to do.
    """

    report: str
    account_id: str = ""
    days: str = ""
    queries: int = 0
    code: str = ""
    message: str = ""
    advice: str = ""


class RunHead(msgspec.Struct, kw_only=True):
    """The outcome of a run, without its reports.

    Attributes:
        exit_code: as the process ended.
        message: why it ended so; empty for 0.
        shard: which share of the accounts it took, such as `2/5`; empty where it took all.
        queries: those that the API accepted, which count against the quota.
    """

    format: int = FORMAT
    run_id: str
    tap_version: str
    started_at: str
    ended_at: str
    seconds: float
    exit_code: int
    message: str = ""
    shard: str = ""
    requests: int = 0
    queries: int = 0
    queries_done: int = 0
    queries_failed: int = 0
    reports_failed: int = 0
    days_not_asked: int = 0
    rows: int = 0


class RunJson(RunHead, kw_only=True):
    """Everything about a run.

    Attributes:
        failures: the first ones, one for each report, account and reason.
        failures_left_off: how many more there were.
    """

    failures: list[Failure] = []
    failures_left_off: int = 0
    reports: list[ReportPart] = []
