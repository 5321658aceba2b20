"""Published encoders, whose weights are read as data."""

from w2sjax.encoders.bert import Bert as Bert
from w2sjax.encoders.bert import layer_features as layer_features
from w2sjax.encoders.bert import load_bert as load_bert
