"""A real, headless Chromium reads the replica, with its scripts running."""

import json
import os
import shutil

import pytest

from genre_assets.sources.fma_site.pages import parse_listing, parse_track

RULES = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no chromium and chromedriver on this machine")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = binary
    flags = ["headless=new", "disable-gpu", "disable-dev-shm-usage", "no-first-run"]
    flags += ["disable-background-networking", "disable-component-update", "disable-sync"]
    flags += [f"host-resolver-rules={RULES}", f"user-data-dir={tmp_path_factory.mktemp('p')}"]
    flags += ["no-sandbox"] if os.geteuid() == 0 else []
    for flag in flags:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    os.environ["SE_OFFLINE"] = "true"
    chrome = Chrome(options=options, service=Service(executable_path=driver))
    chrome.set_page_load_timeout(20)
    yield chrome
    chrome.quit()


def requested_retries(browser) -> set[str]:
    """What was requested over a network since the last call, not of the browser itself."""
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and not event["params"]["request"]["url"].startswith(("chrome:", "data:"))
    }


def test_a_browser_reads_a_listing_and_a_track_and_asks_nobody_else(browser, corpus_site):
    base, content = corpus_site.base, corpus_site.content
    browser.get(f"{base}/genre/Drum_amp_Bass?pageSize=200")
    listing = parse_listing(browser.page_source)
    assert [row.id for row in listing.rows] == [t.id for t in content.of_genre("Drum_amp_Bass")]
    assert browser.execute_script("return !!document.getElementById('CybotCookiebotDialog')")
    first = browser.find_element("css selector", ".play-item .ptxt-track a")
    assert first.is_displayed()
    first.click()
    track = parse_track(browser.page_source)
    assert track.track_info.id == listing.rows[0].id
    assert browser.find_element("css selector", "h1").text == track.title
    urls = requested_retries(browser)
    assert {f"{base}/static/site.css", f"{base}/static/banner.js"} <= urls
    assert {url for url in urls if not url.startswith(f"{base}/")} == set()
    errors = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert errors == []


def test_the_page_size_can_be_chosen(browser, corpus_site):
    from selenium.webdriver.support.ui import Select, WebDriverWait

    browser.get(f"{corpus_site.base}/genre/Techno?sort=track&d=1")
    Select(browser.find_element("css selector", "select.per_page")).select_by_visible_text("50")
    WebDriverWait(browser, 10).until(lambda chrome: "pageSize=50" in chrome.current_url)
    assert "sort=track" in browser.current_url


def test_a_browser_sees_the_status_of_a_missing_page(browser, corpus_site):
    browser.get(f"{corpus_site.base}/music/nobody/")
    assert browser.title.startswith("Free Music Archive - 404 Page not found")
    script = "return performance.getEntriesByType('navigation')[0].responseStatus"
    assert browser.execute_script(script) == 404
