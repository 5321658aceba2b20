"""A user's metrics: mean absolute errors, and the gain in them."""

import jax.numpy as jnp

from w2sjax import Metric


def weak(p):
    return jnp.abs(p["weak"] - p["truth"])


def w2s(p):
    return jnp.abs(p["w2s"] - p["truth"])


def gain(p):
    return weak(p) - w2s(p)


ABSOLUTE = (
    Metric("weak_absolute", "mean absolute error of the weak model", "label unit", weak),
    Metric("w2s_absolute", "mean absolute error of the w2s model", "label unit", w2s),
    Metric("absolute_gain", "weak_absolute - w2s_absolute", "label unit", gain),
)
