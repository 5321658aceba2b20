"""Transformers for SMILES: tokens, what pretraining learns, several seeds at once, and stopped runs that go on."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import w2sjax as w2s
from w2sjax.encoders import smiles as module
from w2sjax.encoders.smiles import FIRST, OTHER, pretrain, split_smiles, tokens_of

RNG = np.random.default_rng(0)
CHAINS = ["".join(RNG.choice(["CO", "NBr", "SCl"], size=RNG.integers(2, 6))) for _ in range(200)]
"""Every other token says which one comes next."""

OPTIONS: dict[str, Any] = {"width": 8, "depth": 1, "length": 10, "batch": 32, "learning_rate": 1e-2}


def test_tokens() -> None:
    assert split_smiles("C[NH3+]Br%12Cl=c1") == ["C", "[NH3+]", "Br", "%12", "Cl", "=", "c", "1"]
    found = tokens_of(["CO", "COCOC", "X"], ("C", "O"), 4)
    assert found.tolist() == [[FIRST, FIRST + 1, 0, 0], [FIRST, FIRST + 1] * 2, [OTHER, 0, 0, 0]]
    with pytest.raises(w2s.W2SError, match="smiles has ' ' at row 1"):
        tokens_of(["C", " "], ("C",), 4)
    with pytest.raises(w2s.W2SError, match="width=8 is no multiple of heads=3"):
        pretrain(CHAINS, width=8, heads=3)
    with pytest.raises(w2s.W2SError, match="smiles are 2: pass at least 10"):
        pretrain(CHAINS[:2])


def test_pretraining_learns_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = pretrain(CHAINS, steps=200, seeds=(0, 1), store=tmp_path, progress=True, **OPTIONS)
    assert "200 of 200 steps" in capsys.readouterr().err
    assert found.commonest < 0.3 and (found.accuracy > 0.6).all()
    features = [found.features(CHAINS, seed, batch=64) for seed in (0, 1)]
    assert features[0].shape == (200, 16) and not np.allclose(*features)
    np.testing.assert_allclose(found.features(CHAINS[:3], batch=64), features[0][:3], rtol=1e-5, atol=1e-5)
    for file in tmp_path.iterdir():
        file.unlink()
    train, calls = module._train, []

    def stopped(*arguments: Any, **options: Any) -> Any:
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(1)
        return train(*arguments, **options)

    monkeypatch.setattr(module, "_train", stopped)
    with pytest.raises(KeyboardInterrupt):
        pretrain(CHAINS, steps=200, seeds=(0, 1), store=tmp_path, **OPTIONS)
    calls.clear()
    again = pretrain(CHAINS, steps=200, seeds=(0, 1), store=tmp_path, **OPTIONS)
    assert len(calls) == 1  # of two
    for ours, other in zip(jax.tree.leaves(found.parameters), jax.tree.leaves(again.parameters), strict=True):
        np.testing.assert_array_equal(ours, other)
