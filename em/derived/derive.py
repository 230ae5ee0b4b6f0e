"""An EM out of a PyMC program: its discrete latent variables are summed out exactly, its steps derived from its log density."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from em.ascent.climb import MAX_ITERATIONS
from em.derived.ascent import PATIENCE, Climb, climb, collapsed, led_on
from em.derived.densities import Densities, Values
from em.derived.fit import SAME_MODE, DerivedFit, fitted
from em.derived.program import columns_of, program_of
from em.derived.steps import NoDerivatives, Point, Steps, steps_of
from em.derived.symmetry import Exchange, exchange_of
from em.progress import Progress, waiting
from models.display import displayed
from models.inputs import Floats, shown, some_of, whole_number, yes_or_no

if TYPE_CHECKING:
    import pymc as pm

# Starts from draws of the prior, and as many from the data. From the data responsibilities are mostly one state's.
STARTS, CERTAIN = 6, 0.9
# Rounds in which the best end is left by moving entries between states, of groups with so many entries a state.
ROUNDS, MOVED = 3, 5
# Shares of its part of the entries that a state takes of those that are fitted worst.
WORST = (0.5, 0.1)
# Steps from a bound before it is seen whether they lead higher.
AT_BOUND_STEPS = 200
# States up to which groups are cut into runs of similar data; beyond, states are drawn.
FEW_STATES = 8


@dataclass(frozen=True, slots=True, eq=False)
class DerivedEM:
    """An EM that was derived from a PyMC program; made by `em.derive`.

    Attributes
    ----------
    model : the program
    steps : its E-step and M-step
    names : of all numbers of the parameters, one after the other
    exchange : how components can change places, found by trying
    """

    model: pm.Model
    steps: Steps
    names: tuple[str, ...]
    exchange: Exchange

    def __repr__(self) -> str:
        """The parameters, and what was summed out."""
        return displayed(self, ("parameters", "latents", "closed", "exchangeable"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the program's parameters."""
        return self.steps.densities.space.names

    @property
    def exchangeable(self) -> tuple[str, ...]:
        """Parameters that change where components change places, the one that they are ordered by first."""
        return self.exchange.names

    @property
    def latents(self) -> tuple[str, ...]:
        """Names of what is summed out: latent variables, or mixtures that have summed out their own."""
        program = self.steps.densities.program
        return tuple(each.name for each in program.latents) or tuple(program.tables)

    @property
    def closed(self) -> tuple[str, ...]:
        """Parameters whose M-step is in closed form by maximum likelihood."""
        return self.steps.closed[False]

    @property
    def n_parameters(self) -> int:
        """Numbers that are free: of shares of a whole all but one."""
        return self.steps.densities.space.size

    def log_likelihood(self, parameters: Mapping[str, Any]) -> float:
        """Of what was observed, latent variables summed out, in nats; -inf where it has no density."""
        return self.steps.at(self._values(parameters)).log_likelihood

    def log_prior(self, parameters: Mapping[str, Any]) -> float:
        """Of the parameters on their natural scale, in nats."""
        return self.steps.at(self._values(parameters)).log_prior

    def e_step(self, parameters: Mapping[str, Any]) -> list[Floats]:
        """Exact chances ``(K, n)`` of the joint states of each group of latent entries; of mixtures one array each."""
        return self.steps.at(self._values(parameters)).shares

    def m_step(self, shares: Sequence[Floats], start: Mapping[str, Any], *, prior: bool = False) -> Values:
        """Parameters that maximise the expected complete-data log density, and the log prior with it; sought from ``start``.

        ``shares`` as of `e_step`; ValueError where they are of other shapes, negative or no numbers.
        """
        yes_or_no("prior", prior)
        asked = self.steps.densities.shapes
        if not isinstance(shares, Sequence) or [np.shape(each) for each in shares] != [*asked]:
            has = some_of(np.shape(each) for each in shares) if isinstance(shares, Sequence) else type(shares).__name__
            raise ValueError(
                f"shares are {has or 'none'}; give a list of arrays of the shapes {some_of(asked)}, as e_step does"
            )
        if not all((np.asarray(each) >= 0).all() and np.isfinite(each).all() for each in shares):
            raise ValueError("shares have entries that are negative or no numbers; give chances, as e_step does")
        return self.steps.m_step(shares, self._values(start), prior=prior)

    def responsibilities(self, parameters: Mapping[str, Any], latent: str | None = None) -> Floats:
        """Posterior probability of each state of a latent variable, given the parameters.

        Parameters
        ----------
        parameters : by name
        latent : the variable, or the mixture that has summed it out; the only one where None

        Returns
        -------
        ``(*shape, K)`` of a latent variable of that shape, its states in ascending order; ``(n, K)`` of a mixture's rows

        Raises
        ------
        ValueError
            for a name that is none of `latents`
        """
        if latent is None and len(self.latents) == 1:
            latent = self.latents[0]
        if latent not in self.latents:
            raise ValueError(f"latent is {shown(latent)}; give one of {some_of(self.latents)}")
        shares, densities = self.e_step(parameters), self.steps.densities
        place = self.latents.index(latent)
        if densities.groups is None:
            return np.asarray(shares[place].T)
        variable, g = densities.program.latents[place], densities.groups
        states, of_entry = g.states[place], g.of_entries[place]
        chances = shares[0][:, of_entry]
        return np.stack([(chances * (states == state)).sum(axis=0) for state in variable.states], axis=-1)

    def starts(self, seed: int) -> list[Values]:
        """Where a search begins: draws of the program's prior, and M-steps from responsibilities that are made from the data."""
        import pymc as pm

        random = np.random.default_rng(seed)
        space, model = self.steps.densities.space, self.model
        columns = {n: columns_of(model, n) for _, n in self.steps.densities.shapes}
        variables = [v for v in model.free_RVs if str(v.name) in space.names]
        found: list[Values] = []
        try:
            drawn = pm.draw(variables, draws=STARTS, random_seed=int(random.integers(2**31)))
        except NotImplementedError:  # a flat prior cannot be drawn from; the data are enough
            drawn = None
        if drawn is not None:
            by_name = {str(v.name): np.asarray(d, dtype=float) for v, d in zip(variables, drawn, strict=True)}
            found = [self.steps.off_bounds({name: by_name[name][j] for name in space.names}) for j in range(STARTS)]
        for j in range(STARTS):
            base = found[j] if j < len(found) else space.values(0.5 * random.normal(size=space.size))
            made = self._of_data(base, columns, random)
            found += [] if made is None else [made]
        return [each for each in found if np.isfinite(self.steps.at(each).log_likelihood)]

    def _of_data(self, base: Values, columns: Mapping[int, Floats], random: np.random.Generator) -> Values | None:
        """An M-step from groups that are put into one state each, those of similar data into the same where states are few."""
        densities, shares = self.steps.densities, []
        for (k, n), table in zip(densities.shapes, self.steps.tables(base), strict=True):
            state = random.integers(k, size=n)
            of_entries = columns[n]
            if of_entries.size and k <= FEW_STATES:
                cuts = np.sort(random.uniform(size=k - 1))
                key = of_entries @ random.normal(size=of_entries.shape[1]) + 1e-9 * random.normal(size=n)
                ranks = (np.argsort(np.argsort(key)) + 0.5) / n
                state = random.permutation(k)[np.searchsorted(cuts, ranks)]
            share = np.where(np.arange(k)[:, None] == state, CERTAIN, 0.0) + (1 - CERTAIN) / k
            share = np.where(np.isfinite(table), share, 0.0)
            if not share.sum(axis=0).all():
                return None
            shares.append(share / share.sum(axis=0))
        return self.steps.m_step(shares, base, prior=False)

    def _moved(self, at: Point) -> list[Values]:
        """M-steps from an end where one state gives up entries: all but the half that fits it best, or all for the worst fitted.

        So a state that was too wide for what it holds is narrowed, and one that is not needed is sent where one is missing.
        """
        tables, found = self.steps.tables(at.values), []
        for g, (table, share) in enumerate(zip(tables, at.shares, strict=True)):
            k, n = table.shape
            if not 1 < k <= FEW_STATES or n < MOVED * k:
                continue
            fitted_by = logsumexp(table, axis=0)
            for state in range(k):
                own = share[state] > 0.5
                narrowed = own & (table[state] >= np.median(table[state][own])) if own.any() else own
                alone = np.arange(k)[:, None] == state
                others = np.where(alone, 0.0, share)
                left = others.sum(axis=0)
                others = np.divide(others, left, out=share.copy(), where=left > 0)
                mostly = CERTAIN * alone + (1 - CERTAIN) * others
                worst = [fitted_by <= np.quantile(fitted_by, share / k) for share in WORST]
                for taken in (narrowed, *worst):
                    made = np.where(taken & np.isfinite(table[state]), mostly, others)
                    shares = [made if j == g else each for j, each in enumerate(at.shares)]
                    found.append(self.steps.m_step(shares, at.values, prior=False))
        return [each for each in found if np.isfinite(self.steps.at(each).log_likelihood)]

    def _bounded(self, at: Point) -> list[Values]:
        """The parameters at an end with a single number at a bound of its domain, where a maximum may be that no step reaches."""
        found = []
        for block in self.steps.densities.space.blocks:
            bounds = {"log": [block.low], "logit": [block.low, block.high]}.get(block.kind, [])
            for place, bound in itertools.product(range(block.size), bounds):
                there = np.array(at.values[block.name], dtype=float)
                there.flat[place] = bound
                found.append(self.steps.off_bounds({**at.values, block.name: there}))
        return [each for each in found if np.isfinite(self.steps.at(each).log_likelihood)]

    def _climbed(self, starts: Sequence[Values], *, max_iterations: int = MAX_ITERATIONS, **how: Any) -> list[Climb]:
        """Runs from these starts, first those that end soon, but for those that come to where the program has no derivatives."""
        first = min(PATIENCE, max_iterations) if how["accelerated"] else max_iterations
        runs: list[Climb] = []
        for each in starts:
            with suppress(NoDerivatives):
                runs.append(climb(self.steps, each, max_iterations=first, **how))
        if not how["accelerated"]:
            return runs
        onward = {name: value for name, value in how.items() if name != "accelerated"}
        ended = [run for run in runs if run.ended]
        for run in sorted((run for run in runs if not run.ended), key=lambda run: run.trace[-1], reverse=True):
            heights = [r.trace[-1] for r in ended if r.ended and not collapsed(self.steps, r.end, prior=how["prior"])]
            best = max(heights, default=-np.inf)
            with suppress(NoDerivatives):
                ended.append(led_on(self.steps, run, max_iterations=max_iterations, best=best, **onward))
        return ended

    def fit(
        self,
        *,
        prior: bool = False,
        start: Mapping[str, Any] | None = None,
        seed: int = 0,
        accelerated: bool = True,
        max_iterations: int = MAX_ITERATIONS,
        progress: bool = True,
    ) -> DerivedFit:
        """Fit from several starts, or from one.

        Parameters
        ----------
        prior : for the posterior mode, of the density on the natural scale, in place of maximum likelihood
        start : parameters by name, whose labelling is kept; several are tried where None
        seed : of the starts
        accelerated : extrapolate by Anderson's method and end by Newton's; else plain steps, for their path
        max_iterations : of each run
        progress : whether a fit of more than 5 s says on standard error how far it is

        Returns
        -------
        DerivedFit
            Read like an `em.Fit`. The best regular end; its ``status`` says what it is.

        Raises
        ------
        ValueError
            for parameters that the program does not have, or outside their domain; where no start gives the data a density
        ObjectiveDecreased
            where a step lowers the objective beyond rounding
        """
        yes_or_no("prior", prior)
        yes_or_no("accelerated", accelerated)
        yes_or_no("progress", progress)
        whole_number("seed", seed, least=0)
        whole_number("max_iterations", max_iterations, least=1)
        starts = self.starts(seed) if start is None else [self._values(start)]
        if not starts:
            raise ValueError("the data have no density at any start; give start=, parameters near the data")
        line = Progress()
        how: dict[str, Any] = {"accelerated": accelerated, "max_iterations": max_iterations}
        how |= {"prior": prior, "progress": line if progress else None}
        spent = 0
        try:
            # Where every start comes to where there are no derivatives, the first says why.
            runs = self._climbed(starts, **how) or [climb(self.steps, starts[0], **how)]
            for _ in range(ROUNDS if start is None else 0):
                bounded = [run for run in runs if not collapsed(self.steps, run.end, prior=prior)]
                best = max(bounded, key=lambda run: run.trace[-1], default=None)
                if best is None:
                    break
                height = best.trace[-1] + SAME_MODE
                moved = self._climbed(self._moved(best.end), **how)
                # From a bound that is no maximum EM may not come away, or slowly: such a run is worth nothing.
                few = how | {"max_iterations": min(max_iterations, AT_BOUND_STEPS)}
                at_bounds = self._climbed(self._bounded(best.end), **few)
                spent += sum(run.evaluations for run in at_bounds)
                higher = self._climbed([run.end.values for run in at_bounds if run.trace[-1] > height], **how)
                runs += [*moved, *higher]
                if not higher and not any(run.trace[-1] > height for run in moved):
                    break
        finally:
            line.end()
        return fitted(self, runs, spent, prior=prior, in_order=start is None, accelerated=accelerated)

    def _values(self, parameters: Mapping[str, Any]) -> Values:
        """Parameters of the right names, shapes and domains."""
        space = self.steps.densities.space
        if not isinstance(parameters, Mapping):
            raise TypeError(f"parameters are {shown(parameters)}; give a mapping with {some_of(space.names)}")
        if set(parameters) != set(space.names):
            raise ValueError(f"parameters are {some_of(parameters) or 'none'}; the program has {some_of(space.names)}")
        values = {}
        for name, shape in space.shapes.items():
            try:
                values[name] = np.asarray(parameters[name], dtype=float)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} is {shown(parameters[name])}; give numbers of shape {shape}") from error
            if values[name].shape != shape:
                raise ValueError(f"{name} has the shape {values[name].shape}; the program has {shape}")
        if (name_outside := space.outside(values)) is not None:
            domain = space.domain(name_outside)
            raise ValueError(
                f"{name_outside} is {shown(values[name_outside])}, outside its domain in the program, {domain}"
            )
        return values


def derive(model: pm.Model, latent: str | Sequence[str] | None = None, *, compiled: bool = True) -> DerivedEM:
    """Make an EM of a PyMC program with discrete latent variables.

    They may be `pm.Categorical`, `pm.Bernoulli` or `pm.DiscreteUniform`, one or several a row, vectors of them, or one for all,
    as in a change-point; or summed out already by `pm.Mixture`. The E-step enumerates their joint states exactly. The M-step is
    in closed form where the program is conjugate in a parameter, else by a quasi-Newton method with exact derivatives.

    Parameters
    ----------
    model : with observed data
    latent : names of the latent variables, which have to be all discrete free variables; all where None
    compiled : evaluate the densities by machine code, which takes some seconds to make; else operation by operation, ready at
        once and a hundred times slower

    Returns
    -------
    DerivedEM
        With ``fit()``, ``e_step``, ``m_step``, ``log_likelihood``

    Raises
    ------
    TypeError, ValueError
        for a program of which none can be made, with the reason and what to do: continuous latent variables, entries that hang
        on each other beyond 4096 joint states, one that sizes another variable, minibatches, scans, potentials, missing values

    Examples
    --------
    >>> fit = em.derive(model).fit()  # doctest: +SKIP
    >>> fit.parameters, fit.standard_errors.values, fit.responsibilities()  # doctest: +SKIP
    """
    yes_or_no("compiled", compiled)
    program = program_of(model, latent)
    with waiting("em.derive: the densities of the program are being compiled, which may take half a minute"):
        steps = steps_of(Densities(program, compiled=compiled))
    names = tuple(
        block.name + (f"[{', '.join(map(str, place))}]" if place else "")
        for block in steps.densities.space.blocks
        for place in itertools.product(*map(range, block.shape))
    )
    return DerivedEM(model, steps, names, exchange_of(steps))
