"""The key goes into one header, to one origin, and is found nowhere else, whatever happens."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings import Settings
from tests.attack import liar as lies
from tests.attack.driver import (
    ADS,
    DAY,
    LAST,
    Attempt,
    attempt,
    keeps_its_promise,
    options,
    settings_for,
    some,
)
from tests.attack.liar import Liar, always, at, changed, head, http
from tests.tap import Ended, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.attack.liar import Lie, Said

pytestmark = pytest.mark.timeout(180)
KEY: Final = 'api_MARKER/7f3a\\9c"41=+&%e0d2b8'
SPELLINGS: Final = (
    KEY,
    json.dumps(KEY)[1:-1],
    json.dumps(KEY)[1:-1].replace("/", "\\/"),
    repr(KEY)[1:-1],
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
    # Half a key is as good as a whole one to whoever can guess the rest.
    KEY[:14],
    KEY[-14:],
)


@dataclass(slots=True)
class Elsewhere:
    """A server that the key must never reach."""

    requests: list[str]
    port: int


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options(api_key=KEY)) as emulator, Liar(emulator) as running:
        yield running


@pytest.fixture
def liar(shared: Liar) -> Liar:
    shared.emulator.reset()
    shared.forget()
    return shared


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.requestline} {self.headers}")
            self.wfile.write(head(200))

        do_POST = do_DELETE = do_CONNECT = do_GET  # noqa: N815 - the base class looks for them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - same
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Elsewhere(requests, server.server_address[1])
    server.shutdown()
    server.server_close()


def tap(
    liar: Liar,
    folder: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    **top: Any,  # noqa: ANN401 - any setting
) -> Ended:
    """The tap as a process at the greatest verbosity."""
    config = settings_for(liar.emulator, {**ADS, "ds_accounts": "list.all_accounts"}, **top)
    config |= {"api_key": KEY, "api_url": liar.url, "start_date": str(LAST - DAY), **top}
    (folder / "config.json").write_text(json.dumps(config))
    loud = {"TAP_SUPERMETRICS_LOGLEVEL": "DEBUG", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(  # noqa: S603 - our own command
        command(*arguments, "--config", str(folder / "config.json")),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env={**os.environ, **loud, **(env or {})},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def hides_the_key(ended: Ended, liar: Liar) -> None:
    for spelling in SPELLINGS:
        assert spelling not in ended.stdout, f"stdout shows {spelling!r}"
        assert spelling not in ended.stderr, f"stderr shows {spelling!r}: {ended.stderr[-3000:]}"
        for line in liar.requests:
            assert spelling not in line, f"an address shows {spelling!r}"


def echo(said: Said) -> str:
    """What a helpful server says about the request that it got."""
    headers = "\n".join(f"{name}: {value}" for name, value in said.request.headers.items())
    return f"{said.request.method} {said.request.path}?{said.request.query}\n{headers}"


def error(code: Callable[[Said], str], status: int = 500) -> Lie:
    def lie(said: Said) -> bytes:
        text = echo(said)
        answer = {
            "meta": {"request_id": said.request.headers.get("authorization", "")},
            "error": {"code": code(said), "message": text, "description": text},
        }
        return http(json.dumps(answer).replace("/", "\\/").encode(), status)

    return lie


def echoing(status: int, prefix: str = "") -> Lie:
    return lambda said: http((prefix + echo(said)).encode(), status)


ECHOES: Final[dict[str, Lie]] = {
    "an error with the headers": error(lambda _: "INTERNAL_SERVER_ERROR"),
    "a refusal with the headers": error(lambda _: "API_KEY_INVALID", 401),
    "an error named by the key": error(lambda said: said.request.headers["authorization"], 400),
    "a page with the headers": echoing(502, "<html><pre>"),
    "a page that begins with the key": lambda said: http(
        said.request.headers["authorization"].encode(), 200
    ),
    # The text that is shown of an odd page ends in the middle of the key.
    "a page cut in the key": lambda said: http(
        (" " * 40 + said.request.headers["authorization"]).encode(), 200
    ),
    "a redirect that carries the key": lambda said: head(
        302, location=f"http://127.0.0.1/?api_key={quote(said.request.headers['authorization'])}"
    ),
    "a header of the answer": lambda said: http(
        b"{}", 500, x_request=said.request.headers["authorization"]
    ),
    "an answer that is no HTTP": lambda said: said.request.headers["authorization"].encode(),
    "a status line with the key": lambda said: (
        f"HTTP/1.1 abc {said.request.headers['authorization']}\r\n\r\n".encode()
    ),
    "a broken chunk with the key": lambda said: (
        head(200, transfer_encoding="chunked")
        + f"{said.request.headers['authorization']}\r\n".encode()
    ),
}
PLACES: Final = (lies.FIELDS, lies.ACCOUNTS, lies.START, lies.STATUS, lies.RESULTS)


def all_echoes() -> list[tuple[str, str]]:
    return [(kind, place) for kind in ECHOES for place in PLACES]


def here(liar: Liar, *reports: dict[str, Any]) -> Attempt:
    """A run within this process, in no time."""
    config = settings_for(liar.emulator, *reports, mode="batch")
    return attempt(config | {"api_key": KEY, "api_url": liar.url})


@pytest.mark.parametrize(("kind", "place"), some(all_echoes(), 28))
def test_a_server_that_echoes_the_request_is_not_quoted_with_the_key(
    kind: str, place: str, liar: Liar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    liar.tell(place, ECHOES[kind], times=3)
    done = here(liar, {**ADS, "ds_accounts": "list.all_accounts"})
    said = "\n".join([*done.log, done.message, done.saved, str(done.rows), caplog.text])
    hides_the_key(Ended(done.code, "", said), liar)
    assert set(liar.authorizations) == {f"Bearer {KEY}"}


@pytest.mark.parametrize(("kind", "place"), some(all_echoes()[1::6], 1))
def test_a_process_that_meets_an_echo_writes_no_key(
    kind: str, place: str, liar: Liar, tmp_path: Path
) -> None:
    liar.tell(place, ECHOES[kind], times=3)
    hides_the_key(tap(liar, tmp_path), liar)


def test_a_result_that_says_to_be_of_the_key_is_not_quoted_in_the_query_log(
    liar: Liar, tmp_path: Path
) -> None:
    """The tap words that error itself, of what the answer tells."""

    def of_the_key(said: Said) -> bytes:
        answer = json.loads(said.body)
        answer["meta"]["query"]["ds_accounts"] = said.request.headers["authorization"]
        return http(json.dumps(answer).encode(), said.status)

    liar.tell(lies.RESULTS, of_the_key, times=100)
    ended = tap(liar, tmp_path, query_log=True)
    assert "RESULT_MISMATCH" in ended.stdout
    hides_the_key(ended, liar)


def test_a_good_run_shows_no_key_at_the_greatest_verbosity(liar: Liar, tmp_path: Path) -> None:
    ended = tap(liar, tmp_path, on_failure="continue")
    assert ended.code == 0, ended.stderr[-2000:]
    assert '"RECORD"' in ended.stdout
    assert '"STATE"' in ended.stdout
    hides_the_key(ended, liar)


OPTIONS: Final = (
    ["--about", "--format=json"],
    ["--about", "--format=markdown"],
    ["--about"],
    ["--discover"],
    ["--test"],
    ["--test", "schema"],
    ["--version"],
)


@pytest.mark.parametrize("arguments", some(OPTIONS, 2), ids=" ".join)
def test_no_option_shows_the_key(arguments: list[str], liar: Liar, tmp_path: Path) -> None:
    ended = tap(liar, tmp_path, *arguments)
    assert ended.code == 0, ended.stderr
    assert ended.stdout
    hides_the_key(ended, liar)


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_command_shows_no_key_that_a_server_puts_into_its_lists(
    form: str, liar: Liar, tmp_path: Path
) -> None:
    liar.tell("GET .*accounts", at("data.0.accounts.0.account_name", f"The account of {KEY}"))
    liar.tell("GET .*fields", at("data.0.field_name", f"The field of {KEY}"))
    for what in ("accounts", "fields"):
        ended = tap(liar, tmp_path, what, "AW", "--format", form)
        assert ended.code == 0, ended.stderr
        assert "(the key)" in ended.stdout
        hides_the_key(ended, liar)


def test_a_description_is_cut_and_shows_no_key(liar: Liar, tmp_path: Path) -> None:
    text = f"{KEY} {'long ' * 5_000}"
    liar.tell("GET .*fields", changed(lambda answer: _describe(answer, text)))
    ended = tap(liar, tmp_path, "--discover")
    assert ended.code == 0, ended.stderr
    assert len(ended.stdout) < 100_000
    hides_the_key(ended, liar)


def _describe(answer: dict[str, Any], text: str) -> None:
    for each in answer["data"]:
        each["description"] = text


CRASHES: Final[dict[str, str]] = {
    "in a thread": "tap_supermetrics.extraction.engine:Engine._act",
    "in a download": "tap_supermetrics.extraction.downloads:Downloader.fetch",
    "in the plan": "tap_supermetrics.sync.run:Run.start",
    "in the client": "tap_supermetrics.api.replies:Replies.answer",
    "in the settings": "tap_supermetrics.settings.config:Settings.from_config",
    "at the end": "tap_supermetrics.sync.run:Run.finish",
}
BUG: Final = """
import importlib, sys
module, _, path = {where!r}.partition(":")
owner_name, name = path.split(".")
owner = getattr(importlib.import_module(module), owner_name)
def bug(*args, **kwargs):
    raise ZeroDivisionError("a bug of the tap")
setattr(owner, name, bug)
from tap_supermetrics.__main__ import main
sys.argv = ["tap-supermetrics", *{arguments!r}]
main()
"""


@pytest.mark.parametrize("where", some(list(CRASHES), 2))
def test_a_crash_shows_where_but_no_key(where: str, liar: Liar, tmp_path: Path) -> None:
    config = settings_for(liar.emulator, ADS) | {"api_key": KEY, "api_url": liar.url}
    (tmp_path / "config.json").write_text(json.dumps(config))
    script = BUG.format(where=CRASHES[where], arguments=["--config", str(tmp_path / "config.json")])
    done = subprocess.run(  # noqa: S603 - our own command
        [command()[0], "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "TAP_SUPERMETRICS_LOGLEVEL": "DEBUG"},
    )
    assert done.returncode == 1
    assert "a bug of the tap" in done.stderr
    hides_the_key(Ended(done.returncode, done.stdout, done.stderr), liar)
    assert all(batch.status == "STOPPED" for batch in liar.emulator.batches)


FORMS: Final = ("http://127.0.0.1:{}/x", "//127.0.0.1:{}/x", "http://localhost:{}/x")
WAYS: Final = (
    (lies.STATUS, "data.0.result_info.results_url"),
    (lies.RESULTS, "meta.paginate.next"),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[1])
def test_the_key_is_not_sent_to_another_origin(
    form: str, way: tuple[str, str], liar: Liar, elsewhere: Elsewhere
) -> None:
    place, path = way
    liar.tell(place, at(path, form.format(elsewhere.port)))
    done = here(liar, ADS)
    assert (done.code, done.message) == (0, "")
    assert "\n".join(done.log).count("ADDRESS_REFUSED") == 1
    assert elsewhere.requests == []
    keeps_its_promise(done, liar.emulator, ADS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, liar: Liar, elsewhere: Elsewhere) -> None:
    address = f"http://127.0.0.1:{elsewhere.port}/enterprise/v2/query/fields"
    liar.tell(lies.FIELDS, always(head(status, location=address)))
    assert here(liar, ADS).code == 1
    assert elsewhere.requests == []


def test_a_netrc_does_not_replace_the_key(
    liar: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert here(liar, ADS).code == 0
    assert set(liar.authorizations) == {f"Bearer {KEY}"}


def test_a_proxy_that_fails_is_told_without_the_key(
    liar: Liar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    done = here(liar, ADS)
    assert done.code == 1
    assert "CONNECTION_FAILED" in done.message
    hides_the_key(Ended(done.code, "", "\n".join([*done.log, done.message, caplog.text])), liar)


@pytest.mark.parametrize(
    "config",
    [
        {"api_key": [KEY]},
        {"api_key": {"key": KEY}},
        {"api_key": f"two words {KEY}"},
        {"api_url": f"https://x:{quote(KEY, safe='')}@api.example"},
    ],
    ids=lambda config: str(config)[:30],
)
def test_mistakes_about_the_key_do_not_repeat_it(config: dict[str, Any], liar: Liar) -> None:
    whole = settings_for(liar.emulator, ADS) | {"api_key": KEY} | config
    with pytest.raises(SettingsError) as raised:
        Settings.from_config(whole)
    hides_the_key(Ended(1, "", str(raised.value)), liar)
