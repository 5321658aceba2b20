"""Public data sets of molecules and of sentences: read, checked, and turned into features."""

from w2sjax.sets import molecules as molecules
from w2sjax.sets import rows as rows
from w2sjax.sets import sentences as sentences
