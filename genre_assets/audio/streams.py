"""What a decoder makes of a file: blocks of samples, and how long the file states to be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stream:
    """The sound of an open file.

    Attributes:
        sample_rate: Samples a second.
        channels: Channels of the file.
        format: Container and codec, such as ``MP3`` or ``MP4/aac``.
        claimed_s: Seconds of sound that the file itself states, or None when it states none: what
            a decoder estimates is no claim.
        claim_holds: Whether the parts of the file that hold its sound amount to the claim, as far
            as can be said without decoding them.
        blocks: Arrays of shape (channels, n), float32; the next may overwrite one.
    """

    sample_rate: int
    channels: int
    format: str
    claimed_s: float | None
    claim_holds: Callable[[], bool]
    blocks: Iterator[np.ndarray]


def agree(claimed_s: float, present_s: float) -> bool:
    """Whether two lengths in seconds are the same but for what encoders add and cut off."""
    return abs(present_s - claimed_s) <= max(0.15, 0.01 * claimed_s)
