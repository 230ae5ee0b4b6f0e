"""EM for mixtures of overdispersed coins: ``h`` heads in ``t`` tosses of a bag, from one of K components that is not known.

    E-step:  r_ik  proportional to  w_k f_k(h_i),   f(h) = C(t, h) A(p, h) A(1 - p, t - h) / A(1, t),
             A(x, m) = prod_{s < m} (x (1 - rho) + s rho),   which is a binomial distribution at rho = 0
    M-step:  p_k and rho_k that maximise sum_i r_ik log f_k(h_i); see `em.overdispersed`

and with a prior the mode of the same with it. Of a product the first factors of all three make one, p^[h > 0] (1 - p)^[h < t]
(1 - rho)^[0 < h < t], so that densities exist at rho = 1 too, where all tosses of a bag fall alike. Source: Griffiths (1973),
Biometrics 29, 637.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from em.elementwise import PROBABILITY, Domain, fit_elementwise
from em.fit import Fit, Options
from em.mixture import trusted
from em.overdispersed import OverdispersedMixture
from em.rising import Rising
from models.beta_binomials import BetaBinomialParameters, BetaBinomialPrior
from models.coins.nouns import CoinTosses
from models.display import displayed
from models.inputs import Floats, Integers
from models.mixtures import Weights

# Head probabilities at which a component is tried, and correlations.
TRIED, CORRELATIONS = 101, (0.0, 0.05, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class BetaBinomialStandardErrors:
    """Standard errors of `models.BetaBinomialParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(3 K, 3 K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    head_probabilities: Floats
    correlations: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class BetaBinomialMixture(OverdispersedMixture):
    """See `em.overdispersed.OverdispersedMixture`."""

    kind = "beta-binomials"
    noun, parameters, priors = CoinTosses, BetaBinomialParameters, BetaBinomialPrior
    errors = BetaBinomialStandardErrors
    domains: ClassVar[dict[str, Domain]] = {"head_probabilities": PROBABILITY, "correlations": PROBABILITY}
    limits: ClassVar[dict[str, dict[float, str]]] = {
        "correlations": {0.0: "a binomial component", 1.0: "all tosses of a bag alike"}
    }
    modal: ClassVar[dict[str, float]] = dict.fromkeys(
        ("heads", "tails", "correlated", "uncorrelated", "concentration"), 1.0
    )
    prior_fields = (("heads", "tails"), ("correlated", "uncorrelated"))
    average = "chance_of_heads"
    data: CoinTosses

    def _collect(self) -> None:
        super()._collect()
        h, t = self.seen, self.over
        self.tails = t - h
        self.rising = Rising(self.data.heads), Rising(self.data.tosses - self.data.heads), Rising(self.data.tosses)
        self.coefficients = gammaln(t + 1) - gammaln(h + 1) - gammaln(self.tails + 1)

    def totals(self) -> tuple[Floats, Floats]:
        return self.data.heads.astype(float), self.data.tosses.astype(float)

    def places(self) -> Floats:
        return np.asarray((self.data.heads / self.data.tosses)[:, None])

    def _kinds(self) -> tuple[Floats, Floats]:
        """``(n, 1)`` whether there are heads, and whether there are tails."""
        return (self.seen > 0)[:, None].astype(float), (self.tails > 0)[:, None].astype(float)

    def densities(self, place: Floats, dispersion: Floats) -> Floats:
        p, rho, (heads, tails), (up, down, all_) = place, dispersion, self._kinds(), self.rising
        first = xlogy(heads, p) + xlog1py(tails, -p) + xlog1py(heads * tails, -rho)
        rest = up(np.log(p * (1 - rho) + up.nodes * rho)) + down(np.log((1 - p) * (1 - rho) + down.nodes * rho))
        return np.asarray(self.coefficients[:, None] + first + rest - all_(np.log1p((all_.nodes - 1) * rho)))

    def derivatives(self, place: Floats, dispersion: Floats) -> list[Floats]:
        p, rho, (heads, tails), (up, down, all_) = place, dispersion, self._kinds(), self.rising
        by_p, by_q = np.where(heads == 0, 0.0, heads / p), np.where(tails == 0, 0.0, tails / (1 - p))
        both = np.where(heads * tails == 0, 0.0, 1 / (1 - rho))
        one, other = 1 / (p * (1 - rho) + up.nodes * rho), 1 / ((1 - p) * (1 - rho) + down.nodes * rho)
        along, against = (up.nodes - p) * one, (down.nodes - (1 - p)) * other
        whole = (all_.nodes - 1) / (1 + (all_.nodes - 1) * rho)
        return [
            by_p - by_q + (1 - rho) * (up(one) - down(other)),
            up(along) + down(against) - all_(whole) - both,
            -by_p * by_p - by_q * by_q - (1 - rho) ** 2 * (up(one**2) + down(other**2)),
            down(other + (1 - rho) * against * other) - up(one + (1 - rho) * along * one),
            all_(whole**2) - up(along**2) - down(against**2) - both**2,
        ]

    def at_0(self, place: Floats) -> tuple[Floats, Floats, Floats]:
        h, t, m = (v[:, None] for v in (self.seen, self.tails, self.over))
        density = self.coefficients[:, None] + xlogy(h, place) + xlog1py(t, -place)
        pairs = [np.where(x < 2, 0.0, x * (x - 1) / q) for x, q in ((h, place), (t, 1 - place))]
        return density, 0.5 * (pairs[0] + pairs[1] - m * (m - 1)), 0.5 * m * (m - 1) + 0 * place

    def sizes(self) -> Floats:
        return np.asarray(4 * gammaln(self.over + 1))

    def weak_prior(self) -> BetaBinomialPrior:
        return BetaBinomialPrior(2.0, 2.0, concentration=2.0)

    def _all_or_none(self, r: Floats, best: Floats) -> Floats:
        # Where all bags of a component have heads alone or tails alone, nothing is as likely as that they have no other.
        mixed = (self.seen > 0) & (self.tails > 0)
        alone = ((self.over > 1) @ r > 0) & ~(mixed @ (r > 0)) & (self._own_prior(1)[2] == 1)
        _, a, b = self._own_prior(0)
        share = ((self.seen > 0) @ r + a - 1) / np.maximum(r.sum(axis=0) + a + b - 2, np.finfo(float).tiny)
        return np.where(alone & ~self._ended(best[0]), np.stack([share, np.ones_like(share)]), best)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        angles = np.arcsin(np.sqrt(self.points))
        tried = np.linspace(angles.min(), angles.max(), TRIED)
        for rho in CORRELATIONS:
            components = trusted(
                self.parameters, head_probabilities=np.sin(tried) ** 2, correlations=np.full(TRIED, rho)
            )
            # Standard deviations are alike on the scale of angles.
            widths = 0.5 * np.sqrt((1 + (self.over.mean() - 1) * rho) / self.over.mean())
            yield self.log_densities(components), (tried / widths)[:, None]

    def drawn(
        self,
        published: BetaBinomialParameters,
        rows: Integers,
        components: Integers,
        random: np.random.Generator,
    ) -> CoinTosses:
        tosses = self.data.tosses[rows]
        return CoinTosses(published.simulate(components, tosses, random), tosses)


def beta_binomial_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: BetaBinomialPrior | None = None,
    **options: Unpack[Options],
) -> Fit[BetaBinomialParameters, BetaBinomialStandardErrors]:
    """Fit a mixture of beta-binomial distributions to bags of tosses by EM.

    Parameters
    ----------
    tosses : bags, with counts and known labels if there are any
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    options : ``start``, ``seed``, ``method``, ``acceleration`` and ``starts`` as in `em.coin_mixture`

    Returns
    -------
    `em.Fit` with `models.BetaBinomialParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum. A
    correlation of 0, where the component is a binomial one, is a boundary.

    Raises
    ------
    TypeError, ValueError
        for bags fewer than components, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    return fit_elementwise(BetaBinomialMixture, "tosses", tosses, n_components, weights, prior, {}, **options)
