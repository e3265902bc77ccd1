"""The network of all-MiniLM-L6-v2 as an ONNX graph of a few kilobytes.

A BERT encoder (Devlin et al. 2018) with 6 layers of width 384, followed by the mean over a text's tokens and
normalisation (Reimers and Gurevych 2019). Weights are not in the graph: it names them, and whoever runs it
hands them over, so that no second copy of the 90 MB has to be kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = 1e-12

_OPSET = 18  # the first whose ReduceSum and ReduceL2 both take axes as input
_IR_VERSION = 9  # read by every onnxruntime since 1.15
_FUSED = "com.microsoft"  # onnxruntime's own operators: one for a whole attention block


def build(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The serialised graph: inputs `ids` and `mask` (int64, batch by tokens), output `vectors`.

    `shapes` gives each weight's shape by the names that `minilm.read_weights` uses.
    """
    graph = _Graph()
    graph.embed_tokens()
    for layer in range(LAYERS):
        graph.add_layer(layer)
    graph.pool()
    tensors = graph.constants + [_external(name, shape) for name, shape in shapes.items()]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("ids", "mask")]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", WIDTH])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)],
        ir_version=_IR_VERSION,
    )
    serialised: bytes = model.SerializeToString()
    return serialised


def _external(name: str, shape: Sequence[int]) -> TensorProto:
    """A weight by name only. Its location must be there but is never opened: the caller has the data."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "given"), ("offset", "0"), ("length", str(4 * int(np.prod(shape))))):
        tensor.external_data.add(key=key, value=value)
    return tensor


class _Graph:
    """Nodes in the order of computation; `state` names the tensor that the next layer reads."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.state = ""
        for name, value in (("zero", 0), ("one", 1), ("two", 2), ("last", -1)):
            self._constant(name, np.array([value], np.int64))

    def _constant(self, name: str, value: NDArray[np.int64]) -> None:
        self.constants.append(numpy_helper.from_array(value, name))

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _normalise_sum(self, left: str, right: str, weights: list[str], output: str) -> str:
        """Layer normalisation of left + right, with an optional bias as last weight."""
        return self._node("SkipLayerNormalization", [left, right, *weights], output, domain=_FUSED, epsilon=EPSILON)

    def embed_tokens(self) -> None:
        """Words plus positions, normalised. All tokens are of the first of BERT's two token types."""
        self._node("Shape", ["ids"], "shape")
        self._node("Slice", ["shape", "one", "two"], "tokens")
        self._node("Gather", ["words", "ids"], "word")
        self._node("Slice", ["positions", "zero", "tokens", "zero"], "position")
        self._node("Add", ["word", "position"], "embedded")
        self.state = self._node(
            "LayerNormalization", ["embedded", "norm.weight", "norm.bias"], "layer", axis=-1, epsilon=EPSILON
        )
        self._node("Cast", ["mask"], "attended", to=TensorProto.INT32)

    def add_layer(self, layer: int) -> None:
        """Self-attention and feed-forward, each added to what came in and normalised."""
        at = f"{layer}."
        attended = self._node(
            "Attention",
            [self.state, at + "qkv.weight", at + "qkv.bias", "attended"],
            at + "context",
            domain=_FUSED,
            num_heads=HEADS,
        )
        mixed = self._node("MatMul", [attended, at + "mix.weight"], at + "mixed")
        middle = self._normalise_sum(
            mixed, self.state, [at + "mix.norm.weight", at + "mix.norm.bias", at + "mix.bias"], at + "middle"
        )
        widened = self._node("MatMul", [middle, at + "up.weight"], at + "widened")
        active = self._node("BiasGelu", [widened, at + "up.bias"], at + "active", domain=_FUSED)
        narrowed = self._node("MatMul", [active, at + "down.weight"], at + "narrowed")
        self.state = self._normalise_sum(
            narrowed, middle, [at + "down.norm.weight", at + "down.norm.bias", at + "down.bias"], at + "state"
        )

    def pool(self) -> None:
        """Mean over the tokens that are no padding, brought to length 1."""
        self._node("Cast", ["mask"], "weights", to=TensorProto.FLOAT)
        self._node("Unsqueeze", ["weights", "last"], "column")
        self._node("Mul", [self.state, "column"], "kept")
        self._node("ReduceSum", ["kept", "one"], "sum", keepdims=0)
        self._node("ReduceSum", ["weights", "one"], "count", keepdims=1)
        self._node("Div", ["sum", "count"], "mean")
        self._node("ReduceL2", ["mean", "one"], "length", keepdims=1)
        self._node("Div", ["mean", "length"], "vectors")
