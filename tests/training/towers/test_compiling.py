"""A tower that torch cannot compile."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.errors import TrainingError
from training.towers.compiling import compiled


@pytest.mark.slow
def test_a_failure_names_the_tower_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a C++ compiler, made by naming one that is not there."""
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))

    def double(tensor: Tensor) -> Tensor:
        return tensor * 2.125 + 1

    with pytest.raises(TrainingError, match=r"image tower.*run\.compile=false"):
        compiled(double, name="image tower")(torch.ones(7))
