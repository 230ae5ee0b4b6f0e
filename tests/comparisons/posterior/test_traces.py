"""What is read of nutpie's own tables is what nutpie makes of them with ArviZ."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from comparisons.posterior import nuts, traces
from models import LogPosterior
from tests.declared import COINS


def test_draws_and_statistics_are_those_of_nutpie_s_own_tree() -> None:
    nutpie = traces.imported()
    density = LogPosterior(COINS.model(), compiled=True)
    options = {"draws": 30, "tune": 40, "chains": 2, "seed": 5, "progress_bar": False}
    tree = nutpie.sample(nuts._callbacks(density), save_warmup=False, **options)
    trace = nutpie.sample(nuts._callbacks(density), return_raw_trace=True, **options)
    points, statistics = traces.read(trace, 40, nuts.STATISTICS)
    np.testing.assert_array_equal(points, tree["posterior"][nuts.POINT].values)
    assert points.shape == (2, 30, density.size)
    for name in (*nuts.STATISTICS, "chain", "draw"):
        theirs = tree["sample_stats"][name]
        assert statistics[name].dims == theirs.dims, name
        assert statistics[name].dtype == theirs.dtype, name
        np.testing.assert_array_equal(statistics[name].values, theirs.values, err_msg=name)


def test_nutpie_brings_no_arviz_and_has_it_where_it_asks() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from comparisons.posterior import traces\n"
            "nutpie = traces.imported()\n"
            "print('arviz' in sys.modules)\n"
            "theirs = sys.modules['nutpie.sample'].arviz.from_dict\n"
            "import arviz\n"
            "print(theirs is arviz.from_dict)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"]
