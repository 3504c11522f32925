"""A small corpus and sites that serve it."""

from pathlib import Path

import pytest

from genre_assets.demo.corpus import write_corpus
from genre_assets.demo.site.content import content_from_corpus
from genre_assets.demo.site.server import ReplicaSite
from genre_assets.demo.site.tracks import SiteContent, new_track

SONG = bytes(range(256)) * 600


@pytest.fixture(scope="package")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, tracks_per_style=1, seconds=1.0)
    return folder


@pytest.fixture
def corpus_site(corpus):
    with ReplicaSite(content_from_corpus(corpus)) as site:
        yield site


@pytest.fixture
def site():
    """230 tracks of one genre, the newest of which has a file."""
    with ReplicaSite(SiteContent(tuple(reversed([one(number) for number in range(1, 231)])))) as s:
        yield s


def one(number: int, **changes):
    """A track with a file; equal titles and artists among them, but no equal order by date."""
    facts = {"album": "An Album", "audio": SONG} | changes
    title, artist = f"Title {number * 7 % 50}", f"Artist {number % 9}"
    return new_track(number, title, artist, ["Techno"], **facts)
