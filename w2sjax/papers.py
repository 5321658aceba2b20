"""Papers that studies follow, and BibTeX entries of them and of this package. What is not known is left out."""

from typing import NamedTuple

import w2sjax


class Paper(NamedTuple):
    """A paper.

    Attributes:
        mark: what names it in a reference: an arXiv number, an OpenReview one, or words.
        authors: as BibTeX has them.
        arxiv: number there.
        fields: others, by name.
        claim: what the paper says, as far as studies are about it, in a sentence.
    """

    key: str
    mark: str
    title: str
    authors: str = ""
    year: int | None = None
    arxiv: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    claim: str = ""


def _arxiv(key: str, arxiv: str, title: str, authors: str, claim: str) -> Paper:
    return Paper(key, arxiv, title, authors, 2000 + int(arxiv[:2]), arxiv, claim=claim)


def _open_review(key: str, identifier: str, title: str, authors: str, year: int, claim: str) -> Paper:
    url = f"https://openreview.net/forum?id={identifier}"
    return Paper(key, identifier, title, authors, year, fields=(("url", url),), claim=claim)


# fmt: off
PAPERS = (
    _arxiv("charikar2024", "2405.15116", "Quantifying the Gain in Weak-to-Strong Generalization",
           "Charikar, Moses and Pabbaraju, Chirag and Shiragur, Kirankumar",
           "gain is at least misfit where the strong heads are a convex class that holds the truth, and "
           "about equal to it in experiments; without that, up to terms of approximation and sample "
           "size."),
    _arxiv("burns2023", "2312.09390",
           "Weak-to-Strong Generalization: Eliciting Strong Capabilities With Weak Supervision",
           "Burns, Collin and Izmailov, Pavel and Kirchner, Jan Hendrik and Baker, Bowen and Gao, Leo and "
           "Aschenbrenner, Leopold and Chen, Yining and Ecoffet, Adrien and Joglekar, Manas and Leike, Jan and "
           "Sutskever, Ilya and Wu, Jeff",
           "students recover part of the gap between weak model and ceiling; an auxiliary confidence "
           "loss recovers more for large gaps, bootstrapping helps in some tasks, and students overfit "
           "to weak labels."),
    _arxiv("dong2025", "2502.05075",
           "Discrepancies are Virtue: Weak-to-Strong Generalization through Lens of Intrinsic Dimension",
           "Dong, Yijun and Li, Yicheng and Li, Yunai and Lee, Jason D. and Lei, Qi",
           "the student inherits its teacher's variance where their subspaces meet, and elsewhere only a "
           "share d_s / N of it."),
    _arxiv("moniri2025", "2505.18346", "On the Mechanisms of Weak-to-Strong Generalization: A Theoretical Perspective",
           "Moniri, Behrad and Hassani, Hamed",
           "a student beats a teacher of too little ridge, or by a penalty that fits the target better, "
           "or by easy features from the teacher and hard ones from its pre-training."),
    _arxiv("medvedev2025", "2503.02877", "Weak-to-Strong Generalization Even in Random Feature Networks, Provably",
           "Medvedev, Marko and Lyu, Kaifeng and Yu, Dingli and Arora, Sanjeev and Li, Zhiyuan and Srebro, Nathan",
           "a student of far more random features, stopped early, has an error that is polynomially "
           "below its teacher's, and at best its square."),
    _arxiv("wu2026", "2603.05691",
           "Improved Scaling Laws via Weak-to-Strong Generalization in Random Feature Ridge Regression",
           "Wu, Diyuan and Chen, Lehan and Misiakiewicz, Theodor and Mondelli, Marco",
           "a student of ridge on random features can have a better scaling law than its teacher."),
    _arxiv("xue2025", "2502.00620",
           "Representations Shape Weak-to-Strong Generalization: Theoretical Insights and Empirical Predictions",
           "Xue, Yihao and Li, Jiping and Mirzasoleiman, Baharan",
           "the distance of the student from the ceiling is |P_s (I - P_w) y|^2 / n, known from "
           "representations alone."),
    _arxiv("ildiz2024", "2410.18837",
           "High-dimensional Analysis of Knowledge Distillation: Weak-to-Strong Generalization and Scaling Laws",
           "Ildiz, M. E. and Gozeten, H. A. and Taga, E. O. and Mondelli, M. and Oymak, S.",
           "labels of the best surrogate, or of the best mask of the truth, train a better student than "
           "the truth does; its scaling law keeps its exponent."),
    _arxiv("wu2024", "2410.04638", "Provable Weak-to-Strong Generalization via Benign Overfitting",
           "Wu, David X. and Sahai, Anant",
           "a student that interpolates a teacher's labels generalizes, or guesses, by the number of "
           "weak labels; logits serve better than hard labels."),
    _arxiv("mulgund2025", "2501.19105",
           "Relating Misfit to Gain in Weak-to-Strong Generalization Beyond the Squared Loss",
           "Mulgund, Abhijeet and Pabbaraju, Chirag",
           "gain is at least misfit for Bregman divergences, the student in the first place; convex "
           "combinations of k students make up for a class that is not convex."),
    _arxiv("yao2025", "2502.11107",
           "Revisiting Weak-to-Strong Generalization in Theory and Practice: Reverse KL vs. Forward KL",
           "Yao, W. and Yang, W. and Wang, Z. and Lin, Y. and Liu, Y.",
           "students by reverse KL beat those by forward KL, more so the more labels are exchanged."),
    _arxiv("shin2025", "2412.03881", "Weak-to-Strong Generalization Through the Data-Centric Lens",
           "Shin, Changho and Cooper, John and Sala, Frederic",
           "students learn hard features from rows that show easy and hard ones together."),
    _open_review("liu2026", "5hfa2itwGz", "Does Weak-to-strong Generalization Happen under Spurious Correlations?",
                 "Liu and Dong and others", 2026,
           "the student beats its teacher where the minority's shares of their samples are equal; the "
           "gain falls with the square of their difference."),
    _open_review("overspecified2026", "Db5TUogRSM",
                 "Provable Weak-to-Strong Generalization via Overspecified Students and Underspecified Teachers",
                 "", 2025,
                 "a student that could express the truth, stopped early, beats a teacher that cannot."),
    Paper("cho2009", "Cho, Saul 2009", "Kernel Methods for Deep Learning",
          "Cho, Youngmin and Saul, Lawrence K.", 2009),
    Paper("breiman1983", "Breiman, Freedman 1983", "How Many Variables Should Be Entered in a Regression Equation?",
          "Breiman, Leo and Freedman, David", 1983,
          fields=(("journal", "Journal of the American Statistical Association"), ("volume", "78"),
                  ("number", "381"), ("pages", "131--136"))),
    Paper("moleculenet2018", "MoleculeNet", "{MoleculeNet}: A Benchmark for Molecular Machine Learning",
          "Wu and others", 2018),
    Paper("minimol2024", "MiniMol", "{MiniMol}: A Parameter-Efficient Foundation Model for Molecular Learning",
          r'Kl{\"a}ser, K. and Banaszewski, B. and Maddrell-Mander, S. and McLean, C. and M{\"u}ller, L. and '
          "Parviz, A. and Huang, S. and Fitzgibbon, A.", 2024, "2404.14986"),
    Paper("vader2014", "VADER",
          "{VADER}: A Parsimonious Rule-Based Model for Sentiment Analysis of Social Media Text",
          "Hutto, C. J. and Gilbert, Eric", 2014),
)
# fmt: on


def papers_of(reference: str) -> list[Paper]:
    """Return the papers that a reference names."""
    return [paper for paper in PAPERS if paper.mark in reference]


def bibtex(reference: str = "") -> str:
    """Return BibTeX entries of this package and of the papers that a reference names, or of the package alone.

    Args:
        reference: text such as the `reference` of a study or the title of its store.
    """
    fields = [("title", "{w2sjax}: A {JAX} Simulator of Weak-to-Strong Generalization")]
    fields += [("author", "{The w2sjax authors}"), ("version", w2sjax.__version__)]
    found = [_entry("software", "w2sjax", fields)]
    for paper in papers_of(reference):
        fields = [("title", paper.title)]
        fields += [("author", paper.authors)] if paper.authors else []
        fields += [("year", str(paper.year))] if paper.year else []
        fields += [("eprint", paper.arxiv), ("archiveprefix", "arXiv")] if paper.arxiv else []
        kind = "article" if "journal" in dict(paper.fields) else "misc"
        found.append(_entry(kind, paper.key, [*fields, *paper.fields]))
    return "\n\n".join(found)


def _entry(kind: str, key: str, fields: list[tuple[str, str]]) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields)
    return f"@{kind}{{{key},\n{lines}}}"
