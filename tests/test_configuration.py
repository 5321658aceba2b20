"""Configuration files: what they turn into, and the one sentence for whatever is wrong in them."""

from pathlib import Path

import pytest

import w2sjax as w2s
from w2sjax.sweeps.configuration import SweepConfiguration, load_configuration

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))


def load(tmp_path: Path, text: str) -> SweepConfiguration:
    file = tmp_path / "sweep.toml"
    file.write_text(text)
    return load_configuration(file)


def test_a_file_becomes_the_arguments_of_sweep(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """
        pairs = 10
        seed = 4
        precision = "float32"
        [world]
        weak_noise = 0.1
        width = 8
        [protocol]
        n_weak = 100
        ridge = 0
        [axes]
        ridge_strong = [0, 0.5]
        depth = [2, 3]
        """,
    )
    assert loaded.precision == "float32"
    arguments = loaded.arguments()
    assert arguments["world"] == w2s.worlds.PerturbedMLP(weak_noise=0.1, width=8)
    assert arguments["protocol"] == w2s.Protocol(n_weak=100, ridge=0)
    assert list(arguments["axes"]) == ["ridge_strong", "depth"]
    assert (arguments["pairs"], arguments["seed"], arguments["paired"]) == (10, 4, True)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_are_valid(file: Path) -> None:
    assert load_configuration(file).pairs > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair = 3", "pair is not known: did you mean pairs?"),
        (
            "pairs = 3\n[world]\nweak_nois = 0.1",
            "world.weak_nois is not known: did you mean world.weak_noise?",
        ),
        (
            "pairs = 3\n[protocol]\nn_stron = 1",
            "protocol.n_stron is not known: did you mean protocol.n_strong?",
        ),
        ("pairs = 3\n[worlds]\nwidth = 1", "worlds is not known: did you mean world?"),
        (
            "pairs = 3\n[axes]\nrigde = [1]",
            "axes.rigde is not a field that can vary: did you mean axes.ridge?",
        ),
        ("seed = 3", "pairs is missing"),
        ("pairs = 0", "pairs=0 is not a whole number >= 1"),
        ("pairs = 2.0", "pairs=2.0 is not a whole number >= 1"),
        ("pairs = true", "pairs=True is not a whole number >= 1"),
        ("pairs = 2\nprecision = 'double'", 'precision=\'double\' is not "auto", "float64" or "float32"'),
        ("pairs = 2\nworld = 3", "world=3 is not a table"),
        (
            "pairs = 2\n[world]\nkind = 'PerturbdMLP'",
            "world.kind='PerturbdMLP' is not known: use 'PerturbedMLP'",
        ),
        ("pairs = 2\n[world]\nwidth = -16", "world.width=-16 is too small"),
        ("pairs = 2\n[world]\nweak_noise = 'big'", "world.weak_noise='big' is not a number"),
        ("pairs = 2\n[protocol]\nn_weak = -5", "protocol.n_weak=-5 is too small: pass a whole number >= 1"),
        ("pairs = 2\n[protocol]\nn_eval = 2000.5", "protocol.n_eval=2000.5 is not an integer"),
        ("pairs = 2\n[axes]\nn_weak = [10, -5]", "axes.n_weak=-5 is too small"),
        ("pairs = 2\n[axes]\nn_weak = [10, 10.5]", "axes.n_weak=10.5 is not an integer"),
        (
            "pairs = 2\n[world]\nweak_noise = 2020-01-01",
            "world.weak_noise=datetime.date(2020, 1, 1) is not a number",
        ),
        ("pairs = 2\nseed = 4294967296", "seed=4294967296 is not a whole number >= 0 and < 2^32"),
        ("pairs = 2\n[axes]\nridge = 0.1", "axes.ridge=0.1 is not a list of values"),
        ("pairs = 2\n[axes]\nridge = []", "axes.ridge is empty"),
        ("pairs = 2\n[axes]\nridge = [0.1, 0.1]", "axes.ridge repeats a value"),
        ("pairs = 2\n[axes]\nridge = [[0.1]]", "axes.ridge[0]=[0.1] is not a single value"),
        ("pairs = 2\n[axes]\ntasks = [1, 2]", "axes.tasks is not a field that can vary"),
        (
            "pairs = 2\n[axes]\nridge = [0.1]\nridge = [0.2]",
            "axes.ridge is given twice, the second time in line 4",
        ),
        ("pairs = 2\npairs = 3", "pairs is given twice, the second time in line 2"),
        ("pairs = 2\n[axes]\nridge = [1]\n[axes]", "axes is given twice, the second time in line 4"),
        ("pairs = ", "is not valid TOML"),
    ],
)
def test_mistakes_are_one_sentence_with_the_full_path(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        load(tmp_path, text)
    assert message in str(refused.value), str(refused.value)
    assert "\n" not in str(refused.value)
    assert "sweep.toml" in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing.toml cannot be read"):
        load_configuration(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is not text in UTF-8"):
        load_configuration(tmp_path / "binary.toml")
