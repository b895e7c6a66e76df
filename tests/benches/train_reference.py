"""The networks of `cargo bench --bench train` in PyTorch, for comparison.

    python tests/benches/train_reference.py                  all variants in turn, as JSON
    python tests/benches/train_reference.py --compiled       with torch.compile too, where it works
    python tests/benches/train_reference.py --serve VARIANT  a request a line, an answer a line, both JSON

A step is forward, backward and update on one random batch of 64 that stays, so data costs nothing here. Maps
are channels-last throughout, which is PyTorch's fastest layout on processors. What a variant sets in the
environment has to be there when the process starts, so each variant is a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time

# Waiting threads that spin stop each other where cores are shared, so OpenMP is passive but for one variant.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
# Freed memory is kept, not given back to the system to be cleared again in the next step.
KEPT = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}
VARIANTS = {
    "shipped": PASSIVE,
    "tuned": {**PASSIVE, **KEPT},
    "openmp": {},
    "openmp-tuned": KEPT,
}
MARK = "NASC_TRAIN_REFERENCE"
BATCH = 64
WARM_UP = 3


def networks():
    """Builders by name, with the extents of a sample `[C, H, W]` and the number of classes."""
    from torch import nn

    def norm(channels, active=True):
        layers = [nn.BatchNorm2d(channels)]
        return layers + [nn.ReLU(inplace=True)] if active else layers

    def ds_cnn():
        layers = [nn.Conv2d(1, 64, (10, 4), stride=2, padding=(5, 1), bias=False), *norm(64)]
        for _ in range(4):
            layers += [nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), *norm(64)]
            layers += [nn.Conv2d(64, 64, 1, bias=False), *norm(64)]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))

    class Residual(nn.Module):
        def __init__(self, before, channels, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(before, channels, 3, stride=stride, padding=1, bias=False),
                *norm(channels),
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                *norm(channels, active=False),
            )
            self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(before, channels, 1, stride=stride)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            return self.relu(self.body(x) + self.shortcut(x))

    def resnet_8():
        stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), *norm(16)]
        stacks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)]
        return nn.Sequential(*stem, *stacks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    return {"ds-cnn": (ds_cnn, (1, 49, 10), 12), "resnet-8": (resnet_8, (3, 32, 32), 10)}


class Training:
    """A network with its optimiser and a batch."""

    def __init__(self, name, fused, compiled=False):
        import torch

        build, extents, classes = networks()[name]
        torch.manual_seed(1)
        layout = torch.channels_last
        network = build().to(memory_format=layout).train()
        self.x = torch.randn(BATCH, *extents).contiguous(memory_format=layout)
        self.labels = torch.randint(classes, (BATCH,))
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True if fused else None)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        self.check_layout(network)
        self.network = torch.compile(network) if compiled else network
        for _ in range(WARM_UP):
            self.step()

    def check_layout(self, network):
        """Fails if a convolution gets or gives anything but a channels-last map, forward or backward."""
        import torch

        maps = []

        def look(module, inputs, outputs):
            maps.extend([inputs[0], outputs])
            outputs.register_hook(maps.append)

        hooks = [
            module.register_forward_hook(look)
            for module in network.modules()
            if isinstance(module, torch.nn.Conv2d)
        ]
        self.loss(network(self.x), self.labels).backward()
        for hook in hooks:
            hook.remove()
        assert len(maps) == 3 * len(hooks)
        assert all(x.is_contiguous(memory_format=torch.channels_last) for x in maps), "not channels-last"
        assert torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled, "oneDNN is off"

    def step(self):
        self.optimizer.zero_grad()
        self.loss(self.network(self.x), self.labels).backward()
        self.optimizer.step()


def measure(training, steps, repetitions, seconds=5.0):
    """Milliseconds of wall time and of process CPU time for a step, one of each for every repetition."""
    wall, cpu = [], []
    start = time.perf_counter()
    while len(wall) < repetitions and (not wall or time.perf_counter() - start < seconds):
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        for _ in range(steps):
            training.step()
        wall.append((time.perf_counter() - wall_before) * 1e3 / steps)
        cpu.append((time.process_time() - cpu_before) * 1e3 / steps)
    return {"wall_ms": wall, "cpu_ms": cpu}


def serve(variant):
    """Answers requests until the input ends; starts itself anew with the variant's environment first."""
    if os.environ.get(MARK) != variant:
        known = {name for settings in VARIANTS.values() for name in settings}
        environment = {name: value for name, value in os.environ.items() if name not in known}
        environment.update(VARIANTS[variant], **{MARK: variant})
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    import torch

    print(json.dumps({"torch": torch.__version__, "variant": variant}), flush=True)
    trainings = {}
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        key = (request["network"], request["optimizer"], request.get("compiled", False))
        try:
            if key not in trainings:
                trainings[key] = Training(key[0], key[1] == "fused", key[2])
            answer = measure(trainings[key], request["steps"], request["repetitions"])
        except Exception as error:  # The answer says what is not possible here.
            answer = {"error": str(error).strip().splitlines()[0]}
        print(json.dumps(answer), flush=True)


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def run_all(rounds, compiled):
    """Every variant, network, number of threads and optimiser in turn, several times over."""
    servers = {}
    for variant in VARIANTS:
        command = [sys.executable, os.path.abspath(__file__), "--serve", variant]
        pipe = subprocess.PIPE
        servers[variant] = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        version = json.loads(servers[variant].stdout.readline())["torch"]
    found = {}
    for _ in range(rounds):
        for name in ["ds-cnn", "resnet-8"]:
            for threads in [1, 2]:
                for variant, server in servers.items():
                    for mode in ["default", "fused", "compiled"][: 3 if compiled else 2]:
                        if threads == 1 and variant.startswith("openmp"):
                            continue
                        request = {"network": name, "threads": threads, "steps": 4, "repetitions": 5}
                        request["optimizer"] = "default" if mode == "default" else "fused"
                        request["compiled"] = mode == "compiled"
                        server.stdin.write(json.dumps(request) + "\n")
                        server.stdin.flush()
                        answer = json.loads(server.stdout.readline())
                        found.setdefault((name, threads, variant, mode), []).append(answer)
    for server in servers.values():
        server.stdin.close()
        server.wait()
    rows = []
    for (name, threads, variant, mode), answers in found.items():
        row = {"network": name, "threads": threads, "variant": variant, "mode": mode}
        errors = [answer["error"] for answer in answers if "error" in answer]
        if errors:
            rows.append({**row, "error": errors[0]})
            continue
        for kind in ["wall", "cpu"]:
            ms = median([ms for answer in answers for ms in answer[f"{kind}_ms"]])
            row[f"{kind}_ms"] = round(ms, 3)
            row[f"samples_per_{kind}_second"] = round(BATCH * 1e3 / ms)
        rows.append(row)
    return {"torch": version, "batch": BATCH, "rounds": rounds, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description="Training steps of PyTorch, timed.")
    parser.add_argument("--serve", metavar="VARIANT", choices=VARIANTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true", help="torch.compile too")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        print(json.dumps(run_all(options.rounds, options.compiled), indent=1))


if __name__ == "__main__":
    main()
