"""The command line: ``genre-assets run`` is the main job, the others ask the lake or mend it."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from genre_assets.errors import UserError
from genre_assets.lake.tables import Lake
from genre_assets.lake_choice import choose_lake, holds_real_music
from genre_assets.models.tasks import load_tasks
from genre_assets.progress import counted
from genre_assets.settings import Settings, read_settings

SOURCES = ("demo", "folder", "fma-dataset", "fma-site")
DEFAULT_TASK = {
    "demo": "six_styles",
    "folder": "available",
    "fma-dataset": "available",
    "fma-site": "available",
}
SWEEP_MODES = ("auto", "full", "incremental")
SETTING_OF_SOURCE = {
    "folder": "GENRE_ASSETS_FOLDER",
    "fma-dataset": "GENRE_ASSETS_FMA_DATASET",
    "fma-site": "GENRE_ASSETS_FMA_SITE",
}


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
    except PermissionError as error:
        what = " ".join(str(error).split())
        print(
            f"genre-assets: {what}: let GENRE_ASSETS_DATA name a folder that can be written.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # Whoever read the answer, such as head, has enough of it; Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
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
        description="Materialise the whole graph through Dagster: catalogue, downloads, audio, "
        "tags, labels, features, models, scores and report. What did not change is not done "
        "again.",
    )
    run.add_argument(
        "--source",
        choices=SOURCES,
        help="demo: a site of synthetic music on this machine, made on the spot and scraped; "
        "folder: GENRE_ASSETS_FOLDER; fma-dataset: GENRE_ASSETS_FMA_DATASET; fma-site: "
        "GENRE_ASSETS_FMA_SITE (default: the one whose setting is there, or demo)",
    )
    run.add_argument(
        "--sweep",
        choices=SWEEP_MODES,
        help="of a site: full reads every listing to its end and finds removals, incremental reads "
        "what is new, auto does the first where none was made for a week (default: auto)",
    )
    run.add_argument(
        "--task", metavar="NAME", help="task of data/reference/tasks.yaml to train and evaluate"
    )
    run.add_argument(
        "--models", metavar="NAME,…", help="models to train, by name (default: all of them)"
    )
    run.set_defaults(command=_run)

    demo = commands.add_parser(
        "demo-site",
        help="serve the demo's site on this machine, until Ctrl-C or while a command runs",
        description="Serve a replica of the site on 127.0.0.1, with the synthetic corpus or with "
        "rows of your own. With a command after --, run it with GENRE_ASSETS_FMA_SITE set, and "
        "end when it ends.",
    )
    demo.add_argument("--port", type=_port, default=8765, help="0 takes a free one (default: 8765)")
    demo.add_argument(
        "--rows", metavar="FILE", type=Path, help="serve the listing rows of a JSON file instead"
    )
    demo.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    demo.set_defaults(command=_serve_demo_site)

    dev = commands.add_parser(
        "dev",
        help="serve the Dagster UI on this machine, until Ctrl-C",
        description="Serve Dagster's UI on 127.0.0.1, with the daemon that keeps assets up to "
        "date. Without a source of your own the demo's site is served too.",
    )
    dev.add_argument("--port", type=_port, default=3000, help="of the UI (default: 3000)")
    dev.add_argument(
        "--demo-site-port", type=_port, default=8765, help="of the demo's site (default: 8765)"
    )
    dev.set_defaults(command=_dev)

    plan = commands.add_parser(
        "plan",
        help="say what a run would do, why and how long it takes, without doing it",
        description="Say what a run would do with the lake as it stands, for each asset and shard: "
        "what is new or changed, what another version of the code made, what failed and is worth "
        "another try, and how long that takes by the rates of earlier runs. Nothing is run, asked "
        "for or written.",
    )
    plan.add_argument(
        "--asset", metavar="NAME", help="tell of this one only, and of all its partitions"
    )
    plan.add_argument("--json", action="store_true", help="for programs")
    plan.set_defaults(command=_plan)

    retry = commands.add_parser(
        "retry",
        help="let the next run try again what failed",
        description="Mark failures so that the next run tries them again: all of them, or those "
        "that the options name. Without this a file that failed is tried again when it or the "
        "version of the code changes.",
    )
    retry.add_argument("--status", metavar="KIND", help="kind of failure, such as undecodable")
    retry.add_argument("--track", metavar="ID", help="a track_id such as fma_site:1234")
    retry.add_argument(
        "--table",
        choices=("fetches", "audio", "id3_tags", "feature_failures", "spectrogram_failures"),
        help="where it failed (default: everywhere)",
    )
    retry.set_defaults(command=_retry)

    takedown = commands.add_parser(
        "take-down",
        help="remove a track or an artist with everything derived from it, for good",
        description="Record a take-down and carry it out: the audio that was downloaded goes, and "
        "every row, feature, model and report that came of it. No refresh brings it back.",
    )
    takedown.add_argument("kind", choices=("track", "artist"))
    takedown.add_argument("subject", help="a track_id such as fma_site:1234, or an artist's name")
    takedown.add_argument("--reason", required=True, help="who asked for it and why; is kept")
    takedown.set_defaults(command=_take_down)

    credits_ = commands.add_parser(
        "attribution",
        help="write title, artist, page and licence of every track whose audio is held to a CSV "
        "file",
    )
    credits_.add_argument("file", type=Path, help="such as credits.csv")
    credits_.set_defaults(command=_attribution)

    query = commands.add_parser("query", help="ask the lake a question in SQL and print the answer")
    query.add_argument("sql", help="such as: SELECT * FROM scores")
    query.set_defaults(command=_query)
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: use 0 to 65535")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    source = options.source or _source_that_is_set(read_settings()) or "demo"
    choose_lake(source)
    settings = read_settings()
    _require_setting(source, settings)
    task = _known("task", options.task or DEFAULT_TASK[source], list(load_tasks()))
    models = _models(options.models)
    if options.sweep and source not in ("demo", "fma-site"):
        raise UserError(f"--sweep is for a site, and the source is {source}: leave it out.")
    print(f"Source {source}, task {task}, lake {settings.data}", flush=True)
    warnings.simplefilter("ignore")
    from genre_assets.dagster_home import prepare_home

    with contextlib.ExitStack() as stack:
        if source == "demo":
            _refuse_real_music(settings.data)
        prepare_home(settings.data)
        if source == "demo":
            site = stack.enter_context(_demo_site(settings, settings.data / "demo_corpus"))
            settings = _pointed_at(site)
        from genre_assets.pipeline import run_pipeline

        return run_pipeline(settings, source, task, models, options.sweep or "auto")


@contextlib.contextmanager
def _demo_site(settings: Settings, corpus: Path, port: int = 0) -> Iterator[str]:
    """The demo's site, serving while the context lasts; its address."""
    from genre_assets.demo.corpus import write_corpus
    from genre_assets.demo.site.content import content_from_corpus
    from genre_assets.demo.site.server import ReplicaSite
    from genre_assets.demo.site.tracks import SiteContent

    # The port first: a corpus takes a minute, and a port that is taken is known at once.
    with ReplicaSite(SiteContent(()), port=port) as site:
        write_corpus(corpus, workers=settings.workers, log=_say)
        site.content = content_from_corpus(corpus)
        yield site.base


def _pointed_at(site: str) -> Settings:
    os.environ["GENRE_ASSETS_FMA_SITE"] = site
    return read_settings()


def _refuse_real_music(data: Path) -> None:
    if holds_real_music(data):
        raise UserError(
            f"The lake at {data} holds tracks that are not of the demo, and the two are kept "
            f"apart: give the demo a lake of its own with GENRE_ASSETS_DATA={data / 'demo'}, or "
            "name your source with --source."
        )


def _say(line: str) -> None:
    print(line, flush=True)


def _serve_demo_site(options: argparse.Namespace) -> int:
    from genre_assets.demo.site.content import content_from_rows
    from genre_assets.demo.site.server import ReplicaSite

    choose_lake("demo")
    settings = read_settings()
    if options.rows:
        serving = ReplicaSite(content_from_rows(options.rows), port=options.port)
    else:
        serving = _demo_site(settings, settings.data / "demo_corpus", options.port)
    with serving as site:
        base = site if isinstance(site, str) else site.base
        _say(f"The demo's site is at {base}; let GENRE_ASSETS_FMA_SITE name it.")
        command = options.words[1:] if options.words[:1] == ["--"] else options.words
        if command:
            return _run_beside(base, command)
        threading.Event().wait()
    return 0


def _dev(options: argparse.Namespace) -> int:
    warnings.simplefilter("ignore")
    from genre_assets.dagster_home import instance_of

    own_source = _source_that_is_set(read_settings())
    choose_lake()
    settings = read_settings()
    with instance_of(Lake(settings.data)) as (_, died):
        for sentence in died:
            _say(sentence)
    workspace = str(Path(__file__).with_name("workspace.yaml"))
    command = [sys.executable, "-m", "dagster", "dev", "-w", workspace]
    command += ["--host", "127.0.0.1", "--port", str(options.port)]
    if own_source or holds_real_music(settings.data):
        return _run_beside(settings.fma_site, command)
    with _demo_site(settings, settings.data / "demo_corpus", options.demo_site_port) as site:
        return _run_beside(site, command)


def _run_beside(site: str | None, command: list[str]) -> int:
    """Run a command that finds the site, and end it when this program is ended."""
    environment = os.environ | ({"GENRE_ASSETS_FMA_SITE": site} if site else {})
    try:
        running = subprocess.Popen(command, env=environment)  # noqa: S603
    except OSError as error:
        raise UserError(f"{command[0]} cannot be run: {error.strerror}.") from error
    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    while True:
        # Ctrl-C reaches the command too, which ends in its own way.
        with contextlib.suppress(KeyboardInterrupt):
            return running.wait()


def _plan(options: argparse.Namespace) -> int:
    from genre_assets.plan import plan_of
    from genre_assets.plan_view import as_json, print_plan

    settings = read_settings()
    plan = plan_of(_existing_lake(), settings.fma_site, settings.excluded_licences, options.asset)
    if options.json:
        _say(as_json(plan))
    else:
        print_plan(plan, in_full=options.asset is not None)
    return 0


def _retry(options: argparse.Namespace) -> int:
    from genre_assets.quarantine import ask_again

    _say(str(ask_again(_existing_lake(), options.table, options.status, options.track)))
    return 0


def _take_down(options: argparse.Namespace) -> int:
    from genre_assets.lake.store import Store
    from genre_assets.takedowns.request import take_down

    lake = _existing_lake()
    done = take_down(
        lake, Store(lake.root), options.kind, options.subject, options.reason, datetime.now(UTC)
    )
    _say(str(done))
    return 0


def _attribution(options: argparse.Namespace) -> int:
    from genre_assets.lake.schemas import AUDIO, TRACKS
    from genre_assets.sources.attribution import write_attribution

    if options.file.suffix != ".csv" or not options.file.absolute().parent.is_dir():
        raise UserError(f"{options.file} cannot be written: name a .csv file in a folder there is.")
    lake = _existing_lake()
    held = lake.read(AUDIO, columns=["track_id", "status"])
    sound = [row["track_id"] for row in held.to_pylist() if row["status"] == "ok"]
    write_attribution(lake.read(TRACKS), sound, options.file)
    _say(f"{counted(len(sound), 'track')} credited in {options.file}")
    return 0


def _query(options: argparse.Namespace) -> int:
    import duckdb

    from genre_assets.answers import MOST_ROWS_SHOWN, print_rows
    from genre_assets.lake.views import connect, refresh_views

    lake = _existing_lake()
    refresh_views(lake)
    with connect(lake) as connection:
        try:
            answer = connection.execute(options.sql)
            columns = [column[0] for column in answer.description or ()]
            if columns:
                print_rows(columns, answer.fetchmany(MOST_ROWS_SHOWN + 1))
        except duckdb.Error as error:
            raise UserError(f"The query cannot be answered: {error}") from error
    return 0


def _existing_lake() -> Lake:
    choose_lake()
    lake = Lake(read_settings().data)
    if not lake.root.is_dir():
        raise UserError(
            f"There is no lake at {lake.root}: run genre-assets run first, or let "
            "GENRE_ASSETS_DATA name it."
        )
    return lake


def _source_that_is_set(settings: Settings) -> str | None:
    values = {
        "folder": settings.folder,
        "fma-dataset": settings.fma_dataset,
        "fma-site": settings.fma_site,
    }
    named = [source for source, value in values.items() if value]
    if len(named) > 1:
        raise UserError(
            f"{' and '.join(SETTING_OF_SOURCE[source] for source in named)} are set: choose with "
            f"{' or '.join(f'--source {source}' for source in named)}."
        )
    return named[0] if named else None


def _require_setting(source: str, settings: Settings) -> None:
    if source == "folder" and not settings.folder:
        raise UserError("The source folder needs GENRE_ASSETS_FOLDER: name your music library.")
    if source == "fma-dataset" and not settings.fma_dataset:
        raise UserError(
            "The source fma-dataset needs GENRE_ASSETS_FMA_DATASET: name the folder that holds "
            "fma_metadata/, or its zip."
        )
    if source == "fma-site" and not settings.fma_site:
        raise UserError(
            "The source fma-site needs GENRE_ASSETS_FMA_SITE: name the site, such as that of "
            "genre-assets demo-site."
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
