from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.audio.status import AudioError, Status
from genre_assets.features.dsp.segments import (
    HOP_LENGTH,
    MOST_SEGMENTS,
    first_frames,
    frames_of_segment,
    stretches,
)

RATES = st.sampled_from([11_025, 22_050, 44_100, 48_000, 96_000])


def seconds(duration_s, sample_rate=44_100):
    starts = first_frames(round(duration_s * sample_rate), sample_rate)
    return [round(start * HOP_LENGTH / sample_rate, 1) for start in starts]


@pytest.mark.parametrize(
    ("duration_s", "starts"),
    [
        (10, [0]),
        (19.4, [4.7]),
        (20, [0, 10]),
        (29.98, [0, 10, 20]),  # a clip of the Free Music Archive
        (30, [0, 10, 20]),
        (60, [0, 10, 20, 30, 40, 50]),
        (240, [15, 55, 95, 135, 175, 215]),
    ],
)
def test_segments_are_spread_over_the_track(duration_s, starts):
    assert seconds(duration_s) == pytest.approx(starts, abs=0.06)


def test_a_track_shorter_than_a_segment_has_none_and_a_reason():
    with pytest.raises(AudioError, match=r"9\.80 s of sound, but a segment has 10 s") as refusal:
        first_frames(round(9.8 * 44_100), 44_100)
    assert refusal.value.status == Status.TOO_SHORT
    with pytest.raises(AudioError, match=r"9\.99 s of sound, but a segment has 10 s"):
        first_frames(1_919_400, 192_000)


@given(st.integers(0, 7_200), st.integers(0, 100_000), RATES)
def test_segments_lie_within_the_track_in_order_and_hardly_overlap(whole_s, more, sample_rate):
    samples = 10 * sample_rate + whole_s * sample_rate + more
    wanted = frames_of_segment(sample_rate)
    starts = first_frames(samples, sample_rate)
    assert 1 <= len(starts) <= MOST_SEGMENTS
    assert starts[0] >= 0
    assert starts[-1] + wanted <= 1 + samples // HOP_LENGTH
    overlap = sum(max(0, a + wanted - b) for a, b in pairwise(starts))
    assert overlap * HOP_LENGTH <= 0.5 * sample_rate + HOP_LENGTH * len(starts)


@given(st.integers(10, 7_200), RATES)
def test_stretches_hold_each_segment_once_with_its_surroundings(duration_s, sample_rate):
    samples = duration_s * sample_rate
    frames = 1 + samples // HOP_LENGTH
    found = list(stretches(samples, sample_rate))
    assert [start for stretch in found for start in stretch.segments] == first_frames(
        samples, sample_rate
    )
    a_second = int(sample_rate) // HOP_LENGTH
    for stretch in found:
        assert stretch.first == max(0, stretch.segments[0] - a_second)
        end = stretch.segments[-1] + frames_of_segment(sample_rate)
        assert stretch.last == min(frames, end + a_second)
    for one, next_one in pairwise(found):
        assert one.last < next_one.first


def test_a_clip_is_one_stretch_and_a_song_one_a_segment():
    [clip] = stretches(30 * 44_100, 44_100)
    assert (clip.first, clip.last) == (0, 2584)
    assert len(list(stretches(240 * 44_100, 44_100))) == 6
