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


def component_of(name: str) -> str | None:
    """Return the label of the component that a quantity is of, None where all components share it.

    What they share has labels of features alone, which may be called as a component is.

    Examples
    --------
    >>> component_of("means[short, eruptions]"), component_of("covariances[1, 2]"), component_of("chance_of_heads")
    ('short', None, None)
    """
    variable, labels = variable_and_labels(name)
    shared = not labels or (variable == "covariances" and len(labels) == 2)
    return None if shared else labels[0]
