"""LiteRT's reference kernels on models that nasc wrote, byte by byte.

    pip install ai-edge-litert==2.3.0 numpy==2.4.6
    mkdir /tmp/exported
    NASC_EXPORT=/tmp/exported NASC_EXPORT_NETWORKS=300 cargo test --release --locked --test tflite written
    python3 tests/models/check_export.py /tmp/exported

The test writes each network as `<name>.tflite` with random inputs and what nasc's evaluator makes of them, in
`<name>.inputs` and `<name>.outputs`; `NASC_EXPORT_SAMPLES` says how many there are, 1,000 by default. All models of a
folder are run, or those that are named. A model that `nasc export` wrote of a bundle is run on the vectors of the
bundle's self-test:

    nasc export build/vowels/cortex-m4 -o vowels.tflite
    python3 tests/models/check_export.py vowels.tflite build/vowels/cortex-m4/vowels.graph

Exit code 0: all bytes are equal. 1: some differ, and which model and sample is told.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def check(name, content, inputs, wanted):
    """Runs a model on rows of int8; how many samples, bytes and wrong bytes there are."""
    reference = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=reference)
    interpreter.allocate_tensors()
    (given,), made = interpreter.get_input_details(), interpreter.get_output_details()
    samples = inputs.size // int(np.prod(given["shape"]))
    inputs, wanted = inputs.reshape(samples, -1), wanted.reshape(samples, -1)
    wrong = 0
    for at in range(samples):
        interpreter.set_tensor(given["index"], inputs[at].reshape(given["shape"]))
        interpreter.invoke()
        found = np.concatenate([interpreter.get_tensor(detail["index"]).ravel() for detail in made])
        if not np.array_equal(found, wanted[at]):
            if not wrong:
                place = int(np.argmax(found != wanted[at]))
                print(f"{name}: sample {at}, byte {place} is {found[place]} instead of {wanted[at][place]}")
            wrong += int((found != wanted[at]).sum())
    return samples, wanted.size, wrong


def read(path):
    with open(path, "rb") as file:
        return file.read()


def beside(model):
    """Samples that lie beside a model."""
    stem = os.path.splitext(model)[0]
    return [np.frombuffer(read(f"{stem}.{kind}"), dtype=np.int8) for kind in ("inputs", "outputs")]


def golden(path):
    """Inputs and outputs of a bundle's self-test."""
    vectors = json.loads(read(path))["golden"]
    return [np.array([vector[kind] for vector in vectors], dtype=np.int8) for kind in ("input", "output")]


def main(arguments):
    if len(arguments) == 2 and arguments[1].endswith(".graph"):
        cases = [(arguments[0], golden(arguments[1]))]
    else:
        models = []
        for path in arguments:
            folder = [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
            models += [name for name in folder if name.endswith(".tflite")]
        cases = [(model, beside(model)) for model in models]
    if not cases:
        sys.exit("name a folder with models, or models, or a model and a `.graph`: see the head of this file")
    totals, failed = np.zeros(3, dtype=np.int64), 0
    for model, (inputs, wanted) in cases:
        name = os.path.basename(model)
        samples, size, wrong = check(name, read(model), inputs, wanted)
        totals += (samples, size, wrong)
        failed += wrong > 0
        if len(cases) <= 30 or wrong:
            print(f"{name}: {samples} samples, {size} bytes, {wrong} wrong")
    samples, size, wrong = totals
    print(f"{len(cases)} models, {samples} samples, {size} bytes, {wrong} wrong in {failed} models")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
