"""Published settings, by name."""

from w2sjax.settings import charikar2024, charikar2024_theory, finite_sample
from w2sjax.settings.setting import Collection as Collection
from w2sjax.settings.setting import Setting as Setting
from w2sjax.validation import check_choice

_ALL: tuple[Setting | Collection, ...] = (
    charikar2024.PERTURBATION_REALIZABLE,
    charikar2024.PERTURBATION_NONREALIZABLE,
    charikar2024.PERTURBATION_SAMPLE_SIZE,
    charikar2024.PRETRAINING_REALIZABLE,
    charikar2024.PRETRAINING_NONREALIZABLE,
    charikar2024.LOW_SAMPLE,
    charikar2024.NOTEBOOK,
    charikar2024.NONCONVEX_TANH,
    charikar2024.NONCONVEX_RELU,
    charikar2024.NONCONVEX_SIGMOID,
    charikar2024.FIGURE,
    charikar2024.HEADS,
    charikar2024.WEAK_QUALITY,
    charikar2024.TYPICALITY,
    charikar2024_theory.SELECTION,
    charikar2024_theory.SELECTION_STRONG,
    charikar2024_theory.BOUNDS,
    finite_sample.FINITE_SAMPLE,
)


def names() -> list[str]:
    """Return the names of all settings and collections."""
    return [setting.name for setting in _ALL]


def get(name: str) -> Setting | Collection:
    """Return the setting, or the collection of settings, of this name.

    Raises:
        W2SError: if there is none; the message gives the nearest name.
    """
    check_choice("NAME", name, names())
    return next(setting for setting in _ALL if setting.name == name)
