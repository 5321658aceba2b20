"""Studies, by name: published experiments and this project's own, each with its analysis and its figure."""

import importlib

from w2sjax.studies.base import Collection as Collection
from w2sjax.studies.base import Study as Study
from w2sjax.studies.index import INDEX as INDEX


def names() -> list[str]:
    """Return the names of all studies and collections."""
    return list(INDEX)


def get(name: str) -> Study | Collection:
    """Return the study, or the collection of studies, of this name.

    Raises:
        W2SError: if there is none; the message gives the nearest name. For a study of a data set, also where its files
            are not there.
    """
    from w2sjax.validation import check_choice

    check_choice("NAME", name, names())
    module = importlib.import_module(f"w2sjax.studies.{INDEX[name].module}")
    if INDEX[name].data:
        found: Study | Collection = module.build(name)
        return found
    studies: tuple[Study | Collection, ...] = module.STUDIES
    return next(study for study in studies if study.name == name)
