"""As transformers_peer.py, with the forward pass of the crate candle-mi, which is compiled on the way (Rust needed).

    python compare.py PROGRAM --peers candle_mi_peer.py

It keeps what is captured of a batch until the batch is through and makes the logits of every token. Tokens, weights and
Parquet are from Python; only the forward pass and the reductions count, beside writing.
"""

import json
import os
import pathlib
import subprocess
import tempfile

import torch
import transformers_peer
from safetensors.torch import load_file, save_file

CRATE = pathlib.Path(__file__).resolve().parent / "candle_mi"


def forward(model, tokenizer, prompts, encodings, size):
    """Per prompt: means (layers + 1) × segments × d_model and masses layers × heads × segments × segments; seconds."""
    batches = list(transformers_peer.batches(prompts, encodings, tokenizer.pad_token_id, size))
    tensors = {}
    for i, (_, _, ids, _, members) in enumerate(batches):
        tensors[f"ids.{i}"] = ids.to(torch.uint32)
        tensors[f"members.{i}"] = members
        tensors[f"mean.{i}"] = members / members.sum(-1, keepdim=True).clamp(min=1)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # candle-mi looks for rope_theta beside the rest, and takes 10,000 where transformers writes it elsewhere.
        config = {**model.config.to_dict(), **model.config.rope_parameters}
        (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
        weights = {k: v.clone() for k, v in model.state_dict().items() if k != "lm_head.weight"}
        save_file(weights, directory / "model.safetensors")
        save_file(tensors, directory / "batches.safetensors")
        command = ["cargo", "run", "--quiet", "--release", "--manifest-path", CRATE / "Cargo.toml", directory]
        environment = {**os.environ, "RAYON_NUM_THREADS": str(torch.get_num_threads())}
        seconds = float(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        results = load_file(directory / "found.safetensors")
    found = {}
    for i, (rows, n_segments, *_) in enumerate(batches):
        states, masses = results[f"states.{i}"].numpy(), results[f"masses.{i}"].numpy()
        for row, (prompt, n) in enumerate(zip(rows, n_segments)):
            found[prompt] = states[row, :, :n], masses[row, :, :, :n, :n]
    return found, seconds


if __name__ == "__main__":
    transformers_peer.main(forward)
