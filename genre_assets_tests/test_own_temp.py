import os
import tempfile

import pytest

from genre_assets.errors import UserError
from genre_assets.features.dsp.compilation import compilation_lock
from genre_assets.lake.tables import Lake
from genre_assets.own_temp import own_temp_folder
from genre_assets.sources.fma_site.access import SiteAccess
from genre_assets.sources.fma_site.address import Site


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A folder for temporary files that everybody can write to."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_folder_is_for_its_user_alone_and_used_again(shared):
    folder = own_temp_folder()
    assert folder.parent == shared and folder.stat().st_mode & 0o777 == 0o700
    assert own_temp_folder() == folder


@pytest.mark.parametrize("what", ["a link", "a file", "a folder that others write to"])
def test_what_others_could_have_laid_there_is_not_used(shared, tmp_path, what):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    planted = shared / f"genre_assets-{os.getuid()}"
    if what == "a link":
        planted.symlink_to(elsewhere)
    elif what == "a file":
        planted.touch()
    else:
        planted.mkdir()
        planted.chmod(0o777)
    with pytest.raises(UserError, match="let TMPDIR name a folder of your own"):
        own_temp_folder()
    assert list(elsewhere.iterdir()) == []


def test_locks_of_all_runs_lie_there_and_follow_no_link(shared, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    for name in ("fma_site", "compiles"):
        for end in (".lock", ".lock.not_before"):
            (shared / f"genre_assets-{name}-{os.getuid()}{end}").symlink_to(victim)
    with SiteAccess(Site("https://freemusicarchive.org"))._pace(Lake(tmp_path)).turn():
        pass
    with compilation_lock():
        pass
    assert victim.read_text() == "kept"
    names = {path.name for path in own_temp_folder().iterdir()}
    assert names >= {"fma_site.lock", "fma_site.lock.not_before", "compiles.lock"}
