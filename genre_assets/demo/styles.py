"""How six styles are played: their tempo, their drums, their basses and what lies above; light.

A style is three parts, and a song takes one of them now and then, as is the artist's habit, from a
neighbouring style, at the tempo and in the key of the song. So a techno track may
have a house groove and still be techno, and no part alone gives the style away. The module is long
because it is the music itself: every pattern of every style.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genre_assets.demo import instruments as play
from genre_assets.demo.artists import Sound
from genre_assets.demo.song import BAR, Note, Song
from genre_assets.demo.synthesis import (
    RATE,
    band,
    levelled,
    midi_hz,
    noise,
    saturate,
    shape_spectrum,
)

Part = Callable[[Song], None]


@dataclass(frozen=True)
class Style:
    """A style of music.

    Attributes:
        title: Its title in the FMA taxonomy.
        tempo: Range of quarter notes a minute.
        swing: Range of the delay of every second sixteenth, in sixteenths.
        looseness_s: Standard deviation of the players' timing.
        scales: Names of scales, the more frequent ones several times.
        drums: Plays the drums.
        bass: Plays the bass.
        lead: Plays chords, melodies and noises.
        neighbours: Titles of the styles that it borrows parts from.
    """

    title: str
    tempo: tuple[float, float]
    swing: tuple[float, float]
    looseness_s: float
    scales: tuple[str, ...]
    drums: Part
    bass: Part
    lead: Part
    neighbours: tuple[str, ...]


def compose(style: Style, sound: Sound, seconds: float, rng: np.random.Generator) -> Song:
    """Compose a clip of a song from the middle of it.

    Args:
        style: What is played.
        sound: Of the artist who plays it.
        seconds: Length of the clip.
        rng: Draws what differs between the artist's tracks.
    """
    place = float(np.clip(sound.tempo + rng.normal(0, 0.12), 0, 1))
    song = Song(
        rng=rng,
        sound=sound,
        tempo=style.tempo[0] + place * (style.tempo[1] - style.tempo[0]),
        seconds=seconds,
        swing=rng.uniform(*style.swing),
        looseness_s=style.looseness_s,
        root=int(rng.choice(sound.roots)) if rng.random() < 0.7 else int(rng.integers(12)),
        scale=str(rng.choice(style.scales)),
        first_step=int(rng.integers(0, 4 * BAR)),
    )
    missing = _some_part(rng, 0.12)
    borrowed = _some_part(rng, sound.crossover)
    for part in ("drums", "bass", "lead"):
        by = STYLES[str(rng.choice(style.neighbours))] if part == borrowed else style
        getattr(by, part)(song)
    for layer in song.layers:
        # The clip falls into a break.
        if layer.part == missing:
            layer.level *= 0.08
    return song


def _some_part(rng: np.random.Generator, probability: float) -> str | None:
    return str(rng.choice(["drums", "bass", "lead"])) if rng.random() < probability else None


def _kick(song: Song, tone_hz: float, seconds: float, punch: float, drive: float) -> np.ndarray:
    sound = song.sound
    length = seconds * sound.damping
    return play.kick(song.rng, tone_hz * sound.pitch, length, punch, drive + sound.dirt)


def _hats(song: Song, seconds: float, low_hz: float = 6500, takes: int = 3) -> list[np.ndarray]:
    sound = song.sound
    low = low_hz * (0.6 + 0.8 * sound.brightness)
    length = seconds * sound.damping
    return [
        play.hat(song.rng, low, length * song.rng.uniform(0.8, 1.2), 0.6 * (1 - sound.brightness))
        for _ in range(takes)
    ]


def _snares(song: Song, tone_hz: float, seconds: float, wires: float) -> list[np.ndarray]:
    sound = song.sound
    tone = tone_hz * sound.pitch
    return [play.snare(song.rng, tone, seconds * sound.damping, wires) for _ in range(3)]


def _one_of(song: Song, *patterns: str) -> str:
    return str(song.rng.choice(patterns))


def _thinned(song: Song, pattern: str) -> str:
    """The pattern with the artist's density: the quieter the artist, the more strokes rest."""
    rest = 0.5 * (1 - song.sound.busyness)
    return "".join("." if c != "x" and song.chance(rest) else c for c in pattern)


# Techno -------------------------------------------------------------------------------------


def techno_drums(song: Song) -> None:
    """Four to the floor with a rumble, driving hats, a dry clap now and then."""
    kick = _kick(song, 48, 0.34, 5, 1.0)
    layer = song.played("x...x...x...x...", [kick], 0.02)
    song.add("drums", layer, 1.0, send=0.2)
    rumble = shape_spectrum(np.roll(layer, song.at(song.first_step + 1.5)), band(30, 110))
    song.add("drums", rumble, 0.5 * song.rng.random(), send=0.6)
    pattern = _one_of(song, "..x...x...x...x.", "x.x.x.x.x.x.x.x.", "goxggoxggoxggoxg")
    song.add("drums", song.played(_thinned(song, pattern), _hats(song, 0.09)), 0.3, 0.2)
    if song.chance(0.6):
        clap = play.clap(song.rng, 1300 * song.sound.pitch, 0.2 * song.sound.damping)
        song.add("drums", song.played("....x.......x...", [clap]), 0.3)
    if song.chance(0.5 * song.sound.busyness + 0.2):
        ride = _hats(song, 0.4, 5000)
        song.add("drums", song.played("..x...x...x...x.", ride), 0.18, -0.4)


def techno_bass(song: Song) -> None:
    """A sixteenth sequence on one or two notes behind a filter that opens and closes."""
    rng, sound = song.rng, song.sound
    pitches = rng.choice([0, 0, 0, 7, 12, 1, 3], BAR)
    rests = rng.random(BAR) < 0.45 - 0.3 * sound.busyness
    rests[::4] |= rng.random() < 0.7
    root = song.pitch(0, 1)
    notes = [
        Note(step, rng.choice([0.6, 0.9]), root + int(pitches[step]), rng.uniform(0.6, 1))
        for step in range(BAR)
        if not rests[step]
    ] or [Note(2, 1, root)]
    line = song.line(notes, BAR, glide_s=0.02)
    t = np.arange(song.samples) / RATE
    sweep = np.sin(2 * np.pi * (t / rng.uniform(6, 20) + rng.random()))
    base = 180 * 2 ** (2.2 * sound.brightness + 1.2 * sweep)
    cutoff = base * (1 + 4 * rng.random() * np.exp(-line.age / 0.08))
    bass = play.synth_bass(line, cutoff, 4 * rng.random(), even=rng.choice([0.0, 1.0]))
    song.add("bass", saturate(bass, 2 * sound.dirt), 0.55, send=0.4)


def techno_lead(song: Song) -> None:
    """A dub chord with echoes, a drone, a sweep of noise."""
    rng, sound = song.rng, song.sound
    if song.chance(0.6):
        cutoff = 500 * 2 ** (3 * sound.brightness)
        stab = play.chord(song.triad(0, 3), 0.5, cutoff, 0.3)
        pattern = _one_of(song, "..x.....g..o....", "...x..o...x.....", "......x.......g.")
        dry = song.played(pattern, [stab])
        delay = song.at(song.first_step + 3)
        song.add("lead", dry + 0.5 * np.roll(dry, delay) + 0.25 * np.roll(dry, 2 * delay), 0.3)
    if song.chance(0.6):
        drone = play.pad(rng, song.triad(0, 2, 2), song.samples, 600, 0.08)
        song.add("lead", drone, 0.3)
    if song.chance(0.5):
        hiss = noise(rng, song.samples, 1500 + 3000 * sound.brightness, 12_000)
        rise = np.linspace(0, 1, song.samples) ** 2
        song.add("lead", hiss * (rise if song.chance(0.5) else rise[::-1]), 0.05)


# House --------------------------------------------------------------------------------------


def house_drums(song: Song) -> None:
    """Four to the floor, a clap on two and four, open hats between the beats, shakers."""
    kick = _kick(song, 54, 0.28, 4, 0.4)
    song.add("drums", song.played("x...x...x...x...", [kick], 0.03), 0.9, send=0.15)
    clap = play.clap(song.rng, 1100 * song.sound.pitch, 0.25 * song.sound.damping)
    backbeat = [clap] if song.chance(0.6) else _snares(song, 210, 0.2, 0.7)
    song.add("drums", song.played("....x.......x...", backbeat), 0.45)
    song.add("drums", song.played("..x...x...x...x.", _hats(song, 0.22)), 0.32, 0.25, 0.5)
    shaker = _thinned(song, _one_of(song, "gogxgogxgogxgogx", "oggoggoggoggoggo"))
    song.add("drums", song.played(shaker, _hats(song, 0.05, 8000)), 0.2, -0.3)
    if song.chance(song.sound.busyness):
        conga = [play.snare(song.rng, hz * song.sound.pitch, 0.3, 0.05) for hz in (240, 320)]
        pattern = _one_of(song, "..o..o...o.oo...", "o..o..o...o.o...")
        song.add("drums", song.played(pattern, conga), 0.25, -0.5)


def house_bass(song: Song) -> None:
    """A round, syncopated bass line over a loop of chords."""
    rng, sound = song.rng, song.sound
    rhythm = _one_of(song, "..x..x..x..x..x.", "x..x..x...x.x...", "..x...x...x.x.x.")
    notes = []
    for bar, degree in enumerate(_house_degrees(song)):
        for step in (place for place, c in enumerate(rhythm) if c == "x"):
            octave = 1 + song.chance(0.25)
            leap = int(rng.choice([0, 0, 0, 4, 6]))
            notes.append(Note(bar * BAR + step, 1.6, song.pitch(degree + leap, octave)))
    line = song.line(notes, 4 * BAR)
    cutoff = 250 * 2 ** (2 * sound.brightness) * (1 + 2 * np.exp(-line.age / 0.1))
    bass = play.synth_bass(line, cutoff, even=rng.choice([0.0, 0.5, 1.0]))
    song.add("bass", saturate(bass, sound.dirt), 0.5, send=0.2)


def house_lead(song: Song) -> None:
    """Seventh chords on piano or strings, sometimes a sung phrase."""
    rng, sound = song.rng, song.sound
    degrees = _house_degrees(song)
    rhythm = _one_of(song, "x..x..x...x.....", "...x..x....x..x.", "x.....x..x......")
    cutoff = 900 * 2 ** (2.5 * sound.brightness)
    layer = song.silence()
    for bar in song.bars():
        notes = song.triad(degrees[bar % 4], 3, 4)
        stab = play.chord(notes, 0.45, cutoff, 0.5, even=0.6)
        for step in (place for place, c in enumerate(rhythm) if c == "x"):
            song.put(layer, stab, song.at(bar * BAR + step), rng.uniform(0.7, 1))
    song.add("lead", layer, 0.4, 0.1)
    if song.chance(0.5):
        strings = play.pad(rng, song.triad(degrees[0], 3, 4), song.samples, 2200, 0.1)
        song.add("lead", strings, 0.25)
    if song.chance(0.4):
        song.add("lead", _sung(song, 4 * BAR, 4, 0.1, 0.3), 0.35)


def _house_degrees(song: Song) -> list[int]:
    loops = [[0, 3, 0, 3], [0, 5, 3, 4], [0, 0, 3, 4], [0, 2, 5, 3]]
    return loops[song.root % len(loops)]


# Indie-Rock ---------------------------------------------------------------------------------


def indie_drums(song: Song) -> None:
    """A live kit with eighths on the hi-hat or the ride, and ghost notes on the snare."""
    kicks = [_kick(song, 68, 0.22, 3, 0.2) for _ in range(2)]
    pattern = _one_of(song, "x.......x.x.....", "x.....x.x.......", "x..x....x..x..x.")
    song.add("drums", song.played(pattern, kicks), 0.8, send=0.4)
    snare = _one_of(song, "....x.......x...", "....x..g.g..x...", "....x.......x..o")
    song.add("drums", song.played(snare, _snares(song, 190, 0.22, 0.6)), 0.55, 0.1)
    cymbal = _one_of(song, "x.o.x.o.x.o.x.o.", "x...x...x...x...", "x.x.x.x.x.x.x.x.")
    length = 0.35 if song.chance(0.4) else 0.08
    song.add("drums", song.played(cymbal, _hats(song, length, 5500)), 0.25, 0.35)
    crash = _hats(song, 1.5, 4000, 1)
    song.add("drums", song.played("x" + "." * (4 * BAR - 1), crash), 0.25, -0.3)


def indie_bass(song: Song) -> None:
    """A plucked bass guitar on the roots in eighths."""
    rng, sound = song.rng, song.sound
    degrees = _rock_degrees(song)
    layer = song.silence()
    rhythm = _one_of(song, "x.x.x.x.x.x.x.x.", "x.....x.x.....x.", "x...x.x...x.x...")
    for degree in sorted(set(degrees)):
        hz = midi_hz(song.pitch(degree, 1))
        string = play.pluck(rng, hz, 0.6, 0.2 + 0.5 * sound.brightness, 0.995)
        for bar in (bar for bar in song.bars() if degrees[bar % 4] == degree):
            for step in (place for place, c in enumerate(rhythm) if c == "x"):
                late = int(rng.normal(0, song.looseness_s) * RATE)
                start = song.at(bar * BAR + step) + late
                song.put(layer, string, start, rng.uniform(0.8, 1))
    layer = shape_spectrum(layer, band(40, 1200 + 1500 * sound.brightness))
    song.add("bass", levelled(saturate(layer, 2 * sound.dirt), 0.25), 0.7, send=0.2)


def indie_lead(song: Song) -> None:
    """Jangling guitars, a picked second one, and a voice."""
    rng, sound = song.rng, song.sound
    degrees = _rock_degrees(song)
    strum = _one_of(song, "x...x.o.x.o.x.o.", "x.oox.o.x.oox.o.", "x.......x...o...")
    drive = 6 * sound.dirt * rng.random()
    song.add("lead", _guitar(song, degrees, strum, 4, 0.997, drive), 0.45, -0.5)
    if song.chance(0.7):
        song.add("lead", _picked_guitar(song, degrees), 0.4, 0.6)
    if song.chance(0.65):
        song.add("lead", _sung(song, 8 * BAR, 10, 0.25 * sound.dirt, 0.15), 0.5)
    if song.chance(0.2):
        pad = play.pad(rng, song.triad(degrees[0], 3), song.samples, 1800, 0.06)
        song.add("lead", pad, 0.2)


def _rock_degrees(song: Song) -> list[int]:
    loops = [[0, 4, 5, 3], [0, 3, 0, 4], [0, 5, 3, 4], [0, 0, 3, 3], [0, 6, 3, 0]]
    return loops[(song.root + len(song.scale)) % len(loops)]


def _guitar(
    song: Song, degrees: list[int], strum: str, strings: int, sustain: float, drive: float
) -> np.ndarray:
    """A strummed guitar, distorted by ``drive``, through its cabinet."""
    rng, sound = song.rng, song.sound
    layer = song.silence()
    brightness = 0.3 + 0.7 * sound.brightness
    for degree in sorted(set(degrees)):
        down = np.zeros(int(1.4 * RATE), dtype=np.float32)
        root = song.pitch(degree, 2)
        # A power chord when there are three strings, a triad with its octave when more.
        third = song.pitch(degree + 2, 2)
        pitches = (root, root + 7, root + 12, third + 12, root + 19)[:strings]
        for number, pitch in enumerate(pitches):
            hz = midi_hz(pitch + rng.normal(0, 0.04))
            string = play.pluck(rng, hz, 1.4, brightness, sustain)
            song.put(down, string, int(number * 0.009 * RATE))
        for bar in (bar for bar in song.bars() if degrees[bar % len(degrees)] == degree):
            for step, stroke in enumerate(strum):
                if stroke != ".":
                    level = (0.9 if stroke == "x" else 0.55) * rng.uniform(0.85, 1.1)
                    late = int(rng.normal(0, song.looseness_s) * RATE)
                    _strike(song, layer, down, song.at(bar * BAR + step) + late, level)
    cabinet = band(90, 3000 + 3500 * sound.brightness, 3)
    return levelled(shape_spectrum(saturate(layer, drive), cabinet), 0.25)


def _strike(song: Song, layer: np.ndarray, sound: np.ndarray, start: int, level: float) -> None:
    """Put a stroke into a layer; the strings that still ring are damped by it."""
    if 0 < start < len(layer):
        layer[start : start + len(sound)] *= 0.3
    song.put(layer, sound, start, level)


def _picked_guitar(song: Song, degrees: list[int]) -> np.ndarray:
    rng = song.rng
    layer = song.silence()
    order = rng.permutation([0, 1, 2, 3, 2, 1, 3, 0])
    for degree in sorted(set(degrees)):
        notes = song.triad(degree, 3, 4)
        strings = [
            play.pluck(rng, midi_hz(n), 0.9, 0.4 + 0.6 * song.sound.brightness, 0.996)
            for n in notes
        ]
        for bar in (bar for bar in song.bars() if degrees[bar % len(degrees)] == degree):
            for eighth, string in enumerate(order):
                start = song.at(bar * BAR + 2 * eighth)
                song.put(layer, strings[string], start, rng.uniform(0.5, 1))
    return levelled(shape_spectrum(layer, band(150, 6500)), 0.2)


def _sung(
    song: Song, steps: int, phrase: int, roughness: float, breath: float, octave: int | None = None
) -> np.ndarray:
    """A sung phrase of so many notes in so many sixteenths."""
    rng = song.rng
    octave = int(rng.integers(2, 4)) + 1 if octave is None else octave
    degree, notes = int(rng.integers(0, 5)), []
    for place in np.sort(rng.choice(steps // 2, phrase, replace=False)) * 2:
        degree = int(np.clip(degree + rng.integers(-2, 3), -3, 7))
        length = float(rng.choice([2, 3, 4, 6]))
        notes.append(
            Note(float(place), length, song.pitch(degree, octave - 1), rng.uniform(0.7, 1))
        )
    line = song.line(notes, steps, glide_s=0.03)
    return play.voice(rng, line, roughness, rng.uniform(0.1, 0.5), breath)


# Garage -------------------------------------------------------------------------------------


def garage_drums(song: Song) -> None:
    """A cheap kit hit hard: straight beat, crashing cymbals, tambourine, one microphone."""
    room = _kick(song, 74, 0.2, 3, 1.5)
    kick = _one_of(song, "x.....x.x.......", "x...x...x...x...", "x..xx...x..xx...")
    kit = song.played(kick, [room]) * 0.8
    snare = _one_of(song, "....x.......x...", "....x..x....x...", "x.x.x.x.x.x.x.x.")
    kit += song.played(snare, _snares(song, 230, 0.18, 0.75)) * 0.6
    cymbal = _one_of(song, "x.x.x.x.x.x.x.x.", "x...x...x...x...")
    kit += song.played(cymbal, _hats(song, 0.5, 4200)) * 0.35
    song.add("drums", saturate(kit, 2 + 3 * song.sound.dirt), 0.9)
    if song.chance(0.4):
        shake = song.played("..x...x...x...x.", _hats(song, 0.12, 7500))
        song.add("drums", shake, 0.3, 0.4)


def garage_bass(song: Song) -> None:
    """A fuzzy bass guitar that follows the guitar."""
    sound = song.sound
    before = len(song.layers)
    indie_bass(song)
    for layer in song.layers[before:]:
        fuzz = saturate(layer.signal, 3 + 8 * sound.dirt)
        layer.signal = levelled(shape_spectrum(fuzz, band(50, 2500)), 0.25)
        layer.level = 0.45


def garage_lead(song: Song) -> None:
    """Overdriven power chords, a shout, sometimes a transistor organ or a fuzzed solo."""
    rng, sound = song.rng, song.sound
    degrees = [0, 3, 4, 3] if song.chance(0.5) else _rock_degrees(song)
    strum = _one_of(song, "x.x.x.x.x.x.x.x.", "x..x..x.x..x..x.", "x.ox.ox.x.ox.ox.")
    drive = 3 + 14 * sound.dirt
    song.add("lead", _guitar(song, degrees, strum, 3, 0.998, drive), 0.5, -0.3)
    if song.chance(0.6):
        shout = _sung(song, 4 * BAR, 8, 0.4 + 0.6 * sound.dirt, 0.3, octave=4)
        song.add("lead", shape_spectrum(shout, band(300, 3800)), 0.5)
    if song.chance(0.35):
        tune = [Note(2 * n, 1.8, song.pitch(int(rng.integers(0, 8)), 4)) for n in range(8)]
        drawbars = np.array([1.0, 0.6, 0.5, 0.4, 0.1, 0.3])
        song.add("lead", play.organ(song.line(tune, BAR), drawbars), 0.25, 0.5)
    if song.chance(0.35):
        solo = [Note(n, 1, song.pitch(int(rng.integers(0, 9)), 3)) for n in range(0, 32, 2)]
        fuzz = play.synth_bass(song.line(solo, 2 * BAR, 0.04), 5000.0)
        song.add("lead", shape_spectrum(saturate(fuzz, 8), band(250, 4500)), 0.3, 0.4)


# Dubstep ------------------------------------------------------------------------------------


def dubstep_drums(song: Song) -> None:
    """Half time: the snare on three, a syncopated kick, sparse hats."""
    kick = _kick(song, 50, 0.3, 5, 0.8)
    pattern = _one_of(song, "x.........x.....", "x.....x.........", "x..x......x..x..")
    song.add("drums", song.played(pattern, [kick], 0.05), 1.0, send=0.2)
    snare = _snares(song, 200, 0.35, 0.55)
    song.add("drums", song.played("........x.......", snare, 0.05), 0.75)
    hats = _one_of(song, "..o..o..o..o..o.", "x..gx..gx..gx.gg", "..x...x...x.o.x.")
    song.add("drums", song.played(_thinned(song, hats), _hats(song, 0.08)), 0.22, 0.3)
    if song.chance(0.5):
        rim = [play.snare(song.rng, 420 * song.sound.pitch, 0.06, 0.2)]
        song.add("drums", song.played("...g..o....g..o.", rim), 0.25, -0.4)


def dubstep_bass(song: Song) -> None:
    """A wobbling bass over a sub: the filter moves with the beat at changing rates."""
    rng, sound = song.rng, song.sound
    degrees = rng.choice([0, 0, 0, 5, 1, 6], 4)
    notes = [Note(BAR * n, 15, song.pitch(int(d), 1)) for n, d in enumerate(degrees)]
    line = song.line(notes, 4 * BAR, glide_s=0.05)
    song.add("bass", play.sub_bass(line, 0.1 + 0.3 * sound.dirt), 0.55, send=0.0)
    if song.chance(0.8):
        t = np.arange(song.samples) / RATE / (4 * song.step_s)
        rates = rng.choice([0.5, 1, 1.5, 2, 3, 4], 16)
        rate = rates[(t / 2).astype(int) % 16]
        wobble = 0.5 - 0.5 * np.cos(2 * np.pi * np.cumsum(rate / RATE / (4 * song.step_s)))
        cutoff = 90 * 2 ** (wobble * (2.5 + 3 * sound.brightness))
        growl = play.synth_bass(line, cutoff, 3 * rng.random(), detune=0.2 * rng.random())
        growl = saturate(growl, 5 * sound.dirt)
        song.add("bass", growl, 0.6, send=0.3)


def dubstep_lead(song: Song) -> None:
    """Much space: a chord with a long echo, a dark pad, a torn voice."""
    rng, sound = song.rng, song.sound
    if song.chance(0.7):
        pad = play.pad(rng, song.triad(0, 2), song.samples, 500 + 900 * sound.brightness, 0.12)
        song.add("lead", pad, 0.35)
    if song.chance(0.6):
        stab = play.chord(song.triad(0, 3), 0.35, 1200, 0.25)
        dry = song.played("....x...........", [stab])
        delay = song.at(song.first_step + 3)
        echoes = sum(0.6**n * np.roll(dry, n * delay) for n in range(1, 5))
        song.add("lead", dry + echoes, 0.3, 0.4, 1.5)
    if song.chance(0.35):
        song.add("lead", _sung(song, 4 * BAR, 3, 0.3, 0.5), 0.3, 0.0, 1.5)


# Drum & Bass --------------------------------------------------------------------------------


def dnb_drums(song: Song) -> None:
    """A breakbeat at full speed, with ghost notes, rides and an occasional fill."""
    kick = _kick(song, 62, 0.18, 4, 0.8)
    break_ = _one_of(song, "x.........x.....", "x.x.......xx....", "x.........x..x..")
    song.add("drums", song.played(break_, [kick], 0.06), 0.9, send=0.2)
    snare = _one_of(song, "....x.......x...", "....x..g.g..x..g", "....x..o.o..x.g.")
    song.add("drums", song.played(snare, _snares(song, 220, 0.17, 0.6)), 0.7)
    hats = _one_of(song, "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "xgogxgogxgogxgog")
    song.add("drums", song.played(_thinned(song, hats), _hats(song, 0.07)), 0.4, 0.2)
    if song.chance(song.sound.busyness):
        ride = song.played("x.o.x.o.x.o.x.o.", _hats(song, 0.45, 5200))
        song.add("drums", ride, 0.2, -0.3)
    if song.chance(song.sound.busyness):
        fill = "." * (2 * BAR - 6) + "oggogx"
        song.add("drums", song.played(fill, _snares(song, 250, 0.12, 0.5)), 0.4)


def dnb_bass(song: Song) -> None:
    """A growling bass of detuned saws with slow filters, or a clean rolling sub."""
    rng, sound = song.rng, song.sound
    rhythm = _one_of(song, "x.....x...x.....", "x..x..x...x..x..", "x.......x.x.....")
    places = [place for place, c in enumerate(rhythm * 2) if c == "x"]
    ends = [*places[1:], 2 * BAR]
    notes = [
        Note(start, end - start - 0.3, song.pitch(int(rng.choice([0, 0, 2, 4, 6])), 1))
        for start, end in zip(places, ends, strict=True)
    ]
    line = song.line(notes, 2 * BAR, glide_s=0.03)
    song.add("bass", play.sub_bass(line, 0.2 * sound.dirt), 0.5, send=0.0)
    if song.chance(0.75):
        t = np.arange(song.samples) / RATE
        sweep = np.sin(2 * np.pi * (t / rng.uniform(1.5, 6) + rng.random()))
        cutoff = 300 * 2 ** (2.5 * sound.brightness + sweep)
        reese = play.synth_bass(line, cutoff, 1.0, detune=rng.uniform(0.2, 0.6))
        song.add("bass", saturate(reese, 3 * sound.dirt), 0.45, send=0.3)


def dnb_lead(song: Song) -> None:
    """Wide pads, a bell-like figure, a breath of voice."""
    rng, sound = song.rng, song.sound
    degrees = [0, 5] if song.chance(0.5) else [0, 3]
    if song.chance(0.8):
        notes = song.triad(degrees[0], 3, 4)
        pad = play.pad(rng, notes, song.samples, 900 + 2500 * sound.brightness, 0.1)
        song.add("lead", pad, 0.35)
    if song.chance(0.5):
        figure = [song.pitch(int(d), 4) for d in rng.integers(0, 7, 4)]
        bells = [play.chord([note], 0.4, 4000, 0.2, even=0.1) for note in figure]
        song.add("lead", song.played("x..x..x.....x...", bells), 0.2, 0.5, 1.5)
    if song.chance(0.4):
        song.add("lead", _sung(song, 8 * BAR, 6, 0.1, 0.4), 0.3)


STYLES: dict[str, Style] = {
    style.title: style
    for style in (
        Style(
            "Techno",
            (122, 142),
            (0.0, 0.08),
            0.001,
            ("minor", "minor", "phrygian"),
            techno_drums,
            techno_bass,
            techno_lead,
            ("House", "House", "Drum & Bass"),
        ),
        Style(
            "House",
            (116, 130),
            (0.05, 0.3),
            0.002,
            ("minor", "dorian", "major"),
            house_drums,
            house_bass,
            house_lead,
            ("Techno",),
        ),
        Style(
            "Indie-Rock",
            (92, 158),
            (0.0, 0.1),
            0.009,
            ("major", "major", "mixolydian", "minor"),
            indie_drums,
            indie_bass,
            indie_lead,
            ("Garage",),
        ),
        Style(
            "Garage",
            (118, 182),
            (0.0, 0.12),
            0.012,
            ("mixolydian", "minor", "major"),
            garage_drums,
            garage_bass,
            garage_lead,
            ("Indie-Rock",),
        ),
        Style(
            "Dubstep",
            (136, 146),
            (0.0, 0.25),
            0.002,
            ("minor", "phrygian"),
            dubstep_drums,
            dubstep_bass,
            dubstep_lead,
            ("Drum & Bass", "Techno"),
        ),
        Style(
            "Drum & Bass",
            (164, 180),
            (0.0, 0.15),
            0.003,
            ("minor", "dorian"),
            dnb_drums,
            dnb_bass,
            dnb_lead,
            ("Dubstep", "Dubstep", "Techno"),
        ),
    )
}
"""The six styles by title, in the order of the task ``six_styles``."""
