"""hypercolumn beside PyTorch and transformers: the same extraction of the same prompts, in turns.

Each round runs every set with one, then with the other, in processes of their own with the same number of
threads; the figures are medians over rounds. Forward and writing count, loading the model does not (it is
listed). Both read the same GGUF and compute in f32. With --generate N, both also write greedy responses of N
tokens: transformers in a `generate` after its forward, hypercolumn in the same pass, whose time for
responses is that of a run with them less that of a run without. With --rate, the machine's own rate of f32
matrix products is measured in each round as well: the best of a second of large ones in PyTorch. --peers names
other scripts than transformers_peer.py, of your own perhaps: each is given the same options and ends with the same
line of JSON. Half of them run before hypercolumn in a round, half after it.

    make bench

or, with a Python that has requirements.txt,

    python compare.py PROGRAM [--rounds 5] [--threads 2] [--generate 16] [--sets linear …] [--prompts FILE.jsonl …]
        [--peers SCRIPT.py …]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SETS = ["linear", "reading", "linear-8"]
RATE = """
import time, torch
torch.set_num_threads({threads})
a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
best, end = 1e9, time.perf_counter() + 1
while time.perf_counter() < end:
    start = time.perf_counter()
    a @ b
    best = min(best, time.perf_counter() - start)
print(2 * 2048**3 / best / 1e9)
"""


def run(command, **environment):
    """Standard output of a command that must succeed, and the most memory it had, in GB."""
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{err}")
    return out, usage.ru_maxrss / 1e6


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, pathlib.Path(directory)
        self.program = options.program.resolve()
        self.model = pathlib.Path(run([self.program, "models", "fetch"])[0].strip().splitlines()[-1])

    def prompts(self, name):
        """A set's prompts as a file that both read: answers, which only hypercolumn would score, left out."""
        path = self.directory / f"{name}.jsonl"
        lake = self.directory / f"{name}-prompts"
        run([self.program, "--quiet", "ingest", HERE / "sets" / f"{name}.toml", "--lake", lake])
        question = """
            SELECT prompt_id, p.item_id, p.condition, p.n_examples, p.text,
                list({role: s.role, start: s.start, 'end': s."end"} ORDER BY segment) AS segments
            FROM prompts p JOIN segments s USING (task, prompt_id) GROUP BY ALL ORDER BY prompt_id"""
        rows = json.loads(run([self.program, "sql", question, "--format", "json", "--lake", lake])[0])
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def given(self, path):
        """A file of one's own, without its answers."""
        kept = self.directory / f"{path.stem}.jsonl"
        with path.open(encoding="utf-8") as lines:
            rows = [{k: v for k, v in json.loads(line).items() if k not in ("expected", "params")} for line in lines]
        kept.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return kept

    def study(self, prompts):
        """A study that keeps what the peers keep: states and attention of the prompts, nothing of responses but their text."""
        with prompts.open(encoding="utf-8") as lines:
            given = {segment["role"] for line in lines for segment in json.loads(line)["segments"]}
        roles = json.dumps(sorted(given | {"prompt", "final"}))
        path = self.directory / f"{prompts.stem}.toml"
        path.write_text(
            f'name = "bench"\nmodel = {json.dumps(str(self.model))}\n[extract]\n'
            f'hidden_states = [{{ roles = {roles}, pooling = ["mean"] }}]\n'
            f'attention = {{ query_roles = {roles}, key_roles = {roles} }}\n'
            f'[[task]]\nname = "bench"\nprompts = {json.dumps(str(prompts))}\n',
            encoding="utf-8",
        )
        return path

    def ours(self, prompts, n_new):
        lake = pathlib.Path(tempfile.mkdtemp(dir=self.directory)) / "lake"
        study = self.study(prompts)
        run([self.program, "--quiet", "ingest", study, "--lake", lake])
        command = [self.program, "--quiet", "extract", study, "--max-new-tokens", n_new, "--lake", lake]
        _, memory = run(command, RAYON_NUM_THREADS=str(self.options.threads))
        commits = [json.loads(path.read_text())["commit"]["details"] for path in sorted((lake / "_log").glob("*.json"))]
        shards = [c for c in commits if "shard" in c]
        question = "SELECT count(DISTINCT prompt_id) AS n_prompts, count(*) AS n_tokens FROM tokens WHERE NOT is_response"
        counts, _ = run([self.program, "sql", question, "--format", "json", "--lake", lake])
        return dict(
            seconds=sum(c["elapsed_s"] for c in shards), load=shards[0]["load_s"], memory=memory,
            n_unique=sum(c["n_unique_tokens"] for c in shards), **json.loads(counts)[0],
        )

    def theirs(self, peer, prompts, n_new):
        command = [sys.executable, peer, prompts, self.directory / "peer"]
        command += ["--model", self.model.parent, "--gguf", self.model.name]
        command += ["--threads", self.options.threads, "--generate", n_new]
        out, memory = run(command)
        found = json.loads(out.strip().splitlines()[-1])
        return dict(
            seconds=found["forward_s"] + found["write_s"], load=found["load_s"], memory=memory,
            generate=found["generate_s"],
        )

    def rate(self):
        return float(run([sys.executable, "-c", RATE.format(threads=self.options.threads)])[0])

    def round(self, prompts):
        n_new, peers, found = self.options.generate, self.options.peers, {}
        for place, peer in enumerate([*peers, None]):
            if place == len(peers) // 2:
                ours = self.ours(prompts, 0)
                if n_new:
                    ours["generate"] = self.ours(prompts, n_new)["seconds"] - ours["seconds"]
                found["ours"] = ours
            if peer:
                found[peer.stem] = self.theirs(peer, prompts, n_new)
        if self.options.rate:
            found["rate"] = self.rate()
        return found


def medians(rounds, who):
    return {key: statistics.median(r[who][key] for r in rounds) for key in rounds[0][who]}


def ratio(rounds, peer, what):
    """Median of the rounds' ratios, least and greatest beside it."""
    ratios = sorted(r[peer][what] / r["ours"][what] for r in rounds)
    return f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def row(name, peer, rounds, n_new):
    ours, theirs = medians(rounds, "ours"), medians(rounds, peer)
    cells = [
        name, f"{ours['n_prompts']}", f"{ours['n_tokens']:,} / {ours['n_unique']:,}",
        peer, f"{theirs['seconds']:.1f}", f"{ours['seconds']:.1f}", ratio(rounds, peer, "seconds"),
        f"{theirs['load']:.1f} / {ours['load']:.1f}", f"{theirs['memory']:.2f} / {ours['memory']:.2f}",
    ]
    if n_new:
        cells += [f"{theirs['generate']:.1f}", f"{ours['generate']:.1f}", ratio(rounds, peer, "generate")]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--generate", type=int, default=0)
    parser.add_argument("--peers", nargs="+", type=pathlib.Path, default=[HERE / "transformers_peer.py"])
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--prompts", nargs="*", type=pathlib.Path, default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, directory)
        sets = {name: bench.prompts(name) for name in options.sets if not options.prompts}
        sets.update({path.stem: bench.given(path) for path in options.prompts})
        found = {name: [] for name in sets}
        for _ in range(options.rounds):
            for name, prompts in sets.items():
                found[name].append(bench.round(prompts))
                print(name, json.dumps(found[name][-1]), file=sys.stderr, flush=True)
    head = ["set", "prompts", "tokens / unique", "peer", "peer, s", "hypercolumn, s", "ratio", "load, s", "memory, GB"]
    if options.generate:
        head += ["generate, s", "responses, s", "ratio"]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for name, rounds in found.items():
        for peer in options.peers:
            print(row(name, peer.stem, rounds, options.generate))
    if options.rate:
        rates = [r["rate"] for rounds in found.values() for r in rounds]
        print(f"\nf32 matrix product in PyTorch: {statistics.median(rates):.0f} GFLOP/s, median of {len(rates)}")


if __name__ == "__main__":
    main()
