import os
import sys

import pytest

from genre_assets.errors import UserError
from genre_assets.features import summary
from genre_assets.features.dsp import compilation
from genre_assets.features.dsp.compilation import (
    kernels_are_compiled,
    require_a_place_for_kernels,
)


@pytest.fixture
def forbidden(monkeypatch):
    """Folders, of which neither they nor what lies in them can be written."""
    folders = []

    def access(path, mode):
        return not any(path.is_relative_to(folder) for folder in folders)

    monkeypatch.setattr(compilation.os, "access", access)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return folders


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


@pytest.fixture
def installed():
    return compilation._folder_of("librosa"), compilation._folder_of("genre_assets")


def test_one_place_is_enough(forbidden, home, installed):
    require_a_place_for_kernels()
    forbidden.append(home)
    require_a_place_for_kernels()
    forbidden[:] = installed
    require_a_place_for_kernels()


@pytest.mark.parametrize("package", [0, 1])
def test_beside_the_sources_both_packages_need_it(forbidden, home, installed, package):
    forbidden += [home, installed[package]]
    with pytest.raises(UserError):
        require_a_place_for_kernels()


def test_without_any_the_sentence_says_what_to_do(forbidden, home, installed, monkeypatch):
    forbidden += [home, *installed]
    said = rf"beside librosa, in {installed[0]}, nor in {home / '.cache'}, .* let NUMBA_CACHE_DIR"
    with pytest.raises(UserError, match=said):
        summary.warm_up.__wrapped__()
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(home / "deep" / "cache"))
    with pytest.raises(UserError, match=r"nor in .*deep/cache"):
        require_a_place_for_kernels()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/anywhere")
    require_a_place_for_kernels()


def test_kernels_count_as_compiled_when_each_has_a_file_that_is_not_older(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.fspath(tmp_path))
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    assert not kernels_are_compiled()
    (tmp_path / "features_0").mkdir()
    lines = []
    require_a_place_for_kernels(lines.append)
    assert lines == [compilation.COMPILING]
    for module in compilation._KERNELS:
        assert not kernels_are_compiled()
        index = tmp_path / "features_0" / f"{module}.function-1.{version}.nbi"
        index.touch()
    assert kernels_are_compiled()
    require_a_place_for_kernels(lines.append)
    assert lines == [compilation.COMPILING], "nothing is compiled now"
    os.utime(index, (1, 1))
    assert not kernels_are_compiled()


def test_every_module_that_is_said_to_have_kernels_has_some(installed):
    for module in compilation._KERNELS:
        source = installed[1] / "features" / "dsp" / f"{module}.py"
        assert "njit" in source.read_text()
