"""A report with its settings, each declared once: here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tap_supermetrics.model import kinds
from tap_supermetrics.model.accounts import Accounts
from tap_supermetrics.model.declared import declared, setting
from tap_supermetrics.model.policies import BatchPolicy, SplitAccounts, SplitDates, SplitPolicy
from tap_supermetrics.model.shards import WHOLE, Shard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from tap_supermetrics.dates import Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridable:
    """The settings of a report that may stand at the top level too, for all reports."""

    # Days
    start_date: Day | None = setting(
        kinds.day(),
        "First day to load, included: `YYYY-MM-DD`, or words as the API takes them: `yesterday`, "
        "`30 days ago`, `-2 weeks`, `previous Monday`, `first day of last month`. Needed by"
        " every report that has a date field.",
    )
    end_date: Day = setting(
        kinds.day(),
        "Last day to load, included; the same forms as `start_date`.",
        default="yesterday",
    )
    timezone: ZoneInfo = setting(
        kinds.timezone(),
        'Time zone in which "today" is determined, by its IANA name.',
        default="UTC",
    )
    lookback_days: int = setting(
        kinds.whole(0, 366),
        "How many of the last loaded days are read again by each run, because the source restates "
        "them.",
        default=3,
    )
    # Queries
    split_dates_policy: SplitDates = setting(
        kinds.one_of(SplitDates),
        "`day`: the API runs one query for each day. `none`: one query for each range of up to "
        "`max_days_per_query` days.",
        default="day",
    )
    split_accounts_policy: SplitAccounts = setting(
        kinds.one_of(SplitAccounts),
        "`all`: the API runs one query for each account. `none`: one query for all accounts "
        "together.",
        default="all",
    )
    max_days_per_query: int = setting(
        kinds.whole(1, 3660),
        "Longest range of one query where dates are not split.",
        default=31,
    )
    backfill_days_per_query: int = setting(
        kinds.whole(1, 3660),
        "Days older than the lookback are asked in queries of so many days, which saves queries of "
        "a long backfill. Only for reports with a date field.",
        default=1,
    )
    newest_first: bool = setting(
        kinds.either(true="newest", false="oldest"),
        "Which days come first: `oldest`, or `newest`: the lookback and the days after it, then "
        "history backwards.",
        default="oldest",
        name="backfill_order",
    )
    require_fresh_days: int = setting(
        kinds.whole(0, 366),
        "So many of the newest days are asked without the API's cache, whatever `cache_minutes` "
        "says.",
        default=0,
    )
    refresh_after_hours: int = setting(
        kinds.whole(0, 720),
        "A day of the lookback is not read again when it was read less than so many hours ago.",
        default=0,
    )
    # Query batches
    query_concurrency: int = setting(
        kinds.whole(1, 50),
        "How many queries of a query batch the API runs at the same time.",
        default=5,
    )
    timeout_minutes: int = setting(
        kinds.whole(5, 60),
        "How long the API lets a query batch run.",
        default=30,
    )
    add_clean_data_types: bool = setting(
        kinds.flag(),
        "Ask the API to clean numbers and dates.",
        default=True,
    )
    add_exclude_account_errors: bool = setting(
        kinds.flag(),
        "Ask the API to leave out accounts that it cannot read, instead of failing. Their days are "
        "not covered, and the summary counts them; the run does not fail.",
        default=False,
    )
    # Results and records
    max_rows: int = setting(
        kinds.whole(1, 1_000_000),
        "Most rows of one query. A result of this length is treated as cut off and not loaded.",
        default=1_000_000,
    )
    page_size: int = setting(
        kinds.whole(1, 100_000),
        "Rows fetched by one request for results.",
        default=10_000,
    )
    on_type_mismatch: Literal["fail", "null"] = setting(
        kinds.choice("fail", "null"),
        "What becomes of a value that does not fit its field's type: `fail` fails the query, `null`"
        " loads null and counts it.",
        default="fail",
    )
    blank_key_value: str = setting(
        kinds.text("a text, which may be empty", r"[^\0]*"),
        "What stands for a blank text in the key, such as `(none)` for targets that refuse an empty"
        " text there.",
        default="",
    )
    metadata_columns: bool = setting(
        kinds.flag(),
        "Add `_sm_account_id`, `_sm_date`, `_sm_fetched_at` and `_sm_schedule_id` to every record. "
        "`false` keeps only what the key needs.",
        default=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Overridable):
    """An entry of `queries` as it stands in the configuration: where, by which name, from where.

    Attributes:
        path: where it stands in the configuration, `queries[2]`.
        batch_description: text that the vendor's pages show beside its query batches.
        shard: which of its accounts this run takes.
        configured_fields: all of `fields`, where a catalog leaves some of them out.
        given: names of the settings that stand in its own entry.
    """

    path: str
    given: frozenset[str] = field(default=frozenset(), compare=False)
    configured_fields: tuple[str, ...] = ()
    batch_description: str | None = None
    shard: Shard = WHOLE
    name: str = setting(
        kinds.text(
            "letters, digits, `_` or `-`, a letter first, no `-` last", r"[A-Za-z]([\w-]*\w)?"
        ),
        "Name of the stream.",
        required=True,
    )
    # Its parts replace an address: it may contain a key.
    url: str | None = setting(
        kinds.secret("the address of a query", r"https?://\S+"),
        "The address of a query, as the vendor's pages show it, instead of the settings that it "
        "holds; those given beside it win. A key in it is not used.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Entry):
    """One configured entry of `queries`, one Singer stream."""

    # What is requested
    ds_id: str = setting(
        kinds.text("an id of a data source such as AW", r"[\w-]{1,50}"),
        "Id of the data source: `AW` for Google Ads, `FA` for Facebook Ads, `GAWA`.",
        required=True,
    )
    fields: tuple[str, ...] = setting(
        kinds.fields(),
        "Ids of the fields to load: dimensions and metrics.",
        required=True,
    )
    accounts: Accounts = setting(
        kinds.accounts(),
        "Accounts to read: a list or comma-separated text of ids, `list.all_accounts`, "
        '`list.<slug>` of a team list, or a filter: `{"filter_id": "^act_45"}`, '
        '`{"filter_name": "/shop$/i"}`. Left out for sources without accounts. Who is in a '
        "team list is read from the list; with a key that may not read lists, from a query batch, "
        "which is cancelled at once and costs one query at most.",
        unset=Accounts(),
        name="ds_accounts",
    )
    ds_user: str | None = setting(
        kinds.text(),
        "The login that serves the query; left out, the API finds one.",
        passed_on=True,
    )
    ds_users: tuple[str, ...] | None = setting(
        kinds.texts(),
        "The logins that may serve the query.",
        passed_on=True,
    )
    ds_segments: tuple[str, ...] | None = setting(
        kinds.texts(),
        "Ids of segments to apply; those that the API does not list are warned of.",
        passed_on=True,
    )
    filter: str | None = setting(
        kinds.text(),
        "The API's row filter, such as `impressions > 0 AND campaignname =@ brand`.",
        passed_on=True,
    )
    settings: Mapping[str, Any] | None = setting(
        kinds.mapping("an object of the data source's own settings"),
        "Settings of the data source, passed on to the API as they are.",
        passed_on=True,
    )
    order_rows: tuple[str, ...] | None = setting(
        kinds.texts("a list such as `cost desc`, or a comma-separated text"),
        "Order of the rows within a result.",
        passed_on=True,
    )
    cache_minutes: int | None = setting(
        kinds.whole(0, 10_080),
        "Greatest age of cached results that the API may answer with.",
        passed_on=True,
    )
    date_range_type: str | None = setting(
        kinds.text("a range such as last_30_days", "(?!custom$)[a-z0-9_]{1,50}"),
        "A range of the API's, such as `last_30_days` or `this_month_inc`, instead of `start_date` "
        "and `end_date`. The report is then read whole by every run.",
    )
    # Records
    key_properties: tuple[str, ...] = setting(
        kinds.texts("a list of fields"),
        "The key of the stream; left out: `_sm_account_id`, the day, the report's text dimensions, "
        "and the others as `_sm_dimensions`. Rows that share a key fail their query: a target would"
        " drop all but one.",
        unset=(),
    )
    replication_key: str | None = setting(
        kinds.text(),
        "The date field by which the report is loaded incrementally, or `_sm_date` for a report "
        "that has none but is to be loaded day by day. Left out: the data source's own day, such "
        "as `Date`; another date does not date its row.",
    )
    types: Mapping[str, Any] = setting(
        kinds.mapping("an object of field id and data type"),
        "Data types of fields, where the API's own are missing or wrong, such as "
        '`{"c_goal4": "float.number.percentage"}`.',
        unset={},
    )

    @property
    def policy(self) -> BatchPolicy:
        """Return the settings of query batches of its queries."""
        return BatchPolicy(
            split=SplitPolicy(dates=self.split_dates_policy, accounts=self.split_accounts_policy),
            query_concurrency=self.query_concurrency,
            timeout_minutes=self.timeout_minutes,
            add_clean_data_types=self.add_clean_data_types,
            add_exclude_account_errors=self.add_exclude_account_errors,
            description=self.batch_description,
        )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return the settings that are passed on to the API as they are, by name."""
        given = {name: getattr(self, name) for name in _PASSED_ON}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def exclusions(self) -> tuple[str, ...]:
        """Return the names of the data source's settings that leave out accounts, where set.

        Source: Supermetrics docs, "About account exclusion".
        """
        given = (self.settings or {}).items()
        own = (name for name, value in given if str(value).strip().casefold() not in _OFF)
        return tuple(name for name in own if name.startswith("exclude_") and "account" in name)

    @property
    def logins(self) -> object:
        """Return the logins that may serve its queries; empty for any."""
        return self.parameters.get("ds_users") or self.parameters.get("ds_user")

    @property
    def login_setting(self) -> str:
        """Return the setting by which the report names logins; where it has both, the list."""
        return "ds_users" if "ds_users" in self.parameters else "ds_user"

    @property
    def login_names(self) -> tuple[str, ...]:
        """Return the logins that the report names, each once."""
        named = (*self.parameters.get("ds_users", ()), self.parameters.get("ds_user", ""))
        return tuple(filter(None, dict.fromkeys(named)))

    @property
    def segments(self) -> tuple[str, ...]:
        """Return the ids of the applied segments."""
        return self.ds_segments or ()

    @property
    def query_hash(self) -> str:
        """Return eight hex digits that change with what is requested of each account and day.

        They change with `blank_key_value` too: the same row then has another key.
        """
        # Another order requests the same; to deselect a field keeps what was loaded.
        fields = sorted(self.configured_fields or self.fields)
        facts = [self.ds_id, fields, self.replication_key, self.date_range_type]
        facts += [self.parameters.get(key) for key in ("filter", "ds_segments", "settings")]
        # Only where it is set: states from before there was such a setting keep their hash.
        facts += [self.blank_key_value] if self.blank_key_value else []
        text = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


_OFF = frozenset({"", "0", "false", "no", "none", "null", "off"})
_PASSED_ON = tuple(each.attribute for each in declared(Report) if each.is_passed_on)
