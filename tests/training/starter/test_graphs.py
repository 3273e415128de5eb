"""Exported graphs have the names and axes that a model folder promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from training.starter.graphs import text_graph


class _MaskedMean(nn.Module):
    """A text tower whose value `embedding` clashes with the name of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the mean of the word vectors that the mask keeps."""
        mask_NL1 = attention_mask[:, :, None].float()
        mean: Tensor = (self.words(input_ids) * mask_NL1).sum(1) / mask_NL1.sum(1)
        return mean


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_ids_and_mask_stay_two_inputs_of_any_size() -> None:
    """The graph computes what the module does, for another batch and length than the example."""
    module = _MaskedMean().eval()
    graph = text_graph(module, context_length=16)
    ids, mask = np.array([[1, 2, 3]] * 5), np.array([[1, 1, 0]] * 5)

    actual = ReferenceEvaluator(graph).run(None, {"input_ids": ids, "attention_mask": mask})[0]

    expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).detach().numpy()
    assert [output.name for output in graph.graph.output] == ["embedding"]
    assert np.allclose(actual, expected, atol=1e-6)
