"""Which tracks the corpus has, where they lie, and what is wrong with some of them; light.

A track is planned from the seed, its style and its number alone, so a larger corpus holds the
smaller one unchanged.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from genre_assets.demo.artists import ARTISTS, Artist, plain, title_of

NUMERIC_GENRES = {
    "Techno": "(18)",
    "House": "(35)",
    "Indie-Rock": "(187)",
    "Garage": "(190)",
    "Dubstep": "(189)",
    "Drum & Bass": "(127)",
}
"""The genres of ID3v1 with the extensions of Winamp, as ID3v2.3 refers to them."""

OTHER_SPELLINGS = {
    "Techno": ("Minimal Techno", "TECHNO"),
    "House": ("Deep House", "Tech House"),
    "Indie-Rock": ("Indie Rock", "indie"),
    "Garage": ("Garage Rock", "garage"),
    "Dubstep": ("dubstep", "Dub-Step"),
    "Drum & Bass": ("DnB", "Drum n Bass"),
}
PARENTS = {"Indie-Rock": "Rock", "Garage": "Rock"}
"""Top genres of the styles that are not Electronic."""

MESS: dict[str, tuple[tuple[str, int], ...]] = {
    "numeric_genre": (("Techno", 2), ("House", 10), ("Indie-Rock", 4), ("Garage", 6),
                      ("Dubstep", 3), ("Drum & Bass", 5), ("Drum & Bass", 14)),
    "other_genre_spelling": (("Techno", 6), ("House", 3), ("House", 15), ("Indie-Rock", 2),
                             ("Indie-Rock", 11), ("Garage", 1), ("Dubstep", 8),
                             ("Drum & Bass", 1), ("Drum & Bass", 9)),
    "several_genres": (("Techno", 9), ("House", 5), ("Indie-Rock", 8), ("Garage", 12),
                       ("Dubstep", 10), ("Drum & Bass", 7)),
    "genres_in_one_text": (("Techno", 16), ("Indie-Rock", 15), ("Drum & Bass", 18)),
    "wrong_genre": (("House", 19), ("Garage", 17)),
    "unknown_genre": (("Dubstep", 16),),
    "no_genre": (("Techno", 12), ("Garage", 10)),
    "id3v1": (("Techno", 4), ("Garage", 3), ("Drum & Bass", 11)),
    "no_tags": (("House", 12), ("Indie-Rock", 18)),
    "artist_spelling": (("Techno", 7), ("Techno", 14), ("Techno", 10), ("House", 1), ("House", 8),
                        ("House", 7), ("Indie-Rock", 0), ("Indie-Rock", 7), ("Indie-Rock", 13),
                        ("Garage", 0), ("Garage", 8), ("Garage", 13), ("Dubstep", 2),
                        ("Dubstep", 9), ("Dubstep", 13), ("Drum & Bass", 8)),
    "artist_folder_spelling": (("Techno", 17), ("House", 21), ("Indie-Rock", 14), ("Garage", 20)),
    "featuring": (("Techno", 5), ("House", 6), ("Indie-Rock", 5), ("Drum & Bass", 6)),
    "mojibake": (("House", 9), ("Indie-Rock", 20), ("Drum & Bass", 15)),
    "blank_title": (("Dubstep", 5), ("Garage", 15)),
}  # fmt: skip
"""What is messy about which tracks, by style and number."""

DAMAGED = (
    ("duplicate", "Drum & Bass", "{album}/00 Copy of {title}.mp3"),
    ("truncated", "Dubstep", "{album}/90 Half a Download.mp3"),
    ("empty", "Techno", "{album}/91 Nothing at All.mp3"),
    ("text", "House", "{album}/92 Liner Notes.mp3"),
)
"""The copy and the damaged files: what they are, and the style whose first track they lie beside
and are made of."""

MESS_OF_TRACK = {place: mess for mess, places in MESS.items() for place in places}
GUESTS = ("Oto Brandt", "Mira Solenne", "Little Fern")


@dataclass(frozen=True)
class Tags:
    """What the tags of a file say.

    Attributes:
        version: ``"ID3v2.4"``, ``"ID3v2.3"`` or ``"ID3v1.1"``.
        title: May be blank.
        artist: As spelled in the tags.
        album: Title of the album.
        track: Number on the album.
        year: Year of release.
        genres: As spelled in the tags.
        has_bpm: Whether they say the tempo.
    """

    version: str
    title: str
    artist: str
    album: str
    track: int
    year: int
    genres: tuple[str, ...]
    has_bpm: bool


@dataclass(frozen=True)
class PlannedTrack:
    """A file of the corpus.

    Attributes:
        path: Below the corpus, with slashes.
        style: Title of the style that it is played in.
        artist: The true name of who plays it.
        artist_number: Place of the artist among those of the style.
        number: Number of the track within its style.
        mess: What is messy about it, ``"clean"`` if nothing is.
        tags: What its tags say; None without tags.
    """

    path: str
    style: str
    artist: str
    artist_number: int
    number: int
    mess: str
    tags: Tags | None


@dataclass(frozen=True)
class DamagedFile:
    """A file of the corpus that is no track of its own.

    Attributes:
        path: Below the corpus, with slashes.
        mess: ``"duplicate"``, ``"truncated"``, ``"empty"`` or ``"text"``.
        origin: The track that it lies beside and is made of.
    """

    path: str
    mess: str
    origin: PlannedTrack


def plan_damaged(tracks: list[PlannedTrack]) -> list[DamagedFile]:
    """Plan the copy and the damaged files beside the tracks."""
    first = {track.style: track for track in reversed(tracks)}
    planned = []
    for mess, style, pattern in DAMAGED:
        if origin := first.get(style):
            album, _, file = origin.path.rpartition("/")
            path = pattern.format(album=album, title=file[3:].removesuffix(".mp3"))
            planned.append(DamagedFile(path, mess, origin))
    return planned


def plan_corpus(tracks_per_style: int | Mapping[str, int], seed: int) -> list[PlannedTrack]:
    """Plan the tracks of a corpus, without the damaged files and copies beside them.

    Args:
        tracks_per_style: One number for all styles, or a number for each title; a style that is
            not named has none.
        seed: Seed of titles and years.

    Raises:
        ValueError: If a title is no style of the demo or a number is negative.
    """
    if isinstance(tracks_per_style, int):
        tracks_per_style = dict.fromkeys(ARTISTS, tracks_per_style)
    for style, count in tracks_per_style.items():
        if style not in ARTISTS:
            raise ValueError(f"The demo has no style {style!r}: use some of {', '.join(ARTISTS)}.")
        if count < 0:
            raise ValueError(f"{count} tracks of {style} cannot be made: use 0 or more.")
    return [
        track
        for style in ARTISTS
        for track in _tracks_of(style, tracks_per_style.get(style, 0), seed)
    ]


def _tracks_of(style: str, count: int, seed: int) -> Iterator[PlannedTrack]:
    artists = ARTISTS[style]
    style_number = list(ARTISTS).index(style)
    for number in range(count):
        rng = np.random.default_rng([seed, style_number, number, 1])
        artist_number = number % len(artists)
        yield _track(style, artists[artist_number], artist_number, number, rng)


def _track(
    style: str, artist: Artist, artist_number: int, number: int, rng: np.random.Generator
) -> PlannedTrack:
    of_artist = number // len(ARTISTS[style])
    album = artist.albums[of_artist // 2 % len(artist.albums)]
    place = of_artist % 2 + 1 + 2 * (of_artist // 4)
    title = title_of(artist, of_artist, rng)
    mess = MESS_OF_TRACK.get((style, number), "clean")
    spelling = artist.spellings[of_artist % len(artist.spellings)]
    folder = spelling.strip() if mess == "artist_folder_spelling" else artist.name
    path = f"{folder}/{album}/{place:02d} {title}.mp3"
    tags = Tags(
        version="ID3v2.3" if artist_number % 3 == 0 or mess == "numeric_genre" else "ID3v2.4",
        title=title,
        artist=artist.name,
        album=album,
        track=place,
        year=int(2003 + 2 * artist_number + of_artist // 2),
        genres=(style,),
        has_bpm=artist_number % 2 == 0,
    )
    messy = None if mess == "no_tags" else _messed_up(tags, mess, style, number, spelling)
    return PlannedTrack(
        unicodedata.normalize("NFC", path), style, artist.name, artist_number, number, mess, messy
    )


def _messed_up(tags: Tags, mess: str, style: str, number: int, spelling: str) -> Tags:
    parent = PARENTS.get(style, "Electronic")
    other = OTHER_SPELLINGS[style]
    guest = GUESTS[number % len(GUESTS)]
    wrong = {"House": "Dubstep", "Garage": "Techno"}.get(style, "House")
    changes: dict[str, dict] = {
        "numeric_genre": {"genres": (NUMERIC_GENRES[style],)},
        "other_genre_spelling": {"genres": (other[number % len(other)],)},
        "several_genres": {"genres": (style, parent), "version": "ID3v2.4"},
        "genres_in_one_text": {"genres": (f"{parent}; {style}",)},
        "wrong_genre": {"genres": (wrong,)},
        "unknown_genre": {"genres": ("Shed Wobble",)},
        "no_genre": {"genres": ()},
        "id3v1": {"version": "ID3v1.1", "artist": plain(tags.artist)},
        "artist_spelling": {"artist": spelling},
        "artist_folder_spelling": {"artist": spelling},
        "featuring": {"artist": f"{tags.artist} feat. {guest}"},
        "mojibake": {"title": _misread(tags.title), "album": _misread(tags.album)},
        "blank_title": {"title": " "},
    }
    return replace(tags, **changes.get(mess, {}))


def _misread(text: str) -> str:
    """UTF-8 taken for Latin-1, as old taggers do."""
    return text.encode("utf-8").decode("latin-1")
