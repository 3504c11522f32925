"""Where everything lies in a lake.

A lake's folder shows a person the tables that hold something, ``reports``, ``models`` and audio.
What only the program needs (locks, unfinished work) is in the hidden folder ``.internal``. Lakes of
earlier versions have it in plain view; :func:`hide_internal_files` moves it.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from genre_assets.lake.schemas import Table

_ONCE_IN_VIEW = ("journal", "partial", "asked_again", "locks")
"""What earlier versions kept directly in the lake's folder; the locks are moved last."""


@dataclass(frozen=True)
class Places:
    """The paths of a lake; nothing is made by asking for one.

    Attributes:
        root: The lake's folder, an absolute path.
    """

    root: Path

    def at(self, name: str) -> Path:
        """The path of a file that a row names; see :meth:`name_of`."""
        return self.root / name

    def name_of(self, path: Path) -> str:
        """What rows call a file: its path relative to the lake, so that the lake can be moved."""
        return str(path.relative_to(self.root))

    def table(self, table: Table) -> Path:
        """The folder of a table."""
        return self.root / table.name

    def partition(self, table: Table, key: str | None) -> Path:
        """The folder with the versions of a partition of a table.

        Raises:
            ValueError: If the table is partitioned and no key is given.
        """
        if table.partitioned_by is None:
            return self.table(table) / "all"
        if key is None:
            raise ValueError(f"{table.name} is written a {table.partitioned_by} at a time.")
        return self.table(table) / f"{table.partitioned_by}={key}"

    @property
    def views(self) -> Path:
        """The DuckDB file of views."""
        return self.root / "genre_assets.duckdb"

    @property
    def reports(self) -> Path:
        """A folder for each task."""
        return self.root / "reports"

    def report(self, task: str) -> Path:
        """The page that is the report of a task."""
        return self.reports / task / "index.html"

    @property
    def models(self) -> Path:
        """A folder ``task=<task>`` for each task, with a folder for each model."""
        return self.root / "models"

    def models_of(self, task: str) -> Path:
        """The folder of the models of a task."""
        return self.models / f"task={task}"

    @property
    def tfrecords(self) -> Path:
        """The spectrograms."""
        return self.root / "tfrecords"

    @property
    def pages(self) -> Path:
        """The pages of the site, by content."""
        return self.root / "pages"

    @property
    def files(self) -> Path:
        """Audio that was downloaded, by content."""
        return self.root / "files"

    @property
    def fma_dataset(self) -> Path:
        """The zips of the FMA dataset, unpacked."""
        return self.root / "fma_dataset"

    @property
    def set_aside(self) -> Path:
        """Damaged files, for a person to look at."""
        return self.root / "set_aside"

    @property
    def internal(self) -> Path:
        """The hidden folder of what only the program needs."""
        return self.root / ".internal"

    def lock(self, name: str) -> Path:
        """A file to lock."""
        return self._internal("locks") / f"{name}.lock"

    def journal(self, table: Table) -> Path:
        """A folder for each partition of a table that is being computed."""
        return self._internal("journal") / table.name

    @property
    def partial(self) -> Path:
        """Downloads that are not finished."""
        return self._internal("partial")

    @property
    def fits(self) -> Path:
        """A folder ``task=<task>`` for each task with models that are being trained."""
        return self.internal / "fits"

    def fits_of(self, task: str) -> Path:
        """The finished fits of a task: a folder for each model."""
        return self.fits / f"task={task}"

    @property
    def retry_requested(self) -> Path:
        """An empty file, written anew whenever somebody requests a retry."""
        return self._internal("asked_again")

    @property
    def trash(self) -> Path:
        """Folders that are being deleted."""
        return self.internal / "trash"

    @property
    def dagster(self) -> Path:
        """Dagster's records, unless ``DAGSTER_HOME`` says otherwise; in view, for users name it."""
        return self.root / "dagster"

    def _internal(self, name: str) -> Path:
        in_view = self.root / name
        return in_view if in_view.exists() else self.internal / name


def hide_internal_files(places: Places) -> None:
    """Move what an earlier version kept in view to the hidden folder, once.

    Until that is done, the old places are used. Nothing is moved while a run holds a lock there,
    or where the lake cannot be written.
    """
    if not any((places.root / name).exists() for name in _ONCE_IN_VIEW):
        return
    hidden = places.internal
    with contextlib.suppress(Timeout, OSError), contextlib.ExitStack() as held:
        hidden.mkdir(exist_ok=True)
        held.enter_context(FileLock(hidden / "moving.lock"))
        for lock in sorted((places.root / "locks").glob("*.lock")):
            held.enter_context(FileLock(lock).acquire(timeout=0))
        for name in _ONCE_IN_VIEW:
            _move(places.root / name, hidden / name)
        # Folders that a take-down was deleting, and the lock of the file of views.
        for folder in places.root.glob(".taken_down.*"):
            _move(folder, places.trash / folder.name)
        (places.root / ".views.lock").unlink(missing_ok=True)


def _move(path: Path, target: Path) -> None:
    """Move a file or folder, if it is there; into a folder that is there what that lacks."""
    if not path.exists():
        return
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    elif path.is_dir():
        for inner in list(path.iterdir()):
            _move(inner, target / inner.name)
        path.rmdir()
    else:
        path.unlink()
