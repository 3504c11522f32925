"""Every command and program of the README, as written, in its order, by a user who follows it.

The user starts in a copy of the checkout and has some music and a small FMA dataset at home. The
demo plays two seconds of noise a track, so that it is made in seconds.
"""

import ast
import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from itertools import count, pairwise
from pathlib import Path

import dagster as dg
import mutagen.flac
import numpy as np
import pytest
import soundfile

from genre_assets.definitions import defs
from genre_assets.demo import corpus
from genre_assets.demo.plan import PlannedTrack
from genre_assets.demo.tagging import tagged
from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets.orchestration.settings import read_settings
from genre_assets.sources.fma_site.browser import BrowserMissing, find_chromium
from genre_assets.sources.shards import folder_shard
from genre_assets_tests.sources.test_fma_dataset import write_dataset

CHECKOUT = Path(__file__).parent.parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

ALL_COMMANDS = [
    line
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line and not line.startswith("#")
]

NOT_RUN = {
    "make test": "it runs this test",
    "export GENRE_ASSETS_FMA_SITE=https://freemusicarchive.org": "no test asks the real site",
}
"""Beginnings of commands that are not run, nor what follows them in their block."""

SERVERS = ("make dev", ".venv/bin/genre-assets demo-site")
"""Beginnings of commands that serve until they are ended."""


class User:
    """A home, a copy of the checkout, and a shell that keeps what is exported."""

    def __init__(self, root: Path):
        self.clone, self.home = root / "clone", root / "home"
        _copy_checkout(self.clone)
        self._prelude: list[str] = []
        self._servers: list[subprocess.Popen] = []
        self.ports = [_free_port(), _free_port()]
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GENRE_ASSETS_", "DAGSTER_", "MAKE", "VIRTUAL_ENV"))
        } | {
            "HOME": str(self.home),
            # The package is the installed one, which has its kernels compiled, not its copy here.
            "PYTHONSAFEPATH": "yes",
            "PORT": str(self.ports[0]),
            # Each of the six models is made alike, and this one in no time.
            "MODELS": "majority",
            "GENRE_ASSETS_WORKERS": "1",
        }

    def types(self, command: str) -> str:
        """Run a command, or start it if it serves; what it printed."""
        command = command.replace("8765", str(self.ports[1]))
        if "TRACK_ID" in command:
            first = Lake(self.clone / "data" / "demo").read(TRACKS)["track_id"][0].as_py()
            command = command.replace("TRACK_ID", first)
        if "SOURCE=folder" in command:
            # A program of the README loads it.
            command = f"MODELS=svm,majority {command}"
        if command.startswith(("export ", "unset ", ". ")):
            self._prelude.append(command)
        if command.startswith(SERVERS):
            return self._serve(command)
        done = self._bash(command)
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}"
        for fault in ("Traceback", "nanobind", "FAILED"):
            assert fault not in said, f"{command}\n{said}"
        return said

    def runs(self, program: str) -> None:
        """Run a Python program in the folder of the checkout."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert done.returncode == 0, f"{program}\n{done.stdout}{done.stderr}"

    def _bash(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", "\n".join([*self._prelude, command])],
            cwd=self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )

    def _serve(self, command: str) -> str:
        port = self.ports[0] if command.startswith("make dev") else self.ports[1]
        server = subprocess.Popen(
            ["bash", "-c", "\n".join([*self._prelude, f"exec {command}"])],
            cwd=self.clone,
            env=self.environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._servers.append(server)
        _wait_for(port, server)
        if command.startswith("make dev"):
            self.leave()
        return ""

    def leave(self) -> None:
        """Press Ctrl-C wherever something is served."""
        for server in self._servers:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.communicate()
        self._servers.clear()


def _copy_checkout(clone: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not listed:
        pytest.skip("a README is followed in a checkout, and this is none")
    for name in listed:
        if (CHECKOUT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, clone / name)
    (clone / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        (clone / ".venv" / part.name).symlink_to(part)
    ready = clone / ".venv" / ".ready"
    ready.unlink(missing_ok=True)
    ready.touch()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _wait_for(port: int, server: subprocess.Popen) -> None:
    give_up_at = time.monotonic() + 240
    while time.monotonic() < give_up_at:
        assert server.poll() is None, server.communicate()[0]
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/robots.txt", timeout=10)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at port {port}")


def _commands(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def _noise(seed: int, seconds: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(22_050 * seconds)


def _write_music(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(48):
        path = folder / f"{number}.flac"
        soundfile.write(path, _noise(number), 22_050)
        tags = mutagen.flac.FLAC(path)
        tags["title"], tags["artist"] = f"Title {number}", f"Artist {number % 8}"
        tags["genre"] = ["Rock", "Jazz"][number % 2]
        tags.save()
        # Each shard makes every stage longer, and two show all that there is to see.
        for attempt in count():
            if _shard(path) in ("folder_00", "folder_01"):
                break
            tags["comment"] = str(attempt)
            tags.save()


def _shard(path: Path) -> str:
    """The shard that a new file will be in: a track is named by its content."""
    return folder_shard(hashlib.sha256(path.read_bytes()).hexdigest()[:16])


def _write_dataset(folder: Path) -> None:
    rows = [
        {
            "": str(number),
            "artist/id": str(number),
            "artist/name": f"Band {number}",
            "album/id": str(number),
            "set/split": ["training", "training", "validation", "test"][number // 2 % 4],
            "track/duration": "2",
            "track/genre_top": ["Hip-Hop", "Rock"][number % 2],
            "track/genres": ["[21]", "[12]"][number % 2],
            "track/title": f"Song {number}",
        }
        for number in range(2, 42)
    ]
    write_dataset(folder, *rows)
    (folder / "fma_small" / "000").mkdir(parents=True)
    statistics = ("kurtosis", "max", "mean", "median", "min", "skew", "std")
    columns = [(statistic, f"{n:02}") for statistic in statistics for n in range(1, 21)]
    features = [
        ["feature", *("mfcc" for _ in columns)],
        ["statistics", *(statistic for statistic, _ in columns)],
        ["number", *(number for _, number in columns)],
        ["track_id", *("" for _ in columns)],
    ]
    names = "acousticness danceability energy instrumentalness liveness speechiness tempo valence"
    echonest = [
        ["", *("echonest" for _ in names.split())],
        ["", *("audio_features" for _ in names.split())],
        ["", *names.split()],
        ["track_id", *("" for _ in names.split())],
    ]
    for row in rows:
        number = int(row[""])
        clip = folder / "fma_small" / "000" / f"{number:06}.mp3"
        sound = _noise(100 + number)
        soundfile.write(clip, sound, 22_050, format="MP3")
        features.append([row[""], *(f"{v:.4f}" for v in sound[: len(columns)])])
        echonest.append([row[""], *(f"{abs(v):.4f}" for v in sound[: len(names.split())])])
    for name, lines in (("features.csv", features), ("echonest.csv", echonest)):
        text = "".join(",".join(line) + "\n" for line in lines)
        (folder / "fma_metadata" / name).write_text(text)


def _write_demo(folder: Path) -> None:
    def render_file(track: PlannedTrack, seconds: float, seed: int) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, _noise(zlib.crc32(track.path.encode())), 22_050, format="MP3")
        return tagged(file.getvalue(), track.tags, 120.0)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(corpus, "render_file", render_file)
        corpus.write_corpus(folder)
    # Without it the demo takes the files as its own.
    (folder / corpus.MANIFEST).unlink()


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    try:
        find_chromium()
    except BrowserMissing as error:
        pytest.skip(str(error))
    user = User(tmp_path_factory.mktemp("readme"))
    _write_music(user.home / "Music")
    _write_dataset(user.home / "fma")
    soundfile.write(user.clone / "song.mp3", _noise(0, seconds=12), 22_050, format="MP3")
    _write_demo(user.clone / "data" / "demo" / "demo_corpus")
    yield user
    user.leave()


def test_every_command_of_the_readme_works_as_written_and_in_its_order(user):
    for language, block in BLOCKS:
        if language == "python":
            user.runs(block)
            continue
        for command in _commands(block):
            if command.startswith(tuple(NOT_RUN)):
                break
            user.types(command)


def _options(command: str) -> dict[str, str]:
    words = shlex.split(command, comments=True)
    return dict(pairwise(words))


def test_every_command_of_dagster_names_assets_and_partitions_that_there_are():
    commands = [c for c in ALL_COMMANDS if c.startswith("dagster asset materialize")]
    assert len(commands) >= 5
    repository = defs.get_repository_def()
    for command in commands:
        options = _options(command)
        selection = dg.AssetSelection.from_coercible(options["--select"].split(","))
        keys = selection.resolve(repository.asset_graph)
        assert repository.get_implicit_job_def_for_assets(keys), command
        named = options.get("--partition") or options.get("--partition-range", "")
        for key in keys:
            partitions = repository.asset_graph.get(key).partitions_def
            assert (partitions is None) == (not named), command
            assert not partitions or set(named.split("...")) <= set(partitions.names), command


def test_every_query_can_be_answered_by_a_lake_without_anything_in_it(tmp_path):
    queries = re.findall(r'query "(SELECT [^"]*)"', README)
    queries += re.findall(r'lake\.sql\("(SELECT [^"]*)"\)', README)
    queries += re.findall(r"`(SELECT [^`]*)`", README)
    assert len(queries) >= 6
    with connect(Lake(tmp_path)) as connection:
        for query in queries:
            connection.execute(query)


def test_what_is_not_run_is_there_and_would_be_accepted():
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command in ALL_COMMANDS)
    settings = " ".join(c for c in ALL_COMMANDS if c.startswith("export GENRE_ASSETS_FMA_SITE"))
    named = dict(word.split("=", 1) for word in settings.split() if "=" in word)
    assert read_settings(named).fma_site == "https://freemusicarchive.org"


def test_every_program_of_the_readme_is_python():
    programs = [block for language, block in BLOCKS if language == "python"]
    assert len(programs) >= 4
    for program in programs:
        ast.parse(program)
