"""Tags in files that mutagen does not read and FFmpeg does: Matroska, WebM and Sony Wave64.

Loads PyAV: import this module when such a file is there.
"""

from typing import IO

from genre_assets.tags.blocks import Found, Keys, block_of

_KEYS: Keys = {
    "title": ("title",),
    "artist": ("artist", "performer", "album_artist"),
    "album": ("album",),
    "track_number": ("track", "part_number"),
    "genres": ("genre",),
    "year": ("date", "date_released", "date_recorded", "year"),
    "bpm": ("bpm",),
    "comment": ("comment",),
    "encoder": ("encoder",),
}
_KINDS = {"matroska,webm": "Matroska", "w64": "Wave64"}


def read_streams(file: IO[bytes]) -> Found:
    """The tags of a file and of its audio stream as FFmpeg reads them, and its bits a second.

    Raises:
        av.error.FFmpegError: If the file is damaged.
    """
    import av

    with av.open(
        file,
        mode="r",
        metadata_errors="replace",
        options={"format_whitelist": "matroska,w64", "protocol_whitelist": "file"},
    ) as container:
        stream = container.streams.audio[0] if container.streams.audio else None
        found = Found(bitrate=(stream.bit_rate if stream else None) or container.bit_rate)
        kind = _KINDS.get(container.format.name, container.format.name)
        # Tags of the whole file count more than those of the stream.
        for metadata in (container.metadata, stream.metadata if stream else {}):
            texts: dict[str, list[object]] = {
                key.lower(): [value] for key, value in metadata.items() if value
            }
            if texts.keys() & {name for names in _KEYS.values() for name in names}:
                found.blocks.append(
                    block_of(kind, _KEYS, lambda name, texts=texts: texts.get(name, ()))
                )
    return found


def _values(texts: dict[str, list[object]], name: str) -> list[object]:
    return texts.get(name, [])
