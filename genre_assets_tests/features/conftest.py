import pytest

from genre_assets.features import spectrograms


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Two test processes that compile the same function at a time could spoil numba's cache."""
    spectrograms.warm_up()
