import logging
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genre_assets.lake.tables import Lake
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site import access as access_module
from genre_assets.sources.fma_site import browser as browser_module
from genre_assets.sources.fma_site.access import SiteAccess
from genre_assets.sources.fma_site.address import ForeignAddress, Site
from genre_assets.sources.fma_site.archive import Archive
from genre_assets.sources.fma_site.browser import (
    Browser,
    BrowserFailed,
    BrowserMissing,
    Chromium,
    NoResponse,
    find_chromium,
)
from genre_assets.sources.fma_site.browser_guardian import processes_of
from genre_assets.sources.fma_site.chromium import chromium_options, runs_in_sandbox
from genre_assets.sources.fma_site.pace import Pace
from genre_assets_tests.sources.fma_site.conftest import (
    WebAnswer,
    folder_of,
    is_alive,
    is_clean,
    is_one_sentence,
    serving,
)

AGENT = "genre-assets/1.0 (music, research; +mailto:a@b.c)"
ROW = (
    """<div class="play-item" data-track-info='{"id":1,"title":"Ab\\u0027c"}'>café &amp; x</div>"""
)


@pytest.fixture(scope="module")
def visit(chromium):
    """A server and a browser for tests that lose neither."""
    with serving() as web, Browser(chromium, AGENT, [web.host], page_timeout_s=20) as browser:
        yield web, browser
        assert browser.restarts == 0


@pytest.fixture(scope="module")
def lossy(chromium):
    """A server and a browser for tests that lose the browser."""
    with serving() as web, Browser(chromium, AGENT, [web.host], page_timeout_s=20) as browser:
        web.answers["/page"] = WebAnswer("<p>Here.</p>")
        yield web, browser


def test_a_page_is_read_as_it_stands(visit):
    web, browser = visit
    web.answers["/genre/Techno?page=2"] = WebAnswer(
        f"<!doctype html><title>Techno</title>{ROW * 200}",
        headers={"Content-Type": "text/html; charset=utf-8"},
    )
    before = datetime.now(UTC)
    page = browser.read(f"{web.base}/genre/Techno?page=2")
    assert (page.url, page.final_url) == (f"{web.base}/genre/Techno?page=2",) * 2
    assert (page.status, page.retry_after) == (200, None)
    assert page.html.count('class="play-item"') == 200 and "café &amp; x" in page.html
    assert before <= page.fetched_at <= datetime.now(UTC)
    assert web.headers[-1]["user-agent"] == AGENT


def test_a_missing_page_is_a_page_with_its_status(visit):
    web, browser = visit
    page = browser.read(f"{web.base}/no/such/page")
    assert page.status == 404 and "Hello." in page.html


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_answer_tells_its_status_and_retry_after_in_one_request(visit, status):
    web, browser = visit
    web.answers["/busy"] = WebAnswer("slow down", status, headers={"Retry-After": "17"})
    web.asked.clear()
    page = browser.read(f"{web.base}/busy")
    assert (page.status, page.retry_after) == (status, "17")
    assert web.asked == ["/busy"]


def test_the_same_page_is_asked_for_anew(visit):
    web, browser = visit
    web.answers["/changing"] = lambda before: WebAnswer(
        f"<p>Answer {before}", headers={"Cache-Control": "max-age=3600"}
    )
    assert "Answer 0" in browser.read(f"{web.base}/changing").html
    assert "Answer 1" in browser.read(f"{web.base}/changing").html


def test_a_page_costs_one_request_whatever_it_embeds(visit):
    web, browser = visit
    web.answers["/rich"] = WebAnswer(
        "<!doctype html><head><link rel=stylesheet href=/a.css><link rel=icon href=/i.png>"
        "<link rel=preload as=font href=/f.woff2 crossorigin><script src=/a.js></script>"
        "<script>document.title = 'ran'; fetch('/fetched')</script><title>Still</title></head>"
        "<img src=/b.png><video src=/c.mp4 autoplay></video>"
        "<script src=http://ads.example/x.js></script><iframe src=http://ads.example/></iframe>"
        "<object data=/d></object><embed src=/e><link rel=prefetch href=/p>"
        f"{''.join(f'<iframe src=/frame/{n}></iframe>' for n in range(30))}"
        "<meta http-equiv=refresh content='0;url=/elsewhere'>"
    )
    web.asked.clear()
    for _ in range(3):  # the first page of a process loads differently from the next
        page = browser.read(f"{web.base}/rich")
        assert "<title>Still</title>" in page.html
        assert browser.read(f"{web.base}/missing").status == 404
    assert web.asked == ["/rich", "/missing"] * 3


def test_cookies_of_one_page_do_not_burden_the_next(visit):
    web, browser = visit
    cookies = [f"c{n}={'x' * 3000}; Path=/" for n in range(60)]
    web.answers["/sweet"] = WebAnswer("<p>Sweet.</p>", cookies=cookies)
    web.answers["/next"] = WebAnswer("<p>Next.</p>")
    assert browser.read(f"{web.base}/sweet").status == 200
    assert browser.read(f"{web.base}/next").status == 200
    assert "cookie" not in web.headers[-1]


def test_a_browser_whose_requests_cannot_be_held_back_is_restarted(lossy):
    web, browser = lossy
    assert "Here." in browser.read(f"{web.base}/page").html
    before = browser.restarts
    browser._running._gate.close()
    assert "Here." in browser.read(f"{web.base}/page").html
    assert browser.restarts == before + 1


def test_a_redirect_within_the_site_is_followed(visit):
    web, browser = visit
    web.answers["/old"] = WebAnswer("", 302, headers={"Location": "/new"})
    web.answers["/new"] = WebAnswer("<p>New.</p>")
    page = browser.read(f"{web.base}/old")
    assert page.url == f"{web.base}/old" and page.final_url == f"{web.base}/new"
    assert page.status == 200 and "New." in page.html


def test_a_redirect_to_another_host_is_refused_and_never_asked(visit):
    web, browser = visit
    with serving() as elsewhere:
        web.answers["/away"] = WebAnswer("", 302, headers={"Location": f"{elsewhere.base}/x"})
        with pytest.raises(ForeignAddress, match="leads to") as caught:
            browser.read(f"{web.base}/away")
        assert elsewhere.asked == []
    assert elsewhere.base in str(caught.value) and is_one_sentence(caught.value)


@pytest.mark.parametrize(
    "url", ["https://freemusicarchive.org/", "http://127.0.0.1:1/", "file:///etc/passwd"]
)
def test_a_url_of_another_host_is_refused(visit, url):
    _, browser = visit
    with pytest.raises(ForeignAddress) as caught:
        browser.read(url)
    assert is_one_sentence(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        WebAnswer(b"ID3", headers={"Content-Type": "audio/mpeg"}),
        WebAnswer(b"PK", headers={"Content-Disposition": "attachment"}),
        WebAnswer("", 204),
    ],
    ids=["audio", "download", "no content"],
)
def test_an_answer_that_is_no_page_is_never_taken_for_the_page_before(visit, answer):
    web, browser = visit
    web.answers["/before"] = WebAnswer("<p>The page before.</p>")
    web.answers["/odd"] = answer
    browser.read(f"{web.base}/before")
    web.asked.clear()
    with pytest.raises(
        SourceError, match=f"/odd answered {answer.status} without a page"
    ) as caught:
        browser.read(f"{web.base}/odd")
    assert web.asked == ["/odd"]
    assert is_one_sentence(caught.value)


def test_a_page_that_is_cut_in_the_middle_is_asked_for_again(visit):
    web, browser = visit
    web.answers["/cut"] = lambda before: WebAnswer(
        ROW * 20, promised=99_999 if not before else None
    )
    assert browser.read(f"{web.base}/cut").html.count("play-item") == 20
    assert web.asked.count("/cut") == 2


def test_a_page_that_is_always_cut_is_no_page(visit):
    web, browser = visit
    web.answers["/short"] = WebAnswer(ROW * 20, promised=99_999)
    with pytest.raises(NoResponse, match="/short was not answered in full") as caught:
        browser.read(f"{web.base}/short")
    assert is_one_sentence(caught.value)


def test_a_page_over_the_limit_is_refused(visit, monkeypatch):
    web, browser = visit
    monkeypatch.setattr(browser_module, "LARGEST_PAGE_CHARS", 10_000)
    web.answers["/large"] = WebAnswer("<p>" + "x" * 10_000)
    with pytest.raises(SourceError, match="over the limit of 10,000") as caught:
        browser.read(f"{web.base}/large")
    assert is_one_sentence(caught.value)


def test_a_site_that_nobody_reaches_is_no_answer(chromium):
    with (
        Browser(chromium, AGENT, ["127.0.0.1:9"]) as browser,
        pytest.raises(NoResponse) as caught,
    ):
        browser.read("http://127.0.0.1:9/")
    assert is_one_sentence(caught.value) and browser.restarts == 0


def test_each_time_that_a_page_is_asked_for_takes_a_turn(visit, monkeypatch):
    web, browser = visit
    clock, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(browser, "_pace", Pace(3.0, clock=lambda: clock[0], sleep=sleep))
    web.answers["/again"] = lambda before: WebAnswer(ROW, promised=999 if not before else None)
    browser.read(f"{web.base}/again")
    assert slept == [3.0]


def kill_browser(browser):
    _main(browser).kill()


def crash_tab(browser):
    renderers = [
        process
        for process in processes_of(folder_of(browser))
        if "--type=renderer" in process.cmdline()
    ]
    assert renderers
    for renderer in renderers:
        renderer.kill()


def kill_driver(browser):
    browser._running._service.process.kill()


def _main(browser):
    return next(
        process
        for process in processes_of(folder_of(browser))
        if "--remote-debugging" in " ".join(process.cmdline())
        and "--type=" not in " ".join(process.cmdline())
    )


@pytest.mark.parametrize("lose", [kill_browser, crash_tab, kill_driver])
def test_reading_goes_on_when_the_browser_is_lost(lossy, monkeypatch, capfd, caplog, lose):
    caplog.set_level(logging.INFO)
    web, browser = lossy
    said, before = [], browser.restarts
    monkeypatch.setattr(browser, "_log", said.append)
    assert "Here." in browser.read(f"{web.base}/page").html
    folder = folder_of(browser)
    lose(browser)
    assert "Here." in browser.read(f"{web.base}/page").html
    assert browser.restarts == before + 1 and is_clean(folder)
    assert len(said) == 1 and is_one_sentence(said[0].replace(": ", " "))
    assert capfd.readouterr() == ("", "") and caplog.records == []


def test_reading_goes_on_when_the_driver_hangs(lossy, monkeypatch):
    monkeypatch.setattr(browser_module, "_ANSWERS_WITHIN_S", -17.0)  # 3 s in all
    web, browser = lossy
    browser.close()
    browser.read(f"{web.base}/page")
    before, folder = browser.restarts, folder_of(browser)
    browser._running._service.process.send_signal(signal.SIGSTOP)
    assert "Here." in browser.read(f"{web.base}/page").html
    assert browser.restarts == before + 1 and is_clean(folder)
    browser.close()


def test_a_page_that_hangs_is_given_up_after_restarts(web, chromium, monkeypatch):
    monkeypatch.setattr(browser_module, "TRIES_PER_PAGE", 2)
    web.answers["/hangs"] = WebAnswer(held=web.hold())
    with (
        Browser(chromium, AGENT, [web.host], page_timeout_s=0.5) as browser,
        pytest.raises(BrowserFailed, match="lost 2 times over") as caught,
    ):
        browser.read(f"{web.base}/hangs")
    assert browser.restarts == 1 and is_one_sentence(caught.value)
    assert web.asked == ["/hangs", "/hangs"]


def test_a_program_that_is_no_browser_fails_in_one_sentence(tmp_path, web):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with (
        Browser(Chromium(program, program), AGENT, [web.host]) as browser,
        pytest.raises(BrowserFailed) as caught,
    ):
        browser.read(f"{web.base}/page")
    assert is_one_sentence(caught.value)


def test_nothing_is_left_after_success_and_the_browser_can_be_used_again(lossy):
    web, browser = lossy
    browser.read(f"{web.base}/page")
    folder = folder_of(browser)
    ours = processes_of(folder)
    assert len(ours) > 3
    browser.close()
    assert is_clean(folder) and not any(is_alive(process) for process in ours)
    browser.read(f"{web.base}/page")
    assert folder_of(browser) != folder


def test_nothing_is_left_after_an_error(web, chromium):
    folders = []
    with pytest.raises(KeyError), Browser(chromium, AGENT, [web.host]) as browser:
        browser.read(f"{web.base}/page")
        folders.append(folder_of(browser))
        raise KeyError
    assert is_clean(folders[0])


def test_the_environment_leads_the_browser_nowhere(lossy, monkeypatch, tmp_path):
    from selenium.webdriver.common.selenium_manager import SeleniumManager

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(SeleniumManager, "binary_paths", lambda *_: pytest.fail("was asked"))
    web, browser = lossy
    browser.close()
    assert browser.read(f"{web.base}/page").status == 200
    assert list(tmp_path.iterdir()) == []
    browser.close()


def test_the_sandbox_is_only_given_up_by_root(monkeypatch, tmp_path):
    chromium = Chromium(tmp_path, tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--no-sandbox" in chromium_options(chromium, AGENT, [], tmp_path).arguments
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--no-sandbox" not in chromium_options(chromium, AGENT, [], tmp_path).arguments
    given_up = chromium_options(chromium, AGENT, [], tmp_path, sandboxed=False)
    assert "--no-sandbox" in given_up.arguments


@pytest.mark.parametrize(
    ("user", "live", "given_up", "sandboxed"),
    [
        (1000, True, False, True),
        (1000, False, False, True),
        (1000, True, True, False),
        (0, False, False, False),
        (0, True, True, False),
    ],
)
def test_where_the_browser_runs_in_its_sandbox(monkeypatch, user, live, given_up, sandboxed):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert runs_in_sandbox(live, given_up) is sandboxed


def test_root_reads_no_live_site_without_a_sandbox_unless_allowed(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(access_module, "read_robots", lambda *_: asked.append(1))
    monkeypatch.setattr(access_module, "find_chromium", lambda *_, **__: asked.append(1))
    guest = SiteAccess(Site("https://freemusicarchive.org"), "a@b.c")
    with (
        pytest.raises(SourceError, match="GENRE_ASSETS_CHROMIUM_NO_SANDBOX=yes"),
        guest.visit(Lake(tmp_path), None),
    ):
        pass
    assert asked == []


def test_what_runs_without_a_sandbox_is_said(monkeypatch, tmp_path, web, chromium):
    said = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with (
        Archive(Lake(tmp_path), "s") as archive,
        SiteAccess(Site(web.base)).visit(Lake(tmp_path), archive, said.append),
    ):
        pass
    assert said == ["Chromium runs as root without its sandbox."]


def programs(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    "names",
    [("chromium", "chromedriver"), ("google-chrome-stable", "chromium.chromedriver")],
)
def test_the_browser_is_found_on_the_path(monkeypatch, tmp_path, names):
    monkeypatch.setenv("PATH", str(programs(tmp_path, *names)))
    assert find_chromium() == Chromium(*(tmp_path / name for name in names))


def test_a_named_browser_comes_first(monkeypatch, tmp_path):
    path = programs(tmp_path / "path", "chromium", "chromedriver")
    own = programs(tmp_path / "own", "browser")
    monkeypatch.setenv("PATH", str(path))
    assert find_chromium(own / "browser") == Chromium(own / "browser", path / "chromedriver")
    with pytest.raises(BrowserMissing, match="gone is no file"):
        find_chromium(tmp_path / "gone")


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ((), "no Chromium and no chromedriver"),
        (("chromedriver",), "no Chromium on"),
        (("chromium",), "no chromedriver on"),
    ],
)
def test_what_is_missing_is_said_with_what_to_install(monkeypatch, tmp_path, names, missing):
    monkeypatch.setenv("PATH", str(programs(tmp_path, *names)))
    with pytest.raises(BrowserMissing, match=missing) as caught:
        find_chromium()
    assert "apt-get install chromium chromium-driver" in str(caught.value)
    assert is_one_sentence(caught.value)


def test_selenium_manager_is_asked_only_where_it_may(monkeypatch, tmp_path):
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.selenium_manager import SeleniumManager

    asked = []

    def fetch(self, wanted):
        asked.append(wanted)
        return {"browser_path": "/fetched/chrome", "driver_path": "/fetched/chromedriver"}

    monkeypatch.setenv("PATH", str(programs(tmp_path)))
    monkeypatch.setattr(SeleniumManager, "binary_paths", fetch)
    with pytest.raises(BrowserMissing):
        find_chromium()
    assert asked == []
    fetched = Chromium(Path("/fetched/chrome"), Path("/fetched/chromedriver"))
    assert find_chromium(download=True) == fetched

    def fail(self, wanted):
        raise WebDriverException("no network")

    monkeypatch.setattr(SeleniumManager, "binary_paths", fail)
    with pytest.raises(BrowserMissing, match="could not fetch it") as caught:
        find_chromium(download=True)
    assert is_one_sentence(caught.value)
