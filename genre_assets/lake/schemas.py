"""The declared schema of every table in the lake: its columns, their types and what they mean.

Parquet files are written with exactly these schemas, the DuckDB views bind to them, and the
Dagster UI shows them as column schemas. The module is long because it holds every column there is.
"""

import pyarrow as pa

from genre_assets.lake.feature_columns import ECHONEST_COLUMNS, SUMMARY_COLUMNS
from genre_assets.lake.table import Table

TIME = pa.timestamp("us", tz="UTC")
GENRES = pa.list_(pa.string())
PROBABILITIES = pa.map_(pa.string(), pa.float64())


def _schema(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    return pa.schema([pa.field(n, t, metadata={"description": doc}) for n, t, doc in columns])


_STATUS = (
    ("status", pa.string(), "ok, or the named kind of failure"),
    ("reason", pa.string(), "why it failed, in one sentence; null when ok"),
)
_OR_RETRIED = ", null once a retry was requested"
_TRACK_ID = ("track_id", pa.string(), "source:source_track_id")

TRACKS = Table(
    "tracks",
    _schema(
        _TRACK_ID,
        ("source", pa.string(), "fma_site, fma_dataset or folder"),
        ("source_track_id", pa.string(), "the id that the source knows the track by"),
        ("shard", pa.string(), "partition of the track, a pure function of its key"),
        ("title", pa.string(), "title as the source gives it"),
        ("artist", pa.string(), "artist as the source gives it"),
        ("artist_id", pa.string(), "the source's own id of the artist"),
        ("album", pa.string(), "album title as the source gives it"),
        ("album_id", pa.string(), "the source's own id of the album"),
        ("genres", GENRES, "genre names as the source gives them, most specific first"),
        ("genre_top", pa.string(), "top genre as the source gives it, null when it gives none"),
        ("official_split", pa.string(), "training, validation or test of the published split"),
        ("subset", pa.string(), "smallest FMA subset that holds the track"),
        ("license_url", pa.string(), "page of the licence"),
        ("license_spdx", pa.string(), "SPDX identifier of the licence"),
        ("allows_derivatives", pa.bool_(), "whether the licence does, null when it is unknown"),
        ("allows_commercial_use", pa.bool_(), "whether the licence does, null when unknown"),
        ("attribution", pa.string(), "the credit line that the licence requires"),
        ("page_url", pa.string(), "page of the track"),
        ("file_url", pa.string(), "where the audio file comes from"),
        ("duration_s", pa.float64(), "seconds of the whole track as the source gives them"),
        ("path", pa.string(), "where the audio file lies or should lie on this machine"),
        ("file_bytes", pa.int64(), "size of the file at path in bytes, null when it is not there"),
        ("file_mtime_ns", pa.int64(), "modification time of the file at path, null without one"),
        ("first_seen_at", TIME, "when a sweep first listed the track"),
        ("last_seen_at", TIME, "when a sweep last listed the track"),
        ("gone_at", TIME, "when the source stopped listing the track, null while it does"),
    ),
    ("track_id",),
    "shard",
    "One track as its source describes it.",
)

REJECTED_ROWS = Table(
    "rejected_rows",
    _schema(
        ("source", pa.string(), "the source that the row came from"),
        ("origin", pa.string(), "file that held the row"),
        ("place", pa.string(), "where in it: a track id, a row number or a path"),
        (
            "kind",
            pa.string(),
            "track: it is none; value: the track is there without it; sound: of a kind that is "
            "not read; other: no music; null in rows of older versions, which are tracks",
        ),
        ("reason", pa.string(), "why it was not taken, in one sentence"),
    ),
    ("source", "origin", "place"),
    "source",
    "One thing that a source listed and the lake could not take.",
)

SIGHTINGS = Table(
    "sightings",
    _schema(
        _TRACK_ID,
        ("genre", pa.string(), "slug of the site's genre whose listing showed the track"),
        ("first_seen_at", TIME, "start of the first sweep that found the track there"),
        ("last_seen_at", TIME, "start of the last sweep that found the track there"),
    ),
    ("track_id", "genre"),
    "shard",
    "One track in one listing of the site.",
)

SWEEPS = Table(
    "sweeps",
    _schema(
        ("sweep_id", pa.string(), "one id for all genres that were swept together"),
        ("genre", pa.string(), "slug of the genre"),
        ("mode", pa.string(), "full, or incremental: newest first, up to what is known"),
        ("started_at", TIME, "when the first page was requested"),
        ("finished_at", TIME, "when the last page was read or the sweep was given up"),
        ("pages", pa.int64(), "pages read"),
        ("orders", GENRES, "the sort orders that were read, such as date"),
        ("claimed", pa.int64(), "tracks that the listing says it has, null when no page came"),
        ("listed", pa.int64(), "rows that the first order showed"),
        ("distinct", pa.int64(), "different tracks among the rows of all orders"),
        ("duplicates", pa.int64(), "rows of the first order that repeated a track"),
        ("new", pa.int64(), "tracks that the lake did not know"),
        ("complete", pa.bool_(), "whether every page was read to the end of the listing"),
        ("reason", pa.string(), "why it is incomplete or falls short, in one sentence, or null"),
    ),
    ("sweep_id", "genre"),
    None,
    "One reading of the listing of one genre.",
)

PAGES = Table(
    "pages",
    _schema(
        ("sweep_id", pa.string(), "the sweep that requested it"),
        ("kind", pa.string(), "robots, listing or track"),
        ("url", pa.string(), "the page, under the site's own name"),
        ("final_url", pa.string(), "the page that answered, after redirects"),
        ("fetched_at", TIME, "when the answer was complete"),
        ("status", pa.int64(), "HTTP status"),
        ("sha256", pa.string(), "SHA-256 of the answer's UTF-8 text"),
        ("bytes", pa.int64(), "size of that text"),
        ("path", pa.string(), "where it is kept, gzipped, below the lake"),
    ),
    ("sweep_id", "url", "fetched_at"),
    "month",
    "One page of the site as it answered: what the catalogue was made of.",
)

FETCHES = Table(
    "fetches",
    _schema(
        _TRACK_ID,
        ("url", pa.string(), "URL of the file, or the track's page where there is no file"),
        ("final_url", pa.string(), "the URL that answered, after redirects"),
        ("run_id", pa.string(), "the run that requested it"),
        ("fetched_at", TIME, "when the answer was complete or the try was given up"),
        ("status", pa.int64(), "HTTP status, null when there was no answer"),
        ("etag", pa.string(), "entity tag of the answer"),
        ("bytes", pa.int64(), "bytes that this fetch received"),
        ("attempts", pa.int64(), "requests that this fetch took"),
        ("outcome", pa.string(), "ok, or the named kind of failure"),
        ("reason", pa.string(), "why it failed, in one sentence; null when ok"),
        ("sha256", pa.string(), "content address of the file in the store, null without one"),
    ),
    ("track_id", "url", "run_id", "fetched_at"),
    "shard",
    "One try to download the audio of one track.",
    outcome="outcome",
    no_failure=("ok", "no_licence", "licence_excluded", "taken_down"),
)

TAKEDOWNS = Table(
    "takedowns",
    _schema(
        ("kind", pa.string(), "track or artist"),
        ("subject", pa.string(), "track_id, or the artist's name"),
        ("reason", pa.string(), "who requested it and why"),
        ("taken_down_at", TIME, "when it was requested"),
        ("track_ids", GENRES, "tracks that it has reached so far"),
        ("contents", GENRES, "SHA-256 of the audio that it removed: never stored again"),
    ),
    ("kind", "subject"),
    None,
    "One track or artist that had to go, and is kept out.",
)

REVOKED_TAKEDOWNS = Table(
    "revoked_takedowns",
    _schema(
        ("kind", pa.string(), "track or artist"),
        ("subject", pa.string(), "track_id, or the artist's name"),
        ("reason", pa.string(), "who had requested the take-down and why"),
        ("taken_down_at", TIME, "when it had been requested"),
        ("track_ids", GENRES, "tracks that it had reached"),
        ("contents", GENRES, "SHA-256 of the audio that it had removed"),
        ("revoked_at", TIME, "when it was revoked"),
        ("revoked_because", pa.string(), "why it was revoked, null if nobody said"),
    ),
    ("kind", "subject", "taken_down_at"),
    None,
    "One take-down that was revoked, and is not in force any more.",
)

AUDIO = Table(
    "audio",
    _schema(
        _TRACK_ID,
        ("sha256", pa.string(), "content address: SHA-256 of the file's bytes"),
        ("path", pa.string(), "where the file lies on this machine"),
        ("bytes", pa.int64(), "size of the file in bytes"),
        ("mtime_ns", pa.int64(), "modification time of the file when it was probed"),
        ("format", pa.string(), "container and codec, such as MP3 or MP4/aac"),
        ("sample_rate", pa.int64(), "samples a second and channel"),
        ("channels", pa.int64(), "number of channels"),
        ("duration_s", pa.float64(), "seconds of audio in the file"),
        (
            "duration_from",
            pa.string(),
            "header where the file states its length and holds as much, decoding where it had to "
            "be decoded to its end; null in rows of an older probe",
        ),
        *_STATUS,
        ("probe_version", pa.int64(), "version of the code that probed the file" + _OR_RETRIED),
    ),
    ("track_id",),
    "shard",
    "The audio file of one track: what it is, or why there is none.",
    derived=True,
    version="probe_version",
    outcome="status",
    # Whether a file should be there is a matter of the fetches, or of the source itself.
    no_failure=("ok", "missing"),
)

ID3_TAGS = Table(
    "id3_tags",
    _schema(
        _TRACK_ID,
        ("sha256", pa.string(), "content address of the file that was read"),
        ("tag_version", pa.string(), "kinds of tags that were read, such as ID3v2.4 + APEv2"),
        ("title", pa.string(), "title in the tags"),
        ("artist", pa.string(), "artist in the tags, several joined by '; '"),
        ("artists", GENRES, "each artist in the tags by itself"),
        ("album", pa.string(), "album in the tags"),
        ("track_number", pa.int64(), "number of the track on its album in the tags"),
        ("genres", GENRES, "genres in the tags, numeric ones spelled out"),
        ("year", pa.int64(), "year of release in the tags"),
        ("bpm", pa.float64(), "beats a minute in the tags"),
        ("comment", pa.string(), "remark in the tags"),
        ("bitrate", pa.int64(), "bits a second of the audio stream"),
        ("encoder", pa.string(), "encoder or encoding settings in the tags"),
        *_STATUS,
        ("reader_version", pa.int64(), "version of the code that read the tags" + _OR_RETRIED),
    ),
    ("track_id",),
    "shard",
    "The tags inside the audio file of one track.",
    derived=True,
    version="reader_version",
    outcome="status",
    no_failure=("ok", "missing", "no_tags"),
)

LABELS = Table(
    "labels",
    _schema(
        _TRACK_ID,
        ("genre_top", pa.string(), "top genre of the taxonomy, null when no evidence gives one"),
        ("subgenres", GENRES, "sub-genres of the taxonomy, most specific first"),
        ("artist_key", pa.string(), "canonical artist: one key for all spellings"),
        ("artist_keys", GENRES, "canonical key of each artist of the track, null when unknown"),
        ("album_key", pa.string(), "canonical album within its source, null when unknown"),
        ("evidence", pa.string(), "where genre_top comes from: the source's name, or id3"),
        ("agreement", pa.string(), "agrees, disagrees, alone or none: the other evidence"),
        ("source_genre_top", pa.string(), "top genre by the source's evidence"),
        ("id3_genre_top", pa.string(), "top genre by the tags in the file"),
        ("duplicate_of", pa.string(), "track_id of the first track with the same bytes"),
        ("synthetic", pa.bool_(), "whether the track belongs to the synthetic demo corpus"),
        ("excluded", pa.string(), "why the track takes part in no task, or null"),
    ),
    ("track_id",),
    None,
    "The genre and the artist of one track, with the evidence for them.",
    derived=True,
)

SUMMARY_FEATURES = Table(
    "summary_features",
    _schema(
        _TRACK_ID,
        ("sha256", pa.string(), "content address of the audio that was analysed"),
        ("extractor_version", pa.int64(), "version of the extractor"),
        ("feature_source", pa.string(), "who computed the values, and with what"),
        *((name, pa.float32(), doc) for name, doc in SUMMARY_COLUMNS.items()),
    ),
    ("track_id",),
    "shard",
    "The 518 FMA summary features of one track, computed from its audio.",
    derived=True,
    version="extractor_version",
    model_input=True,
)


def _failures_table(
    name: str, made_with: Table, doc: str, no_failure: tuple[str, ...] = ("ok",)
) -> Table:
    return Table(
        name,
        _schema(
            _TRACK_ID,
            ("sha256", pa.string(), "content address of the audio that was analysed"),
            ("extractor_version", pa.int64(), "version of the extractor" + _OR_RETRIED),
            *_STATUS,
        ),
        ("track_id",),
        "shard",
        doc,
        derived=True,
        version="extractor_version",
        outcome="status",
        no_failure=no_failure,
        made_with=made_with,
    )


FEATURE_FAILURES = _failures_table(
    "feature_failures",
    SUMMARY_FEATURES,
    "One track whose audio is there but whose features could not be computed.",
)

SPECTROGRAMS = Table(
    "spectrograms",
    _schema(
        _TRACK_ID,
        ("sha256", pa.string(), "content address of the audio that was analysed"),
        ("extractor_version", pa.int64(), "version of the extractor of spectrograms"),
        ("segment", pa.int64(), "number of the segment in the track and in the file, from 0"),
        ("start_s", pa.float64(), "second of the track that the segment begins at"),
        ("sample_rate", pa.int64(), "samples a second; a frame has 512"),
        ("frames", pa.int64(), "frames of the segment"),
        ("file", pa.string(), "TFRecord file of the content, relative to the lake"),
        ("bytes", pa.int64(), "size of that file, with all its segments"),
    ),
    ("track_id", "segment"),
    "shard",
    "Ten seconds of one track as spectrograms, for neural nets, and where they are kept.",
    derived=True,
    version="extractor_version",
    keeps_empty=True,
)

SPECTROGRAM_FAILURES = _failures_table(
    "spectrogram_failures",
    SPECTROGRAMS,
    "One track whose audio is there but for which no spectrograms could be computed.",
    # A track shorter than a segment has summary features.
    no_failure=("ok", "too_short"),
)

FMA_FEATURES = Table(
    "fma_features",
    _schema(
        _TRACK_ID,
        ("feature_source", pa.string(), "who computed the values, and with what"),
        *((name, pa.float32(), doc) for name, doc in SUMMARY_COLUMNS.items()),
    ),
    ("track_id",),
    "shard",
    "The features.csv row of one track, as the dataset's author published it.",
    derived=True,
    model_input=True,
)

ECHONEST_FEATURES = Table(
    "echonest_features",
    _schema(
        _TRACK_ID,
        ("feature_source", pa.string(), "who computed the values, and with what"),
        *((name, pa.float32(), doc) for name, doc in ECHONEST_COLUMNS.items()),
    ),
    ("track_id",),
    "shard",
    "The echonest.csv row of one track, as the dataset's author published it.",
    derived=True,
    model_input=True,
)

TASK_MEMBERS = Table(
    "task_members",
    _schema(
        ("task", pa.string(), "name of the task"),
        _TRACK_ID,
        ("genre", pa.string(), "the genre to predict"),
        ("split", pa.string(), "training, validation or test; cv when every fold is tested"),
        ("fold", pa.int64(), "fold in which the track is tested, null with an official split"),
        ("artist_key", pa.string(), "canonical artist, the unit of the bootstrap"),
        ("group", pa.string(), "tracks of one group are never on both sides of a split"),
        ("feature_table", pa.string(), "table that holds the features of the task"),
        (
            "leaky_split",
            pa.string(),
            "the same as split, at random across artists",
        ),
        ("leaky_fold", pa.int64(), "the same as fold, at random across artists"),
    ),
    ("task", "track_id"),
    "task",
    "One track that takes part in a task.",
    keeps_empty=True,
)

TASK_NOTES = Table(
    "task_notes",
    _schema(
        ("task", pa.string(), "name of the task"),
        ("kind", pa.string(), "left_out, warning or note"),
        ("text", pa.string(), "why tracks were left out, or what a reader should know"),
        ("tracks", pa.int64(), "tracks left out for this reason, null for a warning or note"),
    ),
    ("task", "kind", "text"),
    "task",
    "One thing to know about who takes part in a task.",
)

_SYNTHETIC = (
    "trained_on_synthetic",
    pa.bool_(),
    "whether the model was trained on the demo's synthetic music: it is no judge of real music",
)
_PREDICTION = _schema(
    ("task", pa.string(), "name of the task"),
    ("model", pa.string(), "name of the model"),
    _TRACK_ID,
    ("split", pa.string(), "validation, test or cv"),
    ("genre_true", pa.string(), "the genre by the label"),
    ("genre_pred", pa.string(), "the genre that the model holds most probable"),
    ("probabilities", PROBABILITIES, "probability of each genre of the task"),
    _SYNTHETIC,
)
PREDICTIONS = Table(
    "predictions",
    _PREDICTION,
    ("task", "model", "track_id"),
    "task",
    "What a model predicts for one track it was not trained on, artists kept apart by the split.",
)
LEAKY_PREDICTIONS = Table(
    "leaky_predictions",
    _PREDICTION,
    ("task", "model", "track_id"),
    "task",
    "What a model says of one track when its artist may be in the training data.",
)

SCORES = Table(
    "scores",
    _schema(
        ("task", pa.string(), "name of the task"),
        ("model", pa.string(), "name of the model"),
        ("split", pa.string(), "validation, test or cv; leaky_ before it for random splits"),
        (
            "metric",
            pa.string(),
            "accuracy, balanced_accuracy, macro_f1, log_loss, …",
        ),
        ("value", pa.float64(), "the figure"),
        ("low", pa.float64(), "lower end of its 95 % interval, bootstrapped over artists"),
        ("high", pa.float64(), "upper end of that interval"),
        ("n", pa.int64(), "tracks that the figure is over"),
        ("made_at", TIME, "when the figure was computed"),
        ("most_frequent_genre", pa.string(), "the most frequent genre of the split's tracks"),
        (
            "most_frequent_share",
            pa.float64(),
            "its share of them: the accuracy of always predicting it",
        ),
        _SYNTHETIC,
    ),
    ("task", "model", "split", "metric"),
    "task",
    "One figure of one model, with its interval.",
)

CHAMPIONS = Table(
    "champions",
    _schema(
        ("task", pa.string(), "name of the task"),
        ("model", pa.string(), "name of the best model"),
        ("split", pa.string(), "split that it was chosen on"),
        ("metric", pa.string(), "metric that it was chosen by"),
        ("value", pa.float64(), "the figure"),
        ("low", pa.float64(), "lower end of its 95 % interval"),
        ("high", pa.float64(), "upper end of that interval"),
        ("n", pa.int64(), "tracks that the figure is over"),
        ("model_path", pa.string(), "folder of the trained model, relative to the lake"),
        ("chosen_at", TIME, "when it was chosen"),
        ("why", pa.string(), "why it was chosen or kept, in one sentence"),
        _SYNTHETIC,
    ),
    ("task",),
    "task",
    "The best model of a task.",
)

RATES = Table(
    "rates",
    _schema(
        ("asset", pa.string(), "name of the asset"),
        ("items", pa.float64(), "items that were worked on, older ones counted less"),
        ("seconds", pa.float64(), "seconds that they took, counted likewise"),
        ("measured_at", TIME, "when it was last measured"),
    ),
    ("asset",),
    None,
    "How fast the work of one asset went on this machine.",
)

TABLES = {table.name: table for table in list(globals().values()) if isinstance(table, Table)}
"""Every table, in the order of the graph."""


def failure_tables() -> dict[str, Table]:
    """The tables that say what became of a track in one step, failures too."""
    return {name: table for name, table in TABLES.items() if table.outcome}


def derived_tables() -> list[Table]:
    """The tables whose rows were made from a track, so that a take-down removes them."""
    return [table for table in TABLES.values() if table.derived]


def task_tables() -> list[Table]:
    """The tables that were made from a task's members, so that a take-down discards them whole."""
    return [table for table in TABLES.values() if table.partitioned_by == "task"]


def feature_tables() -> dict[str, Table]:
    """The tables that a task may take its features from."""
    return {name: table for name, table in TABLES.items() if table.model_input}
