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
        loss = "squared"
        [protocol.weak_head]
        kind = "Ball"
        radius = 2
        [protocol.head]
        ridge = 0
        [axes]
        head.ridge = [0, 0.5]
        depth = [2, 3]
        """,
    )
    assert loaded.precision == "float32"
    arguments = loaded.arguments()
    assert arguments["world"] == w2s.worlds.PerturbedMLP(weak_noise=0.1, width=8)
    heads = {"head": w2s.heads.Ridge(0), "weak_head": w2s.heads.Ball(2)}
    assert arguments["protocol"] == w2s.Protocol(n_weak=100, **heads)
    assert arguments["axes"] == {"head.ridge": [0, 0.5], "depth": [2, 3]}
    assert (arguments["pairs"], arguments["seed"], arguments["paired"]) == (10, 4, True)
    assert (arguments["first_pair"], arguments["metrics"]) == (0, ())


def test_a_file_may_have_a_chain_and_values_that_are_heads(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """
        pairs = 10
        first_pair = 20
        [[protocol.stages]]
        name = "weak"
        features = "weak"
        labels = "truth"
        split = "weak"
        head = {kind = "Ridge", ridge = 0.1}
        [[protocol.stages]]
        name = "w2s"
        features = "strong"
        labels = "weak"
        split = "strong_2"
        head = {kind = "Ball", radius = 1.0}
        [protocol.numerics]
        feature_precision = "float32"
        [axes]
        "weak.head.ridge" = [0.1, 0.2]
        """,
    )
    ridge, ball = w2s.heads.Ridge(0.1), w2s.heads.Ball(1.0)
    stages = (
        w2s.Stage("weak", "weak", "truth", "weak", ridge),
        w2s.Stage("w2s", "strong", "weak", "strong_2", ball),
    )
    numerics = w2s.Numerics(feature_precision="float32")
    assert loaded.protocol == w2s.Protocol(stages=stages, numerics=numerics)
    assert loaded.first_pair == 20
    loaded = load(tmp_path, 'pairs = 1\n[axes]\nhead = [{kind = "Ridge"}, {kind = "Ball", radius = 2.0}]')
    assert loaded.axes == {"head": [w2s.heads.Ridge(), w2s.heads.Ball(2.0)]}


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
            "axes has no field 'rigde' to vary: did you mean 'ridge'?",
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
        ("pairs = 2\n[axes]\nridge = []", "axes['ridge'] is empty: pass at least one value"),
        ("pairs = 2\n[axes]\nridge = [0.1, 0.1]", "axes['ridge'] repeats a value"),
        ("pairs = 2\n[axes]\nridge = [[0.1]]", "axes['ridge'] holds [0.1]: pass single numbers"),
        ("pairs = 2\n[axes]\ntasks = [1, 2]", "axes has no field 'tasks' to vary: run the most"),
        ("pairs = 2\n[axes]\nridge = [{kind = 'Ridge'}]", "is a table: pass a single value"),
        (
            "pairs = 2\n[axes]\nhead = [{ridge = 1}]",
            "axes.head.kind is missing: use one of ",
        ),
        (
            "pairs = 2\n[protocol.head]\nkind = 'Rigde'",
            "protocol.head.kind='Rigde' is not known: use 'Ridge' (kinds: ",
        ),
        (
            "pairs = 2\n[protocol.head]\nradius = 2",
            "protocol.head.radius is not known: did you mean protocol.head.ridge? The keys are kind, ridge",
        ),
        ("pairs = 2\n[protocol.head]\nridge = -1", "protocol.head.ridge=-1 is out of range"),
        ("pairs = 2\n[protocol]\nhead = 'Ridge'", "protocol.head='Ridge' is not a head"),
        ("pairs = 2\n[protocol]\nloss = 'huber'", "protocol.loss='huber' is not known: use one of squared"),
        ("pairs = 2\n[protocol]\nstages = [1]", "protocol.stages[0]=1 is not a table"),
        (
            "pairs = 2\n[[protocol.stages]]\nname = 'weak'",
            "protocol.stages[0].features is missing: add it to the file",
        ),
        (
            "pairs = 2\nmetrics = ['mine.gain']",
            "metrics holds 'mine.gain', which is no metric of a --module: name the module that has it by --module",
        ),
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
