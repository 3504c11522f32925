"""Shards: the partition that a track belongs to, a pure function of its key.

FMA ids grow with time, so a shard is a range of ids and a refresh touches the newest one or two.
A folder has no such order, so its shards are drawn by a hash.
"""

import hashlib

FMA_IDS_PER_SHARD = 5_000
FMA_SHARD_COUNT = 60
FOLDER_SHARD_COUNT = 16

FMA_SHARDS = [f"fma_{n * FMA_IDS_PER_SHARD:06d}" for n in range(FMA_SHARD_COUNT)]
FOLDER_SHARDS = [f"folder_{n:02d}" for n in range(FOLDER_SHARD_COUNT)]
SHARDS = FMA_SHARDS + FOLDER_SHARDS


def fma_shard(track_id: int) -> str:
    """Shard of an FMA track, such as ``fma_005000`` for track 5024.

    Raises:
        ValueError: If the id lies outside the shards there are.
    """
    number = track_id // FMA_IDS_PER_SHARD
    if not 0 <= number < FMA_SHARD_COUNT:
        last = FMA_SHARD_COUNT * FMA_IDS_PER_SHARD - 1
        raise ValueError(
            f"Track id {track_id} lies outside 0 to {last}: raise FMA_SHARD_COUNT to admit it."
        )
    return FMA_SHARDS[number]


def folder_shard(source_track_id: str) -> str:
    """Shard of a track of a music library, by a hash of its id."""
    digest = hashlib.sha256(source_track_id.encode()).digest()
    return FOLDER_SHARDS[digest[0] % FOLDER_SHARD_COUNT]
