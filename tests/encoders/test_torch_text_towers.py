"""Rules of encoders.torch_text_towers: what each tower computes, and on which tokens.

# N = texts, L = tokens, W = width, D = embedding dimension
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import ConfigError
from encoders.torch_text_towers import (
    CbowConfig,
    CbowTextTower,
    LstmConfig,
    LstmTextTower,
    RmsTransformerConfig,
    own_tower_config,
    rms_transformer,
)

IDS_NL = torch.tensor([[5, 1, 9, 0, 0], [5, 0, 2, 3, 9]])
"""Two texts that end with the id 9; in the second a token has the id of the filling."""


def test_cbow_is_the_mean_of_the_tokens_up_to_the_end() -> None:
    """By hand: tokens 5, 1, 9 of the first text and all five of the second, where 0 is a word."""
    tower = CbowTextTower(CbowConfig(vocab_size=10, width=4), dim=4)
    tower.text_projection = nn.Linear(4, 4, bias=False)
    nn.init.eye_(tower.text_projection.weight)
    table = tower.token_embedding.weight

    expected = torch.stack([table[[5, 1, 9]].mean(0), table[[5, 0, 2, 3, 9]].mean(0)])

    torch.testing.assert_close(tower(IDS_NL), expected)


def test_cbow_has_no_order() -> None:
    """The same words in another order are the same text."""
    tower = CbowTextTower(CbowConfig(vocab_size=10, width=4), dim=3)

    torch.testing.assert_close(
        tower(torch.tensor([[5, 1, 2, 9]])), tower(torch.tensor([[5, 2, 1, 9]]))
    )


def test_lstm_takes_the_state_at_the_end_of_each_text() -> None:
    """Each text alone, cut at its end, through torch's LSTM: its last output."""
    tower = LstmTextTower(LstmConfig(vocab_size=10, width=4, layers=2), dim=3)

    found_ND = tower(IDS_NL)

    for row, length in ((0, 3), (1, 5)):
        _, (hidden, _) = tower.lstm(tower.token_embedding(IDS_NL[row : row + 1, :length]))
        torch.testing.assert_close(found_ND[row], tower.text_projection(hidden[-1, 0]))


def test_lstm_has_an_order() -> None:
    """The same words in another order are another text."""
    tower = LstmTextTower(LstmConfig(vocab_size=10, width=4), dim=3)

    assert not torch.allclose(
        tower(torch.tensor([[5, 1, 2, 9]])), tower(torch.tensor([[5, 2, 1, 9]]))
    )


@pytest.mark.parametrize("kind", [CbowTextTower, LstmTextTower])
def test_trap_16_the_end_may_be_a_token_that_is_not_the_largest(
    kind: type[CbowTextTower | LstmTextTower],
) -> None:
    """With ``eos_id`` the text ends there, whatever larger ids it has and whatever follows."""
    tower = kind(LstmConfig(vocab_size=10, width=4, eos_id=3), dim=3)

    torch.testing.assert_close(
        tower(torch.tensor([[5, 9, 3, 0, 0]])), tower(torch.tensor([[5, 9, 3, 7, 8]]))
    )


def test_every_norm_of_the_rms_transformer_is_rmsnorm() -> None:
    """Two for each block and the last; no LayerNorm is left."""
    tower = rms_transformer(
        RmsTransformerConfig(vocab_size=10, width=8, heads=2, layers=3, context_length=5), dim=4
    )
    norms = [module for module in tower.modules() if isinstance(module, nn.RMSNorm)]

    assert len(norms) == 7
    assert {norm.eps for norm in norms} == {1e-6}
    assert not any(isinstance(module, nn.LayerNorm) for module in tower.modules())
    assert tower(IDS_NL).shape == (2, 4)


def test_a_locked_tower_learns_nothing() -> None:
    """open_clip's ``lock`` reaches every weight; parts of it cannot be left open."""
    tower = CbowTextTower(CbowConfig(vocab_size=10, width=4), dim=3)
    with pytest.raises(ConfigError, match="locks as a whole"):
        tower.lock(unlocked_layers=1)

    tower.lock()

    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_open_clips_own_towers_are_not_ours() -> None:
    """Without ``tower`` the table is open_clip's."""
    assert own_tower_config({"width": 8}) is None
    assert own_tower_config({"tower": "lstm", "hf_tokenizer_name": "x"}) == LstmConfig()
