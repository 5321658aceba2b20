"""Name, title and reference of every study, and the file that it is in: what a list shows without loading a library."""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple, TypedDict


class Entry(NamedTuple):
    """A line of the index: the module of this package that defines the study, its title and its reference.

    Attributes:
        data: what the study needs beside this package, in words, if anything: it is then made when it is asked for.
    """

    module: str
    title: str
    reference: str
    data: str = ""


class Names(TypedDict):
    """The fields of a `Study` or `Collection` that the index holds."""

    name: str
    title: str
    reference: str


_CHARIKAR = "Charikar, Pabbaraju, Shiragur 2024, arXiv 2405.15116"

_RULE = " (rule; worlds and candidates are this project's)"

# fmt: off
_CHARIKAR2024 = {
    "-perturbation-realizable": ("Weak = noisy copy of the target network, strong = the target network", ""),
    "-perturbation-nonrealizable": (
        "Weak and strong = noisy copies of the target network, strong with less noise", ""),
    "-perturbation-sample-size": (
        "Realizable perturbation: deviation against the size of all three splits",
        " (setting; the sizes are this project's)"),
    "-pretraining-realizable": ("Weak = 2 layers trained on 10 tasks, strong = the target network", ""),
    "-pretraining-nonrealizable": (
        "Weak = 2 layers, strong = 8 layers, both trained on 10 tasks of the 5-layer target", ""),
    "-low-sample": ("Trained on 5 tasks of 250 samples: 8 layers label for 2 layers (roles reversed)", ""),
    "-notebook": (
        "Non-realizable pretraining as in the released notebook: heads by AdamW on reused inputs", ""),
    **{
        f"-nonconvex-{activation}": (
            f"Heads with one hidden layer of 16 {activation} units, non-realizable perturbation", ", Appendix D")
        for activation in ("tanh", "relu", "sigmoid")
    },
    "": ("Gain against misfit in every synthetic setting of Charikar et al. 2024", ""),
    "-heads": (
        "Heads with a hidden layer: width, activation and length of training apart, realizable perturbation",
        " (Appendix D and open question 1; the grid is this project's)"),
    "-weak-quality": (
        "Weak representation varied, strong model = the target network",
        " (open question 2; the grid is this project's)"),
    "-typicality": (
        "How typical is the published panel? Non-realizable pretraining over independent draws of everything",
        " (setting; the study is this project's)"),
    "-reference-panel": (
        "Where the published non-realizable panel lies among 100 worlds",
        ", numbers of the released notebook's figures (the study is this project's)"),
    "-selection": ("Choosing among 8 weak models (weak_noise 0.02 to 0.1), strong model fixed", _RULE),
    "-selection-strong": (
        "Choosing among 6 strong models (strong_noise 0.005 to 0.04), weak model fixed (weak_noise 0.05)", _RULE),
    "-bounds": (
        "Theorems 1 and 2 beside what is measured, non-realizable perturbation",
        " (theorems; the constants of Theorem 2 are this project's)"),
}
"""Title, and what follows the paper's name in the reference, by the end of the study's name."""
# fmt: on

_BURNS = {
    "pgr": "PGR over weak quality, strong quality and sample size",
    "confidence": "Auxiliary confidence loss, as in the paper and as released, and product loss",
    "bootstrapping": "Three students of rising quality in a chain beside one",
    "overfitting": "Accuracy along training on weak labels; early stopping on weak labels and on the truth",
    "supervisors": "Supervisors of equal accuracy whose errors have other structures; trivial imitation",
    "adaptation": "Strong representation whitened, or cut to principal directions, on unlabelled inputs",
}

_BURNS2023 = "Burns et al. 2023, arXiv 2312.09390 (methods; worlds and sizes are this project's)"

INDEX = {
    f"charikar2024{what}": Entry("charikar2024", title, _CHARIKAR + note)
    for what, (title, note) in _CHARIKAR2024.items()
}

INDEX |= {f"burns2023-{what}": Entry("burns2023", title, _BURNS2023) for what, title in _BURNS.items()}

INDEX |= {
    "dong2025-subspaces": Entry(
        "dong2025",
        "Overlapping subspaces: excess risks, PGR and OPR against both sample sizes, beside exact values",
        "Dong et al. 2025, arXiv 2502.05075, and its public code",
    ),
    "finite-sample": Entry(
        "finite_sample",
        "Deviation of gain from misfit against both sample sizes",
        f"this project; worlds of {_CHARIKAR}",
    ),
    "finite-sample-law": Entry(
        "finite_sample",
        "The law of the deviation: its bands beside simulation, and what share of the tasks they hold",
        f"this project; worlds of {_CHARIKAR}",
    ),
    "moniri2025-ridge": Entry(
        "moniri2025",
        "Two stages of ridge: where the student beats a teacher of too little ridge",
        "Moniri, Hassani 2025, arXiv 2505.18346 (mechanism; settings and expressions are this project's)",
    ),
    "moniri2025-weighted": Entry(
        "moniri2025",
        "Two stages of ridge, the student's penalty aligned with the target",
        "Moniri, Hassani 2025, arXiv 2505.18346 (mechanism; settings and expressions are this project's)",
    ),
    "charikar2024-infinite-width": Entry(
        "theories",
        "Random ReLU networks from width 16 to 1024 beside the limit of infinite width",
        f"{_CHARIKAR} (setting); arc-cosine kernels of Cho, Saul 2009; the limit is this project's",
    ),
    "medvedev2025-linear": Entry(
        "theories",
        "Linear random features: infinitely wide student, stopped early, against its teacher",
        "Medvedev et al. 2025, arXiv 2503.02877 (setting); sizes and the equivalent are this project's",
    ),
    "medvedev2025-relu": Entry(
        "theories",
        "ReLU random features on a sphere: student stopped early, against its teacher",
        "Medvedev et al. 2025, arXiv 2503.02877 (setting, recalled); the equivalent is this project's",
    ),
    "overspecified2026-ratio": Entry(
        "theories",
        "Overspecified student, underspecified teacher: loss ratio against time by the teacher's width",
        "OpenReview Db5TUogRSM and its public code (setting); the equivalent is this project's",
    ),
    "overspecified2026-map": Entry(
        "theories",
        "Best loss ratio of the student by the widths of teacher and student",
        "OpenReview Db5TUogRSM and its public code (setting); the equivalent is this project's",
    ),
    "wu2026-scaling": Entry(
        "theories",
        "Ridge on random features: errors of teacher and student against the teacher's samples",
        "Wu, Chen, Misiakiewicz, Mondelli 2026, arXiv 2603.05691 (one stage); two stages are this project's",
    ),
    "wu2026-exponents": Entry(
        "theories",
        "Scaling laws of an interpolating teacher and of its student at the best ridge",
        "Wu, Chen, Misiakiewicz, Mondelli 2026, arXiv 2603.05691 (claim; setting and equivalent are this project's)",
    ),
    "xue2025-gap": Entry(
        "theories",
        "Predicted and measured distance of the w2s model from the ceiling",
        "Xue, Li, Mirzasoleiman 2025, arXiv 2502.00620 (formula, recalled; the world is this project's)",
    ),
    "xue2025-ranking": Entry(
        "xue2025",
        "Ranking weak models by representations alone, beside other rules",
        "Xue, Li, Mirzasoleiman 2025, arXiv 2502.00620 (metric, recalled; worlds are this project's)",
    ),
    "ildiz2024-surrogates": Entry(
        "theories",
        "Minimum-norm students of the best surrogate and the best mask of the truth, and of the truth",
        "Ildiz et al. 2024, arXiv 2410.18837, Figure 1 (setting, as quoted); expressions are this project's",
    ),
    "liu2026-groups": Entry(
        "theories",
        "Spurious correlations: errors by group against the minority's share of the student's sample",
        "Liu, Dong et al. 2026, OpenReview 5hfa2itwGz (model, as a note has it); the fixed point is this project's",
    ),
    "moniri2025-multi-index": Entry(
        "theories",
        "Fine-tuned student: the easy part of a target from its teacher, the hard one from pre-training",
        "Moniri, Hassani 2025, arXiv 2505.18346 (mechanism; the model is this project's)",
    ),
    "which-theory": Entry(
        "theories",
        "Which theory explains my curve? All of them on one world of random ReLU networks",
        "this project; theories of Breiman, Freedman 1983, Cho, Saul 2009, arXiv 2410.04638, 2410.18837, 2502.00620, "
        "2502.05075, 2503.02877, 2505.18346, 2603.05691, OpenReview 5hfa2itwGz, and its own",
    ),
    "wu2024-labels": Entry(
        "theories",
        "Minimum-norm interpolation of signs in a spiked world: hard labels against logits",
        "Wu, Sahai 2024, arXiv 2410.04638 (setting); sizes and the finite-size theory are this project's",
    ),
    "least-squares": Entry(
        "theories",
        "Label noise where every head can express the truth: exact errors beside simulation",
        "Breiman, Freedman 1983 (without intercept); the experiment is this project's",
    ),
}

INDEX |= {
    "mulgund2025-misfit": Entry(
        "mulgund2025",
        "Gain against misfit in KL: students by reverse and by forward divergence",
        "Mulgund, Pabbaraju 2025, arXiv 2501.19105, synthetic notebook of its public code (in kind)",
    ),
    "mulgund2025-combinations": Entry(
        "mulgund2025",
        "Convex combinations of k softmax heads: error, and gain less misfit, against k",
        "Mulgund, Pabbaraju 2025, arXiv 2501.19105 (students; world and sizes are this project's)",
    ),
    "yao2025-reverse": Entry(
        "yao2025",
        "Reverse against forward KL where labels are exchanged",
        "Yao et al. 2025, arXiv 2502.11107 (comparison; world and sizes are this project's)",
    ),
}

_SHIN = {
    "overlap": "Overlap density: accuracy against rows that show easy and hard features",
    "easy": "Overlap density, ablation: student on easy rows alone, against their number",
    "hard": "Overlap density, ablation: student on 10 overlap rows, against the number of hard rows",
}

_SHIN2025 = "Shin, Cooper, Sala 2025, arXiv 2412.03881, and notebooks in the history of its public code"

INDEX |= {f"shin2025-{what}": Entry("shin2025", title, _SHIN2025) for what, title in _SHIN.items()}

_MINIMOL = "MoleculeNet (Wu et al. 2018); MiniMol (Klaeser et al. 2024); the experiment is this project's"
_MINILM = "ratings of Hutto, Gilbert 2014 (VADER); all-MiniLM-L6-v2; the experiment is this project's"

# fmt: off
_REAL = {
    "molecules": ("Weak supervision of a pretrained graph network on three properties of molecules", _MINIMOL),
    "molecules-freesolv": ("Hydration free energy: eight weak models supervise MiniMol", _MINIMOL),
    "molecules-esol": ("Solubility in water: eight weak models supervise MiniMol", _MINIMOL),
    "molecules-lipophilicity": ("Lipophilicity: eight weak models supervise MiniMol", _MINIMOL),
    "molecules-scaffold": ("Weak supervision of MiniMol where splits share no scaffold", _MINIMOL),
    "molecules-scaffold-freesolv": ("Hydration free energy, molecules of a scaffold in one split", _MINIMOL),
    "molecules-scaffold-esol": ("Solubility in water, molecules of a scaffold in one split", _MINIMOL),
    "molecules-scaffold-lipophilicity": ("Lipophilicity, molecules of a scaffold in one split", _MINIMOL),
    "molecules-clusters": ("Weak supervision of MiniMol where splits share no cluster of alike molecules", _MINIMOL),
    "molecules-clusters-freesolv": ("Hydration free energy, alike molecules in one split", _MINIMOL),
    "molecules-clusters-esol": ("Solubility in water, alike molecules in one split", _MINIMOL),
    "molecules-clusters-lipophilicity": ("Lipophilicity, alike molecules in one split", _MINIMOL),
    "molecules-transformers": ("Transformers of SMILES of 15 sizes supervise MiniMol", _MINIMOL),
    "molecules-transformers-freesolv": ("Hydration free energy: transformers of 15 sizes supervise MiniMol", _MINIMOL),
    "molecules-transformers-esol": ("Solubility in water: transformers of 15 sizes supervise MiniMol", _MINIMOL),
    "molecules-transformers-lipophilicity": ("Lipophilicity: transformers of 15 sizes supervise MiniMol", _MINIMOL),
    "sentences": ("People and lower layers supervise a sentence encoder: ratings and their signs", _MINILM),
    "sentences-amazon": ("Ratings of reviews: people and lower layers supervise all-MiniLM-L6-v2", _MINILM),
    "sentences-tweets": ("Ratings of tweets: people and lower layers supervise all-MiniLM-L6-v2", _MINILM),
    "sentences-amazon-sign": ("Signs of the ratings of reviews: shares of wrong ones", _MINILM),
    "sentences-tweets-sign": ("Signs of the ratings of tweets: shares of wrong ones", _MINILM),
    "sentences-domains": ("Weak models of four domains supervise a student on tweets", _MINILM),
    "sentences-domains-tweets": ("Ratings of tweets: weak models of tweets, as many labels as of others", _MINILM),
    "sentences-domains-amazon": ("Ratings of tweets: weak models of reviews of products", _MINILM),
    "sentences-domains-news": ("Ratings of tweets: weak models of news", _MINILM),
    "sentences-domains-movies": ("Ratings of tweets: weak models of reviews of films", _MINILM),
    "sentences-methods": (
        "Signs of film reviews: confidence and product losses, bootstrapping by layers",
        "methods of Burns et al. 2023; " + _MINILM),
}
# fmt: on

INDEX |= {
    name: Entry("real_data", title, reference, "data sets (docs/real_data.md)")
    for name, (title, reference) in _REAL.items()
}


def listed(name: str) -> Names:
    """Return what the index says of a study, as keyword arguments of `Study` or `Collection`."""
    return {"name": name, "title": INDEX[name].title, "reference": INDEX[name].reference}


@functools.cache
def record() -> dict[str, dict[str, Any]]:
    """Return by study what `docs/gallery.py` measured: pairs, cells, tasks, and seconds on cores where it was timed."""
    found: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("record.json").read_text())
    return found


def size_of(name: str) -> str:
    """Return the size of a study and its time in words; nothing of one that is not on record."""
    size = record().get(name)
    if size is None:
        return ""
    cells = f" in each of {size['cells']} cells" if size["cells"] > 1 else ""
    pairs, tasks = (f"{size[what]} {what[:-1]}{'s' * (size[what] > 1)}" for what in ("pairs", "tasks"))
    text = f"{pairs} of {tasks}{cells}"
    if "seconds" not in size:
        return text
    return f"{text}, about {time_in_words(size['seconds'])} on {size['cores']} cores"


def time_in_words(seconds: float) -> str:
    """Return a time as "20 s" or "3 min"."""
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes >= 1.5 else f"{10 * max(1, round(6 * minutes))} s"
