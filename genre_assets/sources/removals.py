"""Check whether the removals that a sweep found are plausible.

A share that is not mounted, an unplugged disk and a file that was cut off all look like removals.
So the loss of more than half of a source is not accepted until you confirm it.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TRACKS, Table
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.sources.catalogue import Catalogue, SourceError
from genre_assets.sources.registry import source_named

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

SETTING = "GENRE_ASSETS_BELIEVE_REMOVALS"
"""With ``yes`` whatever a source no longer lists is gone."""

IF_MEANT = f"If what is missing is really gone, run once with {SETTING}=yes"
"""How a person says that what is missing is really gone."""


def refuse_doubtful(catalogue: Catalogue) -> None:
    """Refuse an implausible listing, such as that of an empty folder.

    Raises:
        SourceError: If it does; the sentence asks what is wrong, and says how to insist.
    """
    if catalogue.doubt:
        raise SourceError(
            f"{catalogue.doubt} The catalogue is kept as it was. If it is really so, run once "
            f"with {SETTING}=yes."
        )


def refuse_mass_removal(
    lake: Lake,
    source: str,
    listed: pa.Table,
    still_there: frozenset[str],
    gone: frozenset[str] | None,
) -> None:
    """Refuse a sweep by which more than half of a source, or of its audio files, is gone.

    Args:
        lake: The lake, as the sweep before left it.
        source: The source that was swept.
        listed: Rows of ``lake.schemas.TRACKS`` that the sweep listed.
        still_there: As :func:`genre_assets.sources.sweeps.merge_sweep` takes it.
        gone: As :func:`genre_assets.sources.sweeps.merge_sweep` takes it.

    Raises:
        SourceError: If it is so; the sentence counts, and says how to insist.
    """
    if gone is not None and not gone:
        return
    columns = ["track_id", "source", "gone_at", "file_bytes"]
    rows = lake.read(TRACKS, columns=columns)
    present = rows.filter((pc.field("source") == source) & pc.field("gone_at").is_null())
    ids = present["track_id"]
    if gone is None:
        keep = pa.chunked_array([*listed["track_id"].chunks, pa.array(still_there, pa.string())])
        missed = pc.invert(pc.is_in(ids, value_set=keep.combine_chunks()))
    else:
        missed = pc.is_in(ids, value_set=pa.array(gone, pa.string()))
    _refuse_if_most(source_named(source).words, "track", _count(missed), present.num_rows)

    had_file = pc.is_valid(present["file_bytes"])
    without = listed.filter(pc.is_null(listed["file_bytes"]))["track_id"].combine_chunks()
    lost = pc.and_(had_file, pc.is_in(ids, value_set=without))
    _refuse_if_most(source_named(source).words, "audio file", _count(lost), _count(had_file))


def refuse_mass_loss(lake: Lake, table: Table, path: Path, shards: Mapping[str, pa.Table]) -> None:
    """Refuse a file of published features that lacks more than half of the rows it had.

    Args:
        lake: The lake.
        table: The table that the file is read into, as an earlier reading left it.
        path: The file.
        shards: The rows of each shard that it has now.

    Raises:
        SourceError: If it does; the sentence counts, and says how to insist.
    """
    known = lake.read(table, columns=["track_id"])["track_id"].combine_chunks()
    now = pa.concat_arrays(
        [
            pa.array([], pa.string()),
            *(rows["track_id"].combine_chunks() for rows in shards.values()),
        ]
    )
    _refuse_if_most(str(path), "row", _count(pc.invert(pc.is_in(known, value_set=now))), len(known))


def _refuse_if_most(who: str, what: str, missing: int, known: int) -> None:
    if 2 * missing > known:
        raise SourceError(
            f"{who[:1].upper()}{who[1:]} no longer has {missing:,} of its "
            f"{counted(known, what)}: is "
            "everything mounted, and every file whole? Nothing was changed. "
            f"{IF_MEANT}."
        )


def _count(which: pa.ChunkedArray | pa.Array) -> int:
    return pc.sum(which).as_py() or 0
