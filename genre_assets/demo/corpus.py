"""The synthetic demo corpus: a small music library of six styles, written as real MP3 files.

The platform runs on it offline, on a machine that has no music. Every file is a pure function of
the seed and of its place, so the corpus can be completed, enlarged or repaired file by file.
``manifest.json`` in its folder holds the truth about each file, for tests; the platform reads the
files only.

Light: the encoder and the tagger are imported when a file is made.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from genre_assets.audio.status import AudioError
from genre_assets.audio.workers import WorkerPool
from genre_assets.demo.artists import ARTISTS, sound_of
from genre_assets.demo.plan import DamagedFile, PlannedTrack, plan_corpus, plan_damaged
from genre_assets.documents import parse_json
from genre_assets.errors import UserError
from genre_assets.lake.storage import temporary_files, written_whole
from genre_assets.progress import Log, Progress, silent

RECIPE = 1
"""Raised whenever the files come out differently: a corpus of another recipe is made anew."""

MANIFEST = "manifest.json"
LICENCE_NOTE = "LICENSE.txt"
LIMIT_S = 60.0
WORTH_A_POOL = 12
"""Fewer files than this are made sooner than workers start."""

_LICENCE_TEXT = """\
Everything in this folder was synthesised by a program. Artists, titles and music are invented.
It is dedicated to the public domain under CC0 1.0:
https://creativecommons.org/publicdomain/zero/1.0/
"""


@dataclass(frozen=True)
class CorpusSummary:
    """What stands in the folder.

    Attributes:
        folder: The corpus.
        files: Files of the corpus, with the damaged ones.
        written: How many of them were missing and were made.
        tracks: Tracks of each style, without damaged files and copies.
    """

    folder: Path
    files: int
    written: int
    tracks: dict[str, int]


def write_corpus(
    folder: Path,
    tracks_per_style: int | Mapping[str, int] = 22,
    seconds: float = 10.0,
    seed: int = 0,
    workers: int = 1,
    log: Log = silent,
) -> CorpusSummary:
    """Write the corpus, or what of it is missing.

    Files that are there are left alone, whatever became of them. Those that the manifest of an
    earlier call names and this call would not write, or would write otherwise (another recipe,
    seed or length), are removed first.

    Args:
        folder: Where it goes, as ``Artist/Album/NN Title.mp3``.
        tracks_per_style: One number for all styles, or a number for each title of a style.
        seconds: Length of a clip.
        seed: Other seeds make other music by the same artists.
        workers: Processes that make files.
        log: Takes lines about the progress.

    Raises:
        UserError: If a file cannot be made or written.
        ValueError: If there is no such style, or a number or length is out of range.
    """
    if not 1 <= seconds <= 600:
        raise ValueError(f"Clips of {seconds:g} s cannot be made: use 1 to 600 seconds.")
    tracks = plan_corpus(tracks_per_style, seed)
    damaged = plan_damaged(tracks)
    recipe = {"recipe": RECIPE, "seed": seed, "seconds": seconds}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in temporary_files(folder):
            half_written.unlink(missing_ok=True)
        _remove_what_is_not_planned(folder, recipe, {file.path for file in [*tracks, *damaged]})
        _write_whole(folder / LICENCE_NOTE, _LICENCE_TEXT.encode())
        _write_whole(folder / MANIFEST, _manifest(recipe, tracks, damaged))
        missing = [track for track in tracks if not (folder / track.path).exists()]
        _write_tracks(missing, folder, seconds, seed, workers, log)
        broken = [file for file in damaged if not (folder / file.path).exists()]
        for file in broken:
            _write_whole(folder / file.path, _damaged_content(file, seconds, seed))
    except OSError as error:
        raise UserError(
            f"The demo corpus in {folder} cannot be written ({error.strerror}): make room there, "
            "or set GENRE_ASSETS_DATA to another folder."
        ) from error
    files, written = len(tracks) + len(damaged), len(missing) + len(broken)
    log(f"Demo corpus in {folder}: {files} files, {written} of them new.")
    return CorpusSummary(folder, files, written, dict(Counter(track.style for track in tracks)))


def render_file(track: PlannedTrack, seconds: float, seed: int) -> bytes:
    """The bytes of a track's MP3 file: 44.1 kHz, stereo, with its tags."""
    import soundfile

    from genre_assets.demo.mixing import mix
    from genre_assets.demo.styles import STYLES, compose
    from genre_assets.demo.synthesis import RATE
    from genre_assets.demo.tagging import tagged

    sound = sound_of(np.random.default_rng(_seed_of_artist(track, seed)))
    rng = np.random.default_rng(_seed_of_track(track, seed))
    song = compose(STYLES[track.style], sound, seconds, rng)
    file = BytesIO()
    soundfile.write(
        file,
        mix(song),
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode=sound.bitrate_mode,
        compression_level=sound.compression,
    )
    return tagged(file.getvalue(), track.tags, song.tempo)


def _seed_of_artist(track: PlannedTrack, seed: int) -> list[int]:
    return [seed, list(ARTISTS).index(track.style), track.artist_number]


def _seed_of_track(track: PlannedTrack, seed: int) -> list[int]:
    return [*_seed_of_artist(track, seed), track.number]


def _write_tracks(
    tracks: list[PlannedTrack], folder: Path, seconds: float, seed: int, workers: int, log: Log
) -> None:
    write = partial(_write_track, folder=folder, seconds=seconds, seed=seed)
    progress = Progress("demo tracks synthesised", len(tracks), log)
    if workers == 1 or len(tracks) < WORTH_A_POOL:
        for track in tracks:
            write(track)
            progress.count()
        return
    with WorkerPool(workers) as pool:
        for track, result in pool.run(write, tracks, LIMIT_S, name=lambda track: track.path):
            if isinstance(result, AudioError):
                raise UserError(
                    f"The demo track {track.path} could not be made in {folder}: {result.reason}"
                )
            progress.count()


def _write_track(track: PlannedTrack, folder: Path, seconds: float, seed: int) -> None:
    _write_whole(folder / track.path, render_file(track, seconds, seed))


def _damaged_content(file: DamagedFile, seconds: float, seed: int) -> bytes:
    match file.mess:
        case "empty":
            return b""
        case "text":
            return b"These are the liner notes of an album, not music.\n" * 40
    whole = render_file(file.origin, seconds, seed)
    return whole if file.mess == "duplicate" else whole[: int(0.4 * len(whole))]


def _manifest(recipe: dict, tracks: list[PlannedTrack], damaged: list[DamagedFile]) -> bytes:
    truth = {
        **recipe,
        "tracks": [
            {
                "path": track.path,
                "style": track.style,
                "artist": track.artist,
                "mess": track.mess,
                "seed": _seed_of_track(track, recipe["seed"]),
                "tags": track.tags and asdict(track.tags),
            }
            for track in tracks
        ],
        "damaged": [
            {"path": file.path, "mess": file.mess, "origin": file.origin.path} for file in damaged
        ],
    }
    return json.dumps(truth, ensure_ascii=False, indent=1).encode()


def _remove_what_is_not_planned(folder: Path, recipe: dict, planned: set[str]) -> None:
    """Remove what the last call wrote and this one would not, and nothing else."""
    path = folder / MANIFEST
    if not path.exists():
        return
    try:
        old = parse_json(path.read_text(encoding="utf-8"))
        same_recipe = {key: old[key] for key in recipe} == recipe
        paths = {entry["path"] for entry in old["tracks"] + old["damaged"]}
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is not the manifest of a demo corpus: remove the folder {folder}, and the "
            "next run writes it again."
        ) from None
    real_folder = os.path.realpath(folder)
    for place in sorted(paths - planned if same_recipe else paths):
        if Path(os.path.realpath(folder / place)).is_relative_to(real_folder):
            (folder / place).unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; the same content is not written again."""
    if path.exists() and path.read_bytes() == content:
        return
    with written_whole(path, sync=False) as temporary:
        temporary.write_bytes(content)
