import re
from html.parser import HTMLParser

import pytest

from genre_assets.evaluation.reports.task import _compared, _mistakes, write_report
from genre_assets.evaluation.scores import Difference, paired_difference, score
from genre_assets.lake.schemas import CHAMPIONS, PREDICTIONS, SCORES, TASK_MEMBERS, TRACKS
from genre_assets.lake.tables import Lake

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Checks that elements close in order and keeps what a browser would fetch or run."""

    VOID = ("meta", "br", "img", "link", "input", "path", "use", "rect")

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not value.startswith("#")
        ]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def report(tmp_path, trained, scored, now):
    task, members, predictions, _ = trained
    scores, champion = scored

    def write(**changes):
        tracks = TRACKS.of_rows(
            [
                {"track_id": key, "title": f"{HOSTILE} {key}", "artist": "A & B <C>"}
                for key in members["track_id"].to_pylist()
            ]
        )
        values = {
            "task": task,
            "members": members,
            "tracks": tracks,
            "predictions": predictions,
            "scores": scores,
            "champion": champion,
            "made_at": now,
            "command": "genre-assets run --task test_task && echo done",
            "remarks": ["Jazz has few artists."],
            "left_out": {"no genre of this task": 7, "<silent>": 12},
        }
        target = write_report(Lake(tmp_path).places.report(task.name), **(values | changes))
        assert target == tmp_path / "reports" / "test_task" / "index.html"
        text = target.read_text(encoding="utf-8")
        return text, Page(text)

    return write


def test_the_report_tells_what_a_reader_needs(report, trained, scored):
    text, page = report()
    _, members, predictions, _ = trained
    against_majority = paired_difference(predictions, members, "cv", "svm", "majority")
    said = re.sub(r"\s+", " ", page.text)
    scores, _ = scored
    figure = next(
        row
        for row in scores.to_pylist()
        if (row["model"], row["split"], row["metric"]) == ("svm", "cv", "accuracy")
    )
    for expected in (
        "The champion, which is the model to use, is svm. It was chosen by balanced accuracy on "
        "held-out tracks",
        f", and has accuracy {figure['value']:.3f}",
        f"{figure['low']:.3f} – {figure['high']:.3f}",  # noqa: RUF001
        "140",
        "Tracks that share an artist, an album or the same bytes are in one fold",
        "Features come from echonest_features",
        "Jazz has few artists.",
        "12 <silent>",
        "With artists kept apart, svm is right for",
        "which come from knowing the artist",
        "Most confident mistakes",
        "Always predicting Rock, the most frequent genre of these 140 tracks, is right for 0.429",
        _compared("It is", "majority on these 140 tracks", against_majority),
        "genre-assets run --task test_task && echo done",
        "2024-05-06 07:08 UTC",
    ):
        assert expected in said, expected
    assert text.count("<svg") == 2


def test_a_model_below_the_most_frequent_genre_is_said_to_be_below_it(report, trained, now):
    """Folds by artist push majority below the share of the genre that it always says."""
    from genre_assets.evaluation.scores import score

    _, members, predictions, leaky = trained
    rows = predictions.to_pylist()
    for row in rows:
        if row["model"] == "majority":
            said = "Folk" if row["genre_true"] == "Rock" else "Rock"
            row |= {"genre_pred": said, "probabilities": [(g, float(g == said)) for g in GENRES]}
    predictions = PREDICTIONS.of_rows(rows)
    scores = score(predictions, leaky, members, now)
    _, page = report(predictions=predictions, scores=scores)
    said = re.sub(r"\s+", " ", page.text)
    assert "The model majority gets only 0.000" in said
    assert said.count("worse than always Rock") == 1
    assert re.search("svm is (better than|worse than|not distinguishable from) that", said)


def test_a_model_that_abstains_is_marked_and_compared_on_common_tracks(
    report, trained, scored, now
):
    _, members, predictions, leaky = trained
    places = list(range(predictions.num_rows))
    is_svm = [name == "svm" for name in predictions["model"].to_pylist()]
    half = set(members["track_id"].to_pylist()[::2])
    kept = predictions.take(
        [i for i in places if is_svm[i] or predictions["track_id"][i].as_py() in half]
    )
    scores = score(kept, leaky, members, now)
    _, page = report(predictions=kept, scores=scores)
    said = re.sub(r"\s+", " ", page.text)
    assert "majorityof only 70 tracks" in said
    assert "on the 70 tracks that both predicted" in said


GENRES = ("Folk", "Jazz", "Pop", "Rock")


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        ((0.023, -0.031, 0.087), "It is not distinguishable from svm."),
        ((-0.01, -0.02, 0.0), "It is not distinguishable from svm."),
        (
            (0.05, 0.01, 0.09),
            "It is better than svm, by 5.0 points of accuracy (95 % interval 1.0 to 9.0).",
        ),
        (
            (-0.05, -0.09, -0.01),
            "It is worse than svm, by 5.0 points of accuracy (95 % interval 1.0 to 9.0).",
        ),
    ],
)
def test_a_difference_is_said_in_words(difference, sentence):
    assert _compared("It is", "svm", Difference(*difference, 129)) == sentence


def test_the_rival_is_the_second_of_the_table(report, scored):
    _, page = report()
    rows = re.findall(r'<th scope="row">(\w+)', report()[0])
    assert rows[:2] == ["svm", "majority"]
    assert re.search("(than|from) majority on these 140 tracks", page.text)


def test_a_report_of_synthetic_music_begins_with_saying_so(report, scored):
    scores, _ = scored
    assert "Synthetic music." not in report()[1].text
    rows = [row | {"trained_on_synthetic": True} for row in scores.to_pylist()]
    assert "Synthetic music." in report(scores=SCORES.of_rows(rows))[1].text


def test_scores_of_an_older_version_make_a_report(report, scored):
    scores, _ = scored
    new = dict.fromkeys(("most_frequent_genre", "most_frequent_share", "trained_on_synthetic"))
    _, page = report(scores=SCORES.of_rows([row | new for row in scores.to_pylist()]))
    assert "The champion, which is the model to use, is svm." in page.text
    assert "Always predicting" not in page.text


def test_it_needs_nothing_to_be_shown_and_runs_nothing(report):
    text, page = report()
    assert page.fetched == ["attribution.csv"]  # a link, followed by whoever wants the credits
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert not re.search(r"url\((?!#)|@import", text)


def test_what_comes_from_outside_is_escaped(report):
    text, page = report()
    assert "<script" not in text
    assert HOSTILE in page.text
    assert "A & B <C>" in page.text


def test_genre_names_may_hold_anything(report, trained, scored):
    _, members, predictions, _ = trained
    renamed = {"Rock": "R&B <b> $x_", "Folk": '"Folk" $\\frac$'}

    def rename(table, schema):
        def named(value):
            if isinstance(value, str):
                head, _, genre = value.rpartition(":")
                if head == "recall":
                    return f"recall:{renamed.get(genre, genre)}"
                return renamed.get(value, value)
            if isinstance(value, list):
                return [(named(genre), p) for genre, p in value]
            return value

        rows = [{key: named(value) for key, value in row.items()} for row in table.to_pylist()]
        return schema.of_rows(rows)

    scores, _ = scored
    _, page = report(
        members=rename(members, TASK_MEMBERS),
        predictions=rename(predictions, PREDICTIONS),
        scores=rename(scores, SCORES),
    )
    for name in renamed.values():
        assert page.text.count(name) >= 4


def test_the_same_input_gives_the_same_report(report):
    assert report()[0] == report()[0]


def test_figures_take_the_colours_of_the_page(report):
    text, _ = report()
    assert "var(--honest)" in text and "prefers-color-scheme: dark" in text
    assert not re.search(r"#0[1-4]0[1-4]0[1-4]", text)


def test_without_models_it_still_says_what_was_to_be_evaluated(report):
    _, page = report(
        predictions=PREDICTIONS.empty(), scores=SCORES.empty(), champion=CHAMPIONS.empty()
    )
    assert "No model has been scored yet." in page.text
    assert "Features come from echonest_features" in page.text


def test_a_mistake_is_named_by_title_and_artist_or_by_its_id():
    told = [
        {
            "track_id": track_id,
            "genre_true": "Folk",
            "genre_pred": "Jazz",
            "probabilities": [("Folk", 0.1), ("Jazz", 0.9)],
        }
        for track_id in ("folder:1", "folder:2")
    ]
    names = [
        {"track_id": "folder:1", "title": "Blue", "artist": "Ed Askew"},
        {"track_id": "folder:2", "title": None, "artist": None},
    ]
    mistakes = _mistakes(told, TRACKS.of_rows(names))
    assert [(row["title"], row["artist"]) for row in mistakes] == [
        ("Blue", "Ed Askew"),
        ("folder:2", "unknown"),
    ]


def test_genres_that_tie_are_all_called_the_most_frequent(report, scored):
    rows = scored[0].to_pylist()
    folk = next(row["n"] for row in rows if row["metric"] == "recall:Folk")
    for row in rows:
        if row["metric"] == "recall:Rock":
            row["n"] = folk
    _, page = report(scores=SCORES.of_rows(rows))
    said = re.sub(r"\s+", " ", page.text)
    assert "Always predicting Folk or Rock, the most frequent genres of these 140 tracks" in said
