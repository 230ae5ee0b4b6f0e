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


def _article(authors: str, title: str, journal: str, year: int, place: str, pages: str, doi: str = "") -> str:
    """Return an entry; ``place`` is volume and number, as ``39(1)``."""
    volume, _, number = place.rstrip(")").partition("(")
    fields = {
        "author": authors,
        "title": f"{{{title}}}",
        "journal": journal,
        "year": year,
        "volume": volume,
        "number": number,
        "pages": pages,
        "doi": doi,
    }
    return "@article{%s,\n" + "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items() if value) + "}"


def _always(result: Result) -> bool:
    return True


# Under its key: when it is cited, and its entry. Pages are those of the article, without the discussion that some have.
METHODS: dict[str, tuple[Used, str]] = {
    "dempster1977": (
        _always,
        _article(
            "Dempster, Arthur P. and Laird, Nan M. and Rubin, Donald B.",
            "Maximum likelihood from incomplete data via the {EM} algorithm",
            "Journal of the Royal Statistical Society: Series B (Methodological)", 1977, "39(1)", "1--22",
            "10.1111/j.2517-6161.1977.tb01600.x",
        ),
    ),
    "louis1982": (
        _errors,
        _article(
            "Louis, Thomas A.", "Finding the observed information matrix when using the {EM} algorithm",
            "Journal of the Royal Statistical Society: Series B (Methodological)", 1982, "44(2)", "226--233",
            "10.1111/j.2517-6161.1982.tb01203.x",
        ),
    ),
    "venzon1988": (
        _profiled,
        _article(
            "Venzon, D. J. and Moolgavkar, S. H.", "A method for computing profile-likelihood-based confidence intervals",
            "Applied Statistics", 1988, "37(1)", "87--94", "10.2307/2347496",
        ),
    ),
    "hoffman2014": (
        drawn,
        _article(
            "Hoffman, Matthew D. and Gelman, Andrew",
            "The {No-U-Turn} sampler: adaptively setting path lengths in {Hamiltonian} {Monte} {Carlo}",
            "Journal of Machine Learning Research", 2014, "15(47)", "1593--1623",
        ),
    ),
    "tierney1994": (
        _jumped,
        _article(
            "Tierney, Luke", "Markov chains for exploring posterior distributions", "The Annals of Statistics", 1994,
            "22(4)", "1701--1728", "10.1214/aos/1176325750",
        ),
    ),
    "abril2023": (
        drawn,
        _article(
            "Abril-Pla, Oriol and Andreani, Virgile and Carroll, Colin and Dong, Larry and Fonnesbeck, Christopher J. and "
            "Kochurov, Maxim and Kumar, Ravin and Lao, Junpeng and Luhmann, Christian C. and Martin, Osvaldo A. and "
            "Osthege, Michael and Vieira, Ricardo and Wiecki, Thomas and Zinkov, Robert",
            "{PyMC}: a modern, and comprehensive probabilistic programming framework in {Python}",
            "PeerJ Computer Science", 2023, "9", "e1516", "10.7717/peerj-cs.1516",
        ),
    ),
    "vehtari2021": (
        _diagnosed,
        _article(
            "Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and B{\\\"u}rkner, Paul-Christian",
            "Rank-normalization, folding, and localization: an improved {R-hat} for assessing convergence of {MCMC}",
            "Bayesian Analysis", 2021, "16(2)", "667--718", "10.1214/20-BA1221",
        ),
    ),
    "papastamoulis2010": (
        _relabelled,
        _article(
            "Papastamoulis, Panagiotis and Iliopoulos, George",
            "An artificial allocations based solution to the label switching problem in {Bayesian} analysis of mixtures of "
            "distributions",
            "Journal of Computational and Graphical Statistics", 2010, "19(2)", "313--331", "10.1198/jcgs.2010.09008",
        ),
    ),
    "stephens2000": (
        _relabelled,
        _article(
            "Stephens, Matthew", "Dealing with label switching in mixture models",
            "Journal of the Royal Statistical Society: Series B (Statistical Methodology)", 2000, "62(4)", "795--809",
            "10.1111/1467-9868.00265",
        ),
    ),
    "gelman1996": (
        lambda result: bool(result.model_checks.predictive.statistics),
        _article(
            "Gelman, Andrew and Meng, Xiao-Li and Stern, Hal",
            "Posterior predictive assessment of model fitness via realized discrepancies",
            "Statistica Sinica", 1996, "6(4)", "733--760",
        ),
    ),
    "kallioinen2024": (
        lambda result: any(q.prior is not None for q in result.model_checks.prior_sensitivity.quantities),
        _article(
            "Kallioinen, Noa and Paananen, Topi and B{\\\"u}rkner, Paul-Christian and Vehtari, Aki",
            "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
            "Statistics and Computing", 2024, "34(1)", "57", "10.1007/s11222-023-10366-5",
        ),
    ),
    "schoot2017": (
        _always,
        _article(
            "van de Schoot, Rens and Sijbrandij, Marit and Winter, Sonja D. and Depaoli, Sarah and Vermunt, Jeroen K.",
            "The {GRoLTS}-checklist: guidelines for reporting on latent trajectory studies",
            "Structural Equation Modeling: A Multidisciplinary Journal", 2017, "24(3)", "451--467",
            "10.1080/10705511.2016.1247646",
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
    data = f"@misc{{data,\n  key = {{{{{title}}}}},\n  title = {{{{Data {title}. {source}}}}},\n}}"
    used = [entry % key for key, (holds, entry) in METHODS.items() if holds(result)]
    return "\n\n".join([data, *used]) + "\n"
