"""Errors that a user can do something about."""


class UserError(Exception):
    """Bad input or a bad setting; its one sentence says what, where and what to do."""


class DiskFullError(UserError):
    """There is no room to write: the sentence says where, how much is needed, and what to do.

    It is the fault of no file, so it ends a run, in a worker process too.
    """
