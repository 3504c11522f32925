"""The named outcomes of reading an audio file; every file ends in exactly one of them."""

from enum import StrEnum


class Status(StrEnum):
    """What became of a file."""

    OK = "ok"
    MISSING = "missing"
    """No file is where the source says it is."""
    EMPTY = "empty"
    """The file has no bytes."""
    UNREADABLE = "unreadable"
    """The operating system does not let us read the file."""
    NOT_AUDIO = "not_audio"
    """No decoder recognises the bytes."""
    UNDECODABLE = "undecodable"
    """The container is recognised, its audio cannot be decoded."""
    NO_AUDIO = "no_audio"
    """The container is sound and holds no audio samples."""
    TRUNCATED = "truncated"
    """Far less audio can be decoded than the header claims."""
    BAD_TAGS = "bad_tags"
    """The tags are damaged beyond reading."""
    NO_TAGS = "no_tags"
    """The file carries no tags."""
    TOO_SHORT = "too_short"
    """Too little audio for the features to be defined."""
    LOW_SAMPLE_RATE = "low_sample_rate"
    """The sample rate is too low for the highest notes of the features."""
    SILENT = "silent"
    """Digital silence, for which the features are not defined."""
    NOT_FINITE = "not_finite"
    """The samples or a feature are not finite numbers."""
    TIMED_OUT = "timed_out"
    """The worker was still busy with the file at its time limit and was ended."""
    WORKER_DIED = "worker_died"
    """The worker died with the file, such as from lack of memory."""
    FAILED = "failed"
    """An error that nobody foresaw; the reason holds its text."""


WORTH_ANOTHER_TRY = frozenset(
    {Status.MISSING, Status.UNREADABLE, Status.WORKER_DIED, Status.FAILED}
)
"""Failures that may say something of the machine or of this program and not of the file."""


class AudioError(Exception):
    """A file that cannot be used, with its named kind of failure and a sentence for the user.

    Args:
        status: Which kind of failure.
        reason: One sentence: what is wrong, with which file, and what to do where one can.
    """

    def __init__(self, status: Status, reason: str):
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
