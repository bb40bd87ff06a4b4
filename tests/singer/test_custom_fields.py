"""Custom fields of accounts, which the API lists only where it is asked for these accounts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Target, config_for, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST = date(2024, 6, 9)
OWNER, OTHER = "318204957", "402817736"
REPORT: dict[str, Any] = {
    "name": "web",
    "ds_id": "GAWA",
    "ds_accounts": [OWNER],
    "fields": ["date", "sessions", "goal4.rate"],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=500.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


def config(emulator: Emulator, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    days = {"start_date": str(LAST), "end_date": str(LAST), "lookback_days": 0}
    return config_for(emulator, [{**REPORT, **changes}], **days)


def asked(emulator: Emulator, part: str) -> int:
    return sum(part in each.path for each in emulator.requests)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"ds_accounts": [OTHER, OWNER], "ds_user": "ops@example.com"},
        {"ds_accounts": "list.all_accounts"},
        {"ds_accounts": {"filter_id": "^318"}},
    ],
    ids=str,
)
def test_a_custom_field_is_found_and_typed(
    named: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    """As a text it would be a dimension, and so part of the key: the query would be lost."""
    target = Target()
    ended = sync(config(emulator, **named), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert "does not list" not in ended.stderr
    assert target.keys["web"] == ["_sm_account_id", "date"]
    expected = truth(emulator, REPORT, LAST, LAST)
    assert expected
    assert expected.items() <= target.tables["web"].items()
    assert asked(emulator, "query/fields") == 2
    # Once for all: to know the logins, and once more for those that are named.
    assert asked(emulator, "query/accounts") <= 2


def test_a_custom_field_of_another_account_is_warned_of(emulator: Emulator, tmp_path: Path) -> None:
    ended = sync(config(emulator, ds_accounts=[OTHER]), tmp_path, Target())

    assert "queries[0]: GAWA does not list goal4.rate; loaded as text" in ended.stderr


@pytest.mark.parametrize(
    "named",
    [{"fields": ["date", "sessions"]}, {"types": {"goal4.rate": "float.number.percentage"}}],
    ids=str,
)
def test_without_unknown_fields_nothing_more_is_asked(
    named: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    ended = sync(config(emulator, **named), tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert asked(emulator, "query/fields") == 1
    assert asked(emulator, "query/accounts") == 1  # by which the spelling of ids is checked


def test_custom_fields_that_cannot_be_asked_for_are_texts(
    emulator: Emulator, tmp_path: Path
) -> None:
    code = "ACCESS_DENIED_PERMISSIONS"
    emulator.inject(Fault(effect="error", path="query/accounts", code=code, status=403, times=None))
    ended = sync(config(emulator), tmp_path, None, "--discover")

    assert ended.code == 0, ended.stderr
    assert "queries[0].fields: custom fields not asked for: ACCESS_DENIED" in ended.stderr
