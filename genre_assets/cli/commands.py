"""The command line: ``genre-assets run`` is the main job, the others query or maintain the lake."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from genre_assets.cli.command_line import DEMO, command_line
from genre_assets.errors import UserError
from genre_assets.lake.access import sentence_for
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.lake_choice import choose_lake, holds_real_music
from genre_assets.orchestration.settings import Settings, read_settings
from genre_assets.progress import counted, duration
from genre_assets.reference import workspace_path
from genre_assets.sources.registry import FMA_SITE, SOURCES, Source
from genre_assets.suggestions import unknown
from genre_assets.tasks.task import load_tasks
from genre_assets.terminal import complain, never_fail_to_print, say

DEMO_TASK = "six_styles"
DEFAULT_TASK = "available"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program's name; None takes those of the process.

    Returns:
        The exit status: 0 if all went well, 1 if something failed, 2 for bad usage or settings,
        130 after Ctrl-C.
    """
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    never_fail_to_print()
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return _COMMANDS[options.command](options)
    except UserError as error:
        complain(f"genre-assets: {error}")
        return 2
    except BrokenPipeError:
        # Whoever read the answer, such as head, has enough of it; Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        complain("genre-assets: interrupted; what was finished is kept.")
        return 130
    except Exception as error:
        sentence = sentence_for(error, Path(os.environ.get("GENRE_ASSETS_DATA") or "data"))
        if sentence is None:
            raise
        complain(f"genre-assets: {sentence}")
        return 2


def _run(options: argparse.Namespace) -> int:
    name = options.source or _source_that_is_set(read_settings()) or DEMO
    source = FMA_SITE if name == DEMO else _named(name)
    choose_lake(name)
    settings = read_settings()
    if name != DEMO and not settings.place_of(source):
        raise UserError(source.not_set)
    task = options.task or (DEMO_TASK if name == DEMO else DEFAULT_TASK)
    task = _known("task", task, list(load_tasks()))
    models = _models(options.models)
    if options.sweep and not source.is_site:
        raise UserError(f"--sweep is for a site, and the source is {name}: leave it out.")
    say(f"Source {name}, task {task}, lake {settings.data}")
    started = time.monotonic()
    warnings.simplefilter("ignore")
    from genre_assets.orchestration.dagster_home import prepare_home

    with contextlib.ExitStack() as stack:
        if name == DEMO:
            _refuse_real_music(settings.data)
        prepare_home(settings.data)
        if name == DEMO:
            site = stack.enter_context(_demo_site(settings, settings.data / "demo_corpus"))
            settings = _pointed_at(site)
        from genre_assets.orchestration.main_job import run_pipeline

        status = run_pipeline(settings, source, task, models, options.sweep or "auto")
    say(f"{'Failed after' if status else 'Done in'} {duration(time.monotonic() - started)}.")
    return status


@contextlib.contextmanager
def _demo_site(settings: Settings, corpus: Path, port: int = 0) -> Iterator[str]:
    """The demo's site, serving while the context lasts; its address."""
    from genre_assets.demo.corpus import write_corpus
    from genre_assets.demo.site.content import content_from_corpus
    from genre_assets.demo.site.server import ReplicaSite
    from genre_assets.demo.site.tracks import SiteContent

    # The port first: a corpus takes a minute, and a port that is taken is known at once.
    with ReplicaSite(SiteContent(()), port=port) as site:
        write_corpus(corpus, workers=settings.workers, log=say)
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


def _serve_demo_site(options: argparse.Namespace) -> int:
    from genre_assets.demo.site.content import content_from_rows
    from genre_assets.demo.site.server import ReplicaSite

    choose_lake(DEMO)
    settings = read_settings()
    if options.rows:
        serving = ReplicaSite(content_from_rows(options.rows), port=options.port)
    else:
        serving = _demo_site(settings, settings.data / "demo_corpus", options.port)
    with serving as site:
        base = site if isinstance(site, str) else site.base
        command = options.words[1:] if options.words[:1] == ["--"] else options.words
        if command:
            say(f"The demo's site is at {base}.")
            return _run_beside(base, command)
        say(f"The demo's site is at {base}: set GENRE_ASSETS_FMA_SITE to it in another shell.")
        threading.Event().wait()
    return 0


def _dev(options: argparse.Namespace) -> int:
    warnings.simplefilter("ignore")
    from genre_assets.orchestration.dagster_home import instance_of

    own_source = _source_that_is_set(read_settings())
    choose_lake()
    settings = read_settings()
    with instance_of(Lake(settings.data)) as (_, died):
        for sentence in died:
            complain(sentence)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace_path())]
    command += ["--host", "127.0.0.1", "--port", str(options.port)]
    if own_source or holds_real_music(settings.data):
        return _run_beside(settings.fma_site, command)
    with _demo_site(settings, settings.data / "demo_corpus", options.demo_site_port) as site:
        return _run_beside(site, command)


def _run_beside(site: str | None, command: list[str]) -> int:
    """Run a command that finds the site, and end it when this program is ended."""
    environment = os.environ | ({"GENRE_ASSETS_FMA_SITE": site} if site else {})
    try:
        running = _started(command, environment)
    except OSError as error:
        raise UserError(f"{command[0]} cannot be run: {error.strerror}.") from error
    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    while True:
        # Ctrl-C reaches the command too, which ends in its own way.
        with contextlib.suppress(KeyboardInterrupt):
            return running.wait()


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen:
    """Start a command that can be interrupted, also where this program ignores Ctrl-C.

    A shell lets what it starts in the background ignore Ctrl-C, and Dagster treats SIGTERM as it
    finds Ctrl-C treated: it would ignore both. In a process group of its own the command is still
    out of reach of the terminal's Ctrl-C.
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        return subprocess.Popen(command, env=environment)  # noqa: S603
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, env=environment, process_group=0)  # noqa: S603
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _plan(options: argparse.Namespace) -> int:
    from genre_assets.refresh.plan import plan_of
    from genre_assets.refresh.plan_view import as_json, print_plan

    settings, lake = read_settings(), _existing_lake(read_only=True)
    plan = plan_of(lake, settings.fma_site, settings.excluded_licences, options.asset)
    if options.json:
        say(as_json(plan))
    else:
        print_plan(plan, in_full=options.asset is not None)
    return 0


def _retry(options: argparse.Namespace) -> int:
    from genre_assets.refresh.retry import request_retry

    say(str(request_retry(_existing_lake(), options.table, options.status, options.track)))
    return 0


def _take_down(options: argparse.Namespace) -> int:
    from genre_assets.takedowns.preview import preview
    from genre_assets.takedowns.request import refuse_unknown, take_down
    from genre_assets.takedowns.revocation import revoke

    lake, now = _existing_lake(), datetime.now(UTC)
    kind, subject, store = options.kind, options.subject, lake.store
    if options.undo:
        say(str(revoke(lake, kind, subject, options.reason, now, say)))
        return 0
    refuse_unknown(lake, kind, subject, options.in_advance)
    found = preview(lake, store, kind, subject)
    if options.dry_run:
        say(f"{found}\nThis was a dry run: nothing was removed.")
        return 0
    if not (options.reason or "").strip():
        raise UserError("Say who requested it and why, with --reason: it is recorded.")
    if found.tracks and not options.yes and not _is_confirmed(str(found)):
        say("Nothing was removed.")
        return 1
    say(str(take_down(lake, store, kind, subject, options.reason, now, say, options.in_advance)))
    return 0


def _is_confirmed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError(
            "Nothing was removed, because there is no terminal on which to ask for "
            "confirmation: add "
            "--yes to remove without confirmation, or --dry-run to see what would go."
        )
    say(what)
    with contextlib.suppress(EOFError):
        return input("Type yes to remove it: ").strip().casefold() == "yes"
    return False


def _attribution(options: argparse.Namespace) -> int:
    from genre_assets.lake.schemas import AUDIO
    from genre_assets.sources.attribution import named_tracks, write_attribution

    if options.file.suffix != ".csv" or not options.file.absolute().parent.is_dir():
        raise UserError(
            f"{options.file} cannot be written: name a .csv file in a folder that exists."
        )
    lake = _existing_lake(read_only=True)
    held = lake.read(AUDIO, columns=["track_id", "status"])
    sound = [row["track_id"] for row in held.to_pylist() if row["status"] == "ok"]
    write_attribution(named_tracks(lake), sound, options.file)
    say(f"{counted(len(sound), 'track')} credited in {options.file}")
    return 0


def _query(options: argparse.Namespace) -> int:
    import duckdb

    from genre_assets.cli.interruptible import ended_by_ctrl_c
    from genre_assets.cli.query_output import print_csv, print_json, print_rows
    from genre_assets.lake.views import connect, why_refused

    show = print_csv if options.csv else print_json if options.json else print_rows
    with connect(_existing_lake(read_only=True), options.sql) as connection, ended_by_ctrl_c():
        try:
            statements = connection.extract_statements(options.sql)
            if len(statements) > 1:
                raise UserError(f"A query is one statement, and this has {len(statements)}.")
            answer = connection.execute(options.sql)
            if answer is None:
                raise UserError('The query is empty: ask one such as "SHOW TABLES".')
            columns = [column[0] for column in answer.description or ()]
            show(columns, iter(answer.fetchone, None))
        except duckdb.Error as error:
            raise UserError(why_refused(error)) from error
        except (ValueError, OverflowError) as error:
            raise UserError(f"The query cannot be answered: {error}") from error
    return 0


def _existing_lake(*, read_only: bool = False) -> Lake:
    choose_lake()
    lake = Lake(read_settings().data, read_only=read_only)
    if not lake.exists:
        raise UserError(
            f"There is no lake at {lake.root}: run genre-assets run first, or let "
            "GENRE_ASSETS_DATA name it."
        )
    return lake


def _source_that_is_set(settings: Settings) -> str | None:
    found = [source for source in SOURCES.values() if settings.place_of(source)]
    if len(found) > 1:
        raise UserError(
            f"{' and '.join(source.setting for source in found)} are set: choose with "
            f"{' or '.join(f'--source {source.option}' for source in found)}."
        )
    return found[0].option if found else None


def _named(option: str) -> Source:
    [source] = [source for source in SOURCES.values() if source.option == option]
    return source


def _models(names: str | None) -> list[str] | None:
    if names is None:
        return None
    from genre_assets.models.registry import ALL, FAMILIES, MODELS, chosen_by

    words = [
        _known("model or family of models", word.strip(), [*MODELS, *FAMILIES, ALL])
        for word in names.split(",")
        if word.strip()
    ]
    if not words:
        raise UserError(f"--models names no model: use names such as svm, a family, or {ALL}.")
    return list(dict.fromkeys(name for word in words for name in chosen_by(word)))


def _known(kind: str, name: str, names: list[str]) -> str:
    if name not in names:
        raise unknown(kind, name, names)
    return name


_COMMANDS = {
    "run": _run,
    "demo-site": _serve_demo_site,
    "dev": _dev,
    "plan": _plan,
    "retry": _retry,
    "take-down": _take_down,
    "attribution": _attribution,
    "query": _query,
}
