"""What each track is held to be: its genres, artist and album, and the evidence behind them.

Two kinds of evidence are kept side by side: what the source says of the track and what the tags
in its file say. The source decides; the tags decide where it says nothing, and where the source
is a folder, whose name is no more than a guess. Nothing else is guessed: a
track of several top genres gets none, and spellings that nobody knows are counted.

Light; scipy is imported when tracks are labelled.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.labels.artists import CanonicalArtists, canonical_artists, name_words
from genre_assets.labels.synthetic import is_synthetic
from genre_assets.labels.taxonomy import Genre, Taxonomy, load_taxonomy
from genre_assets.lake.schemas import LABELS
from genre_assets.lake.vocabulary import SEVERAL_TOP_GENRES
from genre_assets.progress import counted
from genre_assets.sources.registry import source_named

NO_GENRE = "without any genre information"
DUPLICATE = "exact duplicate of another track"
"""Begins the reason of a track whose top genre is open; its sub-genres may be clear."""
TAKEN_DOWN = "taken down"
"""Begins the reason of a track that had to go."""
_TAGS = "id3"
"""The source whose evidence is the names of folders, where the settings allow that."""


@dataclass(frozen=True)
class LabelResult:
    """Labels, and how they came about.

    Attributes:
        labels: Rows of ``lake.schemas.LABELS``, one for each track, in the order of the tracks.
        unknown_spellings: Tracks that each unknown spelling of a genre stands on.
        notes: Sentences for whoever reads the run's log.
    """

    labels: pa.Table
    unknown_spellings: Counter[str]
    notes: list[str]


@dataclass(frozen=True)
class Evidence:
    """What one witness says of a track's genres.

    Attributes:
        tops: The top genres it names; several leave the top genre open.
        genres: All genres it names, in its order.
        unknown: Spellings of it that nobody knows.
    """

    tops: tuple[str, ...] = ()
    genres: tuple[Genre, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def top(self) -> str | None:
        """The one top genre, or None."""
        return self.tops[0] if len(self.tops) == 1 else None


def label_tracks(
    tracks: pa.Table,
    audio: pa.Table,
    id3_tags: pa.Table,
    takedowns: Mapping[str, datetime] | None = None,
    unwanted: Mapping[str, str] | None = None,
) -> LabelResult:
    """Label every track.

    ``genre_top`` is the source's, else the tags'; in a music library, where the source has only
    the names of folders to go by, it is the tags', else the folders'. ``agreement`` says what the
    other witness makes of it: it ``agrees``, it ``disagrees``, or genre_top stands ``alone``;
    ``none`` where there is no genre_top. ``evidence`` names the witness also where it names
    several top genres and genre_top is null. ``subgenres`` are all that lie below genre_top, or
    all that the witness names where genre_top is null.

    Missing or failed audio excludes no label, because features may come with the dataset. Tracks
    with the same bytes are duplicates of the first of them that takes part, by track id.

    Args:
        tracks: Rows of ``lake.schemas.TRACKS``.
        audio: Rows of ``lake.schemas.AUDIO``; a track may have none.
        id3_tags: Rows of ``lake.schemas.ID3_TAGS``; a track may have none.
        takedowns: When each track that had to go was taken down, by ``track_id``.
        unwanted: Why other tracks take part in no task, by ``track_id``.

    Returns:
        One label for each track, the unknown spellings, and notes.
    """
    tags = _beside(tracks, id3_tags, ["artist", "artists", "album", "genres", "encoder"])
    tag_artists = [
        "; ".join(several) if several else artist
        for several, artist in zip(tags["artists"], tags["artist"], strict=True)
    ]
    files = _beside(tracks, audio, ["sha256", "status"])
    taxonomy = load_taxonomy()
    unknown: Counter[str] = Counter()

    def witnessed(tops: Iterable[str | None], lists: Iterable[list[str] | None], by_source: bool):
        read: dict[tuple[str | None, tuple[str, ...]], Evidence] = {}
        for top, spellings in zip(tops, lists, strict=True):
            said = top, tuple(s for s in spellings or () if s)
            if said not in read:
                read[said] = _read(taxonomy, *said, by_source=by_source)
            unknown.update(read[said].unknown)
            yield read[said]

    track_ids = tracks["track_id"].to_pylist()
    sources = tracks["source"].to_pylist()
    by_source = list(witnessed(tracks["genre_top"].to_pylist(), tracks["genres"].to_pylist(), True))
    by_tags = list(witnessed([None] * len(track_ids), tags["genres"], False))
    verdicts = _verdicts(taxonomy, sources, by_source, by_tags)
    artists = canonical_artists(
        sources,
        tracks["artist_id"].to_pylist(),
        _tags_before_folders(sources, tracks["artist"].to_pylist(), tag_artists),
        tag_artists,
    )
    excluded = [
        _taken_down((takedowns or {}).get(track_id))
        or _gone(source, gone_at)
        or (unwanted or {}).get(track_id)
        or verdict.excluded
        for track_id, source, gone_at, verdict in zip(
            track_ids, sources, tracks["gone_at"].to_pylist(), verdicts, strict=True
        )
    ]
    duplicate_of = _duplicates(track_ids, files["sha256"], files["status"], excluded)
    labels = pa.table(
        {
            "track_id": track_ids,
            "genre_top": [verdict.top for verdict in verdicts],
            "subgenres": [verdict.subgenres for verdict in verdicts],
            "artist_key": artists.keys,
            "artist_keys": artists.all_keys,
            "album_key": _album_keys(tracks, tags["album"], artists.keys),
            "evidence": [
                source if verdict.witness == "source" else verdict.witness
                for source, verdict in zip(sources, verdicts, strict=True)
            ],
            "agreement": [verdict.agreement for verdict in verdicts],
            "source_genre_top": [evidence.top for evidence in by_source],
            "id3_genre_top": [evidence.top for evidence in by_tags],
            "duplicate_of": duplicate_of,
            "synthetic": [
                is_synthetic(encoder, page_url)
                for encoder, page_url in zip(
                    tags["encoder"], tracks["page_url"].to_pylist(), strict=True
                )
            ],
            "excluded": [
                DUPLICATE
                if first and not (reason or "").startswith(("gone", TAKEN_DOWN))
                else reason
                for first, reason in zip(duplicate_of, excluded, strict=True)
            ],
        },
        schema=LABELS.schema,
    )
    return LabelResult(labels, unknown, _notes(labels, artists, unknown))


@dataclass(frozen=True)
class _Verdict:
    """What two witnesses together make of a track's genres."""

    top: str | None
    subgenres: list[str]
    witness: str | None
    agreement: str
    excluded: str | None


def _read(
    taxonomy: Taxonomy, genre_top: str | None, spellings: Sequence[str], *, by_source: bool
) -> Evidence:
    genres: list[Genre] = []
    unknown: list[str] = []
    for spelling in (genre_top, *spellings):
        # A source's number is an FMA genre id, left where the dataset lacks genres.csv; a tag's
        # number would be one of ID3v1.
        if by_source and spelling and spelling.isascii() and spelling.isdigit():
            genre = taxonomy.of_id(int(spelling))
            found, strange = ((genre,), ()) if genre else ((), (spelling,))
        elif spelling:
            reading = taxonomy.read(spelling)
            found, strange = reading.genres, reading.unknown
        else:
            continue
        genres += found
        unknown += strange
    tops = dict.fromkeys(taxonomy.top(genre).title for genre in genres)
    if genre_top:
        said = dict.fromkeys(taxonomy.top(genre).title for genre in taxonomy.resolve(genre_top))
        tops = said or tops
    return Evidence(tuple(tops), tuple(dict.fromkeys(genres)), tuple(dict.fromkeys(unknown)))


def _verdicts(
    taxonomy: Taxonomy, sources: list[str], by_source: list[Evidence], by_tags: list[Evidence]
) -> list[_Verdict]:
    # Witnesses say few different things, and each is one object.
    reached: dict[tuple[bool, int, int], _Verdict] = {}
    verdicts = []
    for name, source, tags in zip(sources, by_source, by_tags, strict=True):
        tags_first = source_named(name).guesses_names
        key = tags_first, id(source), id(tags)
        if key not in reached:
            reached[key] = _verdict(taxonomy, source, tags, tags_first=tags_first)
        verdicts.append(reached[key])
    return verdicts


def _verdict(taxonomy: Taxonomy, source: Evidence, tags: Evidence, *, tags_first: bool) -> _Verdict:
    by_source, by_tags = ("source", source, tags), (_TAGS, tags, source)
    witness, chosen, other = by_source if source.tops else by_tags
    # The name of a folder is only a guess.
    if tags_first and tags.tops:
        witness, chosen, other = by_tags
    if not chosen.tops:
        return _Verdict(None, [], None, "none", NO_GENRE)
    if chosen.top is None:
        excluded = f"{SEVERAL_TOP_GENRES}: {', '.join(sorted(chosen.tops))}"
        return _Verdict(None, _most_specific_first(chosen.genres), witness, "none", excluded)
    if other.top is None:
        agreement = "alone"
    else:
        agreement = "agrees" if other.top == chosen.top else "disagrees"
    below = [g for g in chosen.genres + other.genres if taxonomy.top(g).title == chosen.top]
    return _Verdict(chosen.top, _most_specific_first(below), witness, agreement, None)


def _most_specific_first(genres: Iterable[Genre]) -> list[str]:
    below_top = dict.fromkeys(genre for genre in genres if genre.depth)
    return [genre.title for genre in sorted(below_top, key=lambda genre: -genre.depth)]


def _taken_down(moment: datetime | None) -> str | None:
    return f"{TAKEN_DOWN} on {moment:%Y-%m-%d}" if moment else None


def _gone(source: str, gone_at: datetime | None) -> str | None:
    # What was downloaded is kept, and its licence does not end with the page.
    if source_named(source).is_site:
        return None
    return f"gone from its source since {gone_at:%Y-%m-%d}" if gone_at else None


def _duplicates(
    track_ids: list[str],
    sha256s: list[str | None],
    statuses: list[str | None],
    excluded: list[str | None],
) -> list[str | None]:
    """For each track the first track with the same bytes, None for the first one itself.

    A track that takes part comes before one that is excluded: its label must not be lost to a
    twin that has none. Files that failed are not compared, or all empty files would be one track.
    """
    first: dict[str, tuple[bool, str]] = {}
    compared = [
        sha if status == "ok" else None for sha, status in zip(sha256s, statuses, strict=True)
    ]
    for track_id, sha, reason in zip(track_ids, compared, excluded, strict=True):
        if sha is not None:
            rank = reason is not None, track_id
            first[sha] = min(first.get(sha, rank), rank)
    firsts = [first[sha][1] if sha is not None else None for sha in compared]
    return [None if one == own else one for one, own in zip(firsts, track_ids, strict=True)]


def _tags_before_folders(
    sources: list[str], listed: list[str | None], tagged: list[str | None]
) -> list[str | None]:
    """What the source lists; but the name of a folder is only a guess, which the tags overrule."""
    return [
        (tag or name) if source_named(source).guesses_names else name
        for source, name, tag in zip(sources, listed, tagged, strict=True)
    ]


def _album_keys(
    tracks: pa.Table, tag_albums: list[str | None], artist_keys: list[str | None]
) -> list[str | None]:
    """Keys of the albums: the source's id, else artist and title; a title alone may be anyone's."""
    keys: list[str | None] = []
    titles: dict[str | None, str] = {}
    sources = tracks["source"].to_pylist()
    listed = (
        sources,
        tracks["album_id"].to_pylist(),
        _tags_before_folders(sources, tracks["album"].to_pylist(), tag_albums),
    )
    for source, album_id, album, tag_album, artist in zip(
        *listed, tag_albums, artist_keys, strict=True
    ):
        if album_id:
            keys.append(f"{source} album {album_id}")
            continue
        for title in (album, tag_album):
            if title not in titles:
                titles[title] = " ".join(name_words(title)) if title else ""
        title = titles[album] or titles[tag_album]
        keys.append(f"{artist} / {title}" if artist and title else None)
    return keys


def _beside(tracks: pa.Table, table: pa.Table, columns: list[str]) -> dict[str, list]:
    """Columns of another table in the order of the tracks, None where it has no row of a track."""
    rows = pc.index_in(  # pyright: ignore[reportAttributeAccessIssue]
        tracks["track_id"], value_set=table["track_id"].combine_chunks()
    )
    return {name: pc.take(table[name], rows).to_pylist() for name in columns}


def _notes(labels: pa.Table, artists: CanonicalArtists, unknown: Counter[str]) -> list[str]:
    agreement = Counter(labels["agreement"].to_pylist())
    evidence = Counter(labels["evidence"].to_pylist())
    unlabelled = evidence.pop(None, 0)
    notes = [
        f"{counted(labels.num_rows, 'track')} labelled, "
        + "".join(
            f"{count:,} by {'their tags' if name == _TAGS else source_named(name).words}, "
            for name, count in evidence.most_common()
        )
        + f"{unlabelled:,} without a genre.",
        f"Source and tags agree on the top genre of {counted(agreement['agrees'], 'track')} and "
        f"disagree on {agreement['disagrees']:,}; {agreement['alone']:,} have a genre from only "
        f"one of the two, and {agreement['none']:,} from neither.",
    ]
    if artists.spellings:
        examples = sorted(artists.spellings.values(), key=lambda names: (-len(names), names))[:5]
        notes.append(
            f"{counted(len(artists.spellings), 'artist')} whose names are spelled in more than one "
            "way, such as " + "; ".join(" = ".join(names[:4]) for names in examples) + "."
        )
    if several := sum(len(keys or ()) > 1 for keys in labels["artist_keys"].to_pylist()):
        notes.append(
            f"{counted(several, 'track')} by several artists: a split keeps each of them together "
            "with the tracks of all its artists."
        )
    if nobody := labels["artist_key"].null_count:
        notes.append(
            f"{counted(nobody, 'track')} without a usable artist name: each is treated as by an "
            "artist of its own."
        )
    if duplicates := labels.num_rows - labels["duplicate_of"].null_count:
        notes.append(f"{counted(duplicates, 'exact duplicate')} of another track left out.")
    if unknown:
        most = ", ".join(
            f"{name!r} ({counted(count, 'track')})" for name, count in unknown.most_common(10)
        )
        notes.append(f"{counted(len(unknown), 'genre name')} not recognised and ignored: {most}.")
    return notes
