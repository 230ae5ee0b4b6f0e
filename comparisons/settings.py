"""The settings of a run, asked before anything is fitted or sampled."""

from __future__ import annotations

from typing import Any

# Where processes are the parallelism, numerical libraries that start a thread for each core only get in each other's way.
SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# What draws from the posterior, where rows are very many, and where chains stay in different modes.
NUTS, JUMPS = "NUTS (nutpie)", "HMC with jumps between EM's modes"
NEAR = "NUTS (nutpie), begun around EM's posterior mode"
# What a run tells as its stage where a stored result serves.
REUSED = "stored result, nothing has changed"


def checked_settings(seed: Any, draws: Any, chains: Any) -> None:
    """Refuse settings with which sampling would end in an error, or in no verdict.

    Raises
    ------
    TypeError, ValueError
        if one is no whole number, or below what it must be at least
    """
    # At its use, so that those who only ask for a name above load no NumPy.
    from models.inputs import whole_number

    # Split R-hat needs two draws in each half of a chain.
    for name, value, least in (("seed", seed, 0), ("draws", draws, 4), ("chains", chains, 1)):
        whole_number(name, value, least=least)
