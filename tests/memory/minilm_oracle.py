"""all-MiniLM-L6-v2 by the letter: one text at a time, float64, straight from the papers."""

from math import erf, sqrt
from pathlib import Path

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer

_gauss = np.vectorize(lambda x: 0.5 * (1 + erf(x / sqrt(2))))


class Oracle:
    """BERT (Devlin et al. 2018, eq. of Vaswani et al. 2017), mean pooling, unit length."""

    def __init__(self, folder: Path) -> None:
        with safe_open(folder / "model.safetensors", "numpy") as file:
            self.weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            self.weights = {n: w.astype(np.float64) for n, w in self.weights.items() if w.dtype == np.float32}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]

    def attention(self, x, name):
        query, key, value = (
            self.linear(x, f"{name}.self.{part}").reshape(len(x), 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / sqrt(32)
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        joined = (share @ value).transpose(1, 0, 2).reshape(len(x), 384)
        return self.linear(joined, f"{name}.output.dense")

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        x = self.weights["embeddings.word_embeddings.weight"][ids]
        x = x + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.weights["embeddings.token_type_embeddings.weight"][0], "embeddings")
        for layer in range(6):
            at = f"encoder.layer.{layer}"
            x = self.norm(x + self.attention(x, f"{at}.attention"), f"{at}.attention.output")
            wide = self.linear(x, f"{at}.intermediate.dense")
            x = self.norm(x + self.linear(wide * _gauss(wide), f"{at}.output.dense"), f"{at}.output")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)
