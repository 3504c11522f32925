"""Who made a track: one key for all spellings of an artist.

The same artist on both sides of a split makes every figure wrong (A. Flexer, D. Schnitzer: Effects
of Album and Artist Filters in Audio Similarity Computed for Very Large Music Databases, Computer
Music Journal 34(3), 2010). Joining two artists costs a little freedom in the split; splitting
one makes the figures wrong; so names that differ in spelling only are joined, and names that
differ in more are joined only where a source or a track says so and the names look alike. A track
of several artists belongs with the tracks of each of them.

Light; scipy is imported when a lake is looked over.
"""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from genre_assets.labels.spelling import fold, words
from genre_assets.tags.fields import MAX_TEXT, MAX_VALUES, put_right

SIMILAR = 0.85
"""Share of letters in common from which two names on one track are spellings of one name."""

_Evidence = tuple[str, str | None, str | None, str | None]

_LETTERS_TO_COMPARE = 6
_LETTERS_BESIDE_A_SLASH = 3
_LONGEST_LIST = MAX_TEXT * MAX_VALUES
_FILLERS = {"and", "the"}
_GUEST = re.compile(r"[\s(\[,]+(?:(?:feat|ft|featuring)\b[.\s]|w/|(?<=[(\[])with\s).*")
_ACRONYM_DOT = re.compile(r"(?<=\b\w)\.(?=\w\b)")
_APOSTROPHE = re.compile(r"['’‘`ʼ]")  # noqa: RUF001
_NOBODY = (
    "Various",
    "Various Artist",
    "Various Artists",
    "Various Interprets",
    "Varios Artistas",
    "Varios",
    "Artistes Divers",
    "Artisti Vari",
    "Verschiedene Interpreten",
    "Verschiedene Künstler",
    "Diverse",
    "Diverse Interpreten",
    "VA",
    "V/A",
    "Compilation",
    "Unknown",
    "Unknown Artist",
    "Unbekannt",
    "Unbekannter Künstler",
    "Artiste inconnu",
    "Artista desconocido",
    "Artist",
    "No Artist",
    "None",
    "Null",
    "NaN",
    "N/A",
    "Undefined",
    "Untitled",
)
_NO_NAME = re.compile(r"[\s\-_.?*/#~]*")


def name_words(name: str) -> list[str]:
    """The words of an artist's name without its guests, *and* and *the*, in order.

    A name of nothing else keeps them: The The is a band.
    """
    folded = _APOSTROPHE.sub("", fold(put_right(name.strip()[:MAX_TEXT])))
    main = _GUEST.sub("", folded)
    # 10 Ft. Ganja Plant has no guests.
    folded = main if any(c.isalpha() for c in main) else folded
    found = words(_ACRONYM_DOT.sub("", folded))
    return [word for word in found if word not in _FILLERS] or found


@lru_cache(maxsize=200_000)
def artist_key(name: str | None) -> str | None:
    """Key of an artist, a pure function of the name.

    Case, accents, punctuation, *and* (&, +), *the*, guests (feat., ft., featuring, w/) and the
    order of the words do not count: ``"Askew, Ed"`` is ``"Ed Askew"``. Numbers keep their order.

    Args:
        name: The name as a source or a tag gives it.

    Returns:
        The key, or None when the name stands for no one in particular, such as Various Artists:
        tracks without a key share no artist, each is its own group.
    """
    if not name or _NO_NAME.fullmatch(name):
        return None
    key = _key(name)
    return None if not key or key in _nobody_keys() else key


def _key(name: str) -> str:
    found = name_words(name)
    if not found:
        # A name of signs only, some of which, such as a macron, folding takes for an accent.
        short = name.strip()[:MAX_TEXT]
        return "".join(fold(short).split()) or "".join(short.split())
    return " ".join(found if all(map(str.isdecimal, found)) else sorted(found))


@lru_cache(maxsize=1)
def _nobody_keys() -> frozenset[str]:
    return frozenset(map(_key, _NOBODY))


def several(name: str | None) -> list[str]:
    """The names in a text that lists artists: what stands between its semicolons.

    No other sign separates names for certain: AC/DC, Simon & Garfunkel and Crosby, Stills, Nash
    & Young are artists of their own.
    """
    # What is escaped twice, as some pages do, has semicolons of its own.
    text = html.unescape(html.unescape((name or "")[:_LONGEST_LIST]))
    return [part for listed in re.split(r"[;\0]", text) if (part := listed.strip())]


@dataclass(frozen=True)
class CanonicalArtists:
    """The artists of a lake.

    Attributes:
        keys: Key of the first artist of each track, None when it is unknown.
        all_keys: Keys of all artists of each track, the first one first; None when unknown.
        spellings: The names that each key stands for, of the keys that stand for several.
    """

    keys: list[str | None]
    all_keys: list[list[str] | None]
    spellings: dict[str, list[str]]


def canonical_artists(
    sources: Sequence[str],
    artist_ids: Sequence[str | None],
    artists: Sequence[str | None],
    tag_artists: Sequence[str | None],
) -> CanonicalArtists:
    """Find one key for each artist of a lake.

    The artist is the one that the source names, else the one that the tags name. Joined are

    * names with the same :func:`artist_key`;
    * names that a source gives the same artist id;
    * the source's name and the tags' name on one track, if they look alike (:func:`look_alike`).
      A tag with another name joins nothing, so one bad tag cannot join two artists.

    A track has several artists where its name lists them (:func:`several`). A name with a slash,
    such as ID3v2.3 puts between artists, may also be one artist's own: the track counts as one of
    that artist, and of each name beside the slash that is some other track's artist as well.

    Args:
        sources: Name of the source of each track.
        artist_ids: The source's id of its artist, or None.
        artists: The source's name of its artist, or None.
        tag_artists: The artist in its tags, or None.

    Returns:
        Keys for each track: of each artist that of the most frequent name, else the source's id.
    """
    seen = list(zip(sources, artist_ids, artists, tag_artists, strict=True))
    tracks_of = Counter(seen)
    nodes_of = {evidence: _nodes(*evidence) for evidence in tracks_of}
    root_of = _join(_links(tracks_of, nodes_of))
    frequency: dict[Hashable, Counter[str]] = defaultdict(Counter)
    names: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for evidence, count in tracks_of.items():
        roots = {root_of[node] for node in nodes_of[evidence]}
        for name in (*several(evidence[2]), *several(evidence[3])):
            key = artist_key(name)
            if key and (root := root_of.get(key)) in roots:
                frequency[root][key] += count
                names[root][name] += count
    key_of_root = {root: _most_frequent(keys) for root, keys in frequency.items()}
    keys_of = {
        evidence: _canonical_keys(
            [*nodes, *_beside_slashes(evidence, root_of)] if nodes else [], root_of, key_of_root
        )
        for evidence, nodes in nodes_of.items()
    }
    spellings = {
        key_of_root[root]: [name for name, _ in found.most_common()]
        for root, found in names.items()
        if len(found) > 1
    }
    return CanonicalArtists(
        keys=[next(iter(keys_of[evidence]), None) for evidence in seen],
        all_keys=[keys_of[evidence] or None for evidence in seen],
        spellings=spellings,
    )


def look_alike(name: str, other: str) -> bool:
    """Whether two names on one track may be of one artist.

    They do if the shorter name begins the longer one (Ethan Persoff, Ethan Persoff / Horse Music),
    or if their letters hardly differ and their numbers do not. Short names prove nothing.
    """
    shorter, longer = sorted((name_words(name), name_words(other)), key=len)
    letters, other_letters = "".join(shorter), "".join(longer)
    if min(len(letters), len(other_letters)) < _LETTERS_TO_COMPARE:
        return False
    if len(shorter) >= 2 and longer[: len(shorter)] == shorter:
        return True
    same_numbers = re.findall(r"\d+", letters) == re.findall(r"\d+", other_letters)
    return same_numbers and (
        SequenceMatcher(None, letters, other_letters, autojunk=False).ratio() >= SIMILAR
    )


def _nodes(
    source: str, artist_id: str | None, artist: str | None, tag_artist: str | None
) -> list[Hashable]:
    """What a track's evidence points at: names, else an id, else no one."""
    listed = _distinct(artist_key(name) for name in several(artist))
    tagged = _distinct(_tag_key(name) for name in several(tag_artist))
    if listed:
        # The tags say who else took part where they name the source's artist, too.
        is_confirmed = listed[0] in tagged or listed[0] == artist_key(tag_artist)
        return _distinct((*listed, *tagged)) if is_confirmed else listed
    if artist_id and not artist:
        return [(source, artist_id)]
    return tagged


def _beside_slashes(evidence: _Evidence, known: dict[Hashable, int]) -> list[Hashable]:
    """Artists of the lake whose names stand beside a slash in the name of a track's artist."""
    _, _, artist, tag_artist = evidence
    parts = (name.split("/") for name in several(artist or tag_artist) if "/" in name)
    keys = (artist_key(part) for beside in parts for part in beside)
    return [
        key
        for key in keys
        if key and key in known and len(key.replace(" ", "")) >= _LETTERS_BESIDE_A_SLASH
    ]


def _distinct(nodes: Iterable[Hashable | None]) -> list[Hashable]:
    return list(dict.fromkeys(node for node in nodes if node is not None))


def _tag_key(name: str | None) -> str | None:
    key = artist_key(name)
    # A track number that slipped into the artist's field names no one.
    return None if key is None or re.fullmatch(r"\d{1,2}", key) else key


def _links(
    tracks_of: Iterable[_Evidence], nodes_of: dict[_Evidence, list[Hashable]]
) -> set[tuple[Hashable, Hashable]]:
    links: set[tuple[Hashable, Hashable]] = set()
    for evidence in tracks_of:
        source, artist_id, artist, tag_artist = evidence
        nodes = nodes_of[evidence]
        links.update((node, node) for node in nodes)
        named = [name for name in several(artist) if artist_key(name) is not None]
        if not named:
            continue
        if artist_id:
            links.add((nodes[0], (source, artist_id)))
        for name in several(tag_artist):
            tag_key = _tag_key(name)
            if tag_key and tag_key != nodes[0] and look_alike(named[0], name):
                links.add((nodes[0], tag_key))
    return links


def _join(links: set[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Number the connected components of a graph given by its links."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers: dict[Hashable, int] = {}
    for link in links:
        for node in link:
            numbers.setdefault(node, len(numbers))
    ends = np.array([[numbers[a], numbers[b]] for a, b in links], dtype=np.int64).reshape(-1, 2)
    graph = coo_array(
        (np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(len(numbers),) * 2
    )
    components = connected_components(graph, directed=False)[1] if len(numbers) else []
    return {node: int(components[number]) for node, number in numbers.items()}


def _most_frequent(keys: Counter[str]) -> str:
    return min(keys, key=lambda key: (-keys[key], key))


def _canonical_keys(
    nodes: Iterable[Hashable], root_of: dict[Hashable, int], key_of_root: dict[Hashable, str]
) -> list[str]:
    return list(dict.fromkeys(_canonical_key(node, root_of, key_of_root) for node in nodes))


def _canonical_key(
    node: Hashable, root_of: dict[Hashable, int], key_of_root: dict[Hashable, str]
) -> str:
    if (key := key_of_root.get(root_of[node])) is not None:
        return key
    source, artist_id = node  # pyright: ignore[reportGeneralTypeIssues]
    return f"{source} artist {artist_id}"
