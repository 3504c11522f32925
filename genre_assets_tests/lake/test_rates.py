import threading

import pytest

from genre_assets.features.extraction import Extracted
from genre_assets.features.spectrogram_extraction import spectrogram_extractor
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.lake.rates import record_rate, seconds_an_item
from genre_assets.lake.schemas import RATES
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.features import _record_rates


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def test_a_lake_that_measured_nothing_knows_no_rates(lake):
    assert seconds_an_item(lake) == {}


def test_each_asset_has_its_own_rate(lake):
    record_rate(lake, "audio", 10, 5.0)
    record_rate(lake, "id3_tags", 4, 1.0)
    assert seconds_an_item(lake) == {"audio": 0.5, "id3_tags": 0.25}


def test_of_both_kinds_of_features_each_took_a_part_of_the_time(lake):
    made = [
        Extracted(extractor, extractor.features.empty(), extractor.failures.empty(), analysed)
        for extractor, analysed in (
            (summary_extractor(), 10),
            (spectrogram_extractor(lake.places), 30),
        )
    ]
    _record_rates(lake, made, seconds=8.0)
    assert seconds_an_item(lake) == {"summary_features": 0.2, "spectrograms": 0.2}


def test_one_slow_file_hardly_changes_the_rate_of_many(lake):
    record_rate(lake, "audio", 1000, 100.0)
    record_rate(lake, "audio", 1, 8.0)
    assert seconds_an_item(lake)["audio"] == pytest.approx(108 / 1001)


def test_the_shards_of_a_small_run_count_alike(lake):
    for seconds in (3.0, 1.0, 2.0):
        record_rate(lake, "audio", 1, seconds)
    assert seconds_an_item(lake)["audio"] == 2.0


def test_a_machine_that_became_faster_is_believed_after_some_runs(lake):
    record_rate(lake, "audio", 100_000, 100_000.0)
    for _ in range(6):
        record_rate(lake, "audio", 1_000, 100.0)
    assert 0.1 < seconds_an_item(lake)["audio"] < 0.12


def test_a_run_with_nothing_to_do_writes_nothing(lake):
    record_rate(lake, "audio", 0, 3.0)
    assert lake.path(RATES) is None


def test_runs_beside_each_other_lose_no_measurement(lake):
    names = [f"asset_{n}" for n in range(8)]
    threads = [threading.Thread(target=record_rate, args=(lake, n, 1, 1.0)) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seconds_an_item(lake)) == names
