"""Dockerfile and CronJob cannot be built here: what can be read in them holds."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from tests.demo.processes import PROJECT

FOLDER: Final = PROJECT / "examples" / "container"


def instructions() -> list[tuple[str, str]]:
    """Return instruction and arguments of each line of the Dockerfile, continued lines joined."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_is_made_in_two_stages_of_a_pinned_base_and_ends_as_nobody() -> None:
    bases = [words for name, words in instructions() if name == "FROM"]
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?", base)
    last = [name for name, _ in instructions()][::-1].index("FROM")
    final = instructions()[-last:]
    assert ("USER", "65534:65534") in final
    assert "RUN" not in [name for name, _ in final]


def test_no_key_is_known_when_the_image_is_built() -> None:
    for name, words in instructions():
        assert name not in {"ARG", "ENV"} or not re.search(r"key|secret|token", words.lower())
        assert name != "COPY" or ".env" not in words


def test_no_compiler_is_installed() -> None:
    for name, words in instructions():
        assert name != "RUN" or not re.search(r"apt|gcc|build-essential|apk", words)


def pod() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the specification of the job and of its pod."""
    cron = yaml.safe_load((FOLDER / "cronjob.yaml").read_text())
    assert (cron["apiVersion"], cron["kind"]) == ("batch/v1", "CronJob")
    job = cron["spec"]["jobTemplate"]["spec"]
    return job, job["template"]["spec"]


def test_the_pod_is_nobody_with_a_read_only_root_and_a_limit() -> None:
    _, spec = pod()
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsUser"] == 65534
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"] == "512Mi"
    (key,) = [each for each in container["env"] if each["name"] == "TAP_SUPERMETRICS_API_KEY"]
    assert "secretKeyRef" in key["valueFrom"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in spec["volumes"]}


def test_shards_and_exit_codes_are_those_of_the_job() -> None:
    job, spec = pod()
    (container,) = spec["containers"]
    (shards,) = [each["value"] for each in container["env"] if each["name"] == "SHARDS"]
    assert int(shards) == job["completions"]
    rules = {
        rule["onExitCodes"]["values"][0]: rule["action"]
        for rule in job["podFailurePolicy"]["rules"]
        if "onExitCodes" in rule
    }
    assert rules == {3: "FailIndex", 4: "FailJob"}
    assert spec["restartPolicy"] == "Never"
