"""Loaders that are installed with the tests; and the page on loaders names those that are tried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tap_supermetrics.commands.loaders import LOADERS
from tests.demo.processes import PROJECT
from tests.loaders.loaders import EVERYDAY, OTHERS, Loader
from tests.loaders.nights import two_nights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("loader", EVERYDAY, ids=str)
def test_tables_equal_the_truth_after_two_nights(loader: Loader, tmp_path: Path) -> None:
    two_nights(loader, tmp_path)


def test_the_page_names_each_loader_with_the_version_that_is_tried() -> None:
    page = (PROJECT / "docs" / "loaders.md").read_text(encoding="utf-8")
    first_table = page.partition("\n## ")[0]
    named = dict(re.findall(r"^\| `([\w-]+)` \| `([^`]+)` \|", first_table, re.MULTILINE))
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    pinned = {each["name"]: each["pip_url"] for each in project["plugins"]["loaders"]}
    assert named == pinned
    assert {*pinned} == {each.name for each in (*EVERYDAY, *OTHERS)}
    assert {*pinned} <= {*LOADERS}
