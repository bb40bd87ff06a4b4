"""The files that `init` writes: all of them whole, or none, and no key where git would add it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from dotenv import dotenv_values

from tap_supermetrics.commands.yaml_text import Item, with_added
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.settings.config import DEFAULT_API_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

MELTANO_FILE: Final = "meltano.yml"
CONFIG_FILE: Final = "config.json"
KEY_VARIABLE: Final = "TAP_SUPERMETRICS_API_KEY"
URL_VARIABLE: Final = "TAP_SUPERMETRICS_API_URL"
_NAME: Final = "tap-supermetrics"
_PATH: Final = ("plugins", "extractors", Item(_NAME, {}), "config")


@dataclass(frozen=True, slots=True)
class Project:
    """The files of the settings.

    Attributes:
        file: a `meltano.yml`, or a configuration in JSON.
    """

    file: Path

    @property
    def is_meltano(self) -> bool:
        """Return whether it is Meltano's."""
        return self.file.suffix in {".yml", ".yaml"}

    @property
    def key_file(self) -> Path:
        """Return the file of the key."""
        return self.file.parent / ".env"

    @property
    def key(self) -> str | None:
        """Return the key that the environment or the project has already."""
        return _variable(KEY_VARIABLE, self.key_file)

    @property
    def api_url(self) -> str:
        """Return the address that a run would use: as with Meltano, the environment first."""
        return (
            _variable(URL_VARIABLE, self.key_file) or self.config.get("api_url") or DEFAULT_API_URL
        )

    @property
    def config(self) -> dict[str, Any]:
        """Return the tap's settings in the file.

        Raises:
            SettingsError: it cannot be read.
        """
        config = (self._entry or {}).get("config") or {} if self.is_meltano else self._data
        if not isinstance(config, dict):
            raise self._unreadable
        return {**config}

    @property
    def reports(self) -> list[dict[str, Any]]:
        """Return the entries of `queries` in the file.

        Raises:
            SettingsError: it cannot be read.
        """
        queries = self.config.get("queries") or []
        if not isinstance(queries, list) or not all(isinstance(each, dict) for each in queries):
            raise self._unreadable
        return queries

    @property
    def has_tap(self) -> bool:
        """Return whether the project of Meltano's has the extractor already."""
        return self._entry is not None

    @property
    def _entry(self) -> dict[str, Any] | None:
        """Return the extractor as Meltano has it; None where there is none."""
        try:
            extractors = (self._data.get("plugins") or {}).get("extractors") or ()
            return next((each for each in extractors if each.get("name") == _NAME), None)
        except AttributeError:
            raise self._unreadable from None

    @property
    def _data(self) -> dict[str, Any]:
        try:
            return dict(yaml.safe_load(_read(self.file)) or {})
        except (yaml.YAMLError, TypeError, ValueError):
            raise self._unreadable from None

    @property
    def _unreadable(self) -> SettingsError:
        return SettingsError([f"{self.file}: cannot be understood; mend it first, or set --into"])

    def texts(self, report: Mapping[str, Any], api_url: str, key: str | None) -> dict[Path, str]:
        """Return the new content of each file.

        Args:
            report: the new entry of `queries`.
            api_url: the API's address; empty where the file need not name it.
            key: the key; None where it is known to the project already.

        Raises:
            SettingsError: the file cannot be added to.
        """
        try:
            make = self._meltano if self.is_meltano else self._json
            texts = make(report, api_url)
        except ValueError as error:
            entry = json.dumps(report, ensure_ascii=False)
            raise SettingsError(
                [f"{self.file}: {error}; add this to its `queries` yourself: {entry}"]
            ) from None
        if key:
            lines = _read(self.key_file).splitlines()
            others = [each for each in lines if not each.startswith(f"{KEY_VARIABLE}=")]
            texts[self.key_file] = "\n".join([*others, f"{KEY_VARIABLE}='{key}'", ""])
            if not self._is_ignored:
                ignored = self.file.parent / ".gitignore"
                before = _read(ignored)
                gap = "" if not before or before.endswith("\n") else "\n"
                texts[ignored] = f"{before}{gap}.env\n"
        return texts

    def _json(self, report: Mapping[str, Any], api_url: str) -> dict[Path, str]:
        config = self.config
        config |= {"api_url": api_url} if api_url else {}
        config["queries"] = [*self.reports, dict(report)]
        return {self.file: json.dumps(config, indent=2, ensure_ascii=False) + "\n"}

    def _meltano(self, report: Mapping[str, Any], api_url: str) -> dict[Path, str]:
        """Return the project's file with the report added, and the lock of a new plugin."""
        entry, texts, text = Item(_NAME, {}), dict[Path, str](), _read(self.file)
        if self._entry is None:
            # As `meltano add --from-ref` does: a short entry, and its definition in a lock file.
            definition = yaml.safe_load(
                files("tap_supermetrics").joinpath("meltano-plugin.yml").read_text(encoding="utf-8")
            )
            variant = definition["variant"]
            lock = self.file.parent / "plugins" / "extractors" / f"{_NAME}--{variant}.lock"
            texts[lock] = json.dumps(definition, indent=2, ensure_ascii=False) + "\n"
            entry = Item(_NAME, {"variant": variant, "pip_url": _origin()})
        path = (*_PATH[:2], entry, _PATH[3])
        others = {name: each for name, each in report.items() if name != "name"}
        text = with_added(text, (*path, "queries", Item(report["name"], others)))
        if api_url:
            text = with_added(text, (*path, "api_url"), api_url)
        return {**texts, self.file: text}

    @property
    def is_key_file_tracked(self) -> bool:
        """Return whether git has the file of the key already."""
        return _git(self.file.parent, "ls-files", "--error-unmatch", ".env") == 0

    @property
    def _is_ignored(self) -> bool:
        known = _git(self.file.parent, "check-ignore", "--quiet", ".env")
        # Any other code means that git is missing, or that this is no repository.
        if known in {0, 1}:
            return known == 0
        return ".env" in _read(self.file.parent / ".gitignore").splitlines()


def _variable(name: str, file: Path) -> str | None:
    lines = StringIO(_read(file))
    return os.environ.get(name) or dotenv_values(stream=lines, interpolate=False).get(name)


def _git(folder: Path, *arguments: str) -> int | None:
    """Return the exit code of git; None where there is none."""
    if not (git := shutil.which("git")):
        return None
    done = subprocess.run(  # noqa: S603 - a fixed command
        [git, *arguments], cwd=folder, capture_output=True, check=False
    )
    return done.returncode


def _read(file: Path) -> str:
    """Return the text of a file; nothing where there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        # As bytes, so that line ends are preserved.
        return file.read_bytes().decode("utf-8") if file.exists() else ""
    except OSError as error:
        raise SettingsError([f"{file}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{file}: cannot be read; save it as UTF-8"]) from None


def write(texts: Mapping[Path, str]) -> None:
    """Write files, none of them before all could be written beside their places.

    Raises:
        TapError: a folder cannot be written.
    """
    written: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            whole = path.resolve()
            whole.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=whole.parent)
            written[Path(name)] = whole
            with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a file that is open
                file.write(text)
            # `mkstemp` makes files that only their owner may read.
            mode = whole.stat().st_mode if whole.exists() else _mode_of(path)
            Path(name).chmod(mode)
        for new, whole in written.items():
            new.replace(whole)
    except OSError as error:
        name = error.filename or " ".join(map(str, texts))
        raise TapError(f"{name}: cannot be written ({error.strerror})") from None
    finally:
        for new in written:
            new.unlink(missing_ok=True)


def _mode_of(path: Path) -> int:
    # Only the owner reads the key; other files get the usual mode.
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o600 if path.name == ".env" else 0o666 & ~mask


def _origin() -> str:
    """Return where this tap was installed from, in pip's form."""
    origin = json.loads(distribution(_NAME).read_text("direct_url.json") or "{}")
    address = str(origin.get("url", ""))
    if "vcs_info" in origin:
        return f"{origin['vcs_info']['vcs']}+{address}@{origin['vcs_info']['commit_id']}"
    return address.removeprefix("file://") or _NAME
