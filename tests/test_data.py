"""Data sets of a user: files, checks, and every weak with every strong representation beside scikit-learn."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import w2sjax as w2s
from tests.real import DATA
from w2sjax import data
from w2sjax.analysis import compare_representations, medians
from w2sjax.cli import main
from w2sjax.random.keys import Role, pair_key, role_key
from w2sjax.random.threefry import seed_key
from w2sjax.sets.rows import data_file, number, read_rows, text

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))


def written(folder: Path) -> dict[str, Path]:
    files = {kind: folder / f"x{kind}" for kind in (".npy", ".npz", ".csv", ".zarr")}
    np.save(files[".npy"], X)
    np.savez(files[".npz"], x=X, y=X[:, 0])
    pd.DataFrame(X, columns=list("abc")).assign(name="m").to_csv(files[".csv"], index=False)
    zarr.open_group(files[".zarr"], mode="w").create_array("x", data=X)
    return files


def test_files_hold_the_same_array(tmp_path: Path) -> None:
    for kind, file in written(tmp_path).items():
        np.testing.assert_allclose(data.read_array(file, "x" if kind == ".npz" else None), X, rtol=1e-12)
    np.testing.assert_allclose(data.read_array(tmp_path / "x.csv", "b"), X[:, 1], rtol=1e-12)


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    pd.DataFrame(X, columns=list("abc")).to_parquet(tmp_path / "x.parquet")
    np.testing.assert_array_equal(data.read_array(tmp_path / "x.parquet"), X)


def saved_data_set(folder: Path, frame: pd.DataFrame, files: int = 2) -> None:
    """Write a data set as `datasets.Dataset.save_to_disk` does: streams of Arrow and the order of the files."""
    pa = pytest.importorskip("pyarrow", reason="data sets need pyarrow")
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{files:05d}.arrow" for i in range(files)]
    for name, rows in zip(names, np.array_split(np.arange(len(frame)), files), strict=True):
        table = pa.Table.from_pandas(frame.iloc[rows], preserve_index=False)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train", "_fingerprint": "x"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def frame_of_rows() -> pd.DataFrame:
    frame = pd.DataFrame(X, columns=list("abc"), index=np.arange(60)[::-1])
    return frame.assign(encoding=list(X[:, :2]), name=[f"m{i // 3 if i < 30 else i}" for i in range(60)])


def test_frames_and_folders_of_data_sets_hold_the_same_table(tmp_path: Path) -> None:
    frame = frame_of_rows()
    saved_data_set(tmp_path / "saved" / "train", frame)
    folder = tmp_path / "parquet"
    folder.mkdir()
    frame.iloc[:20].to_parquet(folder / "train-00000-of-00002.parquet")
    frame.iloc[20:].to_parquet(folder / "train-00001-of-00002.parquet")
    for source in (frame, tmp_path / "saved" / "train", folder):
        np.testing.assert_array_equal(data.read_array(source), X)
        np.testing.assert_array_equal(data.read_array(source, "b"), X[:, 1])
        np.testing.assert_array_equal(data.read_array(source, "encoding"), X[:, :2])
        found = data.columns(
            source, features={"weak": "encoding", "strong": ["a", "b", "c"]}, targets="c", groups="name"
        )
        np.testing.assert_allclose(found["features"]["strong"], data.standardized("x", X))
        world = w2s.worlds.Resampled(**found)
        assert world.sizes["n_weak"] == 21 and len(set(world.groups.tolist())) == 40
    numbered = pd.DataFrame(X)
    np.testing.assert_array_equal(data.read_array(numbered, "2"), X[:, 2])
    nullable = frame[["a"]].astype("Float64")
    nullable.iloc[4] = pd.NA
    with pytest.raises(w2s.W2SError, match="weak holds 1 NaN or infinite values, the first .nan. at row 4"):
        data.columns(nullable, features={"weak": "a"}, targets="a")


def test_tables_that_cannot_be_used(tmp_path: Path) -> None:
    frame = frame_of_rows()
    saved_data_set(tmp_path / "both" / "train", frame)
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for name in ("chosen", "damaged", "gone"):
        saved_data_set(tmp_path / name, frame)
    (tmp_path / "chosen" / "state.json").write_text(
        '{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}'
    )
    (tmp_path / "damaged" / "data-00001-of-00002.arrow").write_bytes(b"\xff" * 99)
    (tmp_path / "gone" / "data-00001-of-00002.arrow").unlink()
    (tmp_path / "mixed").mkdir()
    for split in ("train", "test"):
        frame.to_parquet(tmp_path / "mixed" / f"{split}-00000-of-00001.parquet")
    (tmp_path / "empty").mkdir()
    ragged = frame.assign(encoding=[[1.0, 2.0]] * 7 + [[1.0]] * 53)
    for source, column, message in (
        (tmp_path / "both", "a", "holds the splits train, test: pass the folder of one of them"),
        (tmp_path / "chosen", "a", "holds a choice of rows by indices: save it after flatten_indices()"),
        (tmp_path / "damaged", "a", "cannot be read"),
        (tmp_path / "gone", "a", "cannot be read"),
        (tmp_path / "mixed", "a", "holds files of test, train: pass one of the files"),
        (tmp_path / "empty", "a", "holds no state.json and no .parquet or .arrow files"),
        (tmp_path / "none", "a", "does not exist: pass one of .npy"),
        (frame, "aa", "the DataFrame holds a, b, c, encoding, name, not 'aa': did you mean 'a'?"),
        (frame, "name", "the DataFrame has 'm0' at row 0, column name: pass numbers"),
        (ragged, "encoding", "has '[1.0]' at row 7, column encoding: pass lists of 2 numbers"),
        (frame.assign(a=[{}] * 60), "a", "the DataFrame has '{}' at row 0, column a: pass numbers"),
        (frame[["name"]], None, "the DataFrame has no column of numbers"),
        (pd.concat([frame, frame], axis=1), "a", "not 'a'"),
    ):
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            data.read_array(source, column)


def test_sentences_of_a_data_set_are_checked_as_those_of_a_file(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"text": ["good", None, "bad"], "rating": [1.0, 2.0, np.nan], "x": [[1, 2], [3], []]}
    )
    saved_data_set(tmp_path / "saved", frame)
    for source in (frame, tmp_path / "saved"):
        found = read_rows(source, {"text": text, "rating": number}, drop=True)
        assert found.columns == {"text": ["good"], "rating": [1.0]}
        assert found.dropped == {"text: is blank": 1, "rating: is no number": 1}
        with pytest.raises(w2s.W2SError, match="row 1, column text: is blank; mend it, or pass drop=True"):
            read_rows(source, {"text": text})
        assert read_rows(source, {"x": str}).columns["x"] == ["1 2", "3", ""]


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no")
    (tmp_path / "bad.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    (tmp_path / "words.csv").write_text("a,b\n1,2\nthree,4\n")
    for file, name, message in (
        ("x.txt", None, "is of no known kind: pass one of .npy"),
        ("none.npy", None, "does not exist"),
        ("bad.npz", None, "cannot be read as .npz"),
        ("bad.csv", None, "cannot be read as .csv"),
        ("x.npz", None, "holds x, y, not None: name one of them"),
        ("x.csv", "d", "did you mean"),
        ("words.csv", "a", "has 'three' at row 1, column a: pass numbers"),
    ):
        with pytest.raises(w2s.W2SError, match=re.escape(message)):
            data.read_array(tmp_path / file, name)


def test_standardized_equals_scikit_learn() -> None:
    values = np.c_[X * [1e-6, 1, 1e6] + 5, np.full(60, 0.1)]
    np.testing.assert_allclose(
        data.standardized("x", values)[:, :3], StandardScaler().fit_transform(values[:, :3]), rtol=1e-8
    )
    assert (data.standardized("x", values)[:, 3] == 0).all()


def test_what_spoils_an_experiment_is_counted() -> None:
    values = np.c_[X, np.ones(60)]
    values[7] = values[30] = values[2]
    assert data.inspect({"x": values}, X[:, 0])["x"] == {
        "rows": 60,
        "width": 4,
        "constant": 1,
        "duplicates": 2,
    }
    groups = data.duplicate_groups(values)
    assert groups[7] == groups[2] == groups[30] and len(np.unique(groups)) == 58
    with pytest.raises(
        w2s.W2SError, match=r"x holds 1 NaN or infinite values, the first \(nan\) at row 3, column 1"
    ):
        data.inspect({"x": np.where(np.arange(180).reshape(60, 3) == 10, np.nan, X)}, X[:, 0])


def by_scikit_learn(
    weak: np.ndarray, strong: np.ndarray, y: np.ndarray, pools: Any, ridge: float
) -> dict[str, float]:
    train, transfer, test = (np.asarray(pools[split]) for split in ("weak", "strong", "eval"))

    def fit(x: np.ndarray, labels: np.ndarray) -> Any:
        return Ridge(alpha=len(x) * ridge, solver="svd", tol=0).fit(x, labels)

    model = fit(weak[train], y[train])
    teacher = model.predict(weak[test])
    student = fit(strong[transfer], model.predict(weak[transfer])).predict(strong[test])
    return {
        "weak_error": ((teacher - y[test]) ** 2).mean(),
        "w2s_error": ((student - y[test]) ** 2).mean(),
        "ceiling_error": ((fit(strong[transfer], y[transfer]).predict(strong[test]) - y[test]) ** 2).mean(),
        "baseline_error": ((fit(strong[train], y[train]).predict(strong[test]) - y[test]) ** 2).mean(),
        "misfit": ((student - teacher) ** 2).mean(),
    }


def check_table(weak: dict[str, Any], strong: dict[str, Any], y: np.ndarray, resamples: int) -> Any:
    table = compare_representations(weak, strong, y, resamples=resamples, head=w2s.heads.Ridge(0.1))
    named = {"weak_0": next(iter(weak.values()))}
    world = w2s.worlds.Resampled(features=named, targets=y)
    for pair in range(resamples):
        pools = world.draw(role_key(pair_key(seed_key(0), pair), Role.PAIR)).pools
        for name in weak:
            for other in strong:
                expected = by_scikit_learn(weak[name], strong[other], y, pools, 0.1)
                found = table.sel(pair=pair, weak=name, strong=other)
                for quantity, value in expected.items():
                    np.testing.assert_allclose(
                        found[quantity], value, rtol=1e-8, err_msg=f"{quantity} {name} {other}"
                    )
                np.testing.assert_allclose(
                    found.gain, expected["weak_error"] - expected["w2s_error"], atol=1e-8
                )
    return table


def test_every_pair_of_representations_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 8))
    y = np.sin(x).sum(axis=1)
    table = check_table({"two": x[:, :2], "three": x[:, 2:5]}, {"all": np.tanh(x), "some": x[:, :6]}, y, 3)
    np.testing.assert_allclose(medians(table[["gain"]]).gain.sel(of="median"), table.gain.median("pair"))


@DATA
def test_molecules_equal_scikit_learn() -> None:
    stored = np.load(data_file("molecules", "minimol_FreeSolv_SAMPL.npz"))
    strong = data.standardized("strong", stored["features"].astype(float))
    weak = {"16": strong[:, :16], "64": strong[:, 16:80]}
    check_table(weak, {"minimol": strong}, stored["target"].astype(float), 2)


def test_the_command_compares_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 8))
    np.savez(tmp_path / "weak.npz", two=x[:, :2], three=x[:, 2:5])
    np.savez(tmp_path / "strong.npz", all=np.tanh(x), some=x[:, :6])
    pd.DataFrame({"y": np.sin(x).sum(axis=1)}).to_csv(tmp_path / "y.csv", index=False)
    arguments = [
        "compare",
        "--targets",
        f"{tmp_path}/y.csv:y",
        "--resamples",
        "3",
        "--json",
        f"{tmp_path}/out.json",
    ]
    for name in ("two", "three"):
        arguments += ["--weak", f"{tmp_path}/weak.npz:{name}"]
    for name in ("all", "some"):
        arguments += ["--strong", f"{tmp_path}/strong.npz:{name}"]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0 and "three" in capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())["pairs"]
    assert [(row["weak"], row["strong"]) for row in written[:2]] == [("two", "all"), ("three", "all")]
    assert sum(row["chosen"] for row in written[:2]) == pytest.approx(1)
    pair = data.standardized("two", x[:, :2]), data.standardized("all", np.tanh(x))
    assert written[0]["label_free"] == pytest.approx(float(w2s.theory.label_free_metric(*pair)), rel=1e-9)
    with pytest.raises(SystemExit):
        main([*arguments[:-1], f"{tmp_path}/strong.npz:al"])
    assert "did you mean 'all'?" in capsys.readouterr().err


def test_clusters_of_features() -> None:
    """No cluster is of two blobs that are far apart; splits share no cluster."""
    rng = np.random.default_rng(0)
    blob = rng.integers(12, size=240)
    x = 20 * rng.normal(size=(12, 5))[blob] + 0.1 * rng.normal(size=(240, 5))
    found = data.cluster_groups(x, 40, seed=1)
    labels = np.unique(found)
    assert (
        found.dtype == np.int64 and len(labels) > 12 and len({*zip(found, blob, strict=True)}) == len(labels)
    )
    np.testing.assert_array_equal(found, data.cluster_groups(x, 40, seed=1))
    world = w2s.worlds.Resampled(features={"weak": x, "strong": x}, targets=x[:, 0], groups=found)
    pools = world.draw(role_key(pair_key(seed_key(0), 0), Role.PAIR)).pools
    of_split = [set(found[np.asarray(rows)]) for rows in pools.values()]
    assert len(set.union(*of_split)) == sum(map(len, of_split))
    for count in (1, 241):
        with pytest.raises(w2s.W2SError, match=f"count={count}"):
            data.cluster_groups(x, count)
    with pytest.raises(w2s.W2SError, match="values"):
        data.cluster_groups(x[0], 3)
