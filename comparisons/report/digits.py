"""Numbers as a reader wants them: as many digits as their uncertainty allows, a true minus, no exponent where none is needed."""

from __future__ import annotations

import math
import re

from comparisons.results.result import Quantity

MISSING = "–"
# Two digits of the uncertainty: rounding then hides at most a twentieth of it.
UNCERTAINTY_DIGITS = 2
# Past so many decimals a power of ten reads better.
MOST_DECIMALS = 7

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?\d+)\b")
# Before a digit and not inside a word, a range or an option; or between the terms of a sum.
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)|(?<= )-(?= )")


def decimals_for(*uncertainties: float | None) -> int | None:
    """Decimals that show two digits of the smallest uncertainty; None where there is none to go by."""
    known = [u for u in uncertainties if u is not None and math.isfinite(u) and u > 0]
    if not known:
        return None
    return max(0, UNCERTAINTY_DIGITS - 1 - math.floor(math.log10(min(known))))


def posterior_decimals(quantity: Quantity, *, drawn: bool = False) -> int | None:
    """Decimals of a posterior's numbers: two digits of its sd, and none that is smaller than the Monte Carlo error of the mean.

    By quadrature there is no such error, but for what is ``drawn`` all the same.
    """
    decimals, error = decimals_for(quantity.sd), quantity.posterior.mcse
    if decimals is None or not error or (quantity.exact is not None and not drawn):
        return decimals
    return max(0, min(decimals, math.floor(-math.log10(error))))


def rounded(value: float | None, decimals: int | None) -> str:
    """Return the value with so many decimals, or with four significant digits where that is not known.

    Examples
    --------
    >>> rounded(0.79678907, decimals_for(0.0779))
    '0.797'
    >>> rounded(-0.0004, 2), rounded(None, 2)
    ('0.00', '–')
    """
    if value is None:
        return MISSING
    if decimals is None or decimals > MOST_DECIMALS or abs(value) >= 1e9:
        return significant(value, 4)
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def significant(value: float | None, digits: int = 3) -> str:
    r"""Return the value with so many significant digits, as a power of ten where it is far from 1.

    Examples
    --------
    >>> significant(3.14e-15), significant(0.25), significant(-9.5621, 6)
    ('3.14\xa0×\xa010⁻¹⁵', '0.25', '−9.5621')
    """
    if value is None:
        return MISSING
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    text = mantissa.replace("-", "−")
    return f"{text}\u00a0×\u00a010{_superscript(exponent)}" if exponent else text


def statistic(value: float | None, threshold: float | None) -> str:
    r"""Return what a check measured, with digits enough to be told from its threshold.

    Examples
    --------
    >>> statistic(1.002, 1.01), statistic(1.00998, 1.01), statistic(3.6049e-9, 1e-3)
    ('1.0020', '1.00998', '3.6\xa0×\xa010⁻⁹')
    """
    if value is None:
        return MISSING
    form, digits = (rounded, 4) if 0.1 <= abs(value) < 1000 else (significant, 2)
    while value != threshold and digits < MOST_DECIMALS and form(value, digits) == form(threshold, digits):
        digits += 1
    return form(value, digits)


def ratio(log_ratio: float | None) -> str:
    """Return a Bayes factor from its natural logarithm, as text that `prose` sets, or that there is none to rely on.

    Examples
    --------
    >>> ratio(0.4), ratio(57.34), ratio(-4000.0), ratio(None)
    ('1.49', '8.0e+24', '6.6e-1738', 'unreliable')
    """
    if log_ratio is None:
        return "unreliable"
    if abs(log_ratio) < math.log(1000):
        return f"{math.exp(log_ratio):.3g}"
    power = math.floor(log_ratio / math.log(10))  # exp itself may overflow
    return f"{math.exp(log_ratio - power * math.log(10)):.1f}e{power:+03d}"


def prose(text: str) -> str:
    r"""Return a sentence with its numbers set as they are in tables: minus, powers of ten, space before the percent sign.

    Examples
    --------
    >>> prose("R-hat rose by -0.5 (3.6e-09) where two-coin has 3%.")
    'R-hat rose by −0.5 (3.6\xa0×\xa010⁻⁹) where two-coin has 3\xa0%.'
    """
    text = _POWER.sub(_power, _MINUS.sub("−", text))
    return re.sub(r"(?<=\d)%", "\u00a0%", text)


def _power(match: re.Match[str]) -> str:
    mantissa, exponent = match.groups()
    if float(mantissa) == 0 or int(exponent) == 0:
        return f"{float(mantissa):g}"
    power = f"10{_superscript(exponent)}"
    return power if mantissa == "1" else f"{mantissa}\u00a0×\u00a0{power}"


def _superscript(exponent: str) -> str:
    return str(int(exponent)).translate(_SUPERSCRIPTS)


def percent(probability: float | None, decimals: int = 1) -> str:
    r"""Return the probability in percent, with a space that does not break.

    Examples
    --------
    >>> percent(0.0312), percent(0.94, 0)
    ('3.1\xa0%', '94\xa0%')
    """
    return MISSING if probability is None else f"{100 * probability:.{decimals}f}\u00a0%"


def seconds(duration: float) -> str:
    """Return the time in seconds, or in minutes where it is long.

    Examples
    --------
    >>> seconds(0.0213), seconds(3.4), seconds(200)
    ('0.02 s', '3.4 s', '3 min 20 s')
    """
    if duration >= 100:
        return f"{int(duration // 60)} min {int(duration % 60)} s"
    return f"{duration:.{1 if duration >= 1 else 2}f} s"
