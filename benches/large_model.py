"""A checkpoint with every tensor of Llama-2-70B at its true size, to measure what a model larger than memory costs.

Files of holes: 138 GB by their length, some MB on the disk. Norms are ones and each matrix begins with a block of
small random values, so that states differ between prompts and stay finite; the rest is zero, which takes as long to
read from memory, convert and multiply as anything else, but not as long to read from a disk.

    python benches/large_model.py DIRECTORY TOKENIZER.model [--layers 80]
    hypercolumn extract --task mine --model DIRECTORY/ --memory 8GB --max-new-tokens 0
"""

import argparse
import json
import pathlib
import random
import shutil
import struct

D, INNER, VOCABULARY, HEADS, KEY_HEADS = 8192, 28672, 32000, 64, 8
ONE = struct.pack("<e", 1.0)
BLOCK = 1 << 15


def layer(index):
    prefix, shared = f"model.layers.{index}.", D // HEADS * KEY_HEADS
    return {
        prefix + "input_layernorm.weight": [D],
        prefix + "post_attention_layernorm.weight": [D],
        prefix + "self_attn.q_proj.weight": [D, D],
        prefix + "self_attn.k_proj.weight": [shared, D],
        prefix + "self_attn.v_proj.weight": [shared, D],
        prefix + "self_attn.o_proj.weight": [D, D],
        prefix + "mlp.gate_proj.weight": [INNER, D],
        prefix + "mlp.up_proj.weight": [INNER, D],
        prefix + "mlp.down_proj.weight": [D, INNER],
    }


def write(path, tensors, rng):
    """A safetensors file (8 bytes of length, a JSON header, the values) in f16."""
    header, at = {}, 0
    for name, shape in tensors.items():
        n_bytes = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = dict(dtype="F16", shape=shape, data_offsets=[at, at + n_bytes])
        at += n_bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in header.values():
            file.seek(8 + len(text) + entry["data_offsets"][0])
            values = [rng.gauss(0, 0.02) for _ in range(BLOCK)]
            file.write(ONE * D if len(entry["shape"]) == 1 else struct.pack(f"<{BLOCK}e", *values))
        file.truncate(8 + len(text) + at)
    return at


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=80)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    config = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=D, intermediate_size=INNER,
        num_hidden_layers=options.layers, num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS,
        vocab_size=VOCABULARY, max_position_embeddings=4096, rms_norm_eps=1e-5, hidden_act="silu",
        tie_word_embeddings=False, torch_dtype="float16", bos_token_id=1, eos_token_id=2,
    )
    (options.directory / "config.json").write_text(json.dumps(config))
    shutil.copy(options.tokenizer, options.directory / "tokenizer.model")
    ends = {"model.embed_tokens.weight": [VOCABULARY, D], "model.norm.weight": [D], "lm_head.weight": [VOCABULARY, D]}
    files = [ends] + [layer(i) for i in range(options.layers)]
    rng, where, total = random.Random(7), {}, 0
    for index, tensors in enumerate(files):
        name = f"model-{index + 1:05}-of-{len(files):05}.safetensors"
        total += write(options.directory / name, tensors, rng)
        where.update(dict.fromkeys(tensors, name))
    index = dict(metadata=dict(total_size=total), weight_map=where)
    (options.directory / "model.safetensors.index.json").write_text(json.dumps(index))
    print(f"{total / 1e9:.1f} GB in {len(files)} files")


if __name__ == "__main__":
    main()
