import logging
from pathlib import Path

import duckdb
import pytest

from genre_assets.cli.commands import main
from genre_assets.lake.schemas import LABELS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.orchestration.settings import SettingError, read_settings


def test_every_setting_has_a_default():
    settings = read_settings({})
    assert settings.data == Path("data").absolute()
    assert (settings.fma_dataset, settings.fma_subset, settings.folder) == (None, None, None)
    assert settings.workers >= 1
    assert (settings.believe_removals, settings.folder_genres) == (False, False)


def test_settings_are_read_and_an_empty_one_counts_as_unset(tmp_path):
    settings = read_settings(
        {
            "GENRE_ASSETS_DATA": str(tmp_path / "lake"),
            "GENRE_ASSETS_FMA_DATASET": str(tmp_path),
            "GENRE_ASSETS_FMA_SUBSET": "medium",
            "GENRE_ASSETS_FOLDER": "",
            "GENRE_ASSETS_WORKERS": "3",
            "GENRE_ASSETS_BELIEVE_REMOVALS": "yes",
            "GENRE_ASSETS_FOLDER_GENRES": "yes",
        }
    )
    assert settings.data == tmp_path / "lake"
    assert settings.fma_dataset == tmp_path
    assert settings.fma_subset == "medium"
    assert settings.folder is None
    assert settings.workers == 3
    assert (settings.believe_removals, settings.folder_genres) == (True, True)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GENRE_ASSETS_FMA_DATASET", "/no/such/folder", "name an existing folder"),
        ("GENRE_ASSETS_FOLDER", "/no/such/folder", "name an existing folder"),
        ("GENRE_ASSETS_FMA_SUBSET", "tiny", "use one of small, medium, large, full"),
        ("GENRE_ASSETS_WORKERS", "0", "use a whole number of 1 or more"),
        ("GENRE_ASSETS_WORKERS", "many", "use a whole number of 1 or more"),
        ("GENRE_ASSETS_DATA", __file__, "which is a file"),
        ("GENRE_ASSETS_FMA_SITE", "freemusicarchive.org", "is not the address of the site"),
        ("GENRE_ASSETS_FMA_SITE_LIVE", "perhaps", "use yes or no"),
        ("GENRE_ASSETS_BELIEVE_REMOVALS", "true", "use yes or no"),
        ("GENRE_ASSETS_FOLDER_GENRES", "1", "use yes or no"),
        ("GENRE_ASSETS_FMA_SITE_GENRES", "../etc", "last word of the site's genre pages"),
        ("GENRE_ASSETS_FMA_SITE_INTERVAL", "-1", "use a number of seconds"),
        ("GENRE_ASSETS_CHROMIUM", "/no/such/browser", "name the program"),
        ("GENRE_ASSETS_CHROMEDRIVER", "/tmp", "name the program"),
        ("GENRE_ASSETS_EXCLUDED_LICENCES", "sa", "use nd"),
        ("GENRE_ASSETS_WORKERS", "²", "use a whole number of 1 or more"),
        ("GENRE_ASSETS_WORKERS", "100000000", "use at most 1,000"),
        ("GENRE_ASSETS_DATA", "/tmp/what?", r"databases cannot be kept below a path with \?"),
        ("GENRE_ASSETS_DATA", "/tmp/a%20b", "databases cannot be kept below a path with %20"),
        ("GENRE_ASSETS_DATA", "~nobody-of-that-name/x", "there is no such user"),
        ("GENRE_ASSETS_DATA", "  ", "is blank"),
        ("DAGSTER_HOME", "rel", "use /.*/rel"),
        ("DAGSTER_HOME", "/tmp/what?", "databases cannot be kept"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_in_one_sentence(name, value, sentence):
    with pytest.raises(SettingError, match=sentence) as refused:
        read_settings({name: value})
    assert name in str(refused.value)
    assert value in str(refused.value)


LIVE = "https://freemusicarchive.org"


def test_the_live_site_is_refused_without_opt_in_and_without_a_contact():
    with pytest.raises(SettingError, match="GENRE_ASSETS_FMA_SITE_LIVE=yes"):
        read_settings({"GENRE_ASSETS_FMA_SITE": LIVE})
    allowed = {"GENRE_ASSETS_FMA_SITE": LIVE, "GENRE_ASSETS_FMA_SITE_LIVE": "yes"}
    with pytest.raises(SettingError, match="GENRE_ASSETS_FMA_SITE_CONTACT"):
        read_settings(allowed)
    for contact in ("line\nbreak", "Jürgen"):
        with pytest.raises(SettingError, match="GENRE_ASSETS_FMA_SITE_CONTACT"):
            read_settings(allowed | {"GENRE_ASSETS_FMA_SITE_CONTACT": contact})
    settings = read_settings(allowed | {"GENRE_ASSETS_FMA_SITE_CONTACT": "me@example.org"})
    assert settings.fma_site == LIVE


def test_a_replica_on_this_machine_needs_no_opt_in():
    settings = read_settings(
        {
            "GENRE_ASSETS_FMA_SITE": "http://127.0.0.1:8765/",
            "GENRE_ASSETS_FMA_SITE_GENRES": "Techno, Lo-fi",
            "GENRE_ASSETS_EXCLUDED_LICENCES": "ND,nc",
        }
    )
    assert settings.fma_site == "http://127.0.0.1:8765"
    assert settings.fma_site_genres == ("Techno", "Lo-fi")
    assert settings.excluded_licences == {"nd", "nc"}


def odd_folders(tmp_path):
    long = tmp_path.joinpath(*["x" * 250] * 17)
    return {
        "GENRE_ASSETS_DATA": [
            (tmp_path / ("x" * 300), "no file system can hold"),
            (long, "no file system can hold|no room for the names"),
            (f"{tmp_path}/line\nbreak", "control character"),
            (f"{tmp_path}/\udcff", "not valid UTF-8"),
            (f"{tmp_path}/back\\slash", "databases cannot be kept"),
        ],
        "GENRE_ASSETS_FOLDER": [
            (tmp_path / ("x" * 300), "no file system can hold"),
            (f"{tmp_path}/\udcff", "not valid UTF-8"),
        ],
    }


def test_a_folder_that_no_file_can_be_kept_in_is_one_sentence_and_nothing_is_made(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for name, folders in odd_folders(tmp_path).items():
        for folder, sentence in folders:
            with pytest.raises(SettingError, match=sentence):
                read_settings({name: str(folder)})
    for name, value in (("GENRE_ASSETS_DATA", "what?"), ("DAGSTER_HOME", "rel")):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            assert main(["run", "--source", "demo"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"genre-assets: {name} is ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a b ", "d$x", "100%", "h#sh", "a[b]", "star*", "qu'o\"te", "..x"]
)
def test_a_lake_works_in_a_folder_of_any_other_name(tmp_path, name):
    settings = read_settings({"GENRE_ASSETS_DATA": str(tmp_path / "x" / ".." / name)})
    assert settings.data == tmp_path / name
    lake = Lake(settings.data)
    lake.write(LABELS, LABELS.of_rows([{"track_id": "folder:1"}]))
    with duckdb.connect(str(refresh_views(lake)), read_only=True) as connection:
        assert connection.execute("SELECT track_id FROM labels").fetchall() == [("folder:1",)]


def test_a_misspelt_setting_is_refused_and_names_the_one_that_was_meant(monkeypatch, capsys):
    for misspelt, meant in (
        ("GENRE_ASSETS_FOLDERS", "GENRE_ASSETS_FOLDER"),
        ("GENRE_ASSETS_WORKER", "GENRE_ASSETS_WORKERS"),
        ("genre_assets_data", "GENRE_ASSETS_DATA"),
        ("GENRE_ASSETS_FMA_SUBSETS", "GENRE_ASSETS_FMA_SUBSET"),
    ):
        with pytest.raises(SettingError, match=f"{misspelt} is not a setting: .* {meant}"):
            read_settings({misspelt: "x"})
    monkeypatch.setenv("GENRE_ASSETS_FOLDERS", "/music")
    assert main(["plan"]) == 2
    assert "did you mean GENRE_ASSETS_FOLDER?" in capsys.readouterr().err


def test_another_unknown_setting_is_warned_of_once(caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            read_settings({"GENRE_ASSETS_COLOUR_OF_UI": "red", "GENRE_ASSETS_REAL_DATA": "/data"})
    (warning,) = caplog.messages
    assert warning.startswith("GENRE_ASSETS_COLOUR_OF_UI is not a setting")
