"""The card of a model: what it is, what it was trained on and what it is not good for, in Markdown.

Light.
"""

from typing import Any

CARD = "README.md"
"""Name of the card in a model's folder."""

SYNTHETIC = (
    "trained on the synthetic music of the demo, not on recordings. What it says about real music "
    "means nothing, however probable it calls it."
)


class SyntheticMusicWarning(UserWarning):
    """A model that was trained on synthetic music is about to be used."""


def card(facts: dict[str, Any]) -> str:
    """The card of a model.

    Args:
        facts: What the model was made of, as ``training.json`` has it.
    """
    lines = [f"# {facts['model']} for the task {facts['task']}", "", facts["description"], ""]
    if facts["trained_on_synthetic"]:
        lines += [f"**Warning: this model was {SYNTHETIC}**", ""]
    music = ", all synthetic" if facts["trained_on_synthetic"] else ""
    lines += [
        "## What it does",
        "",
        f"It gives a probability for each of these genres: {', '.join(facts['genres'])}. Music of "
        "any other genre gets one of them all the same.",
        "",
        f"Its input is {len(facts['columns'])} features from the table `{facts['feature_table']}` "
        f"({facts['feature_source']}), in the order of `columns` in `training.json`. Features from "
        "another extractor do not fit. Missing values may be NaN.",
        "",
        "## What it was trained on",
        "",
        f"{facts['n_learnt']:,} of the {facts['n_members']:,} tracks of the task, which are by "
        f"{facts['n_artists']:,} artists{music}. They are credited in `attribution.csv`, with the "
        "licence of each; what the licences allow you is for you to judge.",
        "",
        f"Trained on {facts['made_at'][:10]} by version {facts['version']} of its code, with seed "
        f"{facts['seed']}"
        f"{_chosen(facts['chosen'])}.",
        "",
        "## How good it is",
        "",
        *_figures(facts["figures"]),
        "",
        "Intervals, other metrics and the comparison with other models:",
        "",
        f"    SELECT * FROM leaderboard WHERE task = '{facts['task']}'",  # noqa: S608
        "",
    ]
    return "\n".join(lines)


def _chosen(chosen: dict[str, Any]) -> str:
    if not chosen:
        return ""
    nested = any(isinstance(value, dict) for value in chosen.values())
    said = (
        "; ".join(f"for {name} {_listed(own)}" for name, own in chosen.items())
        if nested
        else _listed(chosen)
    )
    return f". Chosen on inner folds of its training tracks: {said}"


def _listed(chosen: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in chosen.items())


def _figures(figures: dict[str, Any]) -> list[str]:
    measured = {
        "test": "on the published test tracks",
        "cv": "on tracks by artists that were kept out of its training",
    }
    return [
        f"Accuracy {figures['accuracy']:.3f} {measured[figures['split']]} "
        f"({figures['n']:,} tracks). Always predicting {figures['most_frequent_genre']}, the most "
        f"frequent among them, has {figures['most_frequent_share']:.3f}."
    ]
