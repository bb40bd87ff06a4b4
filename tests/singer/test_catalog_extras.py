"""What a catalog says, as Meltano's extras make it: done, refused or warned of."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.singer.inputs import catalog_of, read_json
from tap_supermetrics.tap import TapSupermetrics
from tests.tap import config_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.emulator import Emulator

LOG: Final = "supermetrics_query_log"
REPORT: Final = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Campaignname", "Clicks", "Cost"],
    "start_date": "2024-06-01",
}
WHOLE: Final = {**REPORT, "name": "whole", "fields": ["Campaignname", "Cost"]}

Catalog = dict[str, Any]


def made(
    emulator: Emulator,
    change: Mapping[tuple[str, ...], Mapping[str, Any]],
    reports: tuple[Mapping[str, Any], ...] = (REPORT, WHOLE),
    **columns: Mapping[str, Any],
) -> TapSupermetrics:
    """Make a tap by its own catalog, changed in metadata, by stream and column, and in columns."""
    config = config_for(emulator, reports, query_log=True)
    catalog: Catalog = json.loads(json.dumps(TapSupermetrics(config=config).catalog_dict))
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            path = (stream["tap_stream_id"], *each["breadcrumb"][1::2])
            each["metadata"].update(change.get(path, {}))
        if stream["tap_stream_id"] in {"ads", LOG}:
            properties = stream["schema"]["properties"]
            properties.update({name: columns[name] for name in columns if name in properties})
    return TapSupermetrics(config=config, catalog=catalog_of(catalog))


def asked(tap: TapSupermetrics, name: str = "ads") -> tuple[str, ...]:
    (fields,) = [each.fields for each in tap.settings.reports if each.name == name]
    return fields


def deselected(*columns: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {("ads", each): {"selected": False} for each in columns}


@pytest.mark.parametrize(
    ("columns", "more", "expected"),
    [
        (["Clicks"], {}, ("Date", "Campaignname", "Cost")),
        ([], {}, tuple(REPORT["fields"])),
        (["Clicks", "Cost"], {}, tuple(REPORT["fields"])),
        (["Clicks"], {"filter": "Clicks > 0"}, tuple(REPORT["fields"])),
        (["Clicks"], {"order_rows": ["clicks desc"]}, tuple(REPORT["fields"])),
        (
            ["Campaignname"],
            {"key_properties": ["_sm_account_id", "Date"]},
            tuple(REPORT["fields"]),
        ),
    ],
    ids=str,
)
def test_a_metric_is_asked_for_where_it_is_selected_or_needed(
    emulator: Emulator, columns: list[str], more: dict[str, Any], expected: tuple[str, ...]
) -> None:
    tap = made(emulator, deselected(*columns), ({**REPORT, **more},))

    assert asked(tap) == expected


def test_a_selection_changes_no_hash_by_which_the_state_knows_a_report(emulator: Emulator) -> None:
    (some, *_), (all_, *_) = (
        made(emulator, deselected(*columns)).settings.reports for columns in (["Clicks"], [])
    )
    assert some.fields != all_.fields
    assert some.query_hash == all_.query_hash


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({("ads",): {"replication-key": "Campaignname"}}, "ads: replication-key: expected Date"),
        ({("whole",): {"replication-key": "Cost"}}, "whole: replication-key: expected none"),
        ({("ads",): {"replication-method": "full"}}, "expected INCREMENTAL or FULL_TABLE"),
        ({("ads",): {"forced-replication-method": "LOG_BASED"}}, "got 'LOG_BASED'"),
        ({("ads",): {"table-key-properties": ["Date"]}}, "set `key_properties` in the settings"),
        ({("ads",): {"table-key-properties": 1}}, "ads: table-key-properties: expected"),
        ({("ads", "Cost"): {"selected": "maybe"}}, "ads.Cost: selected: expected true or false"),
        ({("ads", "Cost"): {"inclusion": "never"}}, "ads.Cost: inclusion: expected one of"),
        ({(LOG,): {"table-key-properties": ["report"]}}, f"{LOG}: its key cannot be changed"),
        ({(LOG,): {"replication-key": "report"}}, f"{LOG}: a replication key cannot be changed"),
        ({(LOG,): {"replication-method": "INCREMENTAL"}}, f"{LOG}: replication-method cannot"),
    ],
    ids=str,
)
def test_what_would_be_half_done_is_refused(
    emulator: Emulator, change: dict[tuple[str, ...], dict[str, Any]], told: str
) -> None:
    refused = refusals(emulator, change, (REPORT,) if ("whole",) not in change else (WHOLE,))
    assert told in refused[""]


def refusals(
    emulator: Emulator,
    change: Mapping[tuple[str, ...], Mapping[str, Any]],
    reports: tuple[Mapping[str, Any], ...],
    **columns: Mapping[str, Any],
) -> Mapping[str, str]:
    """Return why reports are refused, by name; under no name, why all of the run is."""
    change = {**change, (LOG,): {"selected": (LOG,) in change, **change.get((LOG,), {})}}
    try:
        return made(emulator, change, reports, **columns).invocation.selection().refused
    except SettingsError as error:
        return {"": str(error)}


def test_a_catalog_that_does_not_fit_costs_its_own_report(emulator: Emulator) -> None:
    wrong: dict[str, Any] = {"format": "date-time"}
    assert [*refusals(emulator, {}, (REPORT, WHOLE), Date=wrong)] == ["ads"]
    assert not refusals(emulator, {("ads",): {"selected": False}}, (REPORT, WHOLE), Date=wrong)
    # With nothing else to read, the run is refused.
    assert [*refusals(emulator, {}, (REPORT,), Date=wrong)] == [""]


def test_a_catalog_with_a_metric_that_the_api_renamed_names_that(emulator: Emulator) -> None:
    reports = [REPORT, WHOLE | {"fields": ["Campaignname", "Clicks"]}]
    config = config_for(emulator, reports)
    catalog: Catalog = json.loads(json.dumps(TapSupermetrics(config=config).catalog_dict))
    renamed = json.loads(json.dumps(catalog).replace("Cost", "Kost"))
    fields = ["Date", "Campaignname", "Clicks", "Kost"]
    config["queries"] = [REPORT | {"fields": fields}, reports[1]]

    tap = TapSupermetrics(config=config, catalog=catalog_of(renamed))

    assert [*tap.streams] == ["whole"]
    (told,) = tap.invocation.selection().refused.values()
    assert told.startswith("--catalog: AW does not list Kost; if the API renamed it, name in")


@pytest.mark.parametrize("word", ["replication-method", "forced-replication-method"])
def test_a_method_in_metadata_is_followed(emulator: Emulator, word: str) -> None:
    tap = made(emulator, {("ads",): {word: "FULL_TABLE"}})

    assert tap.streams["ads"].forced_replication_method == "FULL_TABLE"


def test_what_has_no_effect_is_told(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    change: dict[tuple[str, ...], dict[str, Any]] = {
        ("ads", "Cost"): {"colour": "blue"},
        ("whole",): {"replication-method": "INCREMENTAL", "selected": True},
        (LOG,): {"selected": True},
    }
    limited = {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "const": 1}
    made(emulator, change, Campaignname=limited)

    for told in (
        "ads.Cost: metadata colour: not known, and without effect",
        "ads.Campaignname: const: not known, and without effect",
        "whole: replication-method INCREMENTAL has no effect",
        "ads: Campaignname: values are written as they are, whatever maxLength says",
    ):
        assert [each for each in caplog.messages if told in each], told


def test_a_column_without_a_type_keeps_its_own(emulator: Emulator) -> None:
    tap = made(emulator, {}, Date={"title": "Day"}, Cost={"minimum": 0})
    columns = tap.streams["ads"].effective_schema["properties"]

    assert columns["Date"] == {"type": ["string"], "format": "date", "title": "Day"}
    assert columns["Cost"] == {"type": ["number", "null"], "minimum": 0}


@pytest.mark.parametrize(
    ("given", "made_of_it"),
    [
        ({"type": "integer"}, {"type": ["integer", "null"]}),
        ({"type": ["number"]}, {"type": ["number", "null"]}),
        ({"type": "string"}, {"type": ["string", "null"]}),
        (
            {"anyOf": [{"type": "integer"}]},
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        ),
        (
            {"type": "integer", "oneOf": [{"type": "integer"}]},
            {"type": ["integer", "null"], "oneOf": [{"type": "integer"}, {"type": "null"}]},
        ),
    ],
    ids=str,
)
def test_a_type_without_null_is_followed_and_told_once(
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, Any],
    made_of_it: dict[str, Any],
) -> None:
    key: dict[str, Any] = {"type": "string"}
    tap = made(emulator, {}, Clicks=given, Campaignname=key)
    columns = tap.streams["ads"].effective_schema["properties"]

    assert columns["Clicks"] == made_of_it
    assert columns["Campaignname"] == key
    told = [each for each in caplog.messages if "null is added" in each]
    assert len(told) == 1
    assert "ads: null is added to the type of Clicks, as" in told[0]


@pytest.mark.parametrize("format_", ["date-time", "time"])
def test_another_format_without_a_type_is_refused(emulator: Emulator, format_: str) -> None:
    refused = refusals(emulator, {}, (REPORT, WHOLE), Date={"format": format_})
    assert refused["ads"].startswith("--catalog: Date: the catalog says")


def test_types_of_the_query_log_are_its_own(emulator: Emulator) -> None:
    with pytest.raises(SettingsError, match=f"{LOG}: types cannot be changed"):
        made(emulator, {(LOG,): {"selected": True}}, row_count={"type": "boolean"})


def test_a_query_log_that_the_catalog_lacks_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(emulator, [REPORT])
    catalog = json.dumps(TapSupermetrics(config=config).catalog_dict)
    config["query_log"] = True
    TapSupermetrics(config=config, catalog=catalog_of(read_json(io.StringIO(catalog), "--catalog")))

    assert [each for each in caplog.messages if f"--catalog: {LOG} is not in it" in each]


def by_hand(emulator: Emulator, change: Any) -> TapSupermetrics:  # noqa: ANN401 - any change
    """Make a tap by its own catalog, changed by hand in its first stream."""
    config = config_for(emulator, [REPORT])
    catalog: Catalog = json.loads(json.dumps(TapSupermetrics(config=config).catalog_dict))
    change(catalog, catalog["streams"][0])
    return TapSupermetrics(config=config, catalog=catalog_of(catalog))


def beside(word: str, *, value: object) -> Any:  # noqa: ANN401 - a change of a catalog
    return lambda _, stream: stream.__setitem__(word, value)


def of_column(*breadcrumb: str) -> Any:  # noqa: ANN401 - a change of a catalog
    more = {"breadcrumb": [*breadcrumb], "metadata": {"selected": False}}
    return lambda _, stream: stream["metadata"].append(more)


def twin(name: str) -> Any:  # noqa: ANN401 - a change of a catalog
    def change(catalog: Catalog, stream: Catalog) -> None:
        more = {**stream, "tap_stream_id": name, "stream": name}
        catalog["streams"].append(json.loads(json.dumps(more)))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (beside("selected", value=False), "ads: selected False beside the metadata"),
        (beside("stream_alias", value="other"), "ads: stream_alias: not known, and without effect"),
        (of_column("properties", "Costs"), "ads.Costs: there is no such column"),
        (twin("others"), "others is no report in the settings: nothing is loaded for it"),
        (
            lambda _, stream: stream["schema"].update(required=["Nothing"]),
            "ads: records are written as they are, whatever required of the schema says",
        ),
    ],
)
def test_what_a_hand_wrote_into_a_catalog_in_vain_is_told(
    change: Any,  # noqa: ANN401 - a change of a catalog
    said: str,
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    by_hand(emulator, change)
    assert [each for each in caplog.messages if f"--catalog: {said}" in each]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # Targets would append what is read again.
        (beside("key_properties", value=[]), "expected key_properties _sm_account_id"),
        (
            lambda _, stream: stream["metadata"][-1]["metadata"].update(
                {"table-key-properties": []}
            ),
            "table-key-properties: expected _sm_account_id",
        ),
        (twin("ads"), "ads is there 2 times"),
        (of_column("Cost"), 'streams[0].metadata[9].breadcrumb: expected [] or ["properties"'),
        (
            beside("schema", value=None),
            "streams[0].schema: expected an object with properties, got null",
        ),
        (beside("metadata", value={}), "streams[0].metadata: expected a list of objects"),
        (lambda catalog, _: catalog.update(streams={}), "streams: expected a list of streams"),
        (
            lambda _, stream: stream["schema"].update(type="array"),
            'streams[0].schema.type: expected object, got "array"',
        ),
        (
            lambda _, stream: stream["schema"]["properties"].update(Cost="number"),
            "streams[0].schema.properties.Cost: expected an object with a type",
        ),
    ],
)
def test_what_a_hand_spoilt_in_a_catalog_is_told_by_its_place(
    change: Any,  # noqa: ANN401 - a change of a catalog
    said: str,
    emulator: Emulator,
) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        by_hand(emulator, change)


def test_columns_of_the_key_that_are_deselected_are_named(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    made(emulator, deselected("Date", "Campaignname"))
    told = "ads: deselected, but part of the key, and so written: Date, Campaignname"
    assert told in caplog.messages
