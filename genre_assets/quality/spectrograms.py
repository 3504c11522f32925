"""Whether the files of spectrograms are what the index says of them."""

from collections import defaultdict

from genre_assets.features.spectrogram_files import bytes_there
from genre_assets.lake.schemas import SPECTROGRAMS
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import Verdict, some


def files_whole(lake: Lake, shard: str) -> Verdict:
    """Check that the files that a shard names are there, and all segments that they hold listed.

    Args:
        lake: The lake.
        shard: The shard.
    """
    rows = lake.read(SPECTROGRAMS, [shard])
    sizes = bytes_there(lake, rows)
    segments = defaultdict(list)
    broken = {}
    for row in rows.to_pylist():
        segments[row["track_id"], row["file"]].append(row["segment"])
        if sizes[row["file"]] is None:
            broken[row["file"]] = "it is not there"
        elif sizes[row["file"]] != row["bytes"]:
            broken[row["file"]] = f"it has {sizes[row['file']]:,} of {row['bytes']:,} bytes"
    for (_, name), numbers in segments.items():
        if sorted(numbers) != list(range(len(numbers))):
            broken.setdefault(name, "the index lacks a segment of it")
    return Verdict(
        passed=not broken,
        sentence=f"{counted(len(sizes), 'file')} of spectrograms in {shard}: "
        + (
            f"{len(broken):,} not as it should be, such as {min(broken)} "
            f"({broken[min(broken)]}); materialise spectrograms again."
            if broken
            else "all are there and whole."
        ),
        counts={"files": len(sizes), "broken": len(broken)},
        examples=some({"file": name, "found": broken[name]} for name in sorted(broken)),
    )
