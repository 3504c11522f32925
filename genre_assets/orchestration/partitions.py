"""Partitions that are registered when they come into use, though all their names are known.

Dagster keeps registered keys in its instance, and shows an asset as complete that was made for all
of them. Its daemon and its web server know no others. Where assets run, every name is valid: a
command may use one on an instance that has not heard of it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Self

import dagster as dg


class NamedPartitions(dg.DynamicPartitionsDefinition):
    """Partitions with known names, of which those in use are registered.

    Args:
        name: What the instance calls them together.
        names: All valid keys, in their order.
    """

    names: Sequence[str]

    def __new__(cls, name: str, names: Iterable[str]) -> Self:
        """Make them."""
        self = super().__new__(cls, name=name)
        self.names = list(names)
        return self

    def has_partition_key(self, partition_key: str, *_: object, **__: object) -> bool:
        """Whether the key is valid, registered or not."""
        return partition_key in self.names

    def filter_valid_partition_keys(self, partition_keys: set[str]) -> set[str]:
        """Those of the keys that are valid, registered or not."""
        return partition_keys & set(self.names)

    def get_partition_keys_in_range(self, partition_key_range: dg.PartitionKeyRange) -> list[str]:
        """The registered keys of a range, in the order of the names.

        A person means the order of the names. The daemon cuts its ranges in the order in which
        keys were registered, which may be another: a later sweep may find a track of an earlier
        shard. A key that lies between the ends in either order is taken, because one shard more
        costs nothing where it is up to date, and one shard less would be missed. Where no key of
        the range is registered, as on the temporary instance of a command, all names are taken.
        """
        start, end = partition_key_range
        if start == end or not {start, end} <= set(self.names):
            return list(super().get_partition_keys_in_range(partition_key_range))
        registered = self.get_partition_keys()
        between = _between(self.names, start, end)
        if start in registered and end in registered:
            between |= _between(registered, start, end)
        wanted = between.intersection(registered) or between
        return [name for name in self.names if name in wanted]

    def register(self, instance: dg.DagsterInstance, present: Collection[str | None]) -> None:
        """Register the keys that are in use and that the instance does not know yet."""
        if keys := [name for name in self.names if name in present]:
            instance.add_dynamic_partitions(str(self.name), keys)


def _between(keys: Sequence[str], start: str, end: str) -> set[str]:
    first, last = sorted((keys.index(start), keys.index(end)))
    return set(keys[first : last + 1])
