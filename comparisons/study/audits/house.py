"""A family's own EM with a plain PyMC program of the same model, as a pair: what audits are tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import Any

import numpy as np
import pymc as pm

from comparisons.families.mixtures import MixtureProblem
from comparisons.pair import PRIOR, Pair, Values
from comparisons.study.audits import programs
from em.mixture import row_posteriors
from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class House:
    """A family's EM of a data set.

    Attributes
    ----------
    problem : the mixture and its rows
    rows : ``(n,)`` place among the distinct rows of each whose component is not known, as often as it was seen
    sound : the mixture with its prior, made before anything is broken, which is what log-likelihood and log prior are of
    """

    problem: MixtureProblem
    rows: Any
    sound: Any
    _mixtures: dict[bool, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: MixtureProblem) -> House:
        """Of a problem whose counts are whole."""
        unknown = np.flatnonzero(problem.data.labels < 0)
        rows = np.repeat(unknown, problem.data.counts[unknown])
        return cls(problem, rows, problem.mixture(problem.prior))

    def mixture(self, *, prior: bool) -> Any:
        """What steps: made when it is first asked for, so that what breaks it may be at work."""
        if prior not in self._mixtures:
            self._mixtures[prior] = self.problem.mixture(self.problem.prior if prior else None, standardise=True)
        return self._mixtures[prior]

    @property
    def known(self) -> Floats:
        """``(K,)`` rows whose component is known."""
        data, k = self.problem.data, self.problem.comparison.n_components
        return np.asarray(data.counts @ np.equal.outer(data.labels, np.arange(k)))

    def program(self) -> pm.Model:
        """Rows whose component is known are observed with it, beside the mixture of the others."""
        data, prior, k = self.problem.data, self.problem.prior, self.problem.comparison.n_components
        columns = self.problem.family.columns(data)
        known = np.repeat(np.flatnonzero(data.labels >= 0), data.counts[data.labels >= 0])
        observed, labels = programs.outcomes(prior, columns), data.labels[known]
        fixed = self.problem.weights.fixed
        with pm.Model() as model:
            free = fixed is None
            weights = pm.Dirichlet("weights", np.full(k, float(prior.concentration))) if free else np.array(fixed)
            of_row = programs.program(prior, k)
            every = of_row(columns[self.rows].T[..., None], slice(None))
            pm.Mixture("y", w=weights, comp_dists=every, observed=observed[self.rows])
            if len(known):
                pm.Categorical("z_known", p=weights, observed=labels)
                model.register_rv(of_row(columns[known].T, labels), "y_known", observed=observed[known])
        return model

    def parameters(self, values: Values) -> Any:
        """The family's own parameters."""
        fixed = self.problem.weights.fixed
        weights = {} if fixed is None else {"weights": fixed}
        return self.problem.family.of_arrays(programs.natural(self.problem.prior, values) | weights)

    def values(self, parameters: Any) -> Values:
        """Values of the program's variables."""
        found = self.problem.to_pymc(parameters)
        return {name: np.asarray(each, dtype=float) for name, each in found.items()}

    def log_likelihood(self, values: Values) -> float:
        """Of all rows."""
        return float(self.row_log_likelihoods(values) @ self.problem.data.counts)

    def row_log_likelihoods(self, values: Values) -> Floats:
        """Of each distinct row."""
        return row_posteriors(self.sound, self.parameters(values))[1]

    def log_prior(self, values: Values) -> float:
        """Of all parameters."""
        return float(self.sound.log_prior(self.parameters(values)))

    def e_step(self, values: Values) -> Floats:
        """``(n, K)`` responsibilities of the rows whose component is not known."""
        mixture = self.mixture(prior=False)
        r = row_posteriors(mixture, mixture.from_published(self.parameters(values)))[0]
        return np.asarray(r[self.rows])

    def m_step(self, r: Floats, *, prior: bool, labels: bool = True) -> Values:
        """Of responsibilities as `e_step` gives them, with the rows whose labels are known or without."""
        data, k = self.problem.data, self.problem.comparison.n_components
        mean = np.equal.outer(data.labels, np.arange(k)).astype(float) * labels
        np.add.at(mean, self.rows, r / data.counts[self.rows, None])
        mixture = self.mixture(prior=prior)
        return self.values(mixture.published(mixture.start_from(mean, wide=False)))

    def em_step(self, values: Values, *, prior: bool) -> Values:
        """One iteration as a fit makes it."""
        mixture = self.mixture(prior=prior)
        before = mixture.from_published(self.parameters(values))
        return self.values(mixture.published(mixture.m_step(mixture.e_step(before))))

    def start(self, random: np.random.Generator) -> Values:
        """From random responsibilities, as many begin."""
        k = self.problem.comparison.n_components
        return self.m_step(random.dirichlet(np.full(k, 0.5), size=len(self.rows)), prior=True)

    def pair(self, begun: Values, *, whole: bool = False, **broken: Any) -> Pair:
        """The pair, its steps in one function or in two, with what is ``broken`` in place of functions of this name, or start."""
        names, broken = tuple(begun), {"start": begun, "stop": None} | broken
        every = ("log_likelihood", "log_prior", "e_step", "m_step", "em_step")
        of = {name: broken.get(name, getattr(self, name)) for name in every}
        if whole:
            steps = {"em_step": by_name(of["em_step"], names, prior=True)}
        else:
            steps = {"e_step": by_name(of["e_step"], names), "m_step": by_name(of["m_step"], (PRIOR,), leading=1)}
        return Pair(
            model=lambda rows: self.program(),
            log_likelihood=by_name(of["log_likelihood"], names),
            log_prior=by_name(of["log_prior"], names),
            start=broken["start"],
            stop=broken["stop"],
            data=self.rows,
            name="house",
            **steps,
        )


def by_name(function: Callable[..., Any], names: tuple[str, ...], *, leading: int = 0, prior: bool = False) -> Any:
    """A function of values as a pair's function, whose arguments are these ``names``, after so many ``leading`` ones."""

    def named(*first: Any, **values: Any) -> Any:
        if leading:
            return function(*first, **values)
        told = {PRIOR: values.pop(PRIOR)} if prior else {}
        return function(values, **told)

    arguments = [Parameter(f"first_{j}", Parameter.POSITIONAL_ONLY) for j in range(leading)]
    arguments += [Parameter(name, Parameter.KEYWORD_ONLY) for name in (*names, *([PRIOR] if prior else []))]
    named.__signature__ = Signature(arguments)  # type: ignore[attr-defined]
    return named
