"""An EM of one's own and a PyMC program of the same model, matched by the names of their parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comparisons.declaration import Declaration
from comparisons.names import readable_text
from models.inputs import Floats, shown, yes_or_no

if TYPE_CHECKING:
    import pymc as pm

    from em.derived.derive import DerivedEM

type Values = dict[str, Floats]

# An argument of this name tells a step whether the prior is part of what it maximises.
PRIOR = "prior"
FUNCTIONS = ("model", "log_likelihood", "em_step", "e_step", "m_step", "log_prior", "start", "stop", "complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a report says of a pair's model and data, where the lines of the program say it badly.

    Attributes
    ----------
    family : what the model is called
    options : by name
    formula, prior : lines of mathematics
    columns : the data as fitted, ``(n,)`` each, NaN where missing
    """

    family: str
    options: Mapping[str, str]
    formula: Sequence[str]
    prior: Sequence[str]
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Your own EM and your own PyMC program of the same model.

    Functions take the parameters by name and the data by any other name: an argument called as one of the program's free
    variables gets that parameter; any other gets the data, or the entry of that name where the data are a mapping::

        linkage = Pair(
            model=program,                       # y -> pymc.Model with a free variable "theta"
            log_likelihood=lambda theta, y: ...,
            em_step=lambda theta, y: ...,
        )
        comparisons.compare(linkage, [125, 18, 20, 34])

    Parameters
    ----------
    model : of the data, a `pymc.Model` whose free variables are the parameters; latent variables are summed out in it
    log_likelihood : of parameters and data, in nats; a constant that only one side has is found and told
    em_step : of parameters and data, the parameters after one iteration: a mapping by name, or the value where there is one
        parameter. With an argument ``prior``, which is True or False, the step that maximises the log posterior where it is True
    e_step, m_step : in place of ``em_step``: of parameters and data what is expected of the latent variables, and of that as the
        first argument, and the data, the parameters
    log_prior : of the parameters, on their natural scale, in nats; where left out it is read off the program, and the report says
        so
    start : where EM begins: parameters by name, or a function of the data that returns them, or several of them in a list;
        where left out draws from the program's prior
    stop : of the parameters before and after a step, whether to stop; where left out EM goes on until its objective no longer
        rises by more than 1e-12 nats
    complete : for `comparisons.audit`, of what ``e_step`` returns as the first argument, parameters and data: the complete-data
        log density with the latent variables as expected, up to a constant; of a program with a ``pm.Mixture`` it is known
    generalised : whether the M-step only raises the expected complete-data log density, and need not maximise it
    exchangeable : names of the parameters, components along their first axis, whose components can change places; of parameters
        with a name for each component the names together, as ``("mu_a", "mu_b")``. Draws and estimates are put in ascending
        order of the first of them
    moves : names of those among them whose components are along their first two axes, as transitions from state to state
    mirrored : names of probabilities p that become 1 - p where two components change places, as the share of one of them; those
        in ``exchangeable`` do both. Where all are mirrored alone the first is put below 1/2
    data : those that ``compare`` takes where it is given none, as for ``comparisons run FILE.py:NAME``
    derived : the EM that `em.derive` made of the program, of whose functions the pair is then; its density is the program's own
    words : of the data, what the report says of model and data; where left out the lines of the program
    name, title, question : for the directory and the report; what a path cannot hold of a name, as "/", is escaped there

    Raises
    ------
    TypeError, ValueError
        for what is no function, for steps that are missing or double, names of parameters twice, and a name that is empty
    """

    model: Callable[..., pm.Model]
    log_likelihood: Callable[..., float]
    em_step: Callable[..., Any] | None = None
    e_step: Callable[..., Any] | None = None
    m_step: Callable[..., Any] | None = None
    log_prior: Callable[..., float] | None = None
    start: Callable[..., Any] | Mapping[str, Any] | None = None
    stop: Callable[[Values, Values], bool] | None = None
    complete: Callable[..., float] | None = None
    generalised: bool = False
    exchangeable: tuple[str | tuple[str, ...], ...] = ()
    derived: DerivedEM | None = None
    moves: tuple[str, ...] = ()
    mirrored: tuple[str, ...] = ()
    words: Callable[[Any], Words] | None = None
    data: Any = None
    name: str = "pair"
    title: str = ""
    question: str = "Do EM and the posterior agree?"

    def __post_init__(self) -> None:
        for argument in FUNCTIONS:
            value = getattr(self, argument)
            needed = argument in ("model", "log_likelihood")
            may_be_given = (value is None and not needed) or (argument == "start" and isinstance(value, Mapping))
            if not callable(value) and not may_be_given:
                also = (
                    ", or parameters by name; several are a list that the function returns"
                    if argument == "start"
                    else ""
                )
                raise TypeError(f"{argument} is {shown(value)}; give a function{also}")
        given = tuple(each for each in ("em_step", "e_step", "m_step") if getattr(self, each) is not None)
        if given not in (("em_step",), ("e_step", "m_step")):
            has = " and ".join(given) or "none"
            raise ValueError(f"em_step, e_step, m_step: {has} given; give em_step alone, or e_step and m_step")
        for argument in ("name", "title", "question"):
            readable_text(argument, getattr(self, argument))
        if not self.name.strip():
            raise ValueError("name is empty; give one, which the directory of the result will have")
        for argument in ("exchangeable", "moves", "mirrored"):
            together = argument == "exchangeable"
            object.__setattr__(self, argument, _names(argument, getattr(self, argument), together=together))
        yes_or_no("generalised", self.generalised)
        if self.derived is not None and not hasattr(self.derived, "steps"):
            raise TypeError(
                f"derived is {shown(self.derived)}; leave it out: comparisons.compare(model) gives what em.derive made"
            )
        if further := [each for each in self.moves if each not in self.exchangeable]:
            raise ValueError(f"moves names {further[0]!r}, which is not among exchangeable; name it there too")

    @property
    def knows_prior(self) -> bool:
        """Whether its step can maximise the log posterior too."""
        step = self.em_step or self.m_step
        assert step is not None
        return PRIOR in inspect.signature(step).parameters


def _names(argument: str, told: Any, *, together: bool = False) -> tuple[Any, ...]:
    """Names of parameters, each once; some of them ``together``, a name for each component."""
    if isinstance(told, str) or not isinstance(told, Sequence):
        raise TypeError(f"{argument} is {shown(told)}; give a list of parameters' names")
    found = [tuple(each) if together and isinstance(each, (list, tuple)) else each for each in told]
    names = [name for each in found for name in (each if isinstance(each, tuple) else [each])]
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} is {shown(told)}; give a list of parameters' names")
    if double := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{argument} has {double[0]!r} {names.count(double[0])} times; name each parameter once")
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDeclaration(Declaration):
    """A declared pair; of its data see `comparisons.declaration.Declaration`."""

    pair: Pair


def taking(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A function that says that it takes arguments of these names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return function
