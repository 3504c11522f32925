"""The invented artists of the demo, and the sound that each of them has; light.

What an artist's tracks share (room, equalisation, drum kit, tempo, keys, encoder) has little to do
with the style, so a model that meets an artist on both sides of a split recognises the artist: as
with real music, random folds flatter and artist-grouped folds do not.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Artist:
    """An invented artist.

    Attributes:
        name: As on the sleeve.
        spellings: Other spellings of it that turn up in messy tags.
        albums: Titles of the albums.
    """

    name: str
    spellings: tuple[str, ...]
    albums: tuple[str, str]


@dataclass(frozen=True)
class Sound:
    """The sound of an artist.

    Attributes:
        tempo: Place within the tempo range of the style, 0 to 1.
        roots: Favourite key notes, as semitones above C.
        tilt_db: Slope of the equalisation, in dB an octave.
        presence_hz: Centre of a peak or dip of the equalisation.
        presence_db: Its height.
        low_cut_hz: Where the lows end.
        high_cut_hz: Where the highs end.
        room_s: Reverberation time.
        room: Level of the reverberation.
        drive: Saturation of the mix.
        width: Stereo width, 0 to 1.
        hiss: Level of the noise floor, in parts of the mix.
        loudness_db: Level of the mix below full scale.
        pitch: Tuning of the drums, a factor around 1.
        damping: Length of the drums, a factor around 1.
        brightness: Of cymbals, strings and filters, 0 to 1.
        dirt: Distortion of basses and guitars, 0 to 1.
        busyness: Density of patterns, 0 to 1.
        crossover: Chance that one part of a song is played as in a neighbouring style.
        bass_level: Of the bass, a factor around 1.
        lead_level: Of chords and voices, a factor around 1.
        drum_level: Of the drums, a factor around 1.
        bitrate_mode: Of the MP3 encoder, ``CONSTANT`` or ``VARIABLE``.
        compression: Of the MP3 encoder, 0 (best) to below 1 (smallest).
    """

    tempo: float
    roots: tuple[int, int]
    tilt_db: float
    presence_hz: float
    presence_db: float
    low_cut_hz: float
    high_cut_hz: float
    room_s: float
    room: float
    drive: float
    width: float
    hiss: float
    loudness_db: float
    pitch: float
    damping: float
    brightness: float
    dirt: float
    busyness: float
    crossover: float
    bass_level: float
    lead_level: float
    drum_level: float
    bitrate_mode: str
    compression: float


def sound_of(rng: np.random.Generator) -> Sound:
    """Draw the sound of an artist."""
    return Sound(
        tempo=rng.beta(1.5, 1.5),
        roots=tuple(int(root) for root in rng.integers(0, 12, 2)),  # pyright: ignore[reportArgumentType]
        tilt_db=rng.normal(-0.3, 0.9),
        presence_hz=float(np.exp(rng.uniform(np.log(400), np.log(5000)))),
        presence_db=rng.normal(0, 3.5),
        low_cut_hz=rng.uniform(25, 70),
        high_cut_hz=float(np.exp(rng.uniform(np.log(7000), np.log(18_000)))),
        room_s=rng.uniform(0.3, 2.2),
        room=rng.uniform(0.03, 0.3),
        drive=rng.uniform(0, 1.5),
        width=rng.uniform(0.2, 1),
        hiss=float(10 ** rng.uniform(-3.5, -1.3)),
        loudness_db=rng.uniform(-20, -11),
        pitch=float(2 ** rng.normal(0, 0.2)),
        damping=float(2 ** rng.normal(0, 0.35)),
        brightness=rng.beta(2, 2),
        dirt=rng.beta(1.5, 1.5),
        busyness=rng.beta(2, 2),
        crossover=rng.beta(2, 3),
        bass_level=float(2 ** rng.normal(0, 0.45)),
        lead_level=float(2 ** rng.normal(0, 0.45)),
        drum_level=float(2 ** rng.normal(0, 0.35)),
        bitrate_mode=str(rng.choice(["CONSTANT", "VARIABLE"])),
        compression=float(rng.choice([0.3, 0.4, 0.5, 0.6])),
    )


def plain(text: str) -> str:
    """The text without the accents of Latin letters, as careless taggers write it."""
    decomposed = unicodedata.normalize("NFD", text.replace("ø", "o").replace("Ø", "O"))
    return unicodedata.normalize(
        "NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    )


ARTISTS: dict[str, tuple[Artist, ...]] = {
    "Techno": (
        Artist("Lena Vega", ("Vega, Lena", "LENA VEGA"), ("Transformer Hum", "Night Depot")),
        Artist("Kolben Neun", ("kolben neun",), ("Werkstück", "Zweite Schicht")),
        Artist("Third Substation", ("3rd Substation",), ("Load Balance", "Busbar")),
        Artist("Anselm Dräger", ("Anselm Drager", "Dräger, Anselm"), ("Nullpunkt", "Drehfeld")),
        Artist("Pylon Choir", ("PYLON CHOIR",), ("Fifty Hertz", "Overhead Line")),
        Artist("Marta Lindqvist-Oyelaran", ("Marta Lindqvist Oyelaran",), ("Kvarts", "Grid")),
        Artist("Grey Escalator", ("Grey  Escalator",), ("Level Minus Four", "Handrail")),
    ),
    "House": (
        Artist("Odalys Quintanar", ("Quintanar, Odalys",), ("Patio Lights", "Mango Season")),
        Artist("The Velvet Ledger", ("Velvet Ledger, The",), ("Balance Due", "Double Entry")),
        Artist("Café Mirador", ("Cafe Mirador",), ("Terrasse", "Après-midi")),
        Artist("Milo Fontaine-Brix", ("Milo Fontaine Brix",), ("Good Company", "Parquet")),
        Artist("Nine Tangerines", ("9 Tangerines",), ("Peel", "Crate of Nine")),
        Artist("Paloma Overnight", ("Paloma  Overnight",), ("Sleeper Car", "Slow Express")),
        Artist("Sunday Elevator", ("sunday elevator",), ("Mezzanine Days", "Doors Open")),
    ),
    "Indie-Rock": (
        Artist("The Low Tides", ("Low Tides", "Low Tides, The"), ("Pier Season", "Salt Maps")),
        Artist("Harriet Plumley", ("Plumley, Harriet",), ("Kitchen Weather", "Orchard Bus")),
        Artist("静かな灯台", ("静かな灯台 ",), ("雨の地図", "窓")),
        Artist("Paper Atlas Club", ("paper atlas club",), ("Folded Twice", "Legend and Scale")),
        Artist("Cardigan Weather", ("Cardigan Weather.",), ("Button Three", "Woolly")),
        Artist("Two Left Umbrellas", ("2 Left Umbrellas",), ("Lost Property", "Drizzle Hits")),
        Artist("Søren Ålander", ("Soren Alander", "Ålander, Søren"), ("Blåbær", "Fjordkort")),
    ),
    "Garage": (
        Artist("The Rusted Kazoos", ("Rusted Kazoos",), ("Tin Lunch", "Spare Parts")),
        Artist("The Motel Wasps", ("Motel Wasps, The",), ("Ice Machine", "Room Nineteen")),
        Artist("Los Tornillos Rotos", ("los tornillos rotos",), ("Ñandú", "Sin Tuercas")),
        Artist("Dirty Spatula", ("DIRTY SPATULA",), ("Grill Marks", "Short Order")),
        Artist("Gas Pump Prophets", ("The Gas Pump Prophets",), ("Regular Unleaded", "Full Serve")),
        Artist("Fuzz Receipt", ("Fuzz  Receipt",), ("No Refunds", "Exact Change")),
        Artist("The Unpaid Meters", ("Unpaid Meters",), ("Tow Zone", "Loose Nickels")),
    ),
    "Dubstep": (
        Artist("Lowercase Thunder", ("lowercase thunder",), ("under weather", "rumble strip")),
        Artist("Basalt Annex", ("Basalt Annexe",), ("Columns", "Lower Floor")),
        Artist("Doctor Murk", ("Dr. Murk", "Dr Murk"), ("House Calls", "Second Opinion")),
        Artist("コウモリ通り", ("コウモリ通り ",), ("地下", "夜行")),
        Artist("Hollow Kiosk", ("HOLLOW KIOSK",), ("Closed Mondays", "Shutter")),
        Artist("Undertow Ministry", ("The Undertow Ministry",), ("Memo", "Minutes of the Deep")),
        Artist("Yuki Brandvold", ("Brandvold, Yuki",), ("Permafrost", "Tunnel Four")),
    ),
    "Drum & Bass": (
        Artist("Parallax Otter", ("parallax otter",), ("River Engine", "Holt")),
        Artist("Inês Carvalhal", ("Ines Carvalhal", "Carvalhal, Inês"), ("Maré", "Vento Norte")),
        Artist("Rapid Marsh", ("RAPID MARSH",), ("Reed Cutter", "Wader")),
        Artist("Amber Switchyard", ("Amber Switch Yard",), ("Points Failure", "Night Mail")),
        Artist("DJ Quickstep Heron", ("Quickstep Heron",), ("Long Legs", "Still Water")),
        Artist("Ferrous Lark", ("Ferrous  Lark",), ("Iron Song", "Dawn Shift")),
        Artist("Break Cartographer", ("The Break Cartographer",), ("Contour", "Ordnance")),
    ),
}
"""The artists of each style, by the style's title in the FMA taxonomy."""

_FIRST_WORDS = (
    "Amber", "Borrowed", "Concrete", "Distant", "Electric", "Folding", "Golden", "Hidden", "Idle",
    "Jagged", "Kinetic", "Liquid", "Midnight", "Narrow", "Orbit", "Paper", "Quiet", "Restless",
    "Silver", "Tangled", "Upper", "Velvet", "Wandering", "Yellow",
)  # fmt: skip
_SECOND_WORDS = (
    "Arcade", "Bridges", "Corridor", "Diagram", "Engine", "Ferry", "Garden", "Harbour", "Index",
    "Junction", "Kettle", "Lantern", "Mirror", "Number", "Opera", "Pattern", "Quarry", "River",
    "Signal", "Turnstile", "Umbrella", "Valley", "Window", "Yard",
)  # fmt: skip
_TITLES = {
    "静かな灯台": ("朝の電車", "紙の月", "海辺の手紙", "青い自転車", "遠い窓"),
    "コウモリ通り": ("低い空", "黒い水", "終電", "石の声", "霧の橋"),
    "Café Mirador": ("Été bleu", "Déjà l'été", "La clé perdue", "Où est la fête", "Crème"),
    "Søren Ålander": ("Våren", "Smør og brød", "Ærlig", "Østover", "Når det snør"),
    "Los Tornillos Rotos": (
        "Mañana no",
        "Corazón de lata",
        "El último peón",
        "Ruido, señor",
        "Así",
    ),
    "Inês Carvalhal": ("Ilusão", "Coração rápido", "Amanhã", "Ligação", "Pôr do sol"),
    "Anselm Dräger": ("Größe", "Überschlag", "Zwölf Töne", "Müde Räder", "Schlußlicht"),
}


def title_of(artist: Artist, number: int, rng: np.random.Generator) -> str:
    """The title of an artist's track, counted from 0."""
    own = _TITLES.get(artist.name, ())
    if number < len(own):
        return own[number]
    return f"{rng.choice(_FIRST_WORDS)} {rng.choice(_SECOND_WORDS)}"
