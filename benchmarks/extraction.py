"""The 518 summary features against the peer's way: time, memory, and whether they are equal.

The peer's way is the FMA dataset's published features script moved to librosa 0.11, as the tests
have it. A few clips are timed, warm, with one thread: every way in turn and the whole as often as
asked, of which the fastest counts. Times are the processor's, since whatever else the machine does
would only add to those of the clock; with one thread and all in memory the two are the same. Beside
the two ways stand decoding alone, and the floor: decoding and one Fourier transform in double
precision, of which every spectral feature is made.

Then all files are held to the equality gate: each of the 518 values within
``1e-4 * max(|value|, standard deviation of the series)`` of the peer's, 1 instead of the standard
deviation for skew and kurtosis. The command fails when one is not.

    .venv/bin/python benchmarks/extraction.py                  # on clips of the demo corpus
    .venv/bin/python benchmarks/extraction.py ~/music          # on a folder of one's own
    .venv/bin/python benchmarks/extraction.py ~/music --workers 2
    .venv/bin/python benchmarks/extraction.py ~/music --workers 2 --sustained 3600

The last does nothing but give the files again and again to the worker processes of the platform for
so many seconds, and says how long the clips of FMA-large would take at that rate.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genre_assets.audio.status import AudioError
from genre_assets.audio.workers import IN_FLIGHT_PER_WORKER, ONE_THREAD, WorkerPool
from genre_assets.demo.corpus import render_file
from genre_assets.demo.plan import plan_corpus
from genre_assets.features import summary
from genre_assets.features.summary import COLUMNS
from genre_assets.lake.store import SUFFIXES
from genre_assets.progress import Progress

DEMO_SECONDS = 30.0
WORST_SHOWN = 10
CLIPS_A_WORKER = 12
WORKER_TURNS = 5
FMA_LARGE_CLIPS = 106_574
WINDOW_S = 60.0
LIMIT_S = 120.0


def main() -> int:
    """Measure, hold to the gate and print the tables; 1 if a value is not equal."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("folder", nargs="?", type=Path, help="audio files; else demo clips")
    arguments.add_argument("--timed", type=int, default=3, help="clips that are timed (3)")
    arguments.add_argument("--repeats", type=int, default=7, help="how often each is (7)")
    arguments.add_argument("--workers", type=int, help="compare so many processes with one")
    arguments.add_argument("--sustained", type=float, metavar="SECONDS", help="only run for long")
    options = arguments.parse_args()
    _use_one_thread()
    with tempfile.TemporaryDirectory(prefix="extraction-") as scratch:
        files = _audio_files(options.folder or _demo_clips(Path(scratch)))
        if options.sustained:
            return _run_for_long(files, options.workers or 1, options.sustained)
        timed = list({files[i * len(files) // options.timed]: 0 for i in range(options.timed)})
        print(f"{len(files)} files; timed: {', '.join(file.name for file in timed)}")
        # First, for a process counts what the one that started it held as its own.
        memory = [(way, f"{_peak_megabytes(way, timed):.0f}") for way in ("peer", "ours")]
        _print_ways(timed, options.repeats)
        _print_stages(timed, options.repeats)
        _print_table(("peak memory", "MB"), memory)
        if options.workers:
            _print_workers(timed, options.workers)
        return _print_gate(files)


def _use_one_thread() -> None:
    """Start again with one thread, which the libraries only heed before they are loaded."""
    if not ONE_THREAD.items() <= os.environ.items():
        os.execve(sys.executable, sys.orig_argv, os.environ | ONE_THREAD)


def _audio_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        sys.exit(f"There is no audio file in {folder}.")
    return files


def _demo_clips(folder: Path) -> Path:
    for track in plan_corpus(1, seed=0):
        content = render_file(track, DEMO_SECONDS, seed=0)
        (folder / Path(track.path).name).write_bytes(content)
    return folder


# --- the ways ---


def _peer(file: Path) -> np.ndarray:
    from genre_assets_tests.features.reference import peer_values

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peer_values(file)


def _ours(file: Path) -> np.ndarray:
    return summary.extract(file)


def _decode(file: Path) -> np.ndarray:
    from genre_assets.audio.decode import decode

    samples, _ = decode(file)
    return samples


def _floor(file: Path) -> None:
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(_decode(file), 1024), 2048)[::512]
    window = np.hanning(2049)[:-1]
    for start in range(0, len(frames), 64):
        np.fft.rfft(frames[start : start + 64] * window)


WAYS: dict[str, Callable[[Path], object]] = {
    "peer": _peer,
    "ours": _ours,
    "floor": _floor,
    "decode": _decode,
}


# --- time ---


def _print_ways(files: list[Path], repeats: int) -> None:
    fastest = _fastest_ms(files, repeats)
    mean = {name: np.mean([fastest[name, file] for file in files]) for name in WAYS}
    rows = [(name, f"{mean[name]:.1f}", f"{mean['peer'] / mean[name]:.2f}") for name in WAYS]
    _print_table(("", "CPU ms a clip", "times as fast as the peer"), rows)
    print(f"Ours takes {mean['ours'] / mean['floor']:.2f} times as long as the floor.")


def _fastest_ms(files: list[Path], repeats: int) -> dict[tuple[str, Path], float]:
    fastest: dict[tuple[str, Path], float] = defaultdict(lambda: np.inf)
    # The first round compiles and fills caches, and counts for nothing.
    for number in range(repeats + 1):
        for file in files:
            for name, way in WAYS.items():
                start = time.process_time()
                way(file)
                if number:
                    took = 1000 * (time.process_time() - start)
                    fastest[name, file] = min(fastest[name, file], took)
    return fastest


def _print_stages(files: list[Path], repeats: int) -> None:
    fastest: dict[tuple[str, Path], float] = defaultdict(lambda: np.inf)
    for file in files:
        for _ in range(repeats):
            for stage, took in _stage_ms(file).items():
                fastest[stage, file] = min(fastest[stage, file], took)
    stages = dict.fromkeys(stage for stage, _ in fastest)
    mean = {stage: np.mean([fastest[stage, file] for file in files]) for stage in stages}
    rows = [(stage, f"{ms:.1f}") for stage, ms in mean.items()]
    _print_table(("ours by stage", "CPU ms a clip"), rows)


def _stage_ms(file: Path) -> dict[str, float]:
    """Milliseconds of an extraction in each function that its steps are made of."""
    from genre_assets.audio import decode
    from genre_assets.features.dsp import series, transforms

    own = (series.__name__, transforms.__name__)
    steps = [
        (user, name)
        for user in (transforms, series)
        for name, home in ((n, getattr(s, "__module__", "")) for n, s in vars(user).items())
        if home.startswith("genre_assets.features.") and home not in own
    ]
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as patches:
        for home, name in [(decode, "read_audio"), *steps, (summary, "summarise_series")]:
            timed = _timed(getattr(home, name), name, spent)
            patches.enter_context(patch.object(home, name, timed))
        start = time.process_time()
        summary.extract(file)
        took = 1000 * (time.process_time() - start)
    return spent | {"the rest": took - sum(spent.values())}


def _timed(step: Callable, name: str, spent: dict[str, float]) -> Callable:
    def run(*arguments, **options):
        start = time.process_time()
        try:
            return step(*arguments, **options)
        finally:
            spent[name] += 1000 * (time.process_time() - start)

    return run


# --- processes ---


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def _peak_megabytes(way: str, files: list[Path]) -> float:
    with _processes(1) as process:
        return process.submit(_megabytes_after, way, files).result()


def _megabytes_after(way: str, files: list[Path]) -> float:
    for file in files:
        WAYS[way](file)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _print_workers(files: list[Path], workers: int) -> None:
    rows = []
    for way in ("peer", "ours"):
        alone, together = _clips_a_second(way, files, workers)
        rows.append((way, f"{alone:.1f}", f"{together:.1f}", f"{together / alone:.2f}"))
    _print_table(("clips a second", "1 process", f"{workers} processes", "gain"), rows)


def _clips_a_second(way: str, files: list[Path], workers: int) -> tuple[float, float]:
    """Of one process and of so many: in turn, and of some turns the best."""
    best = {1: 0.0, workers: 0.0}
    with ExitStack() as stack:
        pools = {count: stack.enter_context(_processes(count)) for count in best}
        for turn in range(WORKER_TURNS + 1):
            for count, pool in pools.items():
                clips = [files[i % len(files)] for i in range(CLIPS_A_WORKER * count)]
                start = time.perf_counter()
                list(pool.map(_run_quietly, [way] * len(clips), clips))
                if turn:  # The first only warms them up.
                    best[count] = max(best[count], len(clips) / (time.perf_counter() - start))
    return best[1], best[workers]


def _run_quietly(way: str, file: Path) -> None:
    WAYS[way](file)


def _run_for_long(files: list[Path], workers: int, seconds: float) -> int:
    """Extract for so long, and print the rate, and those of the slowest and fastest minute."""
    with (
        WorkerPool(workers, summary.warm_up) as pool,
        closing(pool.run(summary.extract, cycle(files), LIMIT_S)) as results,
    ):
        for _ in range(IN_FLIGHT_PER_WORKER * workers):
            next(results)
        started = time.monotonic()
        finished: list[float] = []
        failed = 0
        for _, found in results:
            finished.append(time.monotonic() - started)
            failed += isinstance(found, AudioError)
            if finished[-1] >= seconds:
                break
    rate = len(finished) / finished[-1]
    windows = np.histogram(finished, np.arange(0, finished[-1], WINDOW_S))[0] / WINDOW_S
    print(f"{workers} workers, {finished[-1]:.0f} s: {len(finished)} clips, {rate:.2f} a second.")
    print(f"{failed} of them had no features.")
    if windows.size:
        print(f"Minutes did {windows.min():.2f} to {windows.max():.2f} clips a second.")
    print(f"{FMA_LARGE_CLIPS:,} clips take {FMA_LARGE_CLIPS / rate / 3600:.2f} h at that rate.")
    return 0


# --- the gate ---


def _print_gate(files: list[Path]) -> int:
    from genre_assets_tests.features.reference import reference_of_file

    unequal, left_out = [], []
    progress = Progress("files held to the peer's values", len(files), _to_stderr)
    for file in files:
        progress.count()
        try:
            values = summary.extract(file)
        except AudioError as error:
            left_out.append(str(error))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected, allowances = reference_of_file(file)
        off = np.abs(np.float64(values) - expected) / allowances
        unequal += [
            (off[i], file.name, COLUMNS[i], values[i], expected[i])
            for i in np.flatnonzero(~(off <= 1))
        ]
    held = len(files) - len(left_out)
    print(f"\n{len(unequal)} of {held * len(COLUMNS):,} values of {held} files are not equal.")
    for off, file, column, value, expected in sorted(unequal, reverse=True)[:WORST_SHOWN]:
        print(f"  {file} {column}: {value}, peer {expected}, {off:.1f} times what is allowed")
    for reason in left_out:
        print(f"  left out: {reason}")
    return 1 if unequal or not held else 0


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print()
    for row in [header, *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
