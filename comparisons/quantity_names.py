"""Names of quantities: a variable, and in brackets the labels of component and features."""

from __future__ import annotations

# Between the labels of a quantity, as in ``means[short, eruptions]``.
SEPARATOR = ", "


def variable_and_labels(name: str) -> tuple[str, list[str]]:
    """Take the name of a quantity apart; labels may hold brackets, and commas without a blank.

    Examples
    --------
    >>> variable_and_labels("means[short, eruptions]")
    ('means', ['short', 'eruptions'])
    >>> variable_and_labels("means[1, HbA1c [%]]")
    ('means', ['1', 'HbA1c [%]'])
    >>> variable_and_labels("noise")
    ('noise', [])
    """
    variable, bracket, labels = name.partition("[")
    return variable, labels.removesuffix("]").split(SEPARATOR) if bracket else []
