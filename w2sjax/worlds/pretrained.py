"""Representations obtained by training: the pretraining setting of Charikar, Pabbaraju and Shiragur (2024)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype
from w2sjax.validation import Checked, choice, real, whole
from w2sjax.worlds.layers import ACTIVATIONS
from w2sjax.worlds.mlp import INPUTS, PairOfNetworks
from w2sjax.worlds.perceptron import Perceptron, check_network, features_of, parameter_shapes, unpack
from w2sjax.worlds.training import Trained, Training, target_parameters

STRONG = ("pretrained", "target")


@pytree("parameters", "trained", "input_scale")
@dataclasses.dataclass(frozen=True)
class PretrainedPair(PairOfNetworks):
    """Three perceptrons of one width on one input distribution, two of them trained.

    Attributes:
        parameters: flax parameters by name ("weak", "target", "strong").
        trained: the training runs by name ("weak", "strong" unless it is the target).
        networks: (name, architecture) of each.
    """

    parameters: dict[str, Any]
    trained: dict[str, Trained]
    input_scale: jax.Array
    networks: tuple[tuple[str, Perceptron], ...]
    input_dim: int
    kind: str
    degrees_of_freedom: float

    def columns(self, names: tuple[str, ...], inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[len(names) * width, n]`: the engine's own layout."""
        networks = dict(self.networks)
        # A strong model that is the target itself has no parameters of its own.
        wanted = [name if name in self.parameters else "target" for name in names]
        distinct = {
            name: features_of(networks[name], self.parameters[name], inputs) for name in dict.fromkeys(wanted)
        }
        return jnp.concatenate([distinct[name] for name in wanted])


@pytree("input_scale", "learning_rate", "weight_decay", "weak_pretrain_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedMLP(Checked):
    """Random MLP target; weak and strong representations are trained on tasks with the true heads frozen.

    h* has `depth` layers of `width` units as in `PerturbedMLP` (and the same draws). h_w with `weak_depth` layers and
    h_s with `strong_depth` layers, initialized like torch's linear layers, minimize the squared error of
    v_t' h(x) + c_t against v_t' h*(x) + c_t over `pretrain_tasks` tasks with heads (v_t, c_t) frozen, by AdamW; an
    epoch goes through the tasks one after another in shuffled batches. See `w2sjax.worlds.training.Training`.

    Training is chaotic: a difference in the last bit grows. In a sweep, the networks of a pair are a function of
    (seed, pair) for one version of JAX, one kind of device and one default dtype; across those, and in `run_pair`, they
    are other networks of the same quality. Checkpoints carry networks across versions and devices.

    Args:
        input_dim: dimension of the inputs, >= 1.
        width: units per layer of every network, >= 1: the frozen heads join them.
        depth, weak_depth, strong_depth: layers of h*, h_w and h_s, >= 1.
        strong: "pretrained", or "target" for h_s = h* (the realizable case).
        input_scale: standard deviation of each input coordinate.
        pretrain_tasks, pretrain_samples: tasks, and samples of each, that representations are trained on, >= 1.
        epochs, batch_size: of the training, >= 1.
        weak_pretrain_tasks, weak_pretrain_samples, weak_epochs: replace those for h_w where given; the first tasks and
            samples are shared (but for label noise, whose scale is that of all samples of a task).
        learning_rate, weight_decay: of AdamW, > 0 and >= 0; the decay is decoupled, as in `torch.optim.AdamW`.
        weak_pretrain_noise: standard deviation of noise on the labels that h_w is trained on, in units of the standard
            deviation of each task's labels, >= 0.
        activation: "relu", "tanh", "sigmoid", "gelu" or "identity".
        inputs: "gaussian", "uniform" or "student_t", independent coordinates of standard deviation `input_scale`.
        degrees_of_freedom: of Student-t inputs, > 2.

    Cost: epochs x pretrain_tasks x pretrain_samples / batch_size steps per network, in float32; 630,000 by default.

    Reference: Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116), section 5.1. Sizes, optimizer and epochs are
    those of the notebook released with the paper.
    """

    input_dim: int = 8
    width: int = 16
    depth: int = 5
    weak_depth: int = 2
    strong_depth: int = 8
    strong: str = choice("pretrained", STRONG)
    input_scale: float | jax.Array = real(500.0, above=0)
    pretrain_tasks: int = whole(10, least=1)
    pretrain_samples: int = whole(2000, least=1)
    epochs: int = whole(1000, least=1)
    weak_pretrain_tasks: int | None = whole(None, least=1)
    weak_pretrain_samples: int | None = whole(None, least=1)
    weak_epochs: int | None = whole(None, least=1)
    batch_size: int = whole(32, least=1)
    learning_rate: float | jax.Array = real(1e-3, above=0)
    weight_decay: float | jax.Array = real(1e-2, least=0)
    weak_pretrain_noise: float | jax.Array = real(0.0, least=0)
    activation: str = choice("relu", tuple(ACTIVATIONS))
    inputs: str = choice("gaussian", INPUTS)
    degrees_of_freedom: float = real(5.0, above=2)

    def __post_init__(self) -> None:
        depths = {name: getattr(self, name) for name in ("depth", "weak_depth", "strong_depth")}
        check_network(self.input_dim, self.width, depths)
        super().__post_init__()

    def network(self, depth: int) -> Perceptron:
        """Return the architecture of so many layers."""
        return Perceptron(width=self.width, depth=depth, activation=self.activation)

    def preparations(self) -> dict[str, Training]:
        """Return the training runs of a pair by name: functions of its key that a sweep batches and keeps."""
        strong = Training(
            network=self.network(self.strong_depth),
            target=self.network(self.depth),
            input_dim=self.input_dim,
            inputs=self.inputs,
            input_scale=self.input_scale,
            degrees_of_freedom=self.degrees_of_freedom,
            tasks=self.pretrain_tasks,
            samples=self.pretrain_samples,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            label_noise=0.0,
            stream=1,
        )
        weak = dataclasses.replace(
            strong,
            network=self.network(self.weak_depth),
            tasks=self.weak_pretrain_tasks or self.pretrain_tasks,
            samples=self.weak_pretrain_samples or self.pretrain_samples,
            epochs=self.weak_epochs or self.epochs,
            label_noise=self.weak_pretrain_noise,
            stream=0,
        )
        return {"weak": weak} if self.strong == "target" else {"weak": weak, "strong": strong}

    def draw(self, key: jax.Array, prepared: dict[str, Trained] | None = None) -> PretrainedPair:
        """Draw one pair from what was trained for its key before, or train now."""
        if prepared is None:
            prepared = {name: training(key) for name, training in self.preparations().items()}
        dtype = default_dtype()
        networks = {"weak": self.network(self.weak_depth), "target": self.network(self.depth)}
        if self.strong == "pretrained":
            networks["strong"] = self.network(self.strong_depth)
        shapes = {name: parameter_shapes(network, self.input_dim) for name, network in networks.items()}
        flat = {name: run.parameters.astype(dtype) for name, run in prepared.items()}
        flat["target"] = target_parameters(key, shapes["target"])
        return PretrainedPair(
            parameters={name: unpack(shapes[name], flat[name]) for name in networks},
            trained=prepared,
            input_scale=jnp.asarray(self.input_scale, dtype),
            networks=tuple(networks.items()),
            input_dim=self.input_dim,
            kind=self.inputs,
            degrees_of_freedom=self.degrees_of_freedom,
        )
