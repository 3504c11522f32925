import pytest

from genre_assets_tests.quality.sound_lake import sound_lake_in


@pytest.fixture
def lake(tmp_path):
    return sound_lake_in(tmp_path)
