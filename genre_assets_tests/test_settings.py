from pathlib import Path

import pytest

from genre_assets.settings import SettingError, read_settings


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
        ("GENRE_ASSETS_WORKERS", "0", "use a whole number from 1 on"),
        ("GENRE_ASSETS_WORKERS", "many", "use a whole number from 1 on"),
        ("GENRE_ASSETS_DATA", __file__, "which is a file"),
        ("GENRE_ASSETS_FMA_SITE", "freemusicarchive.org", "is not the address of the site"),
        ("GENRE_ASSETS_FMA_SITE_LIVE", "perhaps", "use yes or no"),
        ("GENRE_ASSETS_BELIEVE_REMOVALS", "true", "use yes or no"),
        ("GENRE_ASSETS_FOLDER_GENRES", "1", "use yes or no"),
        ("GENRE_ASSETS_FMA_SITE_GENRES", "../etc", "last word of the site's genre pages"),
        ("GENRE_ASSETS_FMA_SITE_INTERVAL", "-1", "use a number of seconds"),
        ("GENRE_ASSETS_CHROMIUM", "/no/such/browser", "name the file to run"),
        ("GENRE_ASSETS_CHROMEDRIVER", "/tmp", "name the file to run"),
        ("GENRE_ASSETS_EXCLUDED_LICENCES", "sa", "use nd"),
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
