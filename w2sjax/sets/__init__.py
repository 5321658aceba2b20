"""Public data sets of molecules and of sentences: read, checked, and turned into features."""
