"""The data sets of the comparisons, each a CSV file beside this one.

What every column means, its unit, and the errors known to be in the data stand in ``README.md`` beside the files. The
files are kept as published, errors included: what a comparison leaves out, it says.
"""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comparisons.display import displayed
from models.inputs import shown

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "two_coin": "Do, C. B. & Batzoglou, S. (2008). What is the expectation maximization algorithm? "
        "Nature Biotechnology 26, 897–899.",
        "single_tosses": "Li, H. (2012). Statistical Learning Methods (in Chinese). "
        "Beijing: Tsinghua University Press, example 9.1.",
        "saxony": "Geissler, A. (1889). Beiträge zur Frage des Geschlechtsverhältnisses der Geborenen. "
        "Zeitschrift des Königlich Sächsischen Statistischen Bureaus 35; "
        "as in Lindsey, J. K. (1995). Modelling Frequency and Count Data. Oxford: Clarendon Press, p. 59.",
        "death_notices": "Hasselblad, V. (1969). Estimation of finite mixtures of distributions from the exponential "
        "family. Journal of the American Statistical Association 64, 1459–1471; The Times, 1910–1912.",
        "coal_intervals": "Jarrett, R. G. (1979). A note on the intervals between coal-mining disasters. "
        "Biometrika 66, 191–193; as in the R package boot.",
        "quine": "Aitkin, M. (1978). The analysis of unbalanced cross-classifications. Journal of the Royal Statistical Society "
        "A 141, 195–223; as in the R package MASS.",
        "carcinoma": "Agresti, A. (2002). Categorical Data Analysis, 2nd ed. Hoboken: Wiley, table 13.1, after "
        "Landis, J. R. & Koch, G. G. (1977), Biometrics 33, 363–374; as in the R package poLCA.",
        "role_conflict": "Stouffer, S. A. & Toby, J. (1951). Role conflict and personality. "
        "American Journal of Sociology 56, 395–406; as in Goodman (1974) and, under values, in the R package poLCA.",
        "tone_perception": "Cohen, E. A. (1980). Inharmonic tone perception. Dissertation, Stanford University; as in the R "
        "package mixtools.",
        "npreg": "Leisch, F. (2004). FlexMix: a general framework for finite mixture models and latent class regression in R. "
        "Journal of Statistical Software 11 (8); data NPreg of the R package flexmix.",
        "davis": "Davis, C. (1990). Body image and weight preoccupation: a comparison between exercising and "
        "non-exercising women. Appetite 15, 13–21; as in the R package carData.",
        "faithful": "Härdle, W. (1991). Smoothing Techniques with Implementation in S. New York: Springer; see "
        "Azzalini, A. & Bowman, A. W. (1990), Applied Statistics 39, 357–365; as in the R package datasets.",
        "geyser": "Azzalini, A. & Bowman, A. W. (1990). A look at some data on the Old Faithful geyser. "
        "Applied Statistics 39, 357–365; as in the R package MASS.",
        "galaxies": "Roeder, K. (1990). Density estimation with confidence sets exemplified by superclusters and voids "
        "in the galaxies. Journal of the American Statistical Association 85, 617–624; as in the R package MASS.",
        "posteriordb_low_dim_gauss_mix": "Magnusson, M., Torgander, J., Bürkner, P.-C., Zhang, L., Carpenter, B. & "
        "Vehtari, A. (2025). posteriordb: testing, benchmarking and developing Bayesian inference algorithms. "
        "AISTATS, PMLR 258; data low_dim_gauss_mix.",
        "earthquakes": "Zucchini, W. & MacDonald, I. L. (2009). Hidden Markov Models for Time Series: An Introduction Using R. "
        "Boca Raton: Chapman & Hall/CRC, table 1.1.",
        "linkage": "Rao, C. R. (1973). Linear Statistical Inference and Its Applications, 2nd ed. New York: Wiley, section 5g; "
        "as in Dempster, A. P., Laird, N. M. & Rubin, D. B. (1977), Journal of the Royal Statistical Society B 39, 1–38.",
    }
)
"""The data sets by name, each with its citation in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """One data set, with all that a reader needs to find it again.

    Parameters
    ----------
    name : the file's name without ``.csv``
    source : the citation, in one line
    columns : the columns by name, each a read-only array ``(n,)``: integers where all its cells are, else floats with
        NaN for a blank cell, else strings
    sha256 : checksum of the file's bytes, hexadecimal
    """

    name: str
    source: str
    columns: Mapping[str, NDArray[Any]]
    sha256: str

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))


def load(name: str) -> Dataset:
    """Read one of the data sets in ``SOURCES``.

    Examples
    --------
    >>> waiting = load("faithful").columns["waiting"]
    """
    if not isinstance(name, str) or name not in SOURCES:
        raise ValueError(f"there is no data set {shown(name)}; choose one of {', '.join(SOURCES)}")
    content = Path(__file__).with_name(f"{name}.csv").read_bytes()
    header, *rows = csv.reader(content.decode().splitlines())
    columns = {title: _column(cells) for title, cells in zip(header, zip(*rows, strict=True), strict=True)}
    return Dataset(name, SOURCES[name], MappingProxyType(columns), hashlib.sha256(content).hexdigest())


def _column(cells: Sequence[str]) -> NDArray[Any]:
    text = np.array(cells)
    column: NDArray[Any] = text
    with suppress(ValueError):
        column = np.where(text == "", "nan", text).astype(np.float64)
    with suppress(ValueError):
        column = text.astype(np.int64)
    column.flags.writeable = False
    return column
