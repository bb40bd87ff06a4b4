"""The installed singer-sdk has the parts that the tap changes, in the shape that it relies on."""

from __future__ import annotations

import inspect
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Any, Final

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.helpers._state import StateWriter
from singer_sdk.io_base import GenericSingerWriter

from tap_supermetrics.singer.writer import MessageWriter, StateLines
from tap_supermetrics.streams import ReportStream
from tap_supermetrics.tap import TapSupermetrics
from tests.house.test_texts import declared_requirements

INSTALLED: Final = version("singer-sdk")
CHANGED: Final[dict[tuple[type[Any], type[Any]], dict[str, str]]] = {
    # Ours and the SDK's: what is changed, and what to look at when it is there no more.
    (TapSupermetrics, Tap): {
        "_validate_config": "when settings are checked: whole, before anything is asked",
        "_env_var_config": "who reads settings from the environment: ours as texts",
        "_setup_signal_handlers": "that the end of a terminal is handled as other signals are",
        "_handle_termination": "that a signal ends in InterruptedRun and an exit code of its own",
        "capabilities": "what `--about` tells, and the capabilities in meltano.yml",
        "get_singer_command": "that help tells of the commands",
        "cb_config": "that a bad --config file is told in a line",
        "cb_test": "what --test asks and how it ends: by `sync_to_end`, with a summary",
        "config_jsonschema": "that `--about` tells our settings",
        "discover_streams": "where streams are made",
        "dynamic_catalog": "that discovery does not need a catalog and its settings are checked",
        "invoke": "how the command line calls the tap: it must end in `sync_to_end`",
        "_reset_state_progress_markers": "that nothing is done to our bookmarks before a sync",
        "message_writer_class": "who writes messages: it must be `MessageWriter`",
        "setup_mapper": "what is called before streams are discovered: there the state is checked",
    },
    (ReportStream, Stream): {
        "TYPE_CONFORMANCE_LEVEL": "that records are not converted a second time",
        "_generate_record_messages": "where stream maps are applied to a record",
        "_increment_stream_state": "that no record moves a bookmark",
        "_write_state_message": "when the SDK writes the state: the run does, by its budget",
        "_write_starting_replication_value": "that nothing is written into our bookmarks",
        "apply_catalog": "what a catalog changes of a stream: its key stays the report's",
        "get_batches": "who writes the state while BATCH files are written",
        "_sync_batches": "what is done for each file: `_sync_files` must do the same",
        "_sync_records": "what is done for each record: `_sync_lines` must do the same for many",
        "get_records": "how records are asked for",
        "log": "that nothing is called unhandled of what ends in a line of its own",
        "partitions": "that a stream is read once, whatever the state lists",
    },
    (MessageWriter, GenericSingerWriter): {
        "serialize_message": "how a message becomes bytes",
        "write_message": "that whole lines are written, and signals wait for their end",
    },
    (StateLines, StateWriter): {
        "write_state": "that a state is written where it has changed, and not copied",
    },
}
CASES: Final = [
    (ours, theirs, name, look_at)
    for (ours, theirs), changes in CHANGED.items()
    for name, look_at in changes.items()
]
# Of the SDK's, called by the tap without being changed.
CALLED: Final = {
    Tap: (
        "_env_var_prefix",
        "append_builtin_config",
        "input_catalog",
        "mapper",
        "print_about",
        "print_version",
        "state_writer",
        "sync_all",
    ),
    Stream: (
        "ABORT_AT_RECORD_COUNT",
        "_finalize_state",
        "_stream_version",
        "_write_record_message",
        "child_streams",
        "forced_replication_method",
        "get_record_counter",
        "get_sync_timer",
        "mask",
        "post_process",
        "primary_keys",
        "selected",
        "state_manager",
        "stream_maps",
        "stream_state",
    ),
    GenericSingerWriter: ("format_message",),
}


def shape(member: object) -> object:
    """What a caller sees of a member: names and kinds of parameters, or what it is."""
    inner = getattr(member, "__func__", member)
    if inspect.isfunction(inner):
        return [(each.name, each.kind) for each in inspect.signature(inner).parameters.values()]
    return "property" if isinstance(member, property) else "attribute"


@pytest.mark.parametrize(
    ("ours", "theirs", "name", "look_at"), CASES, ids=[case[2] for case in CASES]
)
def test_what_is_changed_is_there(
    ours: type[Any], theirs: type[Any], name: str, look_at: str
) -> None:
    where = f"singer-sdk {INSTALLED}, {theirs.__name__}.{name}; look at: {look_at}"
    missing = object()
    own, base = (inspect.getattr_static(each, name, missing) for each in (ours, theirs))

    assert base is not missing, f"no more in {where}"
    assert shape(own) == shape(base), f"otherwise than ours in {where}"


@pytest.mark.parametrize(("ours", "theirs"), CHANGED, ids=lambda each: each.__name__)
def test_nothing_else_is_changed(ours: type[Any], theirs: type[Any]) -> None:
    there = dir(theirs)  # a look at the names alone: properties of a class may need its name
    changed = {name for name in vars(ours) if name in there and not _is_technical(name)}

    assert changed == set(CHANGED[ours, theirs])


def _is_technical(name: str) -> bool:
    return name.startswith(("__", "_abc_"))


@pytest.mark.parametrize(
    ("theirs", "name"), [(theirs, name) for theirs, names in CALLED.items() for name in names]
)
def test_what_is_called_is_there(theirs: type[Any], name: str) -> None:
    is_there = name in dir(theirs) or name in inspect.getsource(theirs.__init__)

    assert is_there, f"{theirs.__name__}.{name} is no more in singer-sdk {INSTALLED}"


def test_the_installed_sdk_is_one_that_the_project_allows() -> None:
    (required,) = [each for each in declared_requirements() if each.name == "singer-sdk"]

    assert required.specifier.contains(INSTALLED, prereleases=True)


def test_backoff_is_the_one_that_the_sdk_brings() -> None:
    files = distribution("python-backoff").files or []

    assert "backoff/__init__.py" in map(str, files)
    with pytest.raises(PackageNotFoundError):
        distribution("backoff")
