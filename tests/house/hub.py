"""The definition of the plugin as MeltanoHub keeps it, made from the one beside the tap."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROJECT: Final = Path(__file__).resolve().parents[2]

PLUGIN: Final = "tap_supermetrics/meltano-plugin.yml"
VARIANT: Final = "community"
DEFINITION: Final = f"docs/hub/{VARIANT}.yml"
LOGO: Final = "docs/hub/supermetrics.svg"
REPOSITORY: Final = "https://github.com/OWNER/tap-supermetrics"
"""Where the project is published. The release checks it against the repository that it runs in."""

_OF_THE_PLUGIN: Final = (
    "capabilities",
    "commands",
    "description",
    "executable",
    "label",
    "name",
    "namespace",
    "pip_url",
    "settings",
    "settings_group_validation",
)
_ONLY_ON_THE_HUB: Final[Mapping[str, Any]] = {
    "definition": "loads marketing data of Google Ads, Facebook Ads, Google Analytics 4 and "
    "whatever else Supermetrics connects.",
    "domain_url": "https://supermetrics.com",
    "keywords": ["api", "meltano_sdk", "marketing", "supermetrics"],
    "logo_url": "/assets/logos/extractors/supermetrics.svg",
    # It has not met the live API yet.
    "maintenance_status": "beta",
    "next_steps": "List your reports in the setting `queries`. These cost no quota:\n\n"
    "```sh\n"
    "meltano invoke tap-supermetrics:accounts AW   # ids of accounts\n"
    "meltano invoke tap-supermetrics:fields AW     # ids of fields\n"
    "meltano invoke tap-supermetrics:check         # would a run start whole?\n"
    "meltano invoke tap-supermetrics:plan          # what would it cost?\n"
    "```\n",
    "prereq": "An API key of Supermetrics whose license includes the API.\n",
    # The Hub rates by usage, of which it knows none yet.
    "quality": "unknown",
    "repo": REPOSITORY,
    "variant": VARIANT,
}


def hub_definition() -> str:
    """Return the definition as YAML, its keys in the Hub's order, which is the alphabet's."""
    plugin = yaml.safe_load((_PROJECT / PLUGIN).read_text(encoding="utf-8"))
    definition = {
        **{name: plugin[name] for name in _OF_THE_PLUGIN},
        **_ONLY_ON_THE_HUB,
        "supported_python_versions": supported_pythons(),
    }
    return yaml.safe_dump(definition, allow_unicode=True, width=80)


def supported_pythons() -> Sequence[str]:
    """Return the versions of Python that pyproject.toml names, such as `3.10`."""
    text = (_PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
