"""Encoders: published ones, whose weights are read as data, and small ones that are pretrained here."""

from w2sjax.encoders.bert import Bert as Bert
from w2sjax.encoders.bert import load_bert as load_bert
from w2sjax.encoders.features import layer_features as layer_features
from w2sjax.encoders.minimol import MiniMol as MiniMol
from w2sjax.encoders.minimol import load_minimol as load_minimol
from w2sjax.encoders.published import Published as Published
from w2sjax.encoders.published import load_published as load_published
from w2sjax.encoders.smiles import SmilesEncoders as SmilesEncoders
from w2sjax.encoders.smiles import pretrain as pretrain
from w2sjax.encoders.static import WORDLLAMA as WORDLLAMA
from w2sjax.encoders.static import Static as Static
from w2sjax.encoders.static import load_static as load_static
