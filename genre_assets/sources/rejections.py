"""The table of what sources listed and the lake could not take.

The rows of a source lie in one partition that several assets write: its catalogue, and what reads
the other files of the same dataset. Each replaces the rows of its own files.
"""

from pathlib import PurePath

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import REJECTED_ROWS
from genre_assets.lake.tables import Lake

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

FEATURE_FILES = ("features.csv", "echonest.csv")
"""Files of the FMA dataset that are read by assets of their own."""


def record_rejections(
    lake: Lake, source: str, rejected: pa.Table, file_name: str | None = None
) -> None:
    """Replace what an earlier reading of a source rejected by what this one did.

    Args:
        lake: The lake.
        source: The source.
        rejected: Rows of ``lake.schemas.REJECTED_ROWS``.
        file_name: The one of :data:`FEATURE_FILES` that was read; None for the catalogue.
    """
    with lake.lock(REJECTED_ROWS, source):
        stored = lake.read(REJECTED_ROWS, [source])
        names = [PurePath(origin or "").name for origin in stored["origin"].to_pylist()]
        ours = [
            name not in FEATURE_FILES if file_name is None else name == file_name for name in names
        ]
        kept = stored.filter(pc.invert(pa.array(ours, pa.bool_())))
        lake.write(REJECTED_ROWS, pa.concat_tables([rejected, kept]), source)
