from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.singer.catalog_types import catalog_types

NULL = "null"
DATE = {"type": ["string"], "format": "date"}
NONE = frozenset[str]()


def found(own: dict[str, Any], wanted: dict[str, Any], fixed: frozenset[str] = NONE) -> str:
    types = catalog_types({"x": wanted}, {"x": own}, fixed, "--catalog: ads")
    return "refused" if types.mistakes else "text" if types.as_text else "same"


@pytest.mark.parametrize(
    ("own", "wanted", "expected"),
    [
        ({"type": ["integer", NULL]}, {"type": ["integer", NULL]}, "same"),
        ({"type": ["integer", NULL]}, {"type": ["number", NULL]}, "same"),
        ({"type": ["integer", NULL]}, {"type": ["integer", "string", NULL]}, "same"),
        ({"type": ["integer", NULL]}, {}, "same"),
        ({"type": ["integer", NULL]}, {"type": ["string", NULL]}, "text"),
        ({"type": ["number", NULL]}, {"type": ["string", NULL]}, "text"),
        ({"type": ["boolean", NULL]}, {"type": ["string", NULL]}, "text"),
        ({"type": ["integer", NULL]}, {"type": "string"}, "refused"),
        ({"type": ["number", NULL]}, {"type": ["integer", NULL]}, "refused"),
        ({"type": ["string"]}, {"type": ["integer"]}, "refused"),
        ({"type": ["string", NULL]}, {"type": ["string", NULL], "format": "date"}, "refused"),
        (DATE, {"type": ["string", NULL]}, "same"),
        (DATE, {"type": "string"}, "same"),
        (DATE, {"type": "string", "format": "date-time"}, "refused"),
    ],
)
def test_values_follow_a_catalog_where_that_loses_nothing(
    own: dict[str, Any], wanted: dict[str, Any], expected: str
) -> None:
    assert found(own, wanted) == expected


def test_a_column_that_the_key_is_made_of_does_not_become_text() -> None:
    own, wanted = {"type": ["integer", NULL]}, {"type": ["string", NULL]}
    assert found(own, wanted, frozenset({"x"})) == "refused"


def test_a_refusal_names_the_setting() -> None:
    own, wanted = {"x": {"type": ["number", NULL]}}, {"x": {"type": ["integer", NULL]}}
    (mistake,) = catalog_types(wanted, own, NONE, "--catalog: ads").mistakes
    assert mistake == (
        "--catalog: ads: x: the catalog says integer or null, but records hold null or number; "
        "set its type in `types` of the report and run --discover again"
    )


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("_sm_fetched_at", {"type": ["integer", NULL]}),
        ("x", {"type": ["array", NULL]}),
        ("x", {"type": NULL}),
        ("x", {"allOf": [{"type": "integer"}]}),
        ("x", {"type": ["string", NULL], "format": "uuid"}),
    ],
    ids=str,
)
def test_a_refusal_names_no_setting_that_cannot_help(name: str, wanted: dict[str, Any]) -> None:
    own = {name: {"type": ["number", NULL]}}
    (mistake,) = catalog_types({name: wanted}, own, NONE, "--catalog: ads").mistakes
    assert "types`" not in mistake
    assert mistake.endswith("; leave that out of the catalog (with Meltano, of `schema`)")


TYPES = st.sets(st.sampled_from(["string", "integer", "number", "boolean", NULL]), min_size=1)


@given(TYPES, TYPES)
def test_what_is_followed_holds_every_value(own: set[str], wanted: set[str]) -> None:
    result = found({"type": sorted(own)}, {"type": sorted(wanted)})
    written = {"string"} | (own & {NULL}) if result == "text" else own
    held = wanted | {"integer"} if "number" in wanted else wanted
    assert (result == "refused") or written <= held
