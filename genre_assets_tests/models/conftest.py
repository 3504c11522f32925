import pytest

from genre_assets_tests.models.corpus import real_rows


@pytest.fixture(scope="session")
def real_tables(real_data):
    return real_rows(real_data)
