import errno
import json
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_assets.errors import UserError
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.pace import Pace as RealPace
from genre_assets.sources.fma_site.transfer import Access, FileHost
from genre_assets_tests.sources.fma_site.conftest import NEVER_DONE, OK_AUDIO, never_done
from genre_assets_tests.sources.fma_site.file_server import File, FileServer, Pace, Robots

PATH = "/storage/tracks/song.mp3"
URL = f"https://files.freemusicarchive.org{PATH}"
BODY = bytes(range(1, 256)) * 400
OTHER = bytes(reversed(BODY))
LOGIN = b"<!DOCTYPE html><html><head><title>Log in \n &amp; listen</title></head></html>"


@pytest.fixture(autouse=True)
def no_waiting():
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def served():
    """Starts a server of one file, or of several by their paths."""
    servers = []

    def serve(file=None, **files):
        paths = {PATH: file} if file else {f"/{name}": value for name, value in files.items()}
        servers.append(FileServer(paths).__enter__())
        return servers[-1]

    yield serve
    for server in servers:
        server.__exit__()


def access(server, **options):
    settings = {"agent": "tests (test@example.org)", "pace": Pace(), "robots": Robots()}
    return Access(site=Site(server.base), **settings | options)


def receive(server, partial, url=URL, **options):
    with FileHost(access(server, **options)) as host:
        return host.receive(url, partial)


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "song.part"


def begun(partial, content, **note):
    partial.write_bytes(content)
    fields = {"url": URL, "final_url": URL, "etag": '"one"', "last_modified": None}
    text = json.dumps(fields | {"total": len(BODY)} | note)
    partial.with_suffix(".json").write_text(text)


def test_a_file_comes_whole_in_one_turn(served, partial):
    server, pace = served(File(BODY)), Pace()
    transfer = receive(server, partial, pace=pace)
    assert (transfer.outcome, transfer.reason, transfer.status) == ("ok", None, 200)
    assert (transfer.etag, transfer.final_url, transfer.bytes) == ('"one"', URL, len(BODY))
    assert partial.read_bytes() == BODY
    assert pace.turns == transfer.attempts == 1
    headers = server.requests[0].headers
    assert headers["user-agent"] == "tests (test@example.org)"
    assert headers["accept-encoding"] == "identity"
    assert "range" not in headers


def test_a_cut_connection_is_resumed(served, partial):
    server = served(File(BODY, cuts=[30_000, 20_000]))
    transfer = receive(server, partial)
    assert transfer.outcome == "ok"
    assert partial.read_bytes() == BODY
    assert [r.headers.get("range") for r in server.requests] == [
        None,
        "bytes=30000-",
        "bytes=50000-",
    ]
    assert [r.headers.get("if-range") for r in server.requests] == [None, '"one"', '"one"']
    assert transfer.bytes == sum(r.sent for r in server.requests) == len(BODY)


def test_a_connection_that_is_cut_every_time_leaves_what_came_for_the_next_run(served, partial):
    server = served(File(BODY, cuts=[10_000] * 5))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.attempts) == ("cut_short", 4)
    assert transfer.reason == f"{URL} broke off after 40000 of {len(BODY)} bytes."
    again = receive(server, partial)
    assert (again.outcome, again.bytes, again.status) == ("ok", len(BODY) - 40_000, 206)
    assert partial.read_bytes() == BODY


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, len(BODY)), max_size=10))
def test_wherever_it_is_cut_no_byte_comes_twice(tmp_path, cuts):
    partial = tmp_path / "song.part"
    partial.unlink(missing_ok=True)
    received = 0
    with FileServer({PATH: File(BODY, cuts=cuts)}) as server, FileHost(access(server)) as host:
        for _ in range(4):
            transfer = host.receive(URL, partial)
            received += transfer.bytes
            if transfer.outcome == "ok":
                break
    assert transfer.outcome == "ok"
    assert partial.read_bytes() == BODY
    assert received == len(BODY)


def test_a_file_without_a_validator_starts_anew(served, partial):
    server = served(File(BODY, etag=None, cuts=[30_000]))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY
    assert server.requests[1].headers.get("range") is None


def test_a_weak_etag_is_no_validator_but_a_date_is(served, partial):
    date = "Sat, 25 Mar 2023 10:00:00 GMT"
    server = served(File(BODY, etag='W/"one"', last_modified=date, cuts=[30_000]))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY
    assert server.requests[1].headers["if-range"] == date
    assert server.requests[1].headers["range"] == "bytes=30000-"


def test_a_host_without_ranges_sends_the_whole_again(served, partial):
    server = served(File(BODY, ranges=False, cuts=[30_000]))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.status) == ("ok", 200)
    assert transfer.bytes == 30_000 + len(BODY)
    assert partial.read_bytes() == BODY


@pytest.mark.parametrize("checks_if_range", [True, False])
def test_parts_of_a_file_that_changed_are_never_joined(served, partial, checks_if_range):
    changing = File(
        BODY, cuts=[30_000], change_to=(OTHER, '"two"'), checks_if_range=checks_if_range
    )
    transfer = receive(served(changing), partial)
    assert (transfer.outcome, transfer.etag) == ("ok", '"two"')
    assert partial.read_bytes() == OTHER


def test_a_part_from_elsewhere_in_the_file_is_not_joined(served, partial):
    server = served(File(BODY, cuts=[30_000], shifted=1))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY
    assert [r.headers.get("range") for r in server.requests] == [None, "bytes=30000-", None]


def test_a_part_of_a_file_that_grew_is_not_joined(served, partial):
    begun(partial, BODY[:1000], total=len(BODY) - 1)
    server = served(File(BODY))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY


def test_a_whole_file_that_no_run_took_is_not_asked_for(served, partial):
    begun(partial, BODY)
    server = served(File(BODY))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.attempts, transfer.etag) == ("ok", 0, '"one"')
    assert server.requests == []


def test_a_refused_range_means_that_the_file_was_whole(served, partial):
    begun(partial, BODY, total=None)
    server = served(File(BODY))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.status, transfer.bytes) == ("ok", 416, 0)
    assert partial.read_bytes() == BODY
    assert receive(server, partial).attempts == 0


def test_a_refused_range_of_a_shorter_file_starts_anew(served, partial):
    begun(partial, BODY + b"more", total=None)
    server = served(File(BODY))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}', '{"url": "https://other/"}'])
def test_bytes_without_a_note_that_fits_are_not_trusted(served, partial, note):
    partial.write_bytes(OTHER[:1000])
    partial.with_suffix(".json").write_text(note)
    assert receive(served(File(BODY)), partial).outcome == "ok"
    assert partial.read_bytes() == BODY


def test_a_note_of_another_url_is_not_trusted(served, partial):
    begun(partial, OTHER[:1000], url="https://files.freemusicarchive.org/other.mp3")
    server = served(File(BODY))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY
    assert "range" not in server.requests[0].headers


@pytest.mark.parametrize(("status", "outcome"), [(429, "too_many_requests"), (503, "server_error")])
def test_a_busy_host_is_tried_again_and_then_left(served, partial, status, outcome):
    server, pace = served(File(BODY, first=[(status, {}, b"")] * 3)), Pace()
    transfer = receive(server, partial, pace=pace)
    assert (transfer.outcome, transfer.attempts, transfer.status) == ("ok", 4, 200)
    assert pace.held_off == []

    server.files[PATH].first += [(status, {}, b"")] * 9
    transfer = receive(server, partial.with_name("other.part"))
    assert (transfer.outcome, transfer.attempts, transfer.status) == (outcome, 4, status)
    assert transfer.reason.startswith(f"{URL} answered {status} ")


@pytest.mark.parametrize("status", [429, 503])
def test_everybody_holds_off_for_as_long_as_the_host_asks(served, partial, status):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    answers = [(status, {"Retry-After": said}, b"") for said in ("7", date, "soon")]
    server, pace = served(File(BODY, first=answers)), Pace()
    transfer = receive(server, partial, pace=pace)
    assert (transfer.outcome, transfer.attempts, transfer.wait_s) == ("ok", 4, 0)
    first, second = pace.held_off
    assert first == 7
    assert 0 < second <= 100


def test_the_pace_of_a_run_is_kept(served, partial):
    answers = [(429, {"Retry-After": "0"}, b""), (503, {"Retry-After": "1"}, b"")]
    server, waits = served(File(BODY, first=answers)), []
    pace = RealPace(0.25, clock=lambda: sum(waits), sleep=waits.append)
    assert receive(server, partial, pace=pace).outcome == "ok"
    assert waits == [0.25, 1.0]


def test_a_host_that_asks_for_an_hour_is_not_asked_again(served, partial):
    server = served(File(BODY, first=[(429, {"Retry-After": "3600"}, b"")]))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.attempts, transfer.wait_s) == ("too_many_requests", 1, 3600)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, "removed"),
        (410, "removed"),
        (401, "forbidden"),
        (403, "forbidden"),
        (418, "unexpected_answer"),
        (304, "unexpected_answer"),
    ],
)
def test_a_refusal_is_not_asked_for_twice(served, partial, status, outcome):
    server = served(File(BODY, first=[(status, {}, b"")]))
    transfer = receive(server, partial)
    assert (transfer.outcome, transfer.attempts, transfer.status) == (outcome, 1, status)
    assert not partial.exists()


def test_a_login_page_is_told_by_its_title(served, partial):
    page = (200, {"Content-Type": "text/html; charset=utf-8"}, LOGIN)
    transfer = receive(served(File(BODY, first=[page])), partial)
    assert transfer.outcome == "not_audio"
    assert transfer.reason == f"{URL} answered with a web page, 'Log in & listen', not audio."
    assert not partial.exists()


@pytest.mark.parametrize("content_type", ["audio/mpeg", "application/octet-stream", None])
def test_a_web_page_is_no_audio_whatever_the_host_calls_it(served, partial, content_type):
    transfer = receive(served(File(LOGIN, content_type=content_type)), partial)
    assert transfer.outcome == "not_audio"
    assert "'Log in & listen'" in transfer.reason
    assert not partial.exists()
    assert not partial.with_suffix(".json").exists()


def test_other_types_and_encodings_are_not_taken(served, partial):
    transfer = receive(served(File(BODY, content_type="application/json")), partial)
    assert (transfer.outcome, transfer.bytes) == ("not_audio", 0)
    assert "application/json" in transfer.reason
    packed = (200, {"Content-Type": "audio/mpeg", "Content-Encoding": "gzip"}, b"...")
    transfer = receive(served(File(BODY, first=[packed])), partial)
    assert transfer.outcome == "unexpected_answer"
    assert not partial.exists()


def test_an_empty_file_is_no_audio(served, partial):
    transfer = receive(served(File(b"")), partial)
    assert transfer.outcome == "not_audio"
    assert "no bytes at all" in transfer.reason


def test_a_length_over_the_bound_is_refused_before_the_body(served, partial):
    transfer = receive(served(File(BODY)), partial, largest_bytes=2**16)
    assert (transfer.outcome, transfer.bytes) == ("too_large", 0)
    assert transfer.reason == f"{URL} is larger than 0.0625 MiB."
    assert not partial.exists()


def test_an_endless_body_is_given_up_at_the_bound(served, partial):
    server = served(File(BODY, length="chunked", endless=True))
    transfer = receive(server, partial, largest_bytes=2**20)
    assert (transfer.outcome, transfer.attempts) == ("too_large", 1)
    assert not partial.exists()


def test_a_chunked_file_ends_where_it_says(served, partial):
    server = served(File(BODY, length="chunked", cuts=[30_000]))
    assert receive(server, partial).outcome == "ok"
    assert partial.read_bytes() == BODY


def test_a_file_that_may_be_cut_unseen_is_not_taken(served, partial):
    transfer = receive(served(File(BODY, length="none")), partial)
    assert (transfer.outcome, transfer.attempts) == ("no_length", 1)
    assert not partial.exists()


def redirect(target, status=302):
    return File(b"", first=[(status, {"Location": target}, b"")] * 9)


@pytest.mark.parametrize(
    "target", ["/c.mp3?name=A%20-%20B", "https://files.freemusicarchive.org/c.mp3?name=A%20-%20B"]
)
def test_redirects_within_the_site_are_followed_a_turn_each(served, partial, target):
    server = served(
        a=redirect("/b", 301), b=redirect(target), **{"c.mp3?name=A%20-%20B": File(BODY)}
    )
    pace = Pace()
    transfer = receive(server, partial, "https://freemusicarchive.org/a", pace=pace)
    assert (transfer.outcome, transfer.attempts, pace.turns) == ("ok", 3, 3)
    assert transfer.final_url.endswith("freemusicarchive.org/c.mp3?name=A%20-%20B")
    assert partial.read_bytes() == BODY


@pytest.mark.parametrize(
    "target",
    ["https://example.com/c.mp3", "//example.com/c", "file:///etc/passwd", "http://u@127.0.0.1/"],
)
def test_a_redirect_abroad_is_never_followed(served, partial, target):
    server = served(a=redirect(target))
    transfer = receive(server, partial, "https://freemusicarchive.org/a")
    assert (transfer.outcome, transfer.attempts) == ("foreign_redirect", 1)
    assert transfer.reason.startswith("https://freemusicarchive.org/a is redirected. ")
    assert [request.path for request in server.requests] == ["/a"]


def test_a_redirect_to_where_robots_may_not_go_is_not_followed(served, partial):
    server = served(a=redirect("/private"), private=File(BODY))
    url = "https://freemusicarchive.org/a"
    transfer = receive(server, partial, url, robots=Robots("private"))
    assert (transfer.outcome, len(server.requests)) == ("disallowed", 1)


def test_a_circle_of_redirects_ends(served, partial):
    server = served(a=redirect("/b"), b=redirect("/a"))
    transfer = receive(server, partial, "https://freemusicarchive.org/a")
    assert (transfer.outcome, transfer.attempts) == ("unexpected_answer", 5)


def test_another_address_is_never_asked(served, partial):
    server = served(File(BODY))
    for url in ("https://example.com/song.mp3", "https://[freemusicarchive.org/", ""):
        transfer = receive(server, partial, url)
        assert (transfer.outcome, transfer.attempts) == ("foreign_address", 0)
    assert server.requests == []


def test_what_is_redirected_to_no_address_at_all_fails_alone(served, partial):
    transfer = receive(served(a=redirect("http://[")), partial, "https://freemusicarchive.org/a")
    assert transfer.outcome == "failed"
    assert transfer.reason


def test_nobody_at_home_is_unreachable(served, partial):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        site = Site(f"http://127.0.0.1:{bound.getsockname()[1]}")
        nobody = Access(site, "tests", Pace(), Robots())
        with FileHost(nobody) as host:
            transfer = host.receive(URL, partial)
    assert (transfer.outcome, transfer.attempts, transfer.status) == ("unreachable", 4, None)
    assert transfer.reason.startswith(f"{URL} gave no answer: ")


def test_a_host_that_falls_silent_is_resumed(served, partial):
    server = served(File(BODY, stall_after=30_000))
    transfer = receive(server, partial, timeout_s=0.2)
    assert (transfer.outcome, transfer.attempts, transfer.status) == ("ok", 2, 206)
    assert partial.read_bytes() == BODY

    server.files[PATH].stall_after = 10
    transfer = receive(server, partial.with_name("other.part"), timeout_s=0.2, attempts=1)
    assert transfer.outcome == "timed_out"
    assert transfer.reason == f"{URL} sent nothing for 0.2 s after byte 10."


@pytest.mark.parametrize("never", NEVER_DONE.values(), ids=NEVER_DONE)
def test_an_answer_that_never_begins_is_given_up_and_the_turn_with_it(partial, never):
    with never_done(*never) as base:
        pace, started = Pace(), time.monotonic()
        with FileHost(Access(Site(base), "tests", pace, Robots(), 2, timeout_s=0.3)) as host:
            transfer = host.receive(URL, partial)
        assert time.monotonic() - started < 20
    assert (transfer.outcome, transfer.attempts) == ("timed_out", 2)
    assert transfer.reason == f"{URL} did not answer in full within 0.3 s."
    assert pace.turns == 2
    with pace.turn():
        pass


def test_a_file_that_comes_too_slowly_is_given_up_and_what_came_is_kept(partial):
    with never_done(OK_AUDIO, b"\xff" * 10, 0.02) as base:
        options = {"timeout_s": 5.0, "limit_s": 0.5}
        with FileHost(Access(Site(base), "tests", Pace(), Robots(), **options)) as host:
            transfer = host.receive(URL, partial)
    assert (transfer.outcome, transfer.attempts) == ("timed_out", 1)
    assert transfer.reason == f"{URL} was not complete after 0.5 s."
    assert partial.stat().st_size == transfer.bytes > 0


def test_no_cookie_goes_with_a_later_request(served, partial):
    redirected = (302, {"Location": URL, "Set-Cookie": "a=" + "x" * 4000}, b"")
    server = served(File(BODY, first=[redirected]))
    with FileHost(access(server)) as host:
        assert host.receive(URL, partial).outcome == "ok"
        assert host.receive(URL, partial.with_name("again.part")).outcome == "ok"
    assert [request.headers.get("cookie") for request in server.requests] == [None] * 3


def test_a_full_disk_is_a_matter_for_the_user(served, partial, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot be kept in .*: No space left on device"):
        receive(served(File(BODY)), partial)
