"""Every setting, declared once.

The JSON Schema of the tap, the settings of `meltano.yml` and the tables of the README are made
from these declarations, and `Settings.from_config` reads by them, so that none can say something
else than the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.settings import kinds

if TYPE_CHECKING:
    from tap_supermetrics.settings.kinds import Kind

DEFAULT_API_URL: Final = "https://api.supermetrics.com/enterprise/v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declared setting.

    Attributes:
        name: its key in the configuration.
        kind: what its value must be.
        default: the value when it is not given; None where there is none.
        description: one or two sentences for people.
        required: whether it must be given.
    """

    name: str
    kind: Kind[Any]
    description: str
    default: Any = None
    required: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the setting, with its description and default."""
        described = {**self.kind.schema, "description": self.description}
        return described if self.default is None else {**described, "default": self.default}


OVERRIDABLE: Final[tuple[Setting, ...]] = (
    Setting(
        name="start_date",
        kind=kinds.day(),
        description=(
            "First day to load, included: `YYYY-MM-DD`, `today`, `yesterday` or `N days ago`. "
            "Needed by every report that has a date field."
        ),
    ),
    Setting(
        name="end_date",
        kind=kinds.day(),
        default="yesterday",
        description="Last day to load, included; the same forms as `start_date`.",
    ),
    Setting(
        name="timezone",
        kind=kinds.timezone(),
        default="UTC",
        description='Time zone in which "today" is determined, by its IANA name.',
    ),
    Setting(
        name="lookback_days",
        kind=kinds.whole(0, 366),
        default=3,
        description=(
            "How many of the last loaded days are read again by each run, because the source "
            "restates them."
        ),
    ),
    Setting(
        name="split_dates_policy",
        kind=kinds.choice("day", "none"),
        default="day",
        description=(
            "`day`: the API runs one query for each day. `none`: one query for each range of up "
            "to `max_days_per_query` days."
        ),
    ),
    Setting(
        name="split_accounts_policy",
        kind=kinds.choice("all", "none"),
        default="all",
        description=(
            "`all`: the API runs one query for each account. `none`: one query for all accounts "
            "together."
        ),
    ),
    Setting(
        name="max_days_per_query",
        kind=kinds.whole(1, 3660),
        default=31,
        description="Longest range of one query where dates are not split.",
    ),
    Setting(
        name="backfill_days_per_query",
        kind=kinds.whole(1, 3660),
        default=1,
        description=(
            "Days older than the lookback are asked in queries of so many days, which saves "
            "queries of a long backfill. Only for reports with a date field."
        ),
    ),
    Setting(
        name="backfill_order",
        kind=kinds.choice("oldest", "newest"),
        default="oldest",
        description=(
            "Which days come first: `oldest`, or `newest`: the lookback and the days after it, "
            "then history backwards."
        ),
    ),
    Setting(
        name="require_fresh_days",
        kind=kinds.whole(0, 366),
        default=0,
        description=(
            "So many of the newest days are asked without the API's cache, whatever "
            "`cache_minutes` says."
        ),
    ),
    Setting(
        name="refresh_after_hours",
        kind=kinds.whole(0, 720),
        default=0,
        description=(
            "A day of the lookback is not read again when it was read less than so many hours ago."
        ),
    ),
    Setting(
        name="query_concurrency",
        kind=kinds.whole(1, 50),
        default=5,
        description="How many queries of a query batch the API runs at the same time.",
    ),
    Setting(
        name="timeout_minutes",
        kind=kinds.whole(5, 60),
        default=30,
        description="How long the API lets a query batch run.",
    ),
    Setting(
        name="add_clean_data_types",
        kind=kinds.flag(),
        default=True,
        description="Ask the API to clean numbers and dates.",
    ),
    Setting(
        name="add_exclude_account_errors",
        kind=kinds.flag(),
        default=False,
        description=(
            "Ask the API to leave out accounts that it cannot read, instead of failing. Their days "
            "are not covered, and the summary counts them; the run does not fail."
        ),
    ),
    Setting(
        name="max_rows",
        kind=kinds.whole(1, 1_000_000),
        default=1_000_000,
        description=(
            "Most rows of one query. A result of this length is treated as cut off and not loaded."
        ),
    ),
    Setting(
        name="page_size",
        kind=kinds.whole(1, 100_000),
        default=10_000,
        description="Rows fetched by one request for results.",
    ),
    Setting(
        name="on_type_mismatch",
        kind=kinds.choice("fail", "null"),
        default="fail",
        description=(
            "What becomes of a value that does not fit its field's type: `fail` loses the query, "
            "`null` loads null and counts it."
        ),
    ),
    Setting(
        name="blank_key_value",
        kind=kinds.text("a text, which may be empty", r".*"),
        default="",
        description=(
            "What stands for a blank text in the key, such as `(none)` for targets that refuse "
            "an empty text there."
        ),
    ),
    Setting(
        name="metadata_columns",
        kind=kinds.flag(),
        default=True,
        description=(
            "Add `_sm_account_id`, `_sm_date`, `_sm_fetched_at` and `_sm_schedule_id` to every "
            "record. `false` keeps only what the key needs."
        ),
    ),
)
"""Settings that may stand at the top level and be overridden in an entry of `queries`."""

ONLY_IN_REPORT: Final[tuple[Setting, ...]] = (
    Setting(
        name="name",
        kind=kinds.text("letters, digits, `_` or `-`, a letter first", r"[A-Za-z][\w-]*"),
        required=True,
        description="Name of the stream.",
    ),
    Setting(
        name="url",
        kind=kinds.secret("the address of a version 2 query", r"https?://\S+"),
        description=(
            "The address of a query, as the vendor's pages show it, instead of the settings that "
            "it holds; those given beside it win. A key in it is not used."
        ),
    ),
    Setting(
        name="ds_id",
        kind=kinds.text("an id of a data source such as AW", r"[\w-]{1,50}"),
        required=True,
        description="Id of the data source: `AW` for Google Ads, `FA` for Facebook Ads, `GAWA`.",
    ),
    Setting(
        name="fields",
        kind=kinds.fields(),
        required=True,
        description="Ids of the fields to load: dimensions and metrics.",
    ),
    Setting(
        name="ds_accounts",
        kind=kinds.accounts(),
        description=(
            "Accounts to read: a list or comma-separated text of ids, `list.all_accounts`, "
            '`list.<slug>` of a team list, or a filter: `{"filter_id": "^act_45"}`, '
            '`{"filter_name": "/shop$/i"}`. Left out for sources without accounts. Who is in a '
            "team list only a query batch tells, which is cancelled at once and costs one query "
            "at most."
        ),
    ),
    Setting(
        name="ds_user",
        kind=kinds.text(),
        description="The login that serves the query; left out, the API finds one.",
    ),
    Setting(
        name="ds_users",
        kind=kinds.texts(),
        description="The logins that may serve the query.",
    ),
    Setting(
        name="ds_segments",
        kind=kinds.texts(),
        description="Ids of segments to apply; those that the API does not list are warned of.",
    ),
    Setting(
        name="filter",
        kind=kinds.text(),
        description="The API's row filter, such as `impressions > 0 AND campaignname =@ brand`.",
    ),
    Setting(
        name="settings",
        kind=kinds.mapping("an object of the data source's own settings"),
        description="Settings of the data source, passed on to the API as they are.",
    ),
    Setting(
        name="order_rows",
        kind=kinds.texts("a list such as `cost desc`, or a comma-separated text"),
        description="Order of the rows within a result.",
    ),
    Setting(
        name="cache_minutes",
        kind=kinds.whole(0, 10_080),
        description="Greatest age of cached results that the API may answer with.",
    ),
    Setting(
        name="date_range_type",
        kind=kinds.text("a range such as last_30_days", r"(?!custom$)[a-z0-9_]{1,50}"),
        description=(
            "A range of the API's, such as `last_30_days` or `this_month_inc`, instead of "
            "`start_date` and `end_date`. The report is then read whole by every run."
        ),
    ),
    Setting(
        name="key_properties",
        kind=kinds.texts("a list of fields"),
        description=(
            "The key of the stream; left out: `_sm_account_id`, the day, the report's text "
            "dimensions, and the others as `_sm_dimensions`. Rows that share a key lose their "
            "query: a target would drop all but one."
        ),
    ),
    Setting(
        name="replication_key",
        kind=kinds.text(),
        description=(
            "The date field by which the report is loaded incrementally, or `_sm_date` for a "
            "report that has none but is to be loaded day by day. Left out: the data source's own "
            "day, such as `Date`; another date does not date its row."
        ),
    ),
    Setting(
        name="types",
        kind=kinds.mapping("an object of field id and data type"),
        description=(
            "Data types of fields, where the API's own are missing or wrong, such as "
            '`{"c_goal4": "float.number.percentage"}`.'
        ),
    ),
)
"""Settings of one report, in an entry of `queries`."""

_REPORT_SCHEMA: Final = {
    "type": "object",
    "properties": {each.name: each.schema for each in ONLY_IN_REPORT}
    # An override has no default of its own: it falls back to the top level.
    | {each.name: each.kind.schema for each in OVERRIDABLE},
    "required": ["name"],
    "anyOf": [{"required": ["ds_id", "fields"]}, {"required": ["url"]}],
    "additionalProperties": False,
}

TOP_LEVEL: Final[tuple[Setting, ...]] = (
    Setting(
        name="api_key",
        kind=kinds.secret("a key of letters, digits and signs, without blanks", r"[!-~]+"),
        required=True,
        description="API key of Supermetrics. Sent only in the Authorization header, to `api_url`.",
    ),
    Setting(
        name="api_url",
        kind=kinds.address(),
        default=DEFAULT_API_URL,
        description="Base address of the API.",
    ),
    Setting(
        name="queries",
        kind=kinds.entries(_REPORT_SCHEMA),
        required=True,
        description="The reports to load; each entry becomes one stream.",
    ),
    *OVERRIDABLE,
    Setting(
        name="mode",
        kind=kinds.choice("auto", "batch", "async"),
        default="auto",
        description=(
            "`batch`: ask by query batches. `async`: ask query by query, which may run up to four "
            "hours each. `auto`: by query batches, and query by query where the key has no "
            "batches or a batch cannot finish a query in time."
        ),
    ),
    Setting(
        name="max_running_batches",
        kind=kinds.whole(1, 2),
        default=2,
        description="Query batches kept running at the same time. The API runs at most two.",
    ),
    Setting(
        name="max_running_queries",
        kind=kinds.whole(1, 50),
        default=10,
        description="Queries kept running at the same time where they are asked query by query.",
    ),
    Setting(
        name="batch_description",
        kind=kinds.text(),
        description="Text that the vendor's pages show beside each query batch.",
    ),
    Setting(
        name="max_queries_per_run",
        kind=kinds.whole(1, 10_000_000),
        description=(
            "Most queries that one run asks; the next run goes on. Spent in `backfill_order`, over "
            "all reports."
        ),
    ),
    Setting(
        name="max_rows_per_run",
        kind=kinds.whole(1, 1_000_000_000),
        description=(
            "When so many rows were fetched, the run asks nothing more; the next run goes on. "
            "Queries on their way may exceed it."
        ),
    ),
    Setting(
        name="requests_per_second",
        kind=kinds.number(0, 1000),
        default=15,
        description="Most requests to the API in a second, by all of the tap together.",
    ),
    Setting(
        name="on_failure",
        kind=kinds.choice("fail_at_end", "continue", "stop"),
        default="fail_at_end",
        description=(
            "When a query is lost: `fail_at_end` loads all else and exits with 3, `continue` "
            "loads all else and exits with 0, `stop` ends the run at once."
        ),
    ),
)
"""Every setting of the configuration itself."""


def config_schema() -> dict[str, Any]:
    """JSON Schema of the whole configuration."""
    return {
        "type": "object",
        "properties": {each.name: each.schema for each in TOP_LEVEL},
        "required": [each.name for each in TOP_LEVEL if each.required],
    }
