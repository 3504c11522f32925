"""The main job on a folder of damaged, empty, odd and hostile files."""

import csv


def test_every_bad_file_ends_as_ok_or_with_a_named_failure(platform, real_data):
    done = platform.call(
        "genre-assets",
        *("run", "--source", "folder", "--models", "majority"),
        GENRE_ASSETS_FOLDER=str(real_data / "bad_audio"),
    )
    assert "Traceback" not in done.stdout + done.stderr
    # Seventy-one odd files are no corpus: the task fails, in a sentence, and nothing else does.
    failed = [line for line in done.stderr.splitlines() if line.startswith("FAILED")]
    assert done.returncode == 1
    assert len(failed) == 1
    assert failed[0].startswith("FAILED: task_dataset: Task available needs two genres")

    with (real_data / "bad_audio" / "MANIFEST.csv").open() as file:
        files = {row["file"] for row in csv.DictReader(file)}
    assert len(files) == 71
    rows = platform.query(
        "SELECT parse_filename(t.path), a.status, a.reason, i.status, i.reason"
        " FROM tracks t LEFT JOIN audio a USING (track_id) LEFT JOIN id3_tags i USING (track_id)"
    )
    assert {row[0] for row in rows} == files
    for name, *outcomes in rows:
        for status, reason in (outcomes[:2], outcomes[2:]):
            assert status, name
            assert (status == "ok") == (reason is None), name
            assert status != "failed", f"{name}: nobody foresaw {reason}"
    extracted = platform.query(
        "SELECT (SELECT count(*) FROM audio WHERE status = 'ok'),"
        " (SELECT count(*) FROM summary_features) + (SELECT count(*) FROM feature_failures)"
    )
    assert extracted[0][0] == extracted[0][1] > 0
