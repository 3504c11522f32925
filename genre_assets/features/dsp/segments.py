"""Where the segments of a track lie that a neural net is shown.

A segment has ten seconds, as the best of the nets that this project follows took them. Which
seconds is a function of the track's length alone: never of its genre or its side of a split, so
that segments can be cut once, before there is any task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from genre_assets.audio.status import AudioError, Status
from genre_assets.features.dsp.framing import HOP_LENGTH

SEGMENT_S = 10.0
"""Seconds of a segment."""

MOST_SEGMENTS = 6
"""Segments of a track of a minute or more; a clip of 30 s has three."""

SLACK_S = 0.5
"""Seconds that segments may overlap in all before a track has one less: clips of "30 s" have
29.98."""

CONTEXT_S = 1.0
"""Seconds around segments that are analysed with them. It takes 0.18 s at 44.1 kHz for the medians
of the harmonic-percussive separation, half of the longest constant-Q window is 0.26 s."""


@dataclass(frozen=True)
class Stretch:
    """A part of a track that is analysed in one go: neighbouring segments and their surroundings.

    Attributes:
        first: Frame that it begins with.
        last: Frame that it ends before.
        segments: First frames of its segments, counted from the beginning of the track.
    """

    first: int
    last: int
    segments: tuple[int, ...]


def frames_of_segment(sample_rate: int) -> int:
    """Frames of a segment: 861 at 44.1 kHz."""
    return int(SEGMENT_S * sample_rate) // HOP_LENGTH


def first_frames(samples: int, sample_rate: int) -> list[int]:
    """Choose the segments of a track.

    The track is cut into as many equal parts as it holds segments, :data:`MOST_SEGMENTS` at most,
    and the middle of each part is taken.

    Args:
        samples: Length of the track in samples.
        sample_rate: Samples a second.

    Returns:
        First frame of each segment. Frame n is centred on sample 512 · n.

    Raises:
        AudioError: If the track is shorter than a segment.
    """
    frames = 1 + samples // HOP_LENGTH
    wanted = frames_of_segment(sample_rate)
    if frames < wanted:
        raise AudioError(
            Status.TOO_SHORT,
            # Rounded down, or 10.00 s would be too short for 10 s.
            f"It holds {100 * samples // sample_rate / 100:.2f} s of sound, but a segment has "
            f"{SEGMENT_S:g} s.",
        )
    slack = int(SLACK_S * sample_rate) // HOP_LENGTH
    count = max(1, min(MOST_SEGMENTS, (frames + slack) // wanted))
    middles = (((2 * part + 1) * frames) // (2 * count) for part in range(count))
    return [min(max(0, middle - wanted // 2), frames - wanted) for middle in middles]


def stretches(samples: int, sample_rate: int) -> Iterator[Stretch]:
    """Divide the segments of a track into stretches, each analysed in one go.

    A clip of 30 s is one stretch, so that its transforms are those of its summary features; of a
    long track only what surrounds its segments is analysed.

    Args:
        samples: Length of the track in samples.
        sample_rate: Samples a second.

    Yields:
        The stretches in their order.

    Raises:
        AudioError: If the track is shorter than a segment.
    """
    frames = 1 + samples // HOP_LENGTH
    context = int(CONTEXT_S * sample_rate) // HOP_LENGTH
    reach = frames_of_segment(sample_rate) + context
    begins = first_frames(samples, sample_rate)
    apart = [n for n, (a, b) in enumerate(pairwise(begins), 1) if a + reach < b - context]
    for first, last in pairwise([0, *apart, len(begins)]):
        segments = tuple(begins[first:last])
        yield Stretch(max(0, segments[0] - context), min(frames, segments[-1] + reach), segments)
