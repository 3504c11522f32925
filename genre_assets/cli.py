"""The command line: ``genre-assets run`` is the main job, ``genre-assets query`` asks the lake."""

import argparse
import os
import sys
import warnings

from genre_assets.errors import UserError
from genre_assets.models.tasks import load_tasks
from genre_assets.settings import Settings, read_settings

SOURCES = ("demo", "folder", "fma-dataset")
DEFAULT_TASK = {"demo": "six_styles", "folder": "available", "fma-dataset": "available"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program's name; None takes those of the process.

    Returns:
        The exit status: 0 if all went well, 1 if something failed, 2 for bad usage or settings,
        130 after Ctrl-C.
    """
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except UserError as error:
        print(f"genre-assets: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("genre-assets: interrupted; what was finished is kept.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genre-assets", description="Music genre recognition as Dagster data assets."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="materialise the whole graph, from a source to an evaluated model",
        description="Materialise the whole graph through Dagster: catalogue, audio, tags, labels, "
        "features, models, scores and report. Files that did not change are not read again.",
    )
    run.add_argument(
        "--source",
        choices=SOURCES,
        help="demo: a synthetic corpus, made on the spot; folder: GENRE_ASSETS_FOLDER; "
        "fma-dataset: GENRE_ASSETS_FMA_DATASET (default: the one whose setting is there, or demo)",
    )
    run.add_argument(
        "--task", metavar="NAME", help="task of data/reference/tasks.yaml to train and evaluate"
    )
    run.add_argument(
        "--models", metavar="NAME,…", help="models to train, by name (default: all of them)"
    )
    run.set_defaults(command=_run)

    query = commands.add_parser("query", help="ask the lake a question in SQL and print the answer")
    query.add_argument("sql", help="such as: SELECT * FROM scores")
    query.set_defaults(command=_query)
    return parser


def _run(options: argparse.Namespace) -> int:
    settings = read_settings()
    source = options.source or _source_that_is_set(settings)
    _require_setting(source, settings)
    task = _known("task", options.task or DEFAULT_TASK[source], list(load_tasks()))
    models = _models(options.models)
    if source == "demo":
        os.environ.pop("GENRE_ASSETS_FOLDER", None)
    print(f"Source {source}, task {task}, lake {settings.data}", flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from genre_assets.pipeline import run_pipeline

        return run_pipeline(settings, source, task, models)


def _query(options: argparse.Namespace) -> int:
    import duckdb

    from genre_assets.lake.tables import Lake
    from genre_assets.lake.views import connect, refresh_views

    lake = Lake(read_settings().data)
    if not lake.root.is_dir():
        raise UserError(
            f"There is no lake at {lake.root}: run genre-assets run first, or let "
            "GENRE_ASSETS_DATA name it."
        )
    refresh_views(lake)
    with connect(lake) as connection:
        try:
            answer = connection.sql(options.sql)
            if answer is not None:
                answer.show(max_rows=1000, max_col_width=200)
        except duckdb.Error as error:
            raise UserError(f"The query cannot be answered: {error}") from error
    return 0


def _source_that_is_set(settings: Settings) -> str:
    if settings.folder and settings.fma_dataset:
        raise UserError(
            "Both GENRE_ASSETS_FOLDER and GENRE_ASSETS_FMA_DATASET are set: "
            "choose with --source folder or --source fma-dataset."
        )
    if settings.folder:
        return "folder"
    return "fma-dataset" if settings.fma_dataset else "demo"


def _require_setting(source: str, settings: Settings) -> None:
    if source == "folder" and not settings.folder:
        raise UserError("The source folder needs GENRE_ASSETS_FOLDER: name your music library.")
    if source == "fma-dataset" and not settings.fma_dataset:
        raise UserError(
            "The source fma-dataset needs GENRE_ASSETS_FMA_DATASET: name the folder that holds "
            "fma_metadata/, or its zip."
        )


def _models(names: str | None) -> list[str] | None:
    if names is None:
        return None
    from genre_assets.models.registry import MODELS

    return [_known("model", name.strip(), list(MODELS)) for name in names.split(",")]


def _known(kind: str, name: str, names: list[str]) -> str:
    if name not in names:
        raise UserError(f"There is no {kind} {name!r}: use one of {', '.join(names)}.")
    return name
