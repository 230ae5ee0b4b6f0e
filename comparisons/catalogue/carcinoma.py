"""Seven pathologists on the same slides (Landis & Koch 1977): three latent classes, with probabilities at 0 and 1."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import ItemResponses


def slides(dataset: Dataset) -> ItemResponses:
    """All slides, each rated by all seven."""
    return ItemResponses(
        np.column_stack(list(dataset.columns.values())),
        item_names=tuple(dataset.columns),
        categories=[("no", "yes")] * len(dataset.columns),
    )


def findings(fitted: Fitted) -> list[Finding]:
    """What three classes explain that two do not, and where the maximum lies."""
    fit, data = fitted.maximum_likelihood, fitted.data
    one, two = (em.latent_class_mixture(data, n_components=k) for k in (1, 2))
    p = fit.parameters.item_probabilities[..., 1]
    middle = int(np.argsort(p.mean(axis=1))[1])
    apart = [name for name, chance in zip(data.names, p[middle], strict=True) if 0.25 < chance < 0.75]
    return [
        Finding(
            "Two classes, or three",
            f"One class has log-likelihood {one.log_likelihood:.4f}, two have {two.log_likelihood:.4f} and three "
            f"{fit.log_likelihood:.4f}. On the third, {fit.parameters.weights[middle]:.0%} of the slides, pathologists disagree: "
            f"{', '.join(apart)} say yes to some half of them, the others to nearly all or to none.",
        ),
        Finding(
            "Probabilities at 0 and 1",
            f"Of {p.size} probabilities {int(((p == 0) | (p == 1)).sum())} are 0 or 1 at the maximum. Standard errors "
            "of the others are given these, as in other programs; the posterior is the better account of what is not known.",
        ),
    ]


COMPARISON = Comparison(
    name="carcinoma",
    title="Seven pathologists",
    question="Carcinoma or not, by seven pathologists on 118 slides: are there three kinds of slides?",
    dataset="carcinoma",
    description="118 slides of the uterine cervix, each rated by seven pathologists",
    unit="slides",
    data=slides,
    components=("no", "disputed", "yes"),
    prior_reason=(
        "Half a slide more in each category of every pathologist, and one slide more for each weight, so that the mode empties "
        "no class and no probability is 0 or 1."
    ),
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
