"""Sets of molecules and sentences: malformed files, features, groups, raters."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import w2sjax as w2s
from w2sjax.sets import rows, sentences
from w2sjax.sets.rows import number, read_rows, text


def test_malformed_files_name_row_and_column(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    long = "x" * (rows.LONGEST + 1)
    for content, message in (
        (b"a,text\n1,good\ntwo,good\n", "row 1, column a: is no number ('two')"),
        (b"a,text\n1,good\ninf,good\n", "row 1, column a: is not finite"),
        (b"a,text\n1,good\n2, \n", "row 1, column text: is blank"),
        (b"a,text\n1,good\n2,\xff\xfe\n", "row 1, column text: is not UTF-8"),
        (b"a,text\n1,good\n2,good,more\n", "row 1, column all: has 3 fields, not 2"),
        (
            b"a,text\n1,good\n2," + long.encode() + b"\n",
            "row 1, column text: is longer than 10000 characters",
        ),
        (b"a,texts\n1,good\n", "has not one column 'text': did you mean 'texts'?"),
        (b"", "has not one column 'a': pass one with a heading"),
        (b"a,text\n", "has no row that can be used"),
    ):
        file.write_bytes(content)
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            read_rows(file, {"a": number, "text": text})
        if "row 1" in message:
            found = read_rows(file, {"a": number, "text": text}, drop=True)
            assert found.columns == {"a": [1.0], "text": ["good"]} and found.rows.tolist() == [0]
            assert sum(found.dropped.values()) == 1
    with pytest.raises(w2s.W2SError, match="cannot be read"):
        read_rows(tmp_path / "none.csv", {"a": number})


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60))
def test_no_content_is_a_traceback(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(b"a,text\n" + content)
    try:
        found = read_rows(file, {"a": number, "text": text}, drop=True)
    except w2s.W2SError:
        return
    assert np.isfinite(found.columns["a"]).all() and all(found.columns["text"])


def test_sentences_and_their_raters(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "id,rating,ratings,text\n1_1,1,0 1 2 1,one\n1_2,-1,-1 -1 -2 0,two\n7,0,0 0 x 0,three\n8,5,5 5,four\n"
    )
    with pytest.raises(w2s.W2SError, match=r"row 2, column ratings: is no number \('x'\)"):
        sentences.read_sentences(file)
    found = sentences.read_sentences(file, drop=True)
    assert found.texts == ["one", "two"] and found.source.tolist() == ["1", "1"]
    assert found.dropped == {"ratings: is no number": 1, "rating: is not from -4 to 4": 1}
    with pytest.raises(w2s.W2SError, match="leaves a sentence of 4 raters no truth"):
        sentences.raters(found.ratings, (1, 4))
    people = sentences.raters(found.ratings, (1, 2))
    for k, labels in people.labels.items():
        total = labels * 2 + people.truth * 2 if k == 2 else None
        if total is not None:  # the supervisors and the others are all raters, once each
            np.testing.assert_allclose(total, [4.0, -4.0])
    assert people.truth_noise == pytest.approx(people.noise / 2) and people.noise == pytest.approx(2 / 3)


def test_noise_of_raters_is_what_errors_show() -> None:
    """Errors of k raters are noise / k, plus that of the truth: within five standard errors."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=4000)
    people = sentences.raters(list(mean[:, None] + rng.normal(size=(4000, 20))))
    for k, labels in people.labels.items():
        squares = (labels - people.truth) ** 2
        expected = people.noise / k + people.truth_noise
        assert abs(squares.mean() - expected) < 5 * squares.std() / 4000**0.5


SMILES = ("CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CCCC", "C1:C:C:C:C:C:1", "C[N+](C)(C)C")


def test_molecules_and_their_features(tmp_path: Path) -> None:
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    from w2sjax.sets.molecules import KINDS, molecule_features, read_molecules, scaffolds

    file = tmp_path / "x.csv"
    bad = ("C1CC", "", "not a molecule", "C" * 3000, "C(C)(C)(C)(C)C")
    file.write_text("smiles,y\n" + "".join(f"{s},1.5\n" for s in (*SMILES, *bad)))
    with pytest.raises(w2s.W2SError, match=r"row 6, column smiles: is no molecule \('C1CC'\)"):
        read_molecules(file, "y")
    found = read_molecules(file, "y", drop=True)
    assert found.smiles == list(SMILES) and sum(found.dropped.values()) == len(bad)
    for kind in ("characters", *KINDS, "morgan-64"):
        values = molecule_features(SMILES, kind)
        assert values.shape[0] == len(SMILES) and np.isfinite(values).all()
    assert molecule_features(SMILES, "size")[:2].tolist() == [[3, 2], [7, 7]]
    assert molecule_features(SMILES, "groups").shape[1] == 85
    assert (
        molecule_features(SMILES, "morgan-64")[0].sum() == 6
    )  # every atom of ethanol alone, and with its bonds
    with pytest.raises(w2s.W2SError, match="did you mean|not known|is not one"):
        molecule_features(SMILES, "morgan")
    with pytest.raises(w2s.W2SError, match="'no' at row 1, which is no molecule"):
        molecule_features(["CCO", "no"], "size")
    groups = scaffolds(SMILES)
    assert groups[1] == groups[2] == groups[4] and len(set(groups)) == 4


def test_clusters_by_the_neighbours_of_each() -> None:
    """Beside Butina's algorithm in a loop, on chains of atoms and rings."""
    pytest.importorskip("rdkit", reason="molecules need rdkit")
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    from w2sjax.sets.molecules import clusters, molecules_of

    rng = np.random.default_rng(0)
    smiles = [
        "".join(rng.choice(["C", "CC", "O", "N", "c1ccccc1"], size=rng.integers(2, 6))) for _ in range(80)
    ]
    found = clusters(smiles, 0.6)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = generator.GetFingerprints(molecules_of(smiles))
    near = np.array([DataStructs.BulkTanimotoSimilarity(own, prints) for own in prints]) >= 0.4
    expected, label = np.full(80, -1), 0
    for _, row in sorted(((own.sum(), row) for row, own in enumerate(near)), reverse=True):
        if expected[row] < 0:
            expected[near[row] & (expected < 0)] = label
            label += 1
    np.testing.assert_array_equal(found, expected)
    assert 3 < label < 70
    with pytest.raises(w2s.W2SError, match="distance=-1"):
        clusters(smiles, -1)
    with pytest.raises(w2s.W2SError, match="'no' at row 1, which is no molecule"):
        clusters(["C", "no"])
