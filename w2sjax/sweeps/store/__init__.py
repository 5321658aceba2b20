"""Stores: folders in which sweeps are kept, resumed, grown and merged."""
