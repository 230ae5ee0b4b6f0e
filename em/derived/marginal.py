"""A program with its latent variables summed out, which can be sampled by NUTS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from em.derived.densities import Densities

if TYPE_CHECKING:
    import pymc as pm


def marginal_of(densities: Densities) -> pm.Model:
    """The same priors, with one density of all that was observed; a program of mixtures as it is.

    That density stands in the place of the first observed variable. Others are there to be read, and count for nothing.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.replace import graph_replace

    program, model = densities.program, densities.program.model
    if not program.latents:
        return model
    free = [v for v in model.free_RVs if str(v.name) in densities.space.names]
    summed = pm.Model()
    for variable in free:
        dims = model.named_vars_to_dims.get(variable.name)
        for dim in dims or ():
            if dim not in summed.coords:
                summed.add_coord(dim, model.coords.get(dim), length=model.dim_lengths[dim])
        transform = model.rvs_to_transforms[variable]
        summed.register_rv(variable, variable.name, dims=dims, transform=transform, default_transform=None)

    # The data are a parameter too, which says how many there are.
    def whole(value: Any, data: Any, *parameters: Any) -> Any:
        replaced = dict(zip(program.parameters, parameters, strict=True))
        return graph_replace(densities.marginal, replaced, strict=False)

    def nothing(value: Any, *parameters: Any) -> Any:
        return pt.zeros(())

    with summed:
        for variable, logp in zip(model.observed_RVs, [whole, *[nothing] * len(model.observed_RVs)], strict=False):
            value = model.rvs_to_values[variable]
            own = _core("y", variable.ndim)
            signature = f"{','.join([own, *(_core(f'p{j}', v.ndim) for j, v in enumerate(free))])}->{own}"
            seen = value.get_value() if hasattr(value, "get_value") else value.eval()
            pm.CustomDist(str(variable.name), seen, *free, logp=logp, signature=signature, observed=seen)
    return summed


def _core(name: str, ndim: int) -> str:
    return f"({','.join(f'{name}_{axis}' for axis in range(ndim))})"
