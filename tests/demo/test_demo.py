from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tests.demo import processes
from tests.demo.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_demo_loads_two_nights_and_leaves_nothing_running() -> None:
    said = processes.run((sys.executable, "-m", "tests.demo.run"), dict(os.environ))

    assert "3 days again" in said
    assert "no key is there twice" in said
    page = processes.PROJECT / "output" / "demo" / "index.html"
    assert str(page.relative_to(processes.PROJECT)) in said
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "Nothing is left running" in said


def test_meltano_installs_by_pip_where_only_pip_reaches_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    meltano = programs / "meltano"
    meltano.write_text('#!/bin/sh\necho "by ${MELTANO_VENV_BACKEND:-uv}"\n')
    meltano.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    pipeline = Pipeline(loader="target-jsonl", memory=tmp_path)

    assert pipeline.run(end_date="yesterday") == "by uv\n"
    (tmp_path / ".venv" / ".pip-only").touch()
    assert pipeline.run(end_date="yesterday") == "by virtualenv\n"
