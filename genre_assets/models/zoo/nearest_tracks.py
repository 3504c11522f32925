"""Nearest neighbours that also work where there are fewer tracks than neighbours.

Import late: this module needs scikit-learn.
"""

from typing import Any

from sklearn.neighbors import KNeighborsClassifier


class NearestTracks(KNeighborsClassifier):
    """A classifier by the nearest tracks, or by all of them where there are fewer."""

    def kneighbors(
        self,
        X: Any = None,  # noqa: N803  as scikit-learn calls it
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """The nearest tracks of each row."""
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        there = min(int(wanted or 1), self.n_samples_fit_)
        return super().kneighbors(X, there, return_distance)
