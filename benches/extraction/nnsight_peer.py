"""As transformers_peer.py, with nnsight looking into the model: states and attention are reduced within the trace.

    python compare.py PROGRAM --peers nnsight_peer.py
"""

import time

import torch
import transformers_peer
from nnsight import TransformersModel


def forward(model, tokenizer, prompts, encodings, size):
    """Per prompt: means (layers + 1) × segments × d_model and masses layers × heads × segments × segments; seconds."""
    started = time.perf_counter()
    traced, found = TransformersModel(model, task="text-generation", tokenizer=tokenizer), {}
    batches = transformers_peer.batches(prompts, encodings, tokenizer.pad_token_id, size)
    for rows, n_segments, ids, mask, members in batches:
        mean = members / members.sum(-1, keepdim=True).clamp(min=1)
        with traced.trace(dict(input_ids=ids, attention_mask=mask), logits_to_keep=1, use_cache=False):
            states, masses = list().save(), list().save()
            states.append(mean @ traced.model.embed_tokens.output)
            for layer in traced.model.layers:
                weights = layer.self_attn.output[1]
                masses.append(mean[:, None] @ weights @ members[:, None].transpose(-1, -2))
                states.append(mean @ layer.output)
            states[-1] = mean @ traced.model.norm.output
        states, masses = torch.stack(states, 1).numpy(), torch.stack(masses, 1).numpy()
        for row, (i, n) in enumerate(zip(rows, n_segments)):
            found[i] = states[row, :, :n], masses[row, :, :, :n, :n]
    return found, time.perf_counter() - started


if __name__ == "__main__":
    transformers_peer.main(forward)
