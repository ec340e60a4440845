"""The extraction that hypercolumn does, written with PyTorch and transformers as fast as we know how.

Reads prompts (JSONL: prompt_id, text, segments), runs the model once over each and writes mean-pooled
hidden states of every segment at every layer and the attention between segments in every head, as Parquet.
Prompts are batched by length and padded on the right; hooks reduce a layer's states and attention as soon as
they exist, the unembedding sees one row, and everything is f32.

    python transformers_peer.py PROMPTS.jsonl OUT --model DIR --gguf FILE.gguf [--generate 16] [--threads 2]

The last line is JSON: seconds of loading, forward, writing and generation.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def spans(prompt):
    """The whole prompt, the given segments, and the last token as an empty span at the end."""
    n = len(prompt["text"])
    return [(0, n)] + [(s["start"], s["end"]) for s in prompt["segments"]] + [(n, n)]


def belongs(prompt, offsets):
    """segments × tokens, 1 where a token's first character that is no space lies in the segment."""
    text, found = prompt["text"], spans(prompt)
    matrix = np.zeros((len(found), len(offsets)), np.float32)
    matrix[-1, -1] = 1
    for token, (start, end) in enumerate(offsets):
        first = start + len(text[start:end]) - len(text[start:end].lstrip())
        for segment, (low, high) in enumerate(found):
            if start < end and low <= min(first, end - 1) < high:
                matrix[segment, token] = 1
    return matrix


class Reducer:
    """Keeps segment means of states and segment-to-segment attention; the weights themselves go at once."""

    def watch(self, model):
        self.masses = []
        return [layer.self_attn.register_forward_hook(self.attention) for layer in model.model.layers]

    def begin(self, members):
        self.masses.clear()
        self.members = members
        self.mean = members / members.sum(-1, keepdim=True).clamp(min=1)

    def attention(self, module, inputs, output):
        mixed, weights = output
        self.masses.append(self.mean[:, None] @ weights @ self.members[:, None].transpose(-1, -2))
        return mixed, None


def batches(prompts, encodings, pad, size):
    """Prompts by length, padded on the right: indices, numbers of segments, ids, mask, members."""
    order = sorted(range(len(prompts)), key=lambda i: len(encodings[i].input_ids))
    for at in range(0, len(order), size):
        rows = order[at : at + size]
        matrices = [belongs(prompts[i], encodings[i].offset_mapping) for i in rows]
        n_segments, width = (max(m.shape[axis] for m in matrices) for axis in (0, 1))
        ids = torch.full((len(rows), width), pad)
        mask = torch.zeros_like(ids)
        members = torch.zeros(len(rows), n_segments, width)
        for row, (i, matrix) in enumerate(zip(rows, matrices)):
            ids[row, : matrix.shape[1]] = torch.tensor(encodings[i].input_ids)
            mask[row, : matrix.shape[1]] = 1
            members[row, : matrix.shape[0], : matrix.shape[1]] = torch.from_numpy(matrix)
        yield rows, [len(matrix) for matrix in matrices], ids, mask, members


def forward(model, tokenizer, prompts, encodings, size):
    """Per prompt: means (layers + 1) × segments × d_model and masses layers × heads × segments × segments; seconds."""
    started, reducer, found = time.perf_counter(), Reducer(), {}
    hooks = reducer.watch(model)
    for rows, n_segments, ids, mask, members in batches(prompts, encodings, tokenizer.pad_token_id, size):
        reducer.begin(members)
        out = model(ids, attention_mask=mask, output_hidden_states=True, logits_to_keep=1, use_cache=False)
        states = torch.stack([reducer.mean @ h for h in out.hidden_states], 1).numpy()
        masses = torch.stack(reducer.masses, 1).numpy()
        for row, (i, n) in enumerate(zip(rows, n_segments)):
            found[i] = states[row, :, :n], masses[row, :, :, :n, :n]
    for hook in hooks:
        hook.remove()
    return found, time.perf_counter() - started


def write(out, prompts, found):
    """Two tables, keys dictionary-encoded, values as they are."""
    out.mkdir(parents=True, exist_ok=True)
    ids = [p["prompt_id"] for p in prompts]

    def table(arrays, names, value, column):
        repeats = [a.size // (a.shape[-1] if column == "vector" else 1) for a in arrays]
        keys = pa.DictionaryArray.from_arrays(pa.array(np.repeat(np.arange(len(ids), dtype=np.int32), repeats)), ids)
        grids = [np.indices(a.shape[: len(names)], dtype=np.int16).reshape(len(names), -1) for a in arrays]
        columns = dict(zip(names, np.concatenate(grids, 1)))
        return pa.table({"prompt_id": keys, **columns, column: value})

    states = [found[i][0] for i in range(len(ids))]
    flat = np.concatenate([s.reshape(-1) for s in states])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), states[0].shape[-1])
    keep = ["prompt_id", "layer", "segment"]
    hidden = table(states, ["layer", "segment"], vectors, "vector")
    pq.write_table(hidden, out / "hidden_states.parquet", compression="zstd", use_dictionary=keep)
    masses = [found[i][1] for i in range(len(ids))]
    mass = pa.array(np.concatenate([m.reshape(-1) for m in masses]))
    attention = table(masses, ["layer", "head", "query_segment", "key_segment"], mass, "mass")
    pq.write_table(attention, out / "attention.parquet", compression="zstd")


def generate(model, tokenizer, prompts, encodings, batch, n_new):
    """Greedy responses, batched by length and padded on the left."""
    model.set_attn_implementation("sdpa")
    tokenizer.padding_side = "left"
    order = sorted(range(len(prompts)), key=lambda i: len(encodings[i].input_ids))
    for at in range(0, len(order), batch):
        texts = [prompts[i]["text"] for i in order[at : at + batch]]
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        model.generate(**inputs, max_new_tokens=n_new, do_sample=False, pad_token_id=tokenizer.pad_token_id)


@torch.inference_mode()
def main(forward=forward):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--gguf")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--generate", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prompts = [json.loads(line) for line in options.prompts.read_text(encoding="utf-8").splitlines()]

    seconds, mark = {}, time.perf_counter()
    source = dict(gguf_file=options.gguf) if options.gguf else {}
    tokenizer = AutoTokenizer.from_pretrained(options.model, **source)
    model = AutoModelForCausalLM.from_pretrained(
        options.model, dtype=torch.float32, attn_implementation="eager", **source
    ).eval()
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    seconds["load_s"] = time.perf_counter() - mark
    encodings = [tokenizer(p["text"], return_offsets_mapping=True) for p in prompts]
    found, seconds["forward_s"] = forward(model, tokenizer, prompts, encodings, options.batch)
    mark = time.perf_counter()
    write(options.out, prompts, found)
    seconds["write_s"] = time.perf_counter() - mark
    mark = time.perf_counter()
    if options.generate:
        generate(model, tokenizer, prompts, encodings, options.batch, options.generate)
    seconds["generate_s"] = time.perf_counter() - mark
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
