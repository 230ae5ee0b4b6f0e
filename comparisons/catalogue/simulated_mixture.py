"""Two normals simulated for posteriordb: well separated, a thousand rows, the model true."""

from comparisons.datasets import Dataset
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison, Fitted
from comparisons.results.report_data import Finding
from models import Measurements


def values(dataset: Dataset) -> Measurements:
    """The thousand values."""
    return Measurements(dataset.columns["y"])


def findings(fitted: Fitted) -> list[Finding]:
    """Whose prior this is."""
    fit = fitted.maximum_likelihood
    gap = float(fit.parameters.means[1, 0] - fit.parameters.means[0, 0])
    widest = float(fit.parameters.standard_deviations.max())
    return [
        Finding(
            "The data of posteriordb, the prior of this suite",
            "posteriordb pairs these data with a model of its own: sd half-normal(0, 2), ordered means normal(0, 2), weight "
            "Beta(5, 5). That posterior has no mode to compare with: a half-normal sd does not vanish at zero. Here both "
            f"engines have the prior below. The means are {gap / widest:.1f} standard deviations apart, so this is where "
            "the two should agree if they ever do.",
        )
    ]


COMPARISON = Comparison(
    name="simulated-mixture",
    title="A simulated mixture (posteriordb)",
    question="Two normals simulated for posteriordb: do the engines agree where the model is true?",
    dataset="posteriordb_low_dim_gauss_mix",
    description="1000 values simulated from a mixture of two normals",
    unit="",
    data=values,
    components=("1", "2"),
    features=("y",),
    prior_reason=WEAKLY_INFORMATIVE,
    findings=findings,
)


if __name__ == "__main__":
    import sys

    from comparisons.command.command_line import main

    main(["run", COMPARISON.name, *sys.argv[1:]])
