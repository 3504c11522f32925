"""Models that are made of the predictions of others and fit nothing themselves."""

from genre_assets.models.protocol import ModelSpec, Predictions

MODELS = (
    ModelSpec(
        "vote",
        "The mean of the probabilities of svm, random_forest and boosting.",
        version="2",
        family="ensembles",
        by_default=True,
        inputs=(Predictions(of=("svm", "random_forest", "boosting")),),
        adapter="mean",
    ),
)
