"""What make hands on to the program that does the work."""

import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture
def make(tmp_path):
    program = tmp_path / "genre-assets"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$GENRE_ASSETS_DATA" "$DAGSTER_HOME" "$*"\n')
    program.chmod(0o755)

    def make(*words: str, **settings: str) -> list[str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "DAGSTER_HOME")}
        return subprocess.run(
            ["make", "--silent", "--old-file=setup", f"BIN={tmp_path}", *words],
            cwd=CHECKOUT,
            env=kept | settings,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    return make


@pytest.mark.parametrize("target", ["run", "dev"])
@pytest.mark.parametrize("lake", ["/tmp/a$b", "/tmp/$$HOME", "/tmp/$(shell touch x)/100 %", "~/é"])
def test_no_character_of_a_setting_means_anything_to_make(make, target, lake):
    said = make(target, GENRE_ASSETS_DATA=lake, GENRE_ASSETS_FOLDER="$(shell touch x)")
    assert said[:2] == [lake, ""]
    assert not (CHECKOUT / "x").exists()


def test_what_is_chosen_on_the_command_line_of_make_is_handed_on(make):
    said = make("run", "SOURCE=folder", "TASK=available", "MODELS=svm", "SWEEP=full")
    assert said[2] == "run --source folder --task available --models svm --sweep full"
    assert make("dev", "PORT=1", "DEMO_SITE_PORT=2")[2] == "dev --port 1 --demo-site-port 2"
