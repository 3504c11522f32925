"""The genres that every source is read into: the 163 of the FMA, with their parents.

M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson: FMA: A Dataset for Music Analysis, ISMIR
2017, https://arxiv.org/abs/1612.01840.

Light: reads two small files on the first call.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import unescape

from genre_assets.documents import parse_yaml
from genre_assets.labels.spelling import fold, words
from genre_assets.reference import reference_path
from genre_assets.tags.fields import MAX_TEXT


@dataclass(frozen=True)
class Genre:
    """A genre of the taxonomy.

    Attributes:
        id: Its FMA genre id.
        title: Its name, such as ``"Drum & Bass"``.
        parent_id: Id of the genre it is a kind of, None for a top genre.
        depth: Steps up to its top genre; 0 for a top genre.
    """

    id: int
    title: str
    parent_id: int | None
    depth: int


@dataclass(frozen=True)
class Reading:
    """What a spelling says.

    Attributes:
        genres: The genres it names, in its order; none for a placeholder such as ``"Other"``.
        unknown: The parts of it that nobody knows.
    """

    genres: tuple[Genre, ...] = ()
    unknown: tuple[str, ...] = ()


class Taxonomy:
    """Genres, their parents and their spellings.

    Args:
        rows: ``(genre_id, title, parent_id or None)`` of each genre.
        aliases: Title of a genre to its other spellings.
        several: Spellings that name more than one genre, to their titles.
        no_genre: Spellings that name no genre of the taxonomy.

    Raises:
        ValueError: If a parent or a title does not exist, or a spelling occurs twice.
    """

    def __init__(
        self,
        rows: Iterable[tuple[int, str, int | None]],
        aliases: dict[str, list[str]] | None = None,
        several: dict[str, list[str]] | None = None,
        no_genre: Iterable[str] = (),
    ):
        described = {genre_id: (title, parent) for genre_id, title, parent in rows}
        self._by_id = {
            genre_id: Genre(genre_id, title, parent, _depth(genre_id, described))
            for genre_id, (title, parent) in described.items()
        }
        self._by_title = {genre.title: genre for genre in self._by_id.values()}
        self._by_key: dict[str, tuple[Genre, ...]] = {}
        for title in self._by_title:
            self._add(title, [title])
        for title, spellings in (aliases or {}).items():
            for spelling in spellings:
                self._add(spelling, [title])
        for spelling, titles in (several or {}).items():
            self._add(spelling, titles)
        for spelling in no_genre:
            self._add(spelling, [])

    @property
    def genres(self) -> list[Genre]:
        """All genres, in the order of their ids."""
        return [self._by_id[genre_id] for genre_id in sorted(self._by_id)]

    def of_id(self, genre_id: int) -> Genre | None:
        """The genre with an FMA genre id."""
        return self._by_id.get(genre_id)

    def ancestors(self, genre: Genre) -> list[Genre]:
        """The genres that a genre is a kind of, its parent first and its top genre last."""
        above = []
        while genre.parent_id is not None:
            genre = self._by_id[genre.parent_id]
            above.append(genre)
        return above

    def top(self, genre: Genre) -> Genre:
        """The top genre of a genre; a top genre is its own."""
        return self.ancestors(genre)[-1] if genre.parent_id is not None else genre

    def resolve(self, spelling: str) -> list[Genre]:
        """The genres that a spelling names, such as Rock and Folk for ``"(17)Rock;folk"``."""
        return list(self.read(spelling).genres)

    def read(self, spelling: str) -> Reading:
        """Read a spelling: title, slug, alias, ID3v1 number or several of them in one text.

        A spelling that is known as a whole is not taken apart (``"Old-Time / Historic"``). One
        that joins two names by *and* is taken apart only where every part is known.

        Args:
            spelling: As a source or a tag gives it; its first :data:`MAX_TEXT` characters count.

        Returns:
            The genres without repeats, and what of the spelling is unknown.
        """
        read = self._read(unescape(spelling[:MAX_TEXT]))
        return Reading(tuple(dict.fromkeys(read.genres)), tuple(dict.fromkeys(read.unknown)))

    def _read(self, spelling: str) -> Reading:
        spelling = " ".join(_CONTROL.sub(";", spelling).split())
        names = _spelled_out(spelling)
        if names != [spelling]:
            return _joined(self._read(name) for name in names)
        if (known := self._by_key.get(_key(spelling))) is not None:
            return Reading(known)
        if not _key(spelling) or _ADDRESS.search(spelling):
            return Reading()
        for separator in _SEPARATORS:
            parts = [part for part in separator.split(spelling) if part.strip()]
            if len(parts) > 1:
                read = _joined(self._read(part) for part in parts)
                whole = read.unknown and (separator is _AND or not read.genres)
                return Reading(unknown=(spelling,)) if whole else read
        return Reading(unknown=(spelling,))

    def _add(self, spelling: str, titles: list[str]) -> None:
        for title in titles:
            if title not in self._by_title:
                raise ValueError(f"The spelling {spelling!r} is of {title!r}, which is no genre.")
        if (key := _key(spelling)) in self._by_key:
            raise ValueError(f"The spelling {spelling!r} occurs twice.")
        self._by_key[key] = tuple(self._by_title[title] for title in titles)


@cache
def load_taxonomy() -> Taxonomy:
    """The taxonomy that comes with the package, read once."""
    with reference_path("fma_genres.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            (
                int(row["genre_id"]),
                row["title"],
                int(row["parent_id"]) if row["parent_id"] else None,
            )
            for row in csv.DictReader(file)
        ]
    spellings = parse_yaml(reference_path("genre_aliases.yaml").read_text(encoding="utf-8"))
    return Taxonomy(
        rows,
        spellings["aliases"],
        spellings["several"],
        spellings["no_genre"] + spellings["outside"],
    )


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"https?:|www\.|\.(com|net|org|info|de|ru)\b", re.IGNORECASE)
_AND = re.compile(r"[&+]|\band\b", re.IGNORECASE)
_SEPARATORS = (
    re.compile(r"[;|,]"),
    re.compile(r"[/\\>:]|---|\s[-–—+]\s"),  # noqa: RUF001
    _AND,
)
_ID3V1_NUMBERS = re.compile(r"[0-9]{1,3}|\((?:[0-9]{1,3}|RX|CR)\).*")


@cache
def is_genre(name: str) -> bool:
    """Whether the name of a folder is that of a genre, and of nothing else besides."""
    # To the taxonomy a number is a genre of ID3v1; as a folder it is a disc or a year.
    if not name[0].isalpha():
        return False
    reading = load_taxonomy().read(name)
    return bool(reading.genres) and not reading.unknown


def _key(spelling: str) -> str:
    return "".join(words(fold(spelling)))


def _spelled_out(spelling: str) -> list[str]:
    """The names in a spelling whose ID3v1 numbers are written out, such as in ``(17)Rock``."""
    if not _ID3V1_NUMBERS.fullmatch(spelling):
        return [spelling]
    from mutagen.id3 import TCON  # pyright: ignore[reportPrivateImportUsage]

    return TCON(encoding=3, text=[spelling]).genres


def _joined(readings: Iterable[Reading]) -> Reading:
    all_read = list(readings)
    return Reading(
        tuple(genre for read in all_read for genre in read.genres),
        tuple(name for read in all_read for name in read.unknown),
    )


def _depth(genre_id: int, described: dict[int, tuple[str, int | None]]) -> int:
    seen = [genre_id]
    while (parent := described[seen[-1]][1]) is not None:
        if parent not in described or parent in seen:
            raise ValueError(
                f"Genre {seen[-1]} has the parent {parent}, which cannot be its parent."
            )
        seen.append(parent)
    return len(seen) - 1
