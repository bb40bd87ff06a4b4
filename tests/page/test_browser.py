"""The page in a real browser: what is on it, by its structure; keys, names, colours, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tap_supermetrics.page.document import html_of
from tests.benchmarks import page as sample
from tests.browser import require_browser, running_browser
from tests.page.test_page import NASTY, nasty_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

DISTANT: Final = 0.16
"""So far apart are two colours, of the span from black to white, to anyone who sees them."""

BUSY: Final = 4
"""So much slower a machine with other work may be; the benchmark holds the bound itself."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require_browser()
    with running_browser() as running:
        yield running


def opened(browser: Browser, folder: Path, html: str, scheme: str = "light") -> Page:
    """The page, after its script; it may ask nothing of anybody and fail nowhere."""
    file = folder / "index.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert [each for each in asked if not each.startswith("data:")] == [file.as_uri()]
    return page


def test_the_page_shows_runs_causes_and_a_calendar_of_each_account(
    browser: Browser, tmp_path: Path
) -> None:
    page = opened(browser, tmp_path, sample.small())
    assert page.locator("h1").inner_text() == "The last run needs a look"
    expect(page.locator("#runs-table tbody tr")).to_have_count(30)
    expect(page.locator(".plots rect")).to_have_count(2 * sample.NIGHTS)
    assert page.locator("#causes article code").first.inner_text() == "QUERY_ACCOUNT_UNAVAILABLE"
    assert "What to do: remove the account" in page.locator("#causes article").first.inner_text()
    expect(page.locator("details.report")).to_have_count(3)
    expect(page.locator("details.report .days")).to_have_count(1)  # others are drawn when opened
    page.locator("details.report summary").nth(1).click()
    expect(page.locator("details.report .days")).to_have_count(2)
    accounts = page.locator("details.report").first.locator(".account")
    expect(accounts).to_have_count(24)
    accounts.first.click()
    calendar = page.locator("details.report").first.locator(".days").nth(1)
    expect(calendar.locator("[data-day]")).to_have_count(53 * 7)
    expect(calendar.locator("[data-day='2024-06-09']")).to_have_count(1)


def test_every_sign_is_told_by_more_than_its_colour(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, sample.small())
    legend = page.locator("#legend li")
    names = legend.all_inner_texts()
    signs = [each.strip() for each in page.locator("#legend i").all_inner_texts()]
    assert len({*names}) == len({*signs}) == legend.count() == 6
    labels = page.evaluate(
        """() => [...document.querySelectorAll("[data-day]")].map(each =>
            [each.dataset.day, each.getAttribute("aria-label")])"""
    )
    assert len(labels) > 300
    assert all(day[:4] in label and ": " in label for day, label in labels)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart_by_their_lightness_or_their_sign(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    """Done against failed and missing must differ even where all colours are grey."""
    page = opened(browser, tmp_path, sample.small(), scheme)
    lightness = {
        letter: page.evaluate(
            """letter => {
                const sign = document.querySelector(`#legend [data-s=${letter}]`);
                const style = getComputedStyle(sign);
                const [r, g, b, a = 1] = style.backgroundColor.match(/[\\d.]+/g).map(Number);
                if (!a) return -1;
                return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
            }""",
            letter,
        )
        for letter in "depsfm"
    }
    assert abs(lightness["f"] - lightness["d"]) > DISTANT
    assert lightness["m"] == -1, "a missing day is not filled"
    ink, paper = page.evaluate(
        """() => ["color", "backgroundColor"].map(name =>
            getComputedStyle(document.body)[name].match(/[\\d.]+/g).map(Number)[0])"""
    )
    assert (ink < paper) == (scheme == "light")
    assert abs(ink - paper) > 150


def test_keys_lead_everywhere(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, sample.small())
    page.locator("details.report .days [tabindex='0']").first.focus()
    focused = "document.activeElement.dataset.day"
    assert page.evaluate(focused) == "2024-06-09"
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "2024-06-08"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "2024-06-01"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "2024-06-09"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "2024-06-09", "there is no later day"
    page.keyboard.press("Home")
    assert page.evaluate(focused) < "2023-06-30"
    assert "2023" in page.locator(".told").first.inner_text()

    summary = page.locator("details.report summary").nth(1)
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.report").nth(1).get_attribute("open") is not None
    account = page.locator(".account").first
    account.focus()
    page.keyboard.press("Enter")
    assert account.get_attribute("aria-expanded") == "true"


def test_a_screen_reader_finds_headings_tables_and_names(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, sample.small())
    for heading in ("Which days are there", "Last runs", "What failed, and what to do"):
        expect(page.get_by_role("heading", name=heading)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    assert page.get_by_role("grid").first.get_attribute("aria-label")
    assert page.get_by_role("img").first.get_attribute("aria-label")
    expect(page.get_by_role("columnheader", name="Requests")).to_have_count(1)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, [role]")].filter(each =>
            !each.textContent.trim() && !each.getAttribute("aria-label")
            && !each.getAttribute("aria-labelledby") && !each.labels?.length).length"""
    )
    assert nameless == 0
    assert page.locator("html").get_attribute("lang") == "en"


def test_texts_of_others_are_texts(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, nasty_page())
    expect(page.locator("script")).to_have_count(2)
    expect(page.locator("b[onload]")).to_have_count(0)
    assert page.locator("details.report h3").first.text_content() == NASTY
    assert page.locator(".account").first.text_content() == NASTY


def test_an_earlier_year_is_a_key_away(browser: Browser, tmp_path: Path) -> None:
    html = html_of(sample.runs([sample.report("google_ads", "AW", 1, 1_000)], 1), sample.NOW)
    page = opened(browser, tmp_path, html)
    page.locator(".account").first.click()
    first = page.locator(".days").first
    assert first.locator("[data-day='2024-06-09']").count() == 1
    page.get_by_role("button", name="Earlier").first.click()
    expect(page.locator(".days").first.locator("[data-day='2024-06-09']")).to_have_count(0)
    expect(page.locator(".days").first.locator("[data-day='2022-09-15']")).to_have_count(1)
    page.get_by_role("button", name="Later").first.click()
    expect(page.locator(".days").first.locator("[data-day='2024-06-09']")).to_have_count(1)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_three_thousand_accounts_are_small_and_soon_there(
    browser: Browser, tmp_path: Path, *, is_sparse: bool
) -> None:
    html = html_of(sample.large(is_sparse=is_sparse), sample.NOW)
    assert len(html.encode()) < sample.MAX_BYTES
    page = opened(browser, tmp_path, html)
    page.close()
    ready, _ = min(sample.seconds_until_used(browser, tmp_path / "index.html") for _ in range(3))
    assert ready < BUSY * sample.MAX_READY_S
