"""Random numbers: the same in both precisions, on every device, whatever JAX's default generator is."""

from w2sjax.random.draws import fold_in as fold_in
from w2sjax.random.draws import normal as normal
from w2sjax.random.draws import random_bits as random_bits
from w2sjax.random.draws import uniform as uniform
