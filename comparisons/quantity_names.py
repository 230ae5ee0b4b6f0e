"""Names of quantities: a variable, and in brackets the labels of component and features."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Kinds of quantities named in one sentence.
MOST_NAMED = 3
# Between the labels of a quantity, as in ``means[short, eruptions]``.
SEPARATOR = ", "
# Dimensions of programs along which there are states, and the label of one, as in ``rates[state 1]``.
STATES, STATE = ("state", "next_state"), re.compile(r"state (\S+)")


def as_label(name: str) -> str:
    """Return a name as a label of a quantity: the blank after a comma is one at which nothing ends, and looks the same.

    Examples
    --------
    >>> variable_and_labels(f"means[1, {as_label('height, standing')}]") == ("means", ["1", "height,\u00a0standing"])
    True
    """
    return name.replace(SEPARATOR, ",\u00a0")


def along(dimension: str, label: str) -> str:
    """Return what a place along a dimension is called in the name of a quantity: of states that it is one.

    Examples
    --------
    >>> along("next_state", "1"), along("component", "1")
    ('state 1', '1')
    """
    return f"state {label}" if dimension in STATES else label


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


def in_prose(name: str) -> str:
    """Return the name of a quantity as a sentence has it.

    Examples
    --------
    >>> in_prose("means[2]"), in_prose("covariances[short, waiting, waiting]"), in_prose("chance_of_heads")
    ('mean of component 2', 'variance of “waiting” in component “short”', 'chance of heads')
    >>> in_prose("coefficients[1, intercept]"), in_prose("coefficients[2, x]")
    ('intercept of component 1', 'slope for x in component 2')
    >>> in_prose("log_odds[2, 1, age]")
    'effect of “age” on the log odds of component 2 against component 1'
    >>> in_prose("log_odds[2, 1, intercept]")
    'intercept of the log odds of component 2 against component 1'
    >>> in_prose("rates[state 1]"), in_prose("transitions[state 1, state 2]"), in_prose("initial[state 2]")
    ('rate of state 1', 'transition from state 1 to state 2', 'initial probability of state 2')
    >>> in_prose("transitions[1, 2]")
    'transition from 1 to 2'
    """
    return named([name])


def named(names: Sequence[str]) -> str:
    """Return several names as a sentence has them; of many how many there are.

    Examples
    --------
    >>> named(["weights[1]", "weights[2]", "means[1, height]"])
    'weights of components 1 and 2 and mean of “height” in component 1'
    >>> named(["transitions[state 1, state 1]", "transitions[state 1, state 2]"])
    'transitions from state 1 to states 1 and 2'
    >>> named(["a", "b", "c", "d"])
    '4 quantities, named in the table'
    """
    told = grouped(names)
    return listed(told) if len(told) <= MOST_NAMED else f"{len(names)} quantities, named in the table"


def grouped(names: Sequence[str]) -> list[str]:
    """Return names in prose, components of one variable together."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name in names:
        (variable, labels), component = variable_and_labels(name), component_of(name)
        features = tuple(labels if component is None else labels[1:])
        if variable == "covariances" and len(set(features)) == 1:
            variable, features = "variances", features[:1]
        if variable == "transitions" and len(labels) == 2:
            component, features = labels[1], (labels[0],)
        if variable == "coefficients":
            variable, features = ("intercepts", ()) if features == ("intercept",) else ("slopes", features)
        together.setdefault((variable, features), []).extend([] if component is None else [component])
    return [_told(*key, components) for key, components in together.items()]


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _told(variable: str, features: tuple[str, ...], components: list[str]) -> str:
    if variable == "log_odds":
        against, concomitant = features
        of = f"component{'s' if len(components) > 1 else ''} {listed([*map(quoted, components)])}"
        effect = "intercept of" if concomitant == "intercept" else f"effect of {quoted(concomitant)} on"
        return f"{effect} the log odds of {of} against component {quoted(against)}"
    words = "initial probabilities" if variable == "initial" else variable.replace("_", " ")
    if len(components) == 1 or (features and not components):
        plural = words.endswith("s") and not words.endswith(("ss", "us", "is"))
        words = f"{words[:-3]}y" if words.endswith("ies") else words[:-1] if plural else words
    if variable == "transitions" and features:
        return f"{words} from {_places([*features], '')} to {_places(components, '')}"
    if features:
        words += f" {'for' if words.startswith('slope') else 'of'} {listed([*map(quoted, features)])}"
    if components:
        words += f" {'in' if features else 'of'} {_places(components)}"
    return words


def _places(labels: list[str], called: str = "component") -> str:
    """Components, or states, as a sentence lists them."""
    states = [found[1] for label in labels if (found := STATE.fullmatch(label))]
    called, told = ("state", states) if len(states) == len(labels) else (called, labels)
    return f"{called}{'s' * (called != '' and len(labels) > 1)} {listed([*map(quoted, told)])}".strip()


def quoted(label: str) -> str:
    """Return a label as it stands in a sentence: a word of the data in quotes, a number or a letter as it is.

    Examples
    --------
    >>> quoted("2"), quoted("A"), quoted("no")
    ('2', 'A', '“no”')
    """
    return label if len(label) == 1 or label.isdecimal() else f"“{label}”"
