"""The report in a real browser: what a reader does with it, and what a hostile document cannot."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Difficulty
from tests.reports import pair, rejected, small_run, write_run
from tests.support import prose, webscale_rl, write_corpus

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (_CHROMIUM and _DRIVER), reason="no Chromium with its driver (Debian: apt-get install chromium chromium-driver)"
)
EVIL = "</script><script>window.harm = 1</script><img src=x onerror='window.harm = 2'><svg onload='window.harm = 3'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1280,1000",
        "--force-prefers-reduced-motion",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_DRIVER))
    yield driver
    driver.quit()


def until(holds: Callable[[], Any]) -> Any:
    """Wait until something holds, and return it."""
    for _ in range(200):
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to hold")


class Page:
    """A report that is open."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(path.as_uri())

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        (element,) = self.all(selector)
        return element

    def rows(self) -> Page:
        """Go to the rows and wait until all are unpacked."""
        self.driver.execute_script("document.getElementById('rows').scrollIntoView()")
        until(lambda: "so far" not in self.found())
        return self

    def found(self) -> str:
        return str(self.one("#found").text)

    def search(self, words: str) -> None:
        from selenium.webdriver.common.keys import Keys

        self.one("#search").send_keys(Keys.CONTROL + "a" + Keys.NULL + Keys.BACKSPACE + words)

    def click(self, selector: str, number: int = 0) -> None:
        """Click one of some elements, away from the bar that stays above."""
        element = self.all(selector)[number]
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def quiet(self) -> bool:
        """Whether nothing went wrong so far, and nothing but the file was asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = {
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        }
        assert all(url.startswith(("file:", "data:")) for url in asked), asked
        assert self.driver.get_log("browser") == []
        return True


def report_of(output: Path) -> Path:
    assert webscale_rl("report", output) == 0
    return output / "report.html"


def test_a_run_is_shown_and_searched(browser: Any, tmp_path: Path) -> None:
    output, _ = small_run(tmp_path)
    page = Page(browser, report_of(output))
    assert page.one("h1").text == "Report of run"
    funnel = [row.text.split() for row in page.all(".funnel tbody tr")]
    assert [row[0] for row in funnel] == ["screen", "questions"]
    assert funnel[0][:6] == ["screen", "documents", "90", "60", "67", "%"]
    assert len(page.all("#map-plane circle")) == 60
    page.rows()
    assert page.found() == "60 found." and len(page.all(".row")) == 10
    page.search("number 17?")
    until(lambda: page.found() == "1 found.")
    row = page.one(".row")
    wanted = prose(17).split(". ")[17 % 3]
    assert row.find_element("tag name", "mark").text == wanted, "the evidence is marked in its source"
    assert row.find_element("css selector", ".text").text != wanted
    page.search("no such words")
    until(lambda: page.found() == "0 found.")
    page.search("")
    until(lambda: page.found() == "60 found.")
    assert page.quiet()


def test_rows_are_filtered_and_leafed_through(browser: Any, tmp_path: Path) -> None:
    output, _ = small_run(tmp_path)
    page = Page(browser, report_of(output)).rows()
    page.click("#filter-domain option[value='=Coding']")
    until(lambda: page.found() == "6 found.")
    assert {tag.text for tag in page.all(".row .domain")} == {"Coding"}
    page.click("#filter-answer_type option[value='=name']")
    until(lambda: page.found() == "1 found.")
    page.click("#filter-answer_type option[value='']")
    page.click("#filter-domain option[value='']")
    assert not page.all(".pager button")[0].is_enabled()
    first = page.all(".row h3")[0].text
    page.click(".pager button", 1)
    assert page.one(".pager span").text == "2 of 6" and page.all(".row h3")[0].text != first
    page.click("#tab-rejected")
    until(lambda: page.found() == "30 found.")
    page.click("#filter-reason option[value='=not_qualified']")
    assert page.found() == "30 found." and page.all(".row .reason")[0].text == "not_qualified"
    assert page.quiet()


def test_the_map_is_read_by_keys_and_opens_a_pair(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    output, _ = small_run(tmp_path)
    page = Page(browser, report_of(output))
    plane = page.one("#map-plane svg")
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT):
        plane.send_keys(key)
    question = page.one("#map-says strong").text
    assert question.startswith("What is told of") and len(page.all("#map-plane circle.chosen")) == 1
    plane.send_keys(Keys.ENTER)
    until(lambda: page.found() == "1 found.")
    assert page.one(".row h3").text == question
    page.click(".legend button")
    assert len(page.all("#map-plane circle.faint")) == 54
    assert page.quiet()


def test_pass_rates_of_two_runs_are_in_order(browser: Any, tmp_path: Path) -> None:
    for name, samples in (("one", 4), ("two", 8)):
        pairs = [pair(n, prose(n), "no corpus", difficulty=Difficulty("a-policy", samples, n)) for n in range(4)]
        write_run(tmp_path / name, sorted(pairs, key=lambda row: row.id))
    assert webscale_rl("report", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "two.html") == 0
    page = Page(browser, tmp_path / "two.html")
    (table,) = [each for each in page.all(".bars") if each.text.startswith("Share of closed-book")]
    rows = [row.text.replace(" %", "").split() for row in table.find_elements("css selector", "tr")]
    assert rows == [
        ["0", "25", "25"], ["12", "0", "25"], ["25", "25", "25"],
        ["38", "0", "25"], ["50", "25", "0"], ["75", "25", "0"],
    ]  # fmt: skip


def test_a_run_without_pairs_leaves_the_other_its_figures(browser: Any, tmp_path: Path) -> None:
    small_run(tmp_path, "full", pairs=12, turned_away=0)
    for name, rows in (("early", {"documents": 0}), ("bare", {"qa": 0})):
        write_run(tmp_path / name, [], rows={"errors": 0, "rejected": 0, **rows})
        for order in ((name, "full"), ("full", name)):
            assert webscale_rl("report", *(tmp_path / run for run in order), "--output", tmp_path / "two.html") == 0
            page = Page(browser, tmp_path / "two.html")
            assert f"{name} has no pairs." in page.one("#distributions").text
            assert f"{name} has no questions." in page.one("#map").text
            assert "full has no" not in page.one("#main").text
            assert len(page.all("#map-plane circle")) == len(page.all(f"#map-plane .r{order.index('full')}")) == 12
            drawn = [len(page.all(f"#map .histogram rect.fill-{run}:not([height='0'])")) for run in (0, 1)]
            assert drawn[order.index("full")] > drawn[order.index(name)] == 0
            (domains,) = [each for each in page.all(".bars") if each.text.startswith("Domain")]
            assert all("\N{EN DASH}" in row.text for row in domains.find_elements("css selector", "tr"))
            assert page.quiet()
    assert webscale_rl("report", tmp_path / "early", tmp_path / "bare", "--output", tmp_path / "two.html") == 0
    page = Page(browser, tmp_path / "two.html")
    assert "There are no pairs to count." in page.one("#distributions").text
    assert "There are no questions to draw." in page.one("#map").text and page.quiet()


def test_rows_that_are_too_large_are_said(browser: Any, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.parquet", [prose(0), prose(1)])
    pairs = [pair(0, prose(0), corpus, aliases=("x" * 70_000,)), pair(1, prose(1), corpus)]
    write_run(tmp_path / "run", sorted(pairs, key=lambda row: row.id))
    page = Page(browser, report_of(tmp_path / "run")).rows()
    assert "Kept pairs: 1 of 2 are here" in page.one("#rows .lead").text
    assert "Of those drawn 1 were left out, for their size." in page.one("#rows .lead").text
    assert page.found() == "1 found." and page.quiet()


def test_a_hostile_document_does_nothing(browser: Any, tmp_path: Path) -> None:
    text = f"{prose(1)} {EVIL} {prose(2)}"
    corpus = write_corpus(tmp_path / "corpus.parquet", [text])
    planted = {
        "question": f"What {EVIL}?", "answer": EVIL, "aliases": (EVIL,), "persona": EVIL, "domain": EVIL,
        "answer_type": EVIL, "evidence": EVIL,
    }  # fmt: skip
    pairs = [pair(0, text, corpus, **planted)]
    away = [rejected(0, text, corpus, stage=EVIL, reason=EVIL, value=EVIL, duplicate_of=EVIL, thought=EVIL)]
    manifest = write_run(tmp_path / "run", pairs, away)
    manifest["stages"][0] |= {"stage": EVIL, "reasons": {EVIL: 1}}
    manifest["usage"][0] |= {"model": EVIL, "failed_calls": {EVIL: 1}}
    manifest |= {"unfinished": [EVIL], "complete": False, "started": EVIL, "run_id": EVIL}
    manifest["contamination"] = [{"benchmark": EVIL, "items": 1, "pairs": 1, "rules": {EVIL: 1}}]
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    page = Page(browser, report_of(tmp_path / "run")).rows()
    assert page.one(".row h3").text == f"What {EVIL}?" and page.one(".row mark").text == EVIL
    page.click("#tab-rejected")
    until(lambda: page.found() == "1 found.")
    assert EVIL in page.one(".row").text
    assert webscale_rl("report", tmp_path / "run", tmp_path / "run", "--output", tmp_path / "two.html") == 0
    both = Page(browser, tmp_path / "two.html")
    assert len(both.all("#main section")) > 3
    assert browser.execute_script("return [window.harm ?? null, document.images.length]") == [None, 0]
    assert both.quiet()


def test_a_link_of_a_document_leads_to_the_web_alone(browser: Any, tmp_path: Path) -> None:
    import dataclasses

    corpus = write_corpus(tmp_path / "corpus.parquet", [prose(1)])
    pairs = [pair(i, prose(1), corpus) for i in range(2)]
    addresses = ("javascript:alert(1)", "https://example.org/a")
    pairs = [
        dataclasses.replace(each, source=dataclasses.replace(each.source, row=0, url=url))
        for each, url in zip(pairs, addresses, strict=True)
    ]
    write_run(tmp_path / "run", pairs)
    page = Page(browser, report_of(tmp_path / "run")).rows()
    assert [link.get_attribute("href") for link in page.all(".row a")] == ["https://example.org/a"]


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_long_names_stay_whole_and_no_table_sticks_out(phone: Any, tmp_path: Path) -> None:
    pairs = [pair(0, prose(0), "no corpus", persona="x" * 200)]
    manifest = write_run(tmp_path / "run", pairs)
    manifest["usage"][0]["model"] = "provider/a_model_of_one_word"
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    Page(phone, report_of(tmp_path / "run"))
    lines = """
        const range = document.createRange();
        range.selectNodeContents(document.querySelector("#cost tbody td"));
        return [range.toString(), new Set([...range.getClientRects()].map((box) => box.top)).size];
    """
    assert phone.execute_script(lines) == ["provider/a_model_of_one_word", 1]
    assert phone.execute_script("return document.documentElement.scrollWidth") == 390


def test_light_and_dark(browser: Any, tmp_path: Path) -> None:
    output, _ = small_run(tmp_path)
    path = report_of(output)
    page = Page(browser, path)
    style = "return getComputedStyle(document.body).backgroundColor"
    page.click("#theme")
    light = browser.execute_script(style)
    page.click("#theme")
    assert page.one("#theme").text == "Colours: dark" and browser.execute_script(style) != light
    page.click("#theme")


def test_nothing_sticks_out_of_a_phone(phone: Any, tmp_path: Path) -> None:
    output, _ = small_run(tmp_path)
    Page(phone, report_of(output)).rows()
    assert phone.execute_script("return document.documentElement.scrollWidth") == 390


def test_200_000_pairs_stay_usable(browser: Any, tmp_path: Path) -> None:
    texts = [prose(number) for number in range(1000)]
    corpus = write_corpus(tmp_path / "corpus.parquet", texts, row_group_size=50)
    pairs = sorted((pair(i, texts[i % 1000], corpus) for i in range(200_000)), key=lambda row: row.id)
    places = [pair(i, texts[i], corpus).source for i in range(1000)]
    import dataclasses

    pairs = [dataclasses.replace(each, source=places[int(each.source.doc_id or 0) % 1000]) for each in pairs]
    write_run(tmp_path / "run", pairs)
    path = report_of(tmp_path / "run")
    assert path.stat().st_size < 40 << 20
    page = Page(browser, path)
    (paint,) = until(lambda: browser.execute_script("return performance.getEntriesByName('first-contentful-paint')"))
    print(f"\n200,000 pairs: {path.stat().st_size / 1e6:.1f} MB, first paint after {paint['startTime']:.0f} ms")
    assert paint["startTime"] < 2000
    assert "20,000 of 200,000 are here" in page.one("#rows .lead").text
    page.rows()
    assert page.found() == "20,000 found." and len(page.all(".row")) == 10
    page.search("lighthouse")
    until(lambda: page.found() != "20,000 found.")
    assert page.quiet()
