"""A comparison of numbers of components made by hand, for tests of what tells, stores and shows it. Nothing is fitted."""

from __future__ import annotations

from comparisons.components import conclusions
from comparisons.components.record import (
    SCHEMA_VERSION,
    BayesFactor,
    Candidate,
    Components,
    Criteria,
    Evidence,
    LeaveOneOut,
    LikelihoodRatio,
)
from comparisons.results.result import Provenance


def candidate(
    k: int,
    bic: float,
    *,
    log_bayes_factor: float | None = 3.5,
    p_value: float | None = 0.01,
    gain: float = 5.0,
    reservation: str | None = None,
) -> Candidate:
    """One number of components; AIC and ICL go with BIC, the evidence is minus half of it."""
    unreliable = (
        None if log_bayes_factor is not None else "the log evidence cannot be relied on: k-hat is 1.30, above 0.7"
    )
    trusted = unreliable is None
    test = LikelihoodRatio(
        statistic=4.5 if p_value else None,
        p_value=p_value,
        p_low=0.0 if p_value else None,
        p_high=0.5 if p_value else None,
        exceeding=round(100 * p_value - 1) if p_value else 0,
        samples=99 if p_value else 0,
        smallest_ratio=0.5 if p_value else None,
        reason=None if p_value else "no optimum with 3 components has standard deviations in a ratio of 0.25 or closer",
    )
    factor = BayesFactor(log_bayes_factor, 0.01, {"Beta(0.5, 0.5)": log_bayes_factor, "Beta(2, 2)": None}, unreliable)
    return Candidate(
        n_components=k,
        status="converged",
        log_likelihood=-bic / 2,
        n_parameters=2 * k - 1,
        smallest_ratio=1.0,
        reservation=reservation,
        criteria=Criteria(bic, bic, bic, 0.0),
        evidence=Evidence(
            -bic / 2 if trusted else None, 0.01 if trusted else None, 0.2 if trusted else 1.3, 900.0, unreliable
        ),
        leave_one_out=LeaveOneOut(
            elpd=k * gain if trusted else None,
            standard_error=1.0 if trusted else None,
            difference=gain if k > 1 and trusted else None,
            difference_error=1.0 if k > 1 and trusted else None,
            largest_k=0.3,
            unreliable_rows=0,
            reason=unreliable,
        ),
        bayes_factor=factor if k > 1 else None,
        likelihood_ratio=test if k > 1 else None,
    )


def components(*candidates: Candidate) -> Components:
    """All of them as stored for the two coins; of one and two components, where none are given."""
    tried = list(candidates) or [candidate(1, 30.0), candidate(2, 20.0, reservation="at a bound <&>")]
    chosen = conclusions.choices(tried)
    return Components(
        schema_version=SCHEMA_VERSION,
        name="two-coin",
        title="Two coins, coin hidden <&>",
        n=5,
        data_sha256="ab" * 32,
        options={"weights": "equal"},
        prior=["head_probabilities[k] ~ Beta(1, 1)"],
        prior_note="The same for every K.",
        minimum_ratio=0.25,
        candidates=tried,
        choices=chosen,
        conclusions=conclusions.sentences(tried, chosen, free=False),
        provenance=Provenance(
            versions={"numpy": "2.3"},
            seed=1,
            command="comparisons components two-coin --max 2 --seed 1",
            git_commit=None,
            started="2026-01-01T00:00:00+00:00",
            seconds={"K = 1": 0.5, "all": 1.0},
            key="cd" * 32,
        ),
    )
