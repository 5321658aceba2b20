# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a folder of sentences and two encoders to a selection table
#
# A folder of CSV files with sentences and ratings; static embeddings and a BERT as encoders, whose weights are read as data. Which
# weak model should label for the student? `weak_error - misfit` says so without any labels of the student's sample.
#
# With `W2SJAX_SENTENCES` (a folder), `W2SJAX_ENCODER` and `W2SJAX_STATIC` (folders of weights: see docs/real_data.md) this runs on
# data of yours. Without them it makes a small folder of sentences and two encoders of random weights.

# %%
import os
import tempfile
from pathlib import Path

import jax
import numpy as np
import pandas as pd

import w2sjax as w2s
from w2sjax.encoders import WORDLLAMA, Bert, Static, layer_features, load_bert, load_static
from w2sjax.sets.rows import number, read_rows, text

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
resamples = 10 if FAST else 100
given = [os.environ.get(name) for name in ("W2SJAX_SENTENCES", "W2SJAX_ENCODER", "W2SJAX_STATIC")]
own = all(given) and not FAST

# %% [markdown]
# ## The folder
# Made-up reviews: a word that turns the next one around, words of liking, words of nothing. What a sentence says depends on the order
# of its words, which static embeddings do not see.

# %%
WORDS = {
    "good": 1.0,
    "fine": 0.5,
    "bad": -1.0,
    "awful": -1.5,
    "not": 0.0,
    "the": 0.0,
    "plot": 0.0,
    "cast": 0.0,
}


def write_folder(folder: Path, files: int = 3, rows: int = 300) -> None:
    rng = np.random.default_rng(0)
    for i in range(files):
        table = []
        for words in rng.choice(list(WORDS), (rows, 8)):
            signs = np.where([False, *(words[:-1] == "not")], -1, 1)
            table.append((" ".join(words), sum(signs * [WORDS[w] for w in words]) + 0.3 * rng.normal()))
        pd.DataFrame(table, columns=["text", "rating"]).to_csv(folder / f"part_{i}.csv", index=False)


if own:
    folder = Path(str(given[0]))
else:
    folder = Path(tempfile.mkdtemp())
    write_folder(folder)
parts = [
    read_rows(file, {"text": text, "rating": number}, drop=True) for file in sorted(folder.glob("*.csv"))
]
texts = [sentence for part in parts for sentence in part.columns["text"]]
ratings = np.array([rating for part in parts for rating in part.columns["rating"]])
print(len(texts), "sentences;", [part.dropped for part in parts])

# %% [markdown]
# ## Two encoders


# %%
def random_encoders(width: int = 48, layers: int = 3) -> tuple[Bert, Static]:
    from tokenizers import Tokenizer, models, pre_tokenizers

    rng = np.random.default_rng(0)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="the"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    words = rng.normal(size=(len(WORDS), width)).astype(np.float32)
    weights = {"words": words, "positions": 0.5 * rng.normal(size=(16, width)), "type": np.zeros(width)}
    shapes = dict.fromkeys(("query", "key", "value", "attended"), (width, width))
    for part, (out, into) in (shapes | {"wide": (4 * width, width), "narrow": (width, 4 * width)}).items():
        weights[f"{part}.weight"] = 2 * rng.normal(size=(layers, out, into)) / into**0.5
        weights[f"{part}.bias"] = np.zeros((layers, out))
    for norm, shape in (("norm_0", (width,)), ("norm_1", (layers, width)), ("norm_2", (layers, width))):
        weights[f"{norm}.weight"], weights[f"{norm}.bias"] = np.ones(shape), np.zeros(shape)
    weights = {name: values.astype(np.float32) for name, values in weights.items()}
    return Bert(weights, 4, 1e-12, tokenizer, "random"), Static(words[:, :3], tokenizer)


if own:
    bert = load_bert(str(given[1]))
    static = load_static(*(Path(str(given[2])) / file for file in WORDLLAMA))
else:
    bert, static = random_encoders()
layers = layer_features(bert, texts)
print("layers, sentences, width:", layers.shape)

# %% [markdown]
# ## The table
# Weak models: static embeddings and the lower layers, with a ridge head each. The student has all layers.

# %%
weak = {"static": static.features(texts)} | {f"layer {i}": layers[i] for i in range(len(layers) - 1)}
weak = {name: w2s.data.standardized(name, values) for name, values in weak.items()}
strong = {"all layers": w2s.data.standardized("all layers", np.concatenate(list(layers), axis=1))}
head = {ridge: w2s.heads.Ridge(float(ridge)) for ridge in ("0.1", "1")}
both = w2s.analysis.comparison(weak, strong, ratings, weak_head=w2s.heads.Ridge(0.01), head=head)
protocol = w2s.Protocol(**both.world.sizes, tasks=1, stages=both.stages)
found = w2s.sweep(both.world, protocol, pairs=resamples)
result = w2s.analysis.help_on_data(found, both, unit="rating")
report = w2s.analysis.help_report(result)
table = pd.DataFrame(report["selection"]).set_index("weak")
shown = ["weak_error", "misfit", "upper_bound", "w2s_error", "gain", "pgr", "opr"]
medians = table[shown].map(lambda interval: round(interval[0], 3))
print(report["student"])
print(medians.assign(chosen=table["chosen"].round(2)).to_string())
print(report["headline"])

# %% [markdown]
# `upper_bound` is weak_error - misfit, by which Charikar et al. 2024 choose; `chosen` is the share of resamples in which it takes that
# model. Medians over resamples.

# %%
figure = w2s.figures.help_panels([result], ["sentences"], "Who should label for the student?")
