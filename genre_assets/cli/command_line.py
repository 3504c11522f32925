"""The words that ``genre-assets`` understands: its commands, their options and their help."""

import argparse
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import wrap
from typing import NoReturn

from genre_assets.lake.schemas import failure_tables
from genre_assets.sources.registry import SOURCES
from genre_assets.suggestions import did_you_mean
from genre_assets.terminal import complain

DEMO = "demo"
"""What stands for the site in ``--source`` when its music is made and served on this machine."""

SWEEP_MODES = ("auto", "full", "incremental")


_ENDS = (
    "exit status: 0 if all went well, 1 if something failed, 2 if the command, a setting or an "
    "input cannot be used, 130 after Ctrl-C."
)


def command_line() -> "CommandLine":
    """The parser; ``command`` of what it parses is the name of the command."""
    parser = CommandLine(
        prog="genre-assets",
        description="Music genre recognition as Dagster data assets: from a music library, the "
        "FMA dataset or a site to trained and evaluated models.",
        epilog="examples:\n"
        "  genre-assets run                   the demo, or the source whose setting is set\n"
        "  genre-assets plan                  what a run would do, without doing it\n"
        '  genre-assets query "FROM scores"   look into the tables\n'
        "  genre-assets run --help            help for one command\n\n"
        "The lake is the folder with all tables, models and reports: the one that "
        "GENRE_ASSETS_DATA names, otherwise data/, or data/demo/ for the demo.\n\n" + _ENDS,
    )
    parser.add_argument("--version", action="version", version=f"genre-assets {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for add in (
        _add_run, _add_plan, _add_query, _add_retry, _add_attribution, _add_take_down,
        _add_demo_site, _add_dev,
    ):  # fmt: skip
        add(commands)
    return parser


class CommandLine(argparse.ArgumentParser):
    """A parser whose help keeps its examples, and which says what may have been meant."""

    def __init__(self, **options):
        super().__init__(**{"formatter_class": _Help, **options})

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Refuse unknown options here, where those of the command are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, the nearest known word and where the help is; exit status 2."""
        hint = self._hint(message)
        complain(f"{self.prog}: {message}{'' if message.endswith(('.', '?')) else '.'}{hint}")
        complain(f"See {self.prog} --help.")
        raise SystemExit(2)

    def _hint(self, message: str) -> str:
        if wrong := re.search(r"invalid choice: '(.*?)' \(", message, re.DOTALL):
            return _spaced(did_you_mean(wrong[1], self._choices()))
        if wrong := re.search(r"unrecognized arguments: (-[^\s=]+)", message):
            return _spaced(did_you_mean(wrong[1], self._option_string_actions))
        return ""

    def _choices(self) -> Iterable[str]:
        return [str(choice) for action in self._actions for choice in action.choices or ()]


class _Help(argparse.HelpFormatter):
    """Wraps paragraphs, and leaves indented lines, which are examples, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = [
            line if line.startswith(" ") or not line else super(_Help, self)._fill_text(
                line, width, indent
            )
            for line in text.split("\n")
        ]  # fmt: skip
        return "\n".join(lines)

    def _split_lines(self, text: str, width: int) -> list[str]:
        # Options and the names of sources have hyphens.
        return wrap(text, width, break_on_hyphens=False)


def _spaced(hint: str) -> str:
    return f" {hint}" if hint else ""


def _version() -> str:
    try:
        return version("genre-assets")
    except PackageNotFoundError:
        return "(not installed)"


def _add_run(commands) -> None:
    run = _add_command(
        commands,
        "run",
        "bring everything up to date, from a source to an evaluated model",
        "Bring the lake up to date through Dagster: catalogue, downloads, audio, tags, "
        "labels, features, models, scores and report. Unchanged work is skipped. "
        "Failures are recorded with a reason and do not stop the rest.",
        [
            "genre-assets run",
            "GENRE_ASSETS_FOLDER=~/Music genre-assets run --source folder",
            "genre-assets run --task six_styles --models svm,majority",
        ],
    )
    run.add_argument(
        "--source",
        choices=(DEMO, *(source.option for source in SOURCES.values())),
        metavar="NAME",
        help="demo: a site of synthetic music, made and served on this machine; "
        + "; ".join(f"{s.option}: {s.words} in {s.setting}" for s in SOURCES.values())
        + " (default: the one whose setting is set, or else demo)",
    )
    run.add_argument(
        "--sweep",
        choices=SWEEP_MODES,
        metavar="MODE",
        help="how a site is read: full reads every listing to its end and finds removals; "
        "incremental reads what is new; auto reads in full once a week (default: auto)",
    )
    run.add_argument(
        "--task",
        metavar="NAME",
        help="the task of data/reference/tasks.yaml to train and evaluate (default: six_styles "
        "for the demo, available for the other sources)",
    )
    run.add_argument(
        "--models",
        metavar="NAME,…",
        help="the models to train: names, families of models such as trees, or all (default: a "
        "quick set, and those that the task was trained with before)",
    )


def _add_plan(commands) -> None:
    plan = _add_command(
        commands,
        "plan",
        "show what a run would do, why and how long it takes, without doing it",
        "Show what a run would do with the lake as it is: for each step what is new or "
        "changed, what an older version of the code made, what failed and is worth another try, "
        "and how long that takes at the speed of earlier runs. Nothing is run, downloaded or "
        "written.",
        [
            "genre-assets plan",
            "genre-assets plan --asset audio    one step, with all of its shards",
            "genre-assets plan --json",
        ],
    )
    plan.add_argument(
        "--asset", metavar="NAME", help="show this step only, with all of its partitions"
    )
    plan.add_argument("--json", action="store_true", help="print JSON, for programs")


def _add_query(commands) -> None:
    query = _add_command(
        commands,
        "query",
        "run an SQL query on the lake and print the result",
        "Ask the lake a question in SQL (DuckDB) and print the answer as a table. "
        "Numbers are rounded to what can be read; --csv and --json keep all their digits and have "
        "no limit of rows.",
        [
            'genre-assets query "SHOW TABLES"',
            'genre-assets query "DESCRIBE tracks"',
            "genre-assets query \"SELECT status, reason FROM audio WHERE status <> 'ok'\"",
            'genre-assets query --csv "SELECT track_id, title FROM tracks" > tracks.csv',
        ],
    )
    query.add_argument("sql", metavar="SQL", help='one statement, such as "SELECT * FROM scores"')
    form = query.add_mutually_exclusive_group()
    form.add_argument(
        "--csv",
        action="store_true",
        help="print CSV: null is empty, lists and maps are JSON, bytes hex",
    )
    form.add_argument(
        "--json",
        action="store_true",
        help="print a JSON array of objects: times are ISO 8601, bytes hex, NaN is null",
    )


def _add_retry(commands) -> None:
    retry = _add_command(
        commands,
        "retry",
        "mark failures so that the next run tries them again",
        "Mark failures so that the next run tries them again: all of them, or those "
        "that the options name. Without this, a file that failed is tried again when the file or "
        "the version of the code changes.",
        [
            "genre-assets retry",
            "genre-assets retry --status undecodable",
            "genre-assets retry --track fma_site:1234 --table audio",
        ],
    )
    retry.add_argument("--status", metavar="KIND", help="kind of failure, such as undecodable")
    retry.add_argument("--track", metavar="ID", help="a track_id, such as fma_site:1234")
    retry.add_argument(
        "--table",
        choices=tuple(failure_tables()),
        metavar="NAME",
        help=f"where it failed: {', '.join(failure_tables())} (default: anywhere)",
    )


def _add_take_down(commands) -> None:
    takedown = _add_command(
        commands,
        "take-down",
        "remove a track or an artist with everything made from it, and keep it out",
        "Remove a track, or all tracks of an artist, with every row, feature, model "
        "and report that was made from them, and the audio that was downloaded; and keep them out "
        "of every later run. Files of your own music library or dataset are never deleted. What "
        "would be removed is shown first, and you have to type yes, unless you add --yes.",
        [
            'genre-assets take-down artist "Lena Vega" --dry-run',
            'genre-assets take-down artist "Lena Vega" --reason "requested by the artist"',
            'genre-assets take-down track fma_site:1234 --yes --reason "requested by the label"',
            'genre-assets take-down artist "Lena Vega" --undo',
            'genre-assets query "FROM takedowns"            take-downs in force',
        ],
    )
    takedown.add_argument("kind", choices=("track", "artist"), help="track or artist")
    takedown.add_argument(
        "subject",
        metavar="SUBJECT",
        help="a track_id, such as fma_site:1234, or an artist's name in any spelling",
    )
    takedown.add_argument(
        "--reason", help="who requested it and why; recorded, and needed to remove anything"
    )
    takedown.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, and remove nothing"
    )
    takedown.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    takedown.add_argument(
        "--in-advance",
        action="store_true",
        help="keep out a track or an artist that no source lists yet",
    )
    takedown.add_argument(
        "--undo",
        action="store_true",
        help="revoke a take-down: the next run brings back what its source still has",
    )


def _add_attribution(commands) -> None:
    credits_ = _add_command(
        commands,
        "attribution",
        "write credits for all tracks whose audio is in the lake to a CSV file",
        "Write title, artist, page and licence of every track whose audio is in the "
        "lake to a CSV file.",
        [
            "genre-assets attribution credits.csv",
        ],
    )
    credits_.add_argument(
        "file", metavar="FILE", type=Path, help="the CSV file to write, such as credits.csv"
    )


def _add_demo_site(commands) -> None:
    demo = _add_command(
        commands,
        "demo-site",
        "serve the demo's site on this machine, until Ctrl-C or while a command runs",
        "Serve a replica of the site on 127.0.0.1, with synthetic music or with rows "
        "of your own. With a command after --, run it with GENRE_ASSETS_FMA_SITE set, and end "
        "when it ends.",
        [
            "genre-assets demo-site --port 8765",
            "genre-assets demo-site -- genre-assets run --source fma-site",
        ],
    )
    demo.add_argument(
        "--port",
        type=_port,
        default=8765,
        help="port of the site; 0 takes a free one (default: 8765)",
    )
    demo.add_argument(
        "--rows",
        metavar="FILE",
        type=Path,
        help="serve the listing rows of a JSON file instead of the demo's music",
    )
    demo.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND …",
        help="a command to run while the site is served",
    )


def _add_dev(commands) -> None:
    dev = _add_command(
        commands,
        "dev",
        "serve the Dagster UI on this machine, until Ctrl-C",
        "Serve Dagster's UI on 127.0.0.1, with the daemon that keeps assets up to "
        "date. Unless a source of your own is set, the demo's site is served too.",
        [
            "genre-assets dev                   on port 3000",
            "genre-assets dev --port 3001",
        ],
    )
    dev.add_argument("--port", type=_port, default=3000, help="port of the UI (default: 3000)")
    dev.add_argument(
        "--demo-site-port", type=_port, default=8765, help="port of the demo's site (default: 8765)"
    )


def _add_command(
    commands, name: str, summary: str, description: str, examples: Iterable[str]
) -> argparse.ArgumentParser:
    """A command whose help ends with examples and the exit statuses."""
    lines = "".join(f"  {example}\n" for example in examples)
    return commands.add_parser(
        name, help=summary, description=description, epilog=f"examples:\n{lines}\n{_ENDS}"
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use 0 to 65535")
    return int(text)
