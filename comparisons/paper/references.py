"""What an article has to cite of this run: the methods that were used, each under the condition that it was, and the data."""

from __future__ import annotations

from collections.abc import Callable

from comparisons.paper.markup import Cite, latex, short
from comparisons.results.result import Result
from comparisons.settings import JUMPS

type Used = Callable[[Result], bool]


def drawn(result: Result) -> bool:
    """Whether there is a posterior sample."""
    return result.sampler.draws > 0


def _jumped(result: Result) -> bool:
    return drawn(result) and result.sampler.name == JUMPS


def _diagnosed(result: Result) -> bool:
    return drawn(result) and any(q.posterior.r_hat is not None for q in result.quantities)


def _profiled(result: Result) -> bool:
    return any(q.profile_low is not None or q.profile_high is not None for q in result.quantities)


def _errors(result: Result) -> bool:
    return any(q.em_se is not None for q in result.quantities)


def _relabelled(result: Result) -> bool:
    return result.labels.ordering_ecr is not None


def _article(authors: str, title: str, journal: str, year: int, volume: int, pages: str) -> str:
    fields = {
        "author": authors,
        "title": f"{{{title}}}",
        "journal": journal,
        "year": year,
        "volume": volume,
        "pages": pages,
    }
    return "@article{%s,\n" + "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items()) + "}"


def _always(result: Result) -> bool:
    return True


# Under its key: when it is cited, and its entry.
METHODS: dict[str, tuple[Used, str]] = {
    "dempster1977": (
        _always,
        _article(
            "Dempster, Arthur P. and Laird, Nan M. and Rubin, Donald B.",
            "Maximum likelihood from incomplete data via the {EM} algorithm",
            "Journal of the Royal Statistical Society: Series B", 1977, 39, "1--38",
        ),
    ),
    "louis1982": (
        _errors,
        _article(
            "Louis, Thomas A.", "Finding the observed information matrix when using the {EM} algorithm",
            "Journal of the Royal Statistical Society: Series B", 1982, 44, "226--233",
        ),
    ),
    "venzon1988": (
        _profiled,
        _article(
            "Venzon, D. J. and Moolgavkar, S. H.", "A method for computing profile-likelihood-based confidence intervals",
            "Journal of the Royal Statistical Society: Series C", 1988, 37, "87--94",
        ),
    ),
    "hoffman2014": (
        drawn,
        _article(
            "Hoffman, Matthew D. and Gelman, Andrew",
            "The {No-U-Turn} sampler: adaptively setting path lengths in {Hamiltonian} {Monte} {Carlo}",
            "Journal of Machine Learning Research", 2014, 15, "1593--1623",
        ),
    ),
    "tierney1994": (
        _jumped,
        _article(
            "Tierney, Luke", "Markov chains for exploring posterior distributions", "The Annals of Statistics", 1994, 22,
            "1701--1728",
        ),
    ),
    "abril2023": (
        drawn,
        _article(
            "Abril-Pla, Oriol and Andreani, Virgile and Carroll, Colin and others",
            "{PyMC}: a modern, and comprehensive probabilistic programming framework in {Python}",
            "PeerJ Computer Science", 2023, 9, "e1516",
        ),
    ),
    "vehtari2021": (
        _diagnosed,
        _article(
            "Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and B{\\\"u}rkner, Paul-Christian",
            "Rank-normalization, folding, and localization: an improved {R-hat} for assessing convergence of {MCMC}",
            "Bayesian Analysis", 2021, 16, "667--718",
        ),
    ),
    "papastamoulis2010": (
        _relabelled,
        _article(
            "Papastamoulis, Panagiotis and Iliopoulos, George",
            "An artificial allocations based solution to the label switching problem in {Bayesian} analysis of mixtures of "
            "distributions",
            "Journal of Computational and Graphical Statistics", 2010, 19, "313--331",
        ),
    ),
    "stephens2000": (
        _relabelled,
        _article(
            "Stephens, Matthew", "Dealing with label switching in mixture models",
            "Journal of the Royal Statistical Society: Series B", 2000, 62, "795--809",
        ),
    ),
    "gelman1996": (
        lambda result: bool(result.model_checks.predictive.statistics),
        _article(
            "Gelman, Andrew and Meng, Xiao-Li and Stern, Hal",
            "Posterior predictive assessment of model fitness via realized discrepancies",
            "Statistica Sinica", 1996, 6, "733--807",
        ),
    ),
    "kallioinen2024": (
        lambda result: any(q.prior is not None for q in result.model_checks.prior_sensitivity.quantities),
        _article(
            "Kallioinen, Noa and Paananen, Topi and B{\\\"u}rkner, Paul-Christian and Vehtari, Aki",
            "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
            "Statistics and Computing", 2024, 34, "57",
        ),
    ),
    "schoot2017": (
        _always,
        _article(
            "van de Schoot, Rens and Sijbrandij, Marit and Winter, Sonja D. and Depaoli, Sarah and Vermunt, Jeroen K.",
            "The {GRoLTS}-checklist: guidelines for reporting on latent trajectory studies",
            "Structural Equation Modeling", 2017, 24, "451--467",
        ),
    ),
}  # fmt: skip


def cite(result: Result, *keys: str) -> Cite | str:
    """Return the citation of those of the methods that this run used; nothing where it used none."""
    used = tuple(key for key in keys if key == "data" or METHODS[key][0](result))
    return Cite(used) if used else ""


def bibliography(result: Result) -> str:
    """Return BibTeX of the data and of every method that was used."""
    # Braces delimit fields even where they are escaped.
    title, source = (
        latex(text).replace(r"\{", "(").replace(r"\}", ")")
        for text in (short(result.data.name), short(result.data.source, 500))
    )
    data = f"@misc{{data,\n  title = {{{{Data {title}. {source}}}}},\n}}"
    used = [entry % key for key, (holds, entry) in METHODS.items() if holds(result)]
    return "\n\n".join([data, *used]) + "\n"
