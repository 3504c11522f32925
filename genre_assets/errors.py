"""The error that a user can do something about."""


class UserError(Exception):
    """Bad input or a bad setting; its one sentence says what, where and what to do."""
