"""Molecules with a measured property (MoleculeNet, Wu et al. 2018): targets, weak features by RDKit, scaffolds."""

import collections
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.sets.rows import data_file, is_text, number, read_rows, text
from w2sjax.validation import check_choice, check_number, shown

SETS = {
    "ESOL": ("ESOL_delaney-processed", "measured log solubility in mols per litre", "log10(mol/L)"),
    "FreeSolv": ("FreeSolv_SAMPL", "expt", "kcal/mol"),
    "Lipophilicity": ("Lipophilicity", "exp", "logD at pH 7.4"),
}
"""File, target column and unit."""

LONGEST_SMILES = 2000


class Molecules(NamedTuple):
    """A data set.

    Attributes:
        smiles: of every molecule.
        target: float `[molecule]`.
        rows: int `[molecule]`, positions in the file.
        dropped: rows that were left out, by what was wrong.
    """

    smiles: list[str]
    target: np.ndarray
    rows: np.ndarray
    dropped: dict[str, int]


def read_molecules(file: Any, target: str, *, smiles: str = "smiles", drop: bool = False) -> Molecules:
    """Read molecules from a CSV file or another table.

    Args:
        file: with a column of SMILES and one of targets.
        target, smiles: names of the columns.
        drop: leave out rows that are wrong, and count them.

    Raises:
        W2SError: naming row and column of what is wrong, such as a SMILES that RDKit cannot read.
    """
    chem = _rdkit()

    def molecule(field: str) -> str:
        given = text(field)
        if len(given) > LONGEST_SMILES:
            raise ValueError(f"is longer than {LONGEST_SMILES} characters ({len(given)})")
        with chem.rdBase.BlockLogs():
            if chem.MolFromSmiles(given) is None:
                raise ValueError(f"is no molecule ({given[:40]!r})")
        return given

    found = read_rows(file, {smiles: molecule, target: number}, drop=drop)
    return Molecules(found.columns[smiles], np.array(found.columns[target]), found.rows, found.dropped)


def molecule_set(name: str) -> tuple[Molecules, np.ndarray]:
    """Return one of `SETS`, rows without a SMILES left out, and its features `[molecule, 512]` by MiniMol.

    MiniMol is a pretrained graph network (Klaeser et al. 2024); its features were made beforehand.

    Raises:
        W2SError: for a file that is not there, or features of other molecules.
    """
    check_choice("name", name, tuple(SETS))
    stem, column, _ = SETS[name]
    found = read_molecules(data_file("molecules", f"{stem}.csv"), column, drop=True)
    stored = np.load(data_file("molecules", f"minimol_{stem}.npz"), allow_pickle=False)
    if stored["target"].shape != found.target.shape or not np.allclose(
        stored["target"], found.target, atol=1e-4
    ):
        raise W2SError(f"minimol_{stem}.npz has targets of other molecules than {stem}.csv: make it again.")
    return found, stored["features"].astype(np.float64)


def molecule_features(smiles: Sequence[str], kind: str) -> np.ndarray:
    """Return features of molecules, float64 `[molecule, width]`.

    Args:
        smiles: that RDKit can read.
        kind: one of `KINDS`, or "morgan-<width>": counts of circular substructures up to radius 2, folded.

    Raises:
        W2SError: for another kind, or a SMILES that is none, with its row.
    """
    chem = _rdkit()
    if kind == "characters":
        known = sorted({c for own in smiles for c in own})
        counts = [collections.Counter(own) for own in smiles]
        return np.array([[own[c] for c in known] for own in counts], np.float64)
    stem, _, width = kind.partition("-")
    if stem == "morgan" and width.isdecimal() and 0 < int(width) <= 2**16:
        from rdkit.Chem import rdFingerprintGenerator

        generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=int(width))
        of: Callable[[Any], Any] = generator.GetCountFingerprintAsNumPy
    else:
        check_choice("kind", kind, ("characters", *KINDS, "morgan-256"))
        of = KINDS[kind](chem)
    with chem.rdBase.BlockLogs():
        return np.array([of(own) for own in molecules_of(smiles)], np.float64)


def molecules_of(smiles: Sequence[str]) -> list[Any]:
    """Return molecules of RDKit.

    Raises:
        W2SError: for no SMILES, or one that is no molecule, with its row.
    """
    chem = _rdkit()
    if not len(smiles):
        raise W2SError("smiles are none: pass at least one.")
    with chem.rdBase.BlockLogs():
        found = [chem.MolFromSmiles(own) if is_text(own) else None for own in smiles]
    if None in found:
        row = found.index(None)
        raise W2SError(f"smiles has {shown(smiles[row])} at row {row}, which is no molecule: leave it out.")
    return found


def scaffolds(smiles: Sequence[str]) -> np.ndarray:
    """Return the Bemis-Murcko scaffold of every molecule, `[molecule]`; without rings each is a group of its own."""
    _rdkit()
    from rdkit.Chem.Scaffolds import MurckoScaffold

    found = [MurckoScaffold.MurckoScaffoldSmiles(smiles=own) for own in smiles]
    return np.array([own or f"without rings, {row}" for row, own in enumerate(found)])


def clusters(smiles: Sequence[str], distance: float = 0.65) -> np.ndarray:
    """Return the cluster of every molecule, int `[molecule]`: alike molecules, which as `groups` stay in one split.

    Those of Butina 1999 (J. Chem. Inf. Comput. Sci. 39, 747): the molecule with most neighbours and all of them, then
    so of the rest. By RDKit, of circular fingerprints (radius 2, 2048 bits).

    Args:
        smiles: that RDKit can read.
        distance: from 0 to 1, of Tanimoto, up to which molecules are neighbours.

    Raises:
        W2SError: for a SMILES that is no molecule, with its row, or a distance below 0.

    Cost: molecule^2 distances, 32 bytes each: 6 s for 4200.
    """
    check_number("distance", distance, least=0)
    molecules = molecules_of(smiles)
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.ML.Cluster import Butina

    prints = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048).GetFingerprints(molecules)
    distances: list[float] = []
    for row in range(1, len(prints)):
        own = DataStructs.BulkTanimotoSimilarity(prints[row], prints[:row], returnDistance=True)
        distances.extend(own)
    found = np.empty(len(prints), np.int64)
    for label, rows in enumerate(Butina.ClusterData(distances, len(prints), distance, isDistData=True)):
        found[list(rows)] = label
    return found


def _size(chem: Any) -> Callable[[Any], Any]:
    return lambda m: (m.GetNumHeavyAtoms(), m.GetNumBonds())


def _descriptors(chem: Any) -> Callable[[Any], Any]:
    from rdkit.Chem import rdMolDescriptors as d

    functions = (
        d.CalcExactMolWt,
        d.CalcTPSA,
        d.CalcNumHBD,
        d.CalcNumHBA,
        d.CalcNumRotatableBonds,
        d.CalcNumRings,
        d.CalcNumAromaticRings,
        d.CalcFractionCSP3,
        d.CalcNumHeteroatoms,
        d.CalcLabuteASA,
    )
    return lambda m: [function(m) for function in functions]


def _groups(chem: Any) -> Callable[[Any], Any]:
    from rdkit.Chem import Fragments

    functions = [getattr(Fragments, name) for name in sorted(dir(Fragments)) if name.startswith("fr_")]
    return lambda m: [function(m) for function in functions]


def _maccs(chem: Any) -> Callable[[Any], Any]:
    from rdkit.Chem import rdMolDescriptors

    return lambda m: list(rdMolDescriptors.GetMACCSKeysFingerprint(m))


KINDS = {"size": _size, "descriptors": _descriptors, "groups": _groups, "maccs": _maccs}
"""Heavy atoms and bonds; ten physical descriptors, no estimate of logP among them; functional groups; MACCS keys."""


def _rdkit() -> Any:
    try:
        from rdkit import Chem
    except ImportError as error:
        raise W2SError("molecules need rdkit: pip install rdkit.") from error
    return Chem
