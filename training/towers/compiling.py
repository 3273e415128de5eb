"""Towers translated by ``torch.compile``, one build for each shape of input."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

from core.errors import TrainingError

_MOST_BUILDS = 64
"""Shapes times passes with and without gradients; torch's own 8 would fall back in silence."""

ArgsT = ParamSpec("ArgsT")


def compiled(function: Callable[ArgsT, Tensor], *, name: str) -> Callable[ArgsT, Tensor]:
    """Return a function that computes the same and is built at the first call of each shape.

    Parameters keep their names, because no module is wrapped. The first call of a shape takes
    seconds to a minute.

    Args:
        function: what is built; its arguments are tensors.
        name: what the message calls it.

    Raises:
        TrainingError: from a call, if torch cannot build it.
    """
    # Imported here: it takes a second, and most runs do not compile.
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InvalidCxxCompiler

    built: Callable[ArgsT, Tensor] = torch.compile(  # type: ignore[call-overload]  # lacks the limit
        function, dynamic=False, recompile_limit=_MOST_BUILDS
    )

    @functools.wraps(function)
    def call(*args: ArgsT.args, **kwargs: ArgsT.kwargs) -> Tensor:
        try:
            return built(*args, **kwargs)
        except (TorchDynamoException, InvalidCxxCompiler) as error:
            reason = str(error).strip().partition("\n")[0]
            raise TrainingError(
                f"run.compile = true: torch cannot compile the {name} ({reason}); "
                "use --set run.compile=false, or install a C++ compiler if that is what is missing"
            ) from error

    return call
