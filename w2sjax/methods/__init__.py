"""Training methods: how labels become targets while a head is fitted, one per file."""

from w2sjax.methods.base import NAIVE as NAIVE
from w2sjax.methods.base import Method as Method
from w2sjax.methods.base import Naive as Naive
from w2sjax.methods.confidence import Confidence as Confidence
from w2sjax.methods.confidence import Product as Product
from w2sjax.methods.hard import Hard as Hard
from w2sjax.methods.hard import HardLabels as HardLabels
from w2sjax.methods.stopping import EarlyStopping as EarlyStopping
