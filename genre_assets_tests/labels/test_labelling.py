from collections import Counter
from datetime import UTC, datetime

import pytest

from genre_assets.labels.labelling import DUPLICATE, NO_GENRE, label_tracks
from genre_assets.labels.synthetic import SYNTHETIC_ENCODER
from genre_assets.lake.schemas import AUDIO, ID3_TAGS, LABELS, TRACKS


def track(number: int, **columns) -> dict:
    own = {
        "track_id": f"fma_dataset:{number}",
        "source": "fma_dataset",
        "source_track_id": str(number),
        "artist": f"Artist {number}",
        "artist_id": str(number),
        "genres": [],
    }
    return own | columns


def labelled(tracks: list[dict], audio: tuple[dict, ...] = (), tags: tuple[dict, ...] = ()):
    result = label_tracks(
        TRACKS.of_rows(tracks), AUDIO.of_rows(list(audio)), ID3_TAGS.of_rows(list(tags))
    )
    assert result.labels.schema.equals(LABELS.schema)
    assert result.labels["track_id"].to_pylist() == [row["track_id"] for row in tracks]
    return result


def the_label(row: dict, **tags) -> dict:
    return labelled([row], tags=({"track_id": row["track_id"]} | tags,)).labels.to_pylist()[0]


def test_all_artists_of_the_tags_are_kept_also_those_that_the_joined_text_has_no_room_for():
    many = [f"Artist Number {n}" for n in range(40)]
    tags = [
        {"track_id": "folder:1", "artist": "; ".join(many)[:500], "artists": many},
        {"track_id": "folder:2", "artist": "Alice; Bob", "artists": None},
        {"track_id": "folder:3", "artist": "Bob", "artists": ["Bob"]},
    ]
    tracks = [
        {"track_id": row["track_id"], "source": "folder", "artist": "A folder's name"}
        for row in tags
    ]
    found = labelled(tracks, tags=tuple(tags))
    rows = found.labels.to_pylist()
    assert [len(row["artist_keys"]) for row in rows] == [40, 2, 1]
    assert [row["artist_key"] for row in rows] == ["0 artist number", "alice", "bob"]
    assert (
        "2 tracks by several artists: a split keeps each of them together with the tracks of all "
        "its artists." in found.notes
    )


def test_no_tracks_give_no_labels():
    assert labelled([]).labels.num_rows == 0


def test_the_source_decides_and_the_tags_agree():
    label = the_label(track(1, genre_top="Rock", genres=["Punk", "Rock"]), genres=["Garage Rock"])
    assert label["genre_top"] == label["source_genre_top"] == label["id3_genre_top"] == "Rock"
    assert label["evidence"] == "fma_dataset"
    assert label["agreement"] == "agrees"
    assert label["subgenres"] == ["Punk", "Garage"]
    assert label["excluded"] is None


def test_the_artist_in_the_tags_overrules_the_name_of_a_folder():
    rows = [track(n, source="folder", artist="Rock", artist_id=None, album="x") for n in (1, 2)]
    tags = tuple(
        {"track_id": row["track_id"], "artist": f"Band {n}", "album": "LP"}
        for n, row in enumerate(rows)
    )
    labels = labelled(rows, tags=tags).labels
    assert labels["artist_key"].to_pylist() == ["0 band", "1 band"]
    assert labels["album_key"].to_pylist() == ["0 band / lp", "1 band / lp"]
    assert labelled(rows).labels["artist_key"].to_pylist() == ["rock", "rock"]


def test_the_source_decides_and_the_tags_disagree():
    label = the_label(track(1, genre_top="Rock", genres=["Noise-Rock"]), genres=["Techno"])
    assert (label["genre_top"], label["id3_genre_top"]) == ("Rock", "Electronic")
    assert label["agreement"] == "disagrees"
    assert label["subgenres"] == ["Noise-Rock"]


def test_the_tags_decide_where_the_source_says_nothing():
    label = the_label(track(1, source="folder", genres=None), genres=["(17)Rock"])
    assert (label["genre_top"], label["evidence"]) == ("Rock", "id3")
    assert label["agreement"] == "alone"
    assert label["source_genre_top"] is None


def test_the_genre_of_a_folder_counts_where_the_tags_have_none_and_gives_way_where_they_do():
    row = track(1, source="folder", genres=["hiphop"])
    label = the_label(row)
    assert (label["genre_top"], label["evidence"]) == ("Hip-Hop", "folder")
    assert label["agreement"] == "alone"
    label = the_label(row, genres=["Punk"])
    assert (label["genre_top"], label["evidence"]) == ("Rock", "id3")
    assert label["agreement"] == "disagrees"
    assert (label["source_genre_top"], label["id3_genre_top"]) == ("Hip-Hop", "Rock")


def test_a_source_without_a_top_genre_is_read_by_its_genres():
    label = the_label(track(1, source="fma_site", genres=["Drum & Bass", "Electronic"]))
    assert (label["genre_top"], label["evidence"]) == ("Electronic", "fma_site")
    assert label["subgenres"] == ["Drum & Bass"]


def test_subgenres_stand_most_specific_first():
    label = the_label(track(1, genre_top="Electronic", genres=["Techno", "Skweee"]))
    assert label["subgenres"] == ["Skweee", "Techno"]


def test_several_top_genres_give_none_and_the_tags_do_not_choose():
    label = the_label(track(1, genres=["Garage", "Folk"]), genres=["Folk"])
    assert label["genre_top"] is None
    assert label["excluded"] == "several top genres: Folk, Rock"
    assert label["evidence"] == "fma_dataset"
    assert label["agreement"] == "none"
    assert label["id3_genre_top"] == "Folk"
    assert label["subgenres"] == ["Garage"]


def test_unknown_spellings_are_counted_and_never_guessed():
    result = labelled(
        [track(n, genres=["Zeuhl"], genre_top="Loud") for n in (1, 2)] + [track(3)],
        tags=({"track_id": "fma_dataset:3", "genres": ["Other", "Zeuhl"]},),
    )
    assert result.unknown_spellings == Counter({"Zeuhl": 3, "Loud": 2})
    assert result.labels["excluded"].to_pylist() == [NO_GENRE] * 3
    assert result.labels["evidence"].to_pylist() == [None] * 3
    assert any("'Zeuhl' (3 tracks)" in note for note in result.notes)


def test_a_number_is_an_fma_id_in_a_source_and_an_id3v1_number_in_a_tag():
    label = the_label(track(1, genres=["17"]), genres=["17"])
    assert (label["source_genre_top"], label["id3_genre_top"]) == ("Folk", "Rock")


def test_missing_and_failed_audio_excludes_nothing():
    failed = {"track_id": "fma_dataset:2", "status": "undecodable", "reason": "It is broken."}
    result = labelled([track(n, genre_top="Jazz") for n in (1, 2)], audio=(failed,))
    assert result.labels["excluded"].to_pylist() == [None, None]


def test_a_track_gone_from_its_source_is_excluded():
    gone = datetime(2025, 5, 9, 12, tzinfo=UTC)
    label = the_label(track(1, genre_top="Jazz", gone_at=gone))
    assert label["excluded"] == "gone from its source since 2025-05-09"
    assert label["genre_top"] == "Jazz"


def files(*numbers: int, sha256: str = "a", status: str = "ok"):
    return tuple(
        {"track_id": f"fma_dataset:{n}", "sha256": sha256, "status": status} for n in numbers
    )


def test_exact_duplicates_name_the_first_track():
    tracks = [track(n, genre_top="Jazz") for n in (3, 1, 2, 4)]
    result = labelled(tracks, audio=files(1, 2, 3) + files(4, sha256="b"))
    assert result.labels["duplicate_of"].to_pylist() == [
        "fma_dataset:1",
        None,
        "fma_dataset:1",
        None,
    ]
    assert result.labels["excluded"].to_pylist() == [DUPLICATE, None, DUPLICATE, None]


def test_the_first_of_duplicates_is_one_that_takes_part():
    gone = datetime(2025, 5, 9, tzinfo=UTC)
    tracks = [
        track(1, genre_top="Jazz", gone_at=gone),
        track(2),
        track(3, genre_top="Jazz"),
    ]
    labels = labelled(tracks, audio=files(1, 2, 3)).labels
    assert labels["duplicate_of"].to_pylist() == ["fma_dataset:3", "fma_dataset:3", None]
    assert labels["excluded"].to_pylist() == [
        "gone from its source since 2025-05-09",
        DUPLICATE,
        None,
    ]


def test_files_that_failed_are_no_duplicates():
    tracks = [track(n, genre_top="Jazz") for n in (1, 2)]
    labels = labelled(tracks, audio=files(1, 2, status="empty")).labels
    assert labels["duplicate_of"].to_pylist() == [None, None]


def test_the_demo_corpus_is_known_by_its_mark():
    assert the_label(track(1), encoder=SYNTHETIC_ENCODER)["synthetic"] is True
    assert the_label(track(1), encoder="Lavf57.63.100")["synthetic"] is False


@pytest.mark.parametrize(
    ("columns", "tags", "key"),
    [
        ({"album_id": "6", "album": "Worn Copy"}, {}, "fma_dataset album 6"),
        ({"artist": "Au", "album": "Au"}, {}, "au / au"),
        ({"artist": "Au"}, {"album": "Verbs (2008)"}, "au / verbs 2008"),
        ({"artist": "Au", "album": "-"}, {"album": " "}, None),
        ({"artist": "Various Artists"}, {"album": "Greatest Hits"}, None),
    ],
)
def test_album_keys(columns, tags, key):
    assert the_label(track(1, **columns), **tags)["album_key"] == key


def test_a_library_takes_its_artists_from_the_tags():
    rows = [track(n, source="folder", artist=None, artist_id=None) for n in (1, 2)]
    tags = (
        {"track_id": "fma_dataset:1", "artist": "The Impediments"},
        {"track_id": "fma_dataset:2", "artist": "Impediments feat. Someone"},
    )
    labels = labelled(rows, tags=tags).labels
    assert labels["artist_key"].to_pylist() == ["impediments", "impediments"]


@pytest.fixture(scope="module")
def real_labels(real_data):
    from mutagen.id3 import ID3

    from genre_assets.sources.fma_dataset import read_catalogue

    def text(tags: ID3, frame: str) -> str | None:
        return str(tags[frame].text[0]) if frame in tags else None

    rows = []
    for path in sorted((real_data / "fma" / "fma_medium" / "000").glob("*.mp3")):
        tags = ID3(path)
        rows.append(
            {
                "track_id": f"fma_dataset:{int(path.stem)}",
                "artist": text(tags, "TPE1"),
                "album": text(tags, "TALB"),
                "genres": tags["TCON"].genres if "TCON" in tags else [],
                "encoder": text(tags, "TSSE"),
                "status": "ok",
            }
        )
    tracks = read_catalogue(real_data / "fma", "full").tracks
    return tracks, label_tracks(tracks, AUDIO.empty(), ID3_TAGS.of_rows(rows))


def test_real_rows_and_the_tags_of_real_clips(real_labels):
    tracks, result = real_labels
    labels = result.labels
    assert labels.num_rows == tracks.num_rows == 682
    assert labels["genre_top"].equals(tracks["genre_top"])
    agreement = Counter(labels["agreement"].to_pylist())
    assert agreement == {"agrees": 113, "disagrees": 3, "alone": 515, "none": 51}
    assert result.unknown_spellings == {"Loud": 5}
    excluded = [reason for reason in labels["excluded"].to_pylist() if reason]
    assert sum(reason.startswith("several top genres: ") for reason in excluded) == 50
    assert excluded.count(NO_GENRE) == 1


def test_real_artists_are_neither_parted_nor_joined(real_labels):
    tracks, result = real_labels
    keys_of_id: dict[str, set[str]] = {}
    for artist_id, key in zip(
        tracks["artist_id"].to_pylist(), result.labels["artist_key"].to_pylist(), strict=True
    ):
        keys_of_id.setdefault(artist_id, set()).add(key)
    assert all(len(keys) == 1 for keys in keys_of_id.values())
    assert len(set.union(*keys_of_id.values())) == len(keys_of_id)


def test_all_of_fma_medium_gets_its_published_top_genre(real_data):
    from genre_assets.sources.fma_dataset import read_catalogue

    tracks = read_catalogue(real_data / "fma_metadata_only").tracks
    result = label_tracks(tracks, AUDIO.empty(), ID3_TAGS.empty())
    assert result.labels.num_rows == 25_000
    assert result.labels["genre_top"].equals(tracks["genre_top"])
    assert result.labels["excluded"].null_count == 25_000
    assert not result.unknown_spellings


def test_a_track_that_was_taken_down_says_so_whatever_else_holds_of_it():
    rows = [track(n, genre_top="Rock", gone_at=datetime(2024, 1, 1, tzinfo=UTC)) for n in (1, 2)]
    files = [{"track_id": f"fma_dataset:{n}", "sha256": "s", "status": "ok"} for n in (0, 1)]
    labels = label_tracks(
        TRACKS.of_rows([track(0, genre_top="Rock"), *rows]),
        AUDIO.of_rows(files),
        ID3_TAGS.empty(),
        {"fma_dataset:1": datetime(2026, 5, 6, 23, 0, tzinfo=UTC)},
    ).labels
    assert labels["excluded"].to_pylist() == [
        None,
        "taken down on 2026-05-06",
        "gone from its source since 2024-01-01",
    ]
