"""Published settings, by name."""

from w2sjax.settings import charikar2024, charikar2024_theory, finite_sample
from w2sjax.settings.setting import Setting as Setting
from w2sjax.validation import check_choice

_ALL = (
    charikar2024.PERTURBATION_REALIZABLE,
    charikar2024.PERTURBATION_NONREALIZABLE,
    charikar2024.PERTURBATION_SAMPLE_SIZE,
    charikar2024_theory.SELECTION,
    charikar2024_theory.SELECTION_STRONG,
    finite_sample.FINITE_SAMPLE,
)


def names() -> list[str]:
    """Return the names of all settings."""
    return [setting.name for setting in _ALL]


def get(name: str) -> Setting:
    """Return the setting of this name.

    Raises:
        ValueError: if there is none; the message gives the nearest name.
    """
    check_choice("NAME", name, names())
    return next(setting for setting in _ALL if setting.name == name)
