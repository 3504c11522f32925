"""The command line."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``genre-assets``, with the arguments of the process unless others are given."""
    from genre_assets.cli.commands import main

    return main(arguments)
