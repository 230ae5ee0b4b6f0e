"""Claims about TOML files: what init writes is what run reads, and what is wrong is told with file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comparisons import families, own, toml_files
from models import (
    BetaBinomialPrior,
    CoinPrior,
    ExponentialPrior,
    GammaPrior,
    GaussianPrior,
    LatentClassPrior,
    NegativeBinomialPrior,
    PoissonPrior,
    RegressionPrior,
)

TABLES: dict[str, str] = {
    "coins": "heads,tosses,coin,n\n" + "".join(f"{k % 6},{5 + k % 3},{'AB'[k % 2]},{1 + k % 3}\n" for k in range(12)),
    "gaussians": "y (mm);x;coin;n\n" + "".join(f"{k % 7},5;{k * k % 5};{'AB'[k % 2]};{1 + k % 3}\n" for k in range(12)),
    "exponentials": "wait,censored,coin,n\n" + "".join(f"{1 + k}.5,{k % 2},{'AB'[k % 2]},1\n" for k in range(12)),
    "gammas": "wait,coin,n\n" + "".join(f"{1 + k % 7}.5,{'AB'[k % 2]},1\n" for k in range(12)),
    "poissons": "events,exposure,coin,n\n" + "".join(f"{k},{1 + k % 3}.5,{'AB'[k % 2]},1\n" for k in range(12)),
    "regressions": "y,x,coin,n\n" + "".join(f"{k * k % 7}.5,{k},{'AB'[k % 2]},{1 + k % 3}\n" for k in range(12)),
}
TABLES["latent-classes"] = "a,b,c,coin,n\n" + "".join(
    f"{'yx'[k % 2]},{k % 3},{k * k % 5 % 2},{'AB'[k % 2]},{1 + k % 3}\n" for k in range(12)
)
TABLES |= {"negative-binomials": TABLES["poissons"], "beta-binomials": TABLES["coins"]}
PRIORS: dict[str, Any] = {
    "coins": CoinPrior(heads=2.0, tails=1.5),
    "gaussians": GaussianPrior([3.0], 0.1, 5.0, [[1 / 3]]),
    "exponentials": ExponentialPrior(shape=2.0, rate=1 / 3),
    "gammas": GammaPrior(shape_shape=3.0, shape_rate=0.3, rate_shape=2.0, rate_rate=1 / 3),
    "poissons": PoissonPrior(shape=2.0, rate=1 / 3),
    "negative-binomials": NegativeBinomialPrior(shape=2.0, rate=1 / 3, dispersion_shape=1.5),
    "beta-binomials": BetaBinomialPrior(heads=2.0, correlated=1.5),
    "latent-classes": LatentClassPrior(item_concentration=1.5),
    "regressions": RegressionPrior([1 / 3, 0.0], [[0.2, 1.0], [0.0, 1 / 3]], 5.0, 2.0),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "labels": {"labels": "coin", "n_components": None},
    "labels and a component more": {"labels": "coin", "n_components": 3},
    "counts": {"counts": "n"},
    "equal weights": {"weights": "equal"},
    "held weights": {"weights": [0.1, 0.9]},
    "names": {"components": ['the "first"', "Größe\\2"], "title": "Two\nlines", "question": "What?", "unit": "µm"},
}


def files(folder: Path) -> Path:
    for family, text in TABLES.items():
        (folder / f"{family}.csv").write_text(text)
    return folder


@pytest.mark.parametrize("kind", [*OPTIONS, "covariance", "prior", "titles"])
@pytest.mark.parametrize("family", TABLES)
def test_what_is_written_asks_for_the_same_comparison(family: str, kind: str, tmp_path: Path) -> None:
    columns: Any = {"gaussians": ["y"], "latent-classes": ["a", "b", "c"], "regressions": ["y", "x"]}.get(family)
    # Waits are guessed to be exponential, counts to be of Poisson distributions, bags of coins, numbers to be measurements.
    named = ("gammas", "negative-binomials", "beta-binomials", "latent-classes", "regressions")
    asked_for: Any = family if family in named else None
    options = {"n_components": 2, "columns": columns, "family": asked_for} | OPTIONS.get(kind, {})
    if kind == "prior":
        options["prior"] = PRIORS[family]
    if family == "gaussians" and kind == "covariance":
        options |= {"covariance": "tied-diagonal", "columns": ["y", "x"]}
    if family == "gaussians" and kind == "titles":
        options["columns"] = {"size (µm)": "y", "x": "x"}
    asked = own.declared(files(tmp_path) / f"{family}.csv", name="study", **options)
    path = tmp_path / "study.toml"
    path.write_text(toml_files.template(asked, asked.asked | {"data": f"{family}.csv"}))
    again = own.declared(**toml_files.read(path))
    assert own.key_of(again) == own.key_of(asked)
    assert again.comparison.name == "study"


@pytest.mark.parametrize("family", TABLES)
def test_every_comment_that_is_taken_off_is_read(family: str, tmp_path: Path) -> None:
    asked = own.declared(
        files(tmp_path) / f"{family}.csv", name="study", n_components=2, labels="coin", counts="n", family=family
    )
    path = tmp_path / "study.toml"
    text = toml_files.template(asked, asked.asked | {"data": f"{family}.csv"})
    path.write_text(
        re.sub(r"^# (?=\[|\w+ = )(?!separator|decimal|name|labels|counts|concomitants)", "", text, flags=re.MULTILINE)
    )
    told = toml_files.read(path)
    assert {"prior", "weights", "title", "seed"} <= set(told)
    prior = own.declared(**{key: value for key, value in told.items() if key not in toml_files.OF_RUN}).prior
    for number, default in own.plain(asked.prior).items():
        assert np.array_equal(own.plain(prior)[number], default)


PEOPLE = 'data = "coins.csv"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PEOPLE + 'colums = "h"\n', "study.toml, line 2: there is no key 'colums'; did you mean 'columns'?"),
        (PEOPLE + "components_n = 2\n", "there is no key 'components_n'; did you mean 'n_components'?"),
        (PEOPLE + "components = 2\n", "components is 2; give a list; how many there are is n_components"),
        ('columns = "h"\n', 'study.toml has no key "data"'),
        ("data = \n", "study.toml is no TOML"),
        ('data = "other.csv"\n', "study.toml, line 1: there is no file"),
        (PEOPLE + "\nprior = 3\n", "study.toml, line 3: prior is 3; give a table"),
        (
            PEOPLE + "[prior]\nheads = 1.0\n",
            f"study.toml, line 2: prior needs one of {', '.join(families.FAMILIES)} as family",
        ),
        (PEOPLE + 'family = "poissons"\n[prior]\nshape = -1.0\nrate = 1.0\n', "line 3: prior of poissons: shape is -1"),
        (
            PEOPLE + 'family = "poissons"\n[prior]\nshap = 1.0\n',
            "line 3: prior of poissons has shape, rate, concentration; shape, rate are missing and there is no shap",
        ),
        (PEOPLE + "labels = 5\n", "study.toml, line 2: labels is 5; give a text"),
        (PEOPLE + "weights = true\n", "study.toml, line 2: weights is True; give a text or a list"),
        (PEOPLE + "seed = -1\n", "study.toml, line 2: seed is -1, but must be at least 0"),
        (PEOPLE + 'draws = "many"\n', "study.toml, line 2: draws is 'many'; give a whole number"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(text: str, message: str, tmp_path: Path) -> None:
    path = files(tmp_path) / "study.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        toml_files.read(path)


def test_a_file_with_a_mark_is_read_and_one_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = files(tmp_path) / "study.toml"
    path.write_text(PEOPLE, encoding="utf-8-sig")
    assert toml_files.read(path)["name"] == "study"
    path.write_text(PEOPLE + 'title = "Größe"\n', encoding="cp1252")
    with pytest.raises(ValueError, match=r"study.toml is not in UTF-8 from byte 30 on"):
        toml_files.read(path)


def test_the_template_has_a_prior_for_every_family(tmp_path: Path) -> None:
    assert set(TABLES) == set(PRIORS) == set(families.FAMILIES)
