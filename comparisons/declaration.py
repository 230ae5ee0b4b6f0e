"""What a comparison is: one question, one data set, one model with its prior, and what it has to tell beside its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comparisons.datasets import Dataset
from comparisons.names import distinct_names, readable_text
from comparisons.results.report_data import Finding
from em import Fit
from models.gaussians.covariances import Covariance
from models.mixtures import Weights

WEAKLY_INFORMATIVE = (
    "Read off the data: mean and scale after Fraley & Raftery (2007), as mclust's users know them. With d + 4 degrees of "
    "freedom posterior variances and their Monte Carlo errors exist, and with a shrinkage of 0.05 the prior mean is worth a"
    " twentieth of a row; these two are this suite's. For each covariance the mode counts 2d + 6 rows more, whose squares "
    "and products together sum to the scale alone (twice that of an inverse-gamma): with the pull on the means this moves "
    "the spread of a component with few rows, up or down; free weights get one row for each component, so that the mode "
    "empties none. The posterior mode shows what that does; the mean may move less, or more."
)
UNIFORM = (
    "Uniform in the weights, where they are free, and in the head probabilities: the posterior mode in these is the maximum"
    " of the likelihood. What is computed from several of them, such as chance_of_heads, has a prior that is not uniform "
    "but highest in the middle. Where components are put into order theirs are not uniform either: the lower of two uniform"
    " coins is Beta(1, 2), highest at 0. Posterior means feel it."
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a comparison's findings may draw on: the data as published and every row as declared, and the fits."""

    dataset: Dataset
    data: Any
    maximum_likelihood: Fit[Any, Any]
    posterior_mean: dict[str, float]
    posterior_sd: dict[str, float]


type Findings = Callable[[Fitted], list[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is asked of which data, whatever the model: a pure value.

    Attributes
    ----------
    name, title, question : as in the list of comparisons
    dataset : name of a data set of `comparisons.datasets`
    description : of the rows as fitted
    unit, units : of what was measured: one of all, or one of each feature that has one, by its name
    data : from the data set as published to what is fitted
    prior_reason : one sentence that defends the prior
    findings : sentences with numbers that this comparison tells beside its verdict

    Raises
    ------
    TypeError, ValueError
        for a text that is none, and a name that is empty or has characters that no file can show
    """

    name: str
    title: str
    question: str
    dataset: str
    description: str
    unit: str
    units: Mapping[str, str] = field(default_factory=dict)
    data: Callable[[Dataset], Any]
    prior_reason: str = ""
    findings: Findings = lambda fitted: []

    def __post_init__(self) -> None:
        for argument in ("name", "title", "question", "dataset", "description", "unit", "prior_reason"):
            readable_text(argument, getattr(self, argument))
        if not self.name.strip():
            raise ValueError("name is empty; give the comparison one that its directory and its report can bear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Declaration):
    """A declared mixture, read by both engines.

    Attributes
    ----------
    components : what the components are called, by canonical position (ascending head probability or first mean, or in what
        separates them better, see `models.order.Order`); where rows are labelled, by label
    n_components, weights, covariance : as in `em.coin_mixture` and `em.gaussian_mixture`
    features : names of the columns of measurements, in their order; left out, those of the data. None for coins.
    family : `models.family.Family` where it is one of somebody's own; the name of one of ``comparisons families`` where that is
        not the first whose data these are
    prior : numbers, or None for the default of the family, made from the data
    rival : name of a comparison of the catalogue with another model of the same data, which `comparisons components` holds
        against this one

    Raises
    ------
    TypeError, ValueError
        as `Declaration`, and for two names alike
    """

    components: Sequence[str]
    weights: Weights = "free"
    covariance: Covariance = "full"
    features: Sequence[str] = ()
    prior: Any = None
    family: Any = None
    rival: str = ""

    def __post_init__(self) -> None:
        # Without super(): a class with slots is made anew.
        Declaration.__post_init__(self)
        for kind in ("component", "feature"):
            object.__setattr__(self, f"{kind}s", distinct_names(kind, getattr(self, f"{kind}s")))
        if not self.components:
            raise ValueError("components is empty; give a name for each component, such as ['1', '2']")

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.components)
