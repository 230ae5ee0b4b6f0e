"""Four situations of role conflict (Stouffer & Toby 1951): the classic two latent classes."""

import numpy as np

import em
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.results.report_data import Finding
from models import ItemResponses, LatentClassPrior


def answers(dataset: Dataset) -> ItemResponses:
    """All answers, none of them missing."""
    return ItemResponses(np.column_stack(list(dataset.columns.values())), item_names=tuple(dataset.columns))


def findings(fitted: Fitted) -> list[Finding]:
    """How much better two classes are than one."""
    fit, data = fitted.maximum_likelihood, fitted.data
    one = em.latent_class_mixture(data, n_components=1)
    return [
        Finding(
            "One class, or two",
            f"Were the four answers independent, in one class, the log-likelihood would be {one.log_likelihood:.4f}; two "
            f"classes, within which they are, have {fit.log_likelihood:.4f} with five parameters more. These four items cannot "
            "tell three classes apart, wherever the parameters are (Goodman 1974).",
        )
    ]


COMPARISON = Comparison(
    name="role-conflict",
    title="Role conflict",
    question="Four answers of 216 students about a friend in conflict with the rules: are there two kinds of students?",
    dataset="role_conflict",
    description="216 students, each with answers to four situations",
    unit="answers",
    data=answers,
    components=("1", "2"),
    prior=LatentClassPrior(),
    prior_reason="Uniform in the weights and in all item probabilities: the posterior mode is the maximum of the likelihood.",
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
