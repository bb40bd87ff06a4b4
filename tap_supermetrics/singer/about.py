"""Describes an entry of `queries` for `--about`, where the SDK shows its name only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.settings.entries import ONLY_IN_REPORT, OVERRIDABLE

if TYPE_CHECKING:
    from tap_supermetrics.model.declared import Setting


def about_entries(output_format: str | None) -> str:
    """Return the settings of an entry, in the format of `--about`; JSON has them in its schema."""
    overrides = ", ".join(each.name for each in OVERRIDABLE)
    if output_format == "markdown":
        rows = "\n".join(map(_row, ONLY_IN_REPORT))
        return (
            "\n## Settings in an entry of `queries`\n\n"
            "| Setting | Required | Expected | Description |\n"
            "|:--------|:--------:|:---------|:------------|\n"
            f"{rows}\n\nAnd, to override them there: {overrides}\n"
        )
    if output_format == "json":
        return ""
    entries = "\n".join(map(_lines, ONLY_IN_REPORT))
    return f"Settings in an entry of queries:\n{entries}\nTo override them there: {overrides}\n"


def _row(setting: Setting) -> str:
    expected = setting.kind.expected.replace("|", r"\|")
    description = setting.description.replace("|", r"\|")
    return f"| {setting.name} | {setting.is_required} | {expected} | {description} |"


def _lines(setting: Setting) -> str:
    required = " (required)" if setting.is_required else ""
    return (
        f"  - Name: {setting.name}{required}\n"
        f"    Expected: {setting.kind.expected}\n"
        f"    Meaning: {setting.description}"
    )
