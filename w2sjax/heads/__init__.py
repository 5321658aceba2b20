"""Heads: classes of functions on features, one per file, each with how it is fitted.

A field that is out of its range is refused where a head is made, by a `W2SError` that names it.
"""

from w2sjax.heads.as_is import AsIs as AsIs
from w2sjax.heads.ball import Ball as Ball
from w2sjax.heads.base import Fit as Fit
from w2sjax.heads.base import Head as Head
from w2sjax.heads.base import Rows as Rows
from w2sjax.heads.linear import Linear as Linear
from w2sjax.heads.logistic import Logistic as Logistic
from w2sjax.heads.logistic import Softmax as Softmax
from w2sjax.heads.pretrained import FineTuned as FineTuned
from w2sjax.heads.projected import Mixture as Mixture
from w2sjax.heads.projected import Projected as Projected
from w2sjax.heads.ridge import Ridge as Ridge
from w2sjax.heads.spectral import GradientFlow as GradientFlow
from w2sjax.heads.spectral import RidgeThroughOrigin as RidgeThroughOrigin
from w2sjax.heads.supervisor import Supervisor as Supervisor
from w2sjax.heads.trained import Trained as Trained
from w2sjax.heads.trained_classifiers import TrainedLogistic as TrainedLogistic
from w2sjax.heads.trained_classifiers import TrainedSoftmax as TrainedSoftmax
