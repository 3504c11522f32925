"""A clip of a song in the making: its grid of sixteenths, its key, and where sounds are put; light.

Patterns are strings of one character a sixteenth: ``x`` a stroke, ``o`` a softer one, ``g`` a
ghost note, ``.`` nothing. A pattern repeats for as long as the clip lasts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from genre_assets.demo.artists import Sound
from genre_assets.demo.instruments import Line
from genre_assets.demo.synthesis import RATE, midi_hz

VELOCITY = {"x": 1.0, "o": 0.65, "g": 0.3}
SCALES = {
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
BAR = 16
"""Sixteenths of a bar; every style here is in four."""


@dataclass(frozen=True)
class Note:
    """A note of a melody.

    Attributes:
        step: When it begins, in sixteenths from the start of the pattern.
        length: How long it lasts, in sixteenths.
        pitch: MIDI note.
        velocity: Strength, 0 to 1.
    """

    step: float
    length: float
    pitch: float
    velocity: float = 1.0


@dataclass
class Layer:
    """One part of the mix.

    Attributes:
        part: ``drums``, ``bass`` or ``lead``.
        signal: Shape (samples,), or (2, samples) where it is stereo already.
        level: Its level in the mix.
        pan: From -1 (left) to 1 (right).
        send: How much of it goes into the room, in parts of what the artist sends.
    """

    part: str
    signal: np.ndarray
    level: float
    pan: float = 0.0
    send: float = 1.0


@dataclass
class Song:
    """A clip of a song, to which styles add layers.

    Attributes:
        rng: Draws whatever differs from track to track.
        sound: Of the artist.
        tempo: Quarter notes a minute.
        seconds: Length of the clip.
        swing: Delay of every second sixteenth, in sixteenths.
        looseness_s: Standard deviation of the players' timing.
        root: Key note, in semitones above C.
        scale: A name of :data:`SCALES`.
        first_step: The sixteenth of the song that the clip begins with.
        layers: What sounds.
    """

    rng: np.random.Generator
    sound: Sound
    tempo: float
    seconds: float
    swing: float
    looseness_s: float
    root: int
    scale: str
    first_step: int
    layers: list[Layer] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """Length of the clip in samples."""
        return round(self.seconds * RATE)

    @property
    def step_s(self) -> float:
        """Seconds of a sixteenth."""
        return 15.0 / self.tempo

    def at(self, step: float) -> int:
        """The sample at which a step of the song falls; before 0 it was before the clip."""
        swung = step + (self.swing if int(np.floor(step)) % 2 else 0.0)
        return round((swung - self.first_step) * self.step_s * RATE)

    def bars(self) -> range:
        """The bars of the song that sound in the clip; the first may have begun before it."""
        steps = self.seconds / self.step_s
        return range(self.first_step // BAR, int((self.first_step + steps) // BAR) + 1)

    def pitch(self, degree: int, octave: int) -> int:
        """MIDI note of a degree of the scale, counted from 0."""
        steps = SCALES[self.scale]
        return 12 * (octave + 1 + degree // 7) + self.root + steps[degree % 7]

    def triad(self, degree: int, octave: int, thirds: int = 3) -> list[float]:
        """MIDI notes of the chord of thirds on a degree, three or more of them."""
        return [float(self.pitch(degree + 2 * third, octave)) for third in range(thirds)]

    def silence(self) -> np.ndarray:
        """An empty layer."""
        return np.zeros(self.samples, dtype=np.float32)

    def put(self, layer: np.ndarray, sound: np.ndarray, start: int, level: float = 1.0) -> None:
        """Add a sound to a layer; what lies outside of the clip is cut off."""
        begin, end = max(start, 0), min(start + len(sound), len(layer))
        if begin < end:
            layer[begin:end] += level * sound[begin - start : end - start]

    def played(self, pattern: str, sounds: list[np.ndarray], jitter: float = 0.1) -> np.ndarray:
        """A layer of one drum; ``sounds`` are takes of it, of which each stroke uses one."""
        layer = self.silence()
        for step in self._steps(len(pattern)):
            velocity = VELOCITY.get(pattern[step % len(pattern)])
            if velocity is not None:
                level = velocity * max(self.rng.normal(1, jitter), 0.1)
                late = round(self.rng.normal(0, self.looseness_s) * RATE)
                take = sounds[int(self.rng.integers(len(sounds)))]
                self.put(layer, take, self.at(step) + late, level)
        return layer

    def line(self, notes: Iterable[Note], pattern_steps: int, glide_s: float = 0.0) -> Line:
        """A melody of one voice that repeats every ``pattern_steps`` sixteenths."""
        phrase = sorted(notes, key=lambda note: note.step)
        frequency = np.full(self.samples, midi_hz(phrase[0].pitch), dtype=np.float32)
        velocity, age, left = self.silence(), self.silence(), self.silence()
        before = frequency[0]
        first = self.first_step // pattern_steps - 1
        last = int((self.first_step + self.seconds / self.step_s) // pattern_steps)
        for repeat in range(first, last + 1):
            for note in phrase:
                step = repeat * pattern_steps + note.step
                start, end = self.at(step), self.at(step + note.length)
                begin, stop = max(start, 0), min(end, self.samples)
                hz = midi_hz(note.pitch)
                if begin < stop:
                    t = (np.arange(begin, stop) - start) / RATE
                    slide = np.exp(-t / glide_s) if glide_s else 0.0
                    frequency[begin:stop] = hz * (before / hz) ** slide
                    frequency[stop:] = hz
                    velocity[begin:stop] = note.velocity
                    age[begin:stop] = t
                    left[begin:stop] = (end - start) / RATE - t
                before = hz
        return Line(frequency, velocity, age, left)

    def add(
        self, part: str, signal: np.ndarray, level: float, pan: float = 0.0, send: float = 1.0
    ) -> None:
        """Add a layer to a part of the mix."""
        self.layers.append(Layer(part, signal, level, pan, send))

    def chance(self, probability: float) -> bool:
        """Whether something that happens this often happens here."""
        return bool(self.rng.random() < probability)

    def _steps(self, pattern_steps: int) -> range:
        # Begins a pattern early: what was struck before the clip still rings in it.
        end = self.first_step + int(self.seconds / self.step_s) + 1
        return range(self.first_step - pattern_steps, end)
