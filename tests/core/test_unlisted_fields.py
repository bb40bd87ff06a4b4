"""Fields that the API does not list are named with those that may be meant, in bounded time."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from tap_supermetrics import words
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.records.schema import record_schema
from tap_supermetrics.sync import discovery
from tap_supermetrics.sync.discovery import unlisted_fields, unlisted_in_words
from tests.core.reports import report

if TYPE_CHECKING:
    import pytest


def test_names_are_compared_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source may list a hundred thousand fields, and a report name hundreds of others."""
    compared = 0
    close_matches = difflib.get_close_matches

    def counting(word: str, known: Any, **options: Any) -> list[str]:  # noqa: ANN401 - passed on
        nonlocal compared
        compared += len(known)
        assert len(word) <= words.MAX_LETTERS
        return close_matches(word, known, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counting)
    monkeypatch.setattr(discovery, "MAX_COMPARED", 1_000)
    kind = "string.text.value"
    listed = [
        FieldInfo(field_id=f"field_{number}", field_type="dim", data_type=kind)
        for number in range(300)
    ]
    asked = report(fields=["field_1x", *(f"other_{number}" for number in range(90)), "x" * 5_000])
    found = unlisted_fields(asked, record_schema(asked, listed), listed)
    assert found["field_1x"] == "field_1"
    assert len(found) == 92
    assert 0 < compared <= 1_000


def test_a_field_that_is_taken_for_a_part_of_the_key_is_told_as_such() -> None:
    found = {"c_goal4": ""}
    assert "as text and part of the key, unless `types`" in unlisted_in_words(report(), found)
    own = report(key_properties=["Date"])
    assert "as text, unless `types`" in unlisted_in_words(own, found)
