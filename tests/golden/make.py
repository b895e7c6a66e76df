"""Golden vectors of the integer operators, from LiteRT's reference kernels.

    pip install ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19
    python3 tests/golden/make.py

Every case is a TFLite model of one int8 operator, built here, run by LiteRT with
`OpResolverType.BUILTIN_REF` and written with its input, parameters and output to
`tests/golden/<operator>.json`. `tests/golden.rs` demands that nasc's reference evaluation gives every
element. The files are part of the repository; this script makes the same files again, byte for byte, and is
needed only for another release of LiteRT or for a new case.

A file is `{"source": ..., "cases": [...]}`. A case has a `name`, the attributes `clamp` and, where the operator
has them, `window`, `margins` (zeros before and after height, width and channels), `factor`, `function` and `beta`, and the
tensors `inputs` and `output`, each with `dtype`, `shape`, `scales` (float32,
written exactly), `axis` (of the scales, null for one scale), `zero_point` and `data` (row-major).
`dense_limits.json` is apart: there LiteRT is finer than 32-bit arithmetic, and the test bounds the difference.

What the cases look for, besides plain values: accumulators that lie on or beside a tie of the requantization
(one multiplication rounds them once or twice), saturation at both ends, negative sums, clamps that cut,
windows that hang over the edge by different amounts, odd extents, factors above 1.
"""

import json
import os

import numpy as np
import flatbuffers
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = os.path.dirname(os.path.abspath(__file__))
ACTIVATION = {
    "none": tflite.ActivationFunctionType.NONE,
    "relu": tflite.ActivationFunctionType.RELU,
    "relu6": tflite.ActivationFunctionType.RELU6,
}
DTYPE = {"i8": tflite.TensorType.INT8, "i32": tflite.TensorType.INT32}
NUMPY = {"i8": np.int8, "i32": np.int32}


class Tensor:
    """A tensor with the meaning of its integers; `data` is None for what is computed."""

    def __init__(self, dtype, shape, scales, zero_point=0, axis=None, data=None):
        self.dtype, self.shape, self.axis, self.zero_point = dtype, list(shape), axis, zero_point
        self.scales = [np.float32(s) for s in np.atleast_1d(scales)]
        self.data = None if data is None else np.asarray(data).astype(NUMPY[dtype]).reshape(shape)

    def json(self):
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "scales": [float(s) for s in self.scales],
            "axis": self.axis,
            "zero_point": int(self.zero_point),
            "data": [int(x) for x in self.data.ravel()],
        }


def model(code, version, options_type, options, tensors, n_inputs):
    """A flatbuffer with one operator: the first `n_inputs` tensors are given, the last one is computed, those
    between are constants."""
    m = tflite.ModelT()
    m.version = 3
    opcode = tflite.OperatorCodeT()
    opcode.builtinCode, opcode.deprecatedBuiltinCode, opcode.version = code, min(code, 127), version
    m.operatorCodes = [opcode]
    m.buffers = [tflite.BufferT()]
    graph = tflite.SubGraphT()
    graph.tensors = []
    for i, t in enumerate(tensors):
        out = tflite.TensorT()
        out.name, out.shape, out.type = f"t{i}", t.shape, DTYPE[t.dtype]
        q = tflite.QuantizationParametersT()
        q.scale = [float(s) for s in t.scales]
        q.zeroPoint = [int(t.zero_point)] * len(t.scales)
        q.quantizedDimension = t.axis or 0
        out.quantization = q
        out.buffer = 0
        if n_inputs <= i < len(tensors) - 1:
            buffer = tflite.BufferT()
            buffer.data = np.frombuffer(t.data.tobytes(), dtype=np.uint8)
            m.buffers.append(buffer)
            out.buffer = len(m.buffers) - 1
        graph.tensors.append(out)
    op = tflite.OperatorT()
    op.opcodeIndex = 0
    op.inputs, op.outputs = list(range(len(tensors) - 1)), [len(tensors) - 1]
    op.builtinOptionsType, op.builtinOptions = options_type, options
    graph.operators = [op]
    graph.inputs, graph.outputs = list(range(n_inputs)), [len(tensors) - 1]
    m.subgraphs = [graph]
    builder = flatbuffers.Builder(4096)
    builder.Finish(m.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run(content, inputs):
    """The output of a model."""
    reference = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=reference)
    interpreter.allocate_tensors()
    for detail, t in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], t.data)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def windows(extent, kernel, stride, dilation, same):
    """Outputs and padding along one axis."""
    span = (kernel - 1) * dilation + 1
    if not same:
        return (extent - span) // stride + 1, 0, 0
    outputs = -(-extent // stride)
    total = max((outputs - 1) * stride + span - extent, 0)
    return outputs, total // 2, total - total // 2


def window(x_shape, kernel, stride, dilation, same):
    """Rows and columns of the output and the attribute `window`."""
    ho, top, bottom = windows(x_shape[1], kernel[0], stride[0], dilation[0], same)
    wo, left, right = windows(x_shape[2], kernel[1], stride[1], dilation[1], same)
    padding = {"top": top, "bottom": bottom, "left": left, "right": right}
    return (ho, wo), {"kernel": list(kernel), "stride": list(stride), "dilation": list(dilation), "padding": padding}


def ints(rng, shape, low=-128, high=127):
    return rng.integers(low, high + 1, size=shape)


def near_ties(rng, factors, low, high):
    """Accumulators whose product with each factor lies beside `k + 1/2` for a random `k` in `low..=high`."""
    k = rng.integers(low, high + 1, size=len(factors))
    return np.round((k + 0.5) / np.asarray(factors, dtype=np.float64)) + rng.integers(-1, 2, size=len(factors))


def sum_size(taps, levels):
    """What sums of `taps` products with weights in `-levels..=levels` are like."""
    return 74 * max(levels * 0.58, 1) * np.sqrt(taps)


def out_scale_for(x, size, w_scale, spread):
    """A scale that spreads the outputs over `spread` times the range of the type."""
    return np.float32(float(x.scales[0]) * float(np.mean(w_scale)) * size / 64 / spread)


def conv(rng, name, x_shape, filters, kernel, stride=(1, 1), dilation=(1, 1), same=True, clamp="none", spread=1.0,
         zero_points=(-5, 3), scales=(0.037, 0.011), ties=False, depthwise=False, levels=127):
    """A convolution; with `ties` its input is at the zero point, so the biases are the accumulators."""
    channels = x_shape[3]
    filters = channels if depthwise else filters
    (ho, wo), attribute = window(x_shape, kernel, stride, dilation, same)
    x = Tensor("i8", x_shape, scales[0], zero_points[0], data=ints(rng, x_shape))
    w_scales = np.float32(scales[1]) * rng.uniform(0.25, 2.0, size=filters).astype(np.float32)
    w_shape, axis = ([1, *kernel, channels], 3) if depthwise else ([filters, *kernel, channels], 0)
    taps = kernel[0] * kernel[1] * (1 if depthwise else channels)
    w = Tensor("i8", w_shape, w_scales, 0, axis, ints(rng, w_shape, -levels, levels))
    y = Tensor("i8", [x_shape[0], ho, wo, filters], out_scale_for(x, sum_size(taps, levels), w_scales, spread), zero_points[1])
    product = [float(x.scales[0]) * float(s) for s in w.scales]
    bias = rng.normal(0, sum_size(taps, levels) / 2, size=filters).round()
    if ties:
        x.data[:] = zero_points[0]
        bias = near_ties(rng, [p / float(y.scales[0]) for p in product], -140, 140)
    b = Tensor("i32", [filters], product, 0, 0, bias)
    o = tflite.DepthwiseConv2DOptionsT() if depthwise else tflite.Conv2DOptionsT()
    if depthwise:
        o.depthMultiplier = 1
    o.padding = tflite.Padding.SAME if same else tflite.Padding.VALID
    o.strideH, o.strideW = stride
    o.dilationHFactor, o.dilationWFactor = dilation
    o.fusedActivationFunction = ACTIVATION[clamp]
    code = tflite.BuiltinOperator.DEPTHWISE_CONV_2D if depthwise else tflite.BuiltinOperator.CONV_2D
    kind = tflite.BuiltinOptions.DepthwiseConv2DOptions if depthwise else tflite.BuiltinOptions.Conv2DOptions
    y.data = run(model(code, 3, kind, o, [x, w, b, y], 1), [x])
    return case(name, clamp, [x, w, b], y, attribute)


def dense(rng, name, features, units, clamp="none", per_channel=False, spread=1.0, zero_points=(-5, 3),
          scales=(0.037, 0.011), ties=False, batch=1, levels=127):
    """A fully connected layer."""
    x = Tensor("i8", [batch, features], scales[0], zero_points[0], data=ints(rng, [batch, features]))
    w_scales = np.float32(scales[1]) * (rng.uniform(0.25, 2.0, size=units) if per_channel else np.ones(1))
    w = Tensor("i8", [units, features], w_scales, 0, 0 if per_channel else None, ints(rng, [units, features], -levels, levels))
    y = Tensor("i8", [batch, units], out_scale_for(x, sum_size(features, levels), w.scales, spread), zero_points[1])
    product = [float(x.scales[0]) * float(s) for s in w.scales]
    bias = rng.normal(0, sum_size(features, levels) / 2, size=units).round()
    if ties:
        x.data[:] = zero_points[0]
        factors = np.broadcast_to([p / float(y.scales[0]) for p in product], [units])
        bias = near_ties(rng, factors, -140, 140)
    b = Tensor("i32", [units], product, 0, 0 if per_channel else None, bias)
    y.data = run_dense(x, w, b, y, clamp)
    return case(name, clamp, [x, w, b], y)


def run_dense(x, w, b, y, clamp):
    o = tflite.FullyConnectedOptionsT()
    o.fusedActivationFunction = ACTIVATION[clamp]
    code, kind = tflite.BuiltinOperator.FULLY_CONNECTED, tflite.BuiltinOptions.FullyConnectedOptions
    return run(model(code, 4, kind, o, [x, w, b, y], 1), [x])


def add(rng, name, shape, scales, zero_points, clamp="none"):
    """A sum of two; scales and zero points of both inputs and the output."""
    a, b = (Tensor("i8", shape, scales[i], zero_points[i], data=ints(rng, shape)) for i in range(2))
    y = Tensor("i8", shape, scales[2], zero_points[2])
    o = tflite.AddOptionsT()
    o.fusedActivationFunction = ACTIVATION[clamp]
    y.data = run(model(tflite.BuiltinOperator.ADD, 2, tflite.BuiltinOptions.AddOptions, o, [a, b, y], 2), [a, b])
    return case(name, clamp, [a, b], y)


def pool(rng, name, code, x_shape, kernel, stride, same, clamp="none", zero_point=-7, scale=0.05):
    """A pool; input and output have the same quantization."""
    (ho, wo), attribute = window(x_shape, kernel, stride, (1, 1), same)
    x = Tensor("i8", x_shape, scale, zero_point, data=ints(rng, x_shape))
    y = Tensor("i8", [x_shape[0], ho, wo, x_shape[3]], scale, zero_point)
    o = tflite.Pool2DOptionsT()
    o.padding = tflite.Padding.SAME if same else tflite.Padding.VALID
    (o.filterHeight, o.filterWidth), (o.strideH, o.strideW) = kernel, stride
    o.fusedActivationFunction = ACTIVATION[clamp]
    y.data = run(model(code, 2, tflite.BuiltinOptions.Pool2DOptions, o, [x, y], 1), [x])
    return case(name, clamp, [x], y, attribute)


def mul(rng, name, shapes, scales, zero_points, clamp="none"):
    """A product of two; scales and zero points of both inputs and the output."""
    a, b = (Tensor("i8", shapes[i], scales[i], zero_points[i], data=ints(rng, shapes[i])) for i in range(2))
    y = Tensor("i8", shapes[0], scales[2], zero_points[2])
    o = tflite.MulOptionsT()
    o.fusedActivationFunction = ACTIVATION[clamp]
    y.data = run(model(tflite.BuiltinOperator.MUL, 2, tflite.BuiltinOptions.MulOptions, o, [a, b, y], 2), [a, b])
    return case(name, clamp, [a, b], y)


def all_bytes(name, code, kind, o, function, scales, zero_points):
    """A function of one element: all 256 of them."""
    x = Tensor("i8", [1, 256], scales[0], zero_points[0], data=np.arange(-128, 128))
    y = Tensor("i8", [1, 256], scales[1], zero_points[1])
    y.data = run(model(code, 1, kind, o, [x, y], 1), [x])
    return case(name, "none", [x], y, function=function)


def logistic(name, scale, zero_point):
    """The specification fixes the output's scale and zero point."""
    code = tflite.BuiltinOperator.LOGISTIC
    return all_bytes(name, code, 0, None, "sigmoid", (scale, 1 / 256), (zero_point, -128))


def softmax(rng, name, shape, scale, zero_point, beta=1.0, spread=None):
    """Scores that lie anywhere, or normally around 0 with this deviation; the kernel fixes the output's scale."""
    data = ints(rng, shape) if spread is None else np.clip(rng.normal(0, spread, shape).round(), -128, 127)
    x = Tensor("i8", shape, scale, zero_point, data=data)
    y = Tensor("i8", shape, 1 / 256, -128)
    o = tflite.SoftmaxOptionsT()
    o.beta = beta
    code, kind = tflite.BuiltinOperator.SOFTMAX, tflite.BuiltinOptions.SoftmaxOptions
    y.data = run(model(code, 2, kind, o, [x, y], 1), [x])
    return case(name, "none", [x], y, beta=beta)


def hard_swish(name, scales, zero_points):
    code, kind = tflite.BuiltinOperator.HARD_SWISH, tflite.BuiltinOptions.HardSwishOptions
    return all_bytes(name, code, kind, tflite.HardSwishOptionsT(), "hswish", scales, zero_points)


def requantize(name, scales, zero_points):
    code, kind = tflite.BuiltinOperator.QUANTIZE, tflite.BuiltinOptions.QuantizeOptions
    return all_bytes(name, code, kind, tflite.QuantizeOptionsT(), None, scales, zero_points)


def concat(rng, name, shapes, zero_point):
    """Tensors of one quantization one behind the other along the last axis."""
    xs = [Tensor("i8", shape, 0.07, zero_point, data=ints(rng, shape)) for shape in shapes]
    y = Tensor("i8", [*shapes[0][:-1], sum(shape[-1] for shape in shapes)], 0.07, zero_point)
    o = tflite.ConcatenationOptionsT()
    o.axis, o.fusedActivationFunction = len(shapes[0]) - 1, ACTIVATION["none"]
    code, kind = tflite.BuiltinOperator.CONCATENATION, tflite.BuiltinOptions.ConcatenationOptions
    y.data = run(model(code, 2, kind, o, [*xs, y], len(xs)), xs)
    return case(name, "none", xs, y)


def pad(rng, name, shape, before, after, zero_point):
    x = Tensor("i8", shape, 0.05, zero_point, data=ints(rng, shape))
    margins = Tensor("i32", [4, 2], 1, data=[[0, 0], *zip(before, after)])
    y = Tensor("i8", [shape[0], *(d + b + a for d, b, a in zip(shape[1:], before, after))], 0.05, zero_point)
    code, kind = tflite.BuiltinOperator.PAD, tflite.BuiltinOptions.PadOptions
    y.data = run(model(code, 2, kind, tflite.PadOptionsT(), [x, margins, y], 1), [x])
    return case(name, "none", [x], y, margins=[before, after])


def upsample(rng, name, shape, factor, zero_point):
    x = Tensor("i8", shape, 0.05, zero_point, data=ints(rng, shape))
    size = [shape[1] * factor[0], shape[2] * factor[1]]
    extents = Tensor("i32", [2], 1, data=size)
    y = Tensor("i8", [shape[0], *size, shape[3]], 0.05, zero_point)
    code, kind = tflite.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR, tflite.BuiltinOptions.ResizeNearestNeighborOptions
    y.data = run(model(code, 2, kind, tflite.ResizeNearestNeighborOptionsT(), [x, extents, y], 1), [x])
    return case(name, "none", [x], y, factor=factor)


def case(name, clamp, inputs, output, window=None, **attributes):
    out = {"name": name, "clamp": clamp}
    if window is not None:
        out["window"] = window
    out.update({name: value for name, value in attributes.items() if value is not None})
    return {**out, "inputs": [t.json() for t in inputs], "output": output.json()}


def conv2d_cases():
    rng = np.random.default_rng(1)
    return [
        conv(rng, "pointwise", (1, 5, 4, 8), 12, (1, 1)),
        conv(rng, "same 3x3 relu", (1, 7, 5, 3), 8, (3, 3), clamp="relu"),
        conv(rng, "valid 3x3 stride 2 relu6", (1, 9, 7, 4), 6, (3, 3), (2, 2), same=False, clamp="relu6"),
        conv(rng, "same 10x4 stride 2x1 odd", (1, 13, 9, 1), 5, (10, 4), (2, 1), spread=2.0),
        conv(rng, "same 3x3 stride 2 even", (1, 8, 6, 4), 6, (3, 3), (2, 2), zero_points=(127, -128)),
        conv(rng, "width 1, kernel 5, stride 2", (1, 21, 1, 6), 8, (5, 1), (2, 1), clamp="relu"),
        conv(rng, "same dilation 2x3", (1, 9, 11, 3), 5, (3, 3), dilation=(2, 3)),
        conv(rng, "valid dilation 2", (1, 9, 8, 3), 5, (3, 2), dilation=(2, 2), same=False),
        conv(rng, "two samples, saturating", (2, 4, 4, 5), 6, (3, 3), spread=4.0, zero_points=(-128, 20)),
        conv(rng, "ties", (1, 1, 1, 1), 300, (1, 1), ties=True),
        conv(rng, "ties of small factors", (1, 1, 1, 1), 300, (1, 1), ties=True, spread=1 / 4096, zero_points=(0, 0)),
        conv(rng, "factors above 1", (1, 4, 5, 2), 6, (1, 1), levels=1, spread=2.5),
    ]


def depthwise_cases():
    rng = np.random.default_rng(2)

    def depthwise(name, x_shape, kernel, **more):
        return conv(rng, name, x_shape, None, kernel, depthwise=True, **more)

    return [
        depthwise("same 3x3", (1, 7, 6, 12), (3, 3)),
        depthwise("same 3x3 stride 2 relu", (1, 8, 9, 8), (3, 3), stride=(2, 2), clamp="relu"),
        depthwise("valid 5x3 relu6", (1, 9, 7, 6), (5, 3), same=False, clamp="relu6", spread=2.0),
        depthwise("width 1, kernel 7", (1, 19, 1, 10), (7, 1), zero_points=(-128, 127)),
        depthwise("same dilation 2", (1, 9, 8, 5), (3, 3), dilation=(2, 2)),
        depthwise("two samples, saturating", (2, 5, 4, 6), (3, 3), spread=4.0),
        depthwise("ties", (1, 1, 1, 300), (1, 1), ties=True),
    ]


def dense_cases():
    rng = np.random.default_rng(3)
    return [
        dense(rng, "per tensor", 32, 24),
        dense(rng, "per tensor relu", 27, 16, clamp="relu"),
        dense(rng, "per tensor relu6, saturating", 16, 32, clamp="relu6", spread=4.0),
        dense(rng, "three samples", 24, 10, batch=3, zero_points=(127, -128)),
        dense(rng, "per channel", 32, 24, per_channel=True),
        dense(rng, "ties", 1, 400, ties=True),
        dense(rng, "ties of small factors", 1, 400, ties=True, spread=1 / 256, zero_points=(0, 0)),
        dense(rng, "ties per channel", 1, 400, ties=True, per_channel=True, spread=1 / 256),
        dense(rng, "factors above 1", 2, 24, levels=1, spread=2.5),
    ]


def dense_limit_cases():
    """Where LiteRT's FULLY_CONNECTED is not one rounding of a product with a 31-bit factor: it rounds the
    product with the factor in double, ties away from zero. The first case needs more than 31 bits to tell on
    which side of a tie an accumulator lies; the second one has accumulators on ties."""
    rng = np.random.default_rng(7)
    return [
        dense(rng, "more than 31 bits", 1, 400, ties=True, spread=1 / 65536, zero_points=(0, 0)),
        exact_ties("exact ties", [0.5, 0.25, 0.125, 0.75], range(-40, 41)),
    ]


def exact_ties(name, factors, accumulators):
    """A dense layer whose factors are short in binary."""
    pairs = [(f, a) for f in factors for a in accumulators]
    x = Tensor("i8", [1, 1], 1, 0, data=[[0]])
    w = Tensor("i8", [len(pairs), 1], [f for f, _ in pairs], 0, 0, np.ones((len(pairs), 1)))
    b = Tensor("i32", [len(pairs)], [f for f, _ in pairs], 0, 0, [a for _, a in pairs])
    y = Tensor("i8", [1, len(pairs)], 1, 3)
    y.data = run_dense(x, w, b, y, "none")
    return case(name, "none", [x, w, b], y)


def add_cases():
    rng = np.random.default_rng(4)
    return [
        add(rng, "equal scales", (1, 8, 8, 4), (0.1, 0.1, 0.1), (0, 0, 0)),
        add(rng, "different scales", (1, 10, 10, 8), (0.031, 0.0523, 0.0777), (-3, 11, 5)),
        add(rng, "one much smaller", (1, 8, 8, 4), (0.0011, 0.31, 0.29), (127, -128, -9)),
        add(rng, "relu", (1, 8, 8, 4), (0.031, 0.0523, 0.05), (-3, 11, -20), "relu"),
        add(rng, "relu6", (1, 8, 8, 4), (0.031, 0.0523, 0.05), (-3, 11, -20), "relu6"),
        add(rng, "saturating", (1, 8, 8, 4), (0.2, 0.17, 0.04), (4, -6, 1)),
        add(rng, "ties", (1, 10, 10, 6), (0.25, 0.125, 0.5), (1, -1, 2)),
        add(rng, "coarse output", (1, 10, 10, 6), (0.02, 0.03, 0.4), (-30, 50, -10)),
    ]


def pool_cases(code, seed):
    rng = np.random.default_rng(seed)
    return [
        pool(rng, "2x2 stride 2", code, (1, 6, 8, 4), (2, 2), (2, 2), False),
        pool(rng, "same 3x3", code, (1, 5, 7, 5), (3, 3), (1, 1), True),
        pool(rng, "same 3x3 stride 2 odd", code, (1, 7, 9, 4), (3, 3), (2, 2), True, zero_point=100),
        pool(rng, "whole map", code, (1, 6, 5, 16), (6, 5), (6, 5), False),
        pool(rng, "width 1", code, (1, 17, 1, 6), (4, 1), (2, 1), True),
        pool(rng, "relu", code, (1, 6, 6, 4), (2, 2), (2, 2), False, "relu"),
        pool(rng, "relu6", code, (1, 6, 6, 4), (2, 2), (1, 1), False, "relu6"),
        pool(rng, "two samples", code, (2, 4, 4, 3), (2, 3), (1, 2), True, zero_point=0),
    ]


def mul_cases():
    rng = np.random.default_rng(8)
    map, row, vector = (1, 8, 8, 6), (1, 1, 1, 6), (1, 6)
    return [
        mul(rng, "equal shapes", (map, map), (0.031, 0.0523, 0.21), (-3, 11, 5)),
        mul(rng, "by channel", (map, row), (0.05, 1 / 256, 0.045), (-10, -128, 7)),
        mul(rng, "by a vector", (map, vector), (0.05, 1 / 256, 0.045), (-10, -128, 7)),
        mul(rng, "relu", (map, map), (0.031, 0.0523, 0.05), (-3, 11, -20), "relu"),
        mul(rng, "relu6", (map, row), (0.031, 0.0523, 0.05), (-3, 11, -20), "relu6"),
        mul(rng, "saturating, factor above 1", (map, map), (0.9, 1.7, 0.7), (127, -128, 0)),
        mul(rng, "coarse output", (map, map), (0.02, 0.03, 1.4), (-30, 50, -10)),
        mul(rng, "ties", ((1, 16, 16, 6), (1, 16, 16, 6)), (0.25, 0.125, 0.5), (1, -1, 2)),
        mul(rng, "vectors", ((1, 400), (1, 400)), (0.013, 0.0047, 0.0039), (0, 3, -128)),
        *(short_factor(i, b) for i, b in [(114, -91), (433, -99), (825, -65), (1199, -13)]),
    ]


def short_factor(i, b):
    """All elements by one, with scales for which a factor in float32 gives another element than one in double."""
    rng = np.random.default_rng(8)
    for _ in range(i + 1):
        scales = rng.uniform(0.005, 0.1, size=2).astype(np.float32)
        out = np.float32(scales[0] * scales[1] * rng.uniform(100, 300))
    x = Tensor("i8", (1, 256), scales[0], 0, data=np.arange(-128, 128))
    w = Tensor("i8", (1, 256), scales[1], 0, data=np.full(256, b))
    y = Tensor("i8", (1, 256), out, 0)
    code, kind = tflite.BuiltinOperator.MUL, tflite.BuiltinOptions.MulOptions
    y.data = run(model(code, 2, kind, tflite.MulOptionsT(), [x, w, y], 2), [x, w])
    return case(f"float32 factor {i}", "none", [x, w], y)


def logistic_cases():
    rng = np.random.default_rng(9)
    fixed = [(0.05, 0), (0.1, -128), (0.0235, 127), (1 / 16, 5), (0.5, -20), (3.0, 1), (0.001, 60), (1 / 32, -1)]
    cases = [logistic(f"scale {scale:.4g}, zero point {zero}", scale, zero) for scale, zero in fixed]
    drawn = [(2 ** rng.uniform(-10, 2), int(ints(rng, ()))) for _ in range(12)]
    return cases + [logistic(f"random {i}", *both) for i, both in enumerate(drawn)]


def hard_swish_cases():
    rng = np.random.default_rng(10)
    fixed = [
        ((0.05, 0.04), (0, -100)), ((0.1, 0.05), (-128, 127)), ((1 / 16, 1 / 32), (0, -120)), ((0.03, 0.03), (-60, -90)),
        ((0.3, 0.3), (-110, -125)), ((0.004, 0.003), (40, 0)), ((1.1, 1.5), (17, -8)), ((0.0625, 0.5), (0, 0)),
    ]
    cases = [hard_swish(f"scales {s}, zero points {z}", s, z) for s, z in fixed]
    for i in range(24):
        scale = 2 ** rng.uniform(-9, 1)
        out = scale * 2 ** rng.uniform(-6.9, 3)
        cases.append(hard_swish(f"random {i}", (scale, out), ints(rng, 2)))
    return cases


def softmax_cases():
    rng = np.random.default_rng(15)
    cases = [
        softmax(rng, "one class", (1, 1), 0.1, 3),
        softmax(rng, "all alike", (1, 12), 0.1, 3, spread=0),
        softmax(rng, "most classes, all alike", (1, 511), 0.1, 3, spread=0),
        softmax(rng, "rows", (7, 10), 0.07, -20, spread=30),
        softmax(rng, "a map", (1, 3, 4, 5), 0.07, 100, spread=30),
        softmax(rng, "wide", (1, 12), 4.0, 0),
        softmax(rng, "narrow", (1, 300), 0.0005, 0),
        softmax(rng, "halved", (1, 12), 0.1, 7, beta=0.5),
        softmax(rng, "doubled", (1, 12), 0.1, 7, beta=2.0),
    ]
    for i in range(30):
        classes, scale = int(rng.integers(2, 40)), np.float32(2 ** rng.uniform(-8, 1))
        spread = None if i % 2 else float(rng.uniform(1, 40))
        cases.append(softmax(rng, f"random {i}", (4, classes), scale, int(ints(rng, ())), spread=spread))
    return cases


def requantize_cases():
    rng = np.random.default_rng(11)
    fixed = [
        ((0.05, 0.07), (3, -20)), ((0.07, 0.05), (-100, 5)), ((0.5, 0.5), (0, 7)), ((0.25, 0.5), (1, 0)),
        ((0.125, 1.0), (-3, 90)), ((1.0, 0.03), (0, -128)), ((0.001, 2.0), (127, 127)),
    ]
    cases = [requantize(f"scales {s}, zero points {z}", s, z) for s, z in fixed]
    for i in range(8):
        scale = 2 ** rng.uniform(-9, 1)
        cases.append(requantize(f"random {i}", (scale, scale * 2 ** rng.uniform(-3, 3)), ints(rng, 2)))
    return cases


def concat_cases():
    rng = np.random.default_rng(12)
    return [
        concat(rng, "two maps", [(1, 4, 3, 5), (1, 4, 3, 2)], 4),
        concat(rng, "four maps", [(1, 3, 3, 1), (1, 3, 3, 4), (1, 3, 3, 2), (1, 3, 3, 1)], -128),
        concat(rng, "two samples", [(2, 2, 5, 3), (2, 2, 5, 3)], 127),
        concat(rng, "vectors", [(1, 7), (1, 9), (1, 1)], 0),
    ]


def pad_cases():
    rng = np.random.default_rng(13)
    return [
        pad(rng, "all around", (1, 4, 3, 5), (1, 2, 3), (4, 0, 2), 9),
        pad(rng, "channels", (1, 4, 3, 5), (0, 0, 0), (0, 0, 3), -128),
        pad(rng, "rows", (1, 4, 3, 5), (2, 0, 0), (0, 0, 0), 127),
        pad(rng, "two samples", (2, 3, 3, 2), (1, 1, 0), (1, 1, 0), -7),
        pad(rng, "nothing", (1, 2, 2, 2), (0, 0, 0), (0, 0, 0), 3),
    ]


def upsample_cases():
    rng = np.random.default_rng(14)
    return [
        upsample(rng, "twice", (1, 3, 4, 5), (2, 2), 0),
        upsample(rng, "three down, one right", (1, 4, 2, 3), (3, 1), -20),
        upsample(rng, "two samples", (2, 2, 3, 2), (1, 4), 5),
        upsample(rng, "one pixel", (1, 1, 1, 7), (6, 5), 127),
    ]


def write(stem, cases):
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    source = "ai-edge-litert 2.3.0, BUILTIN_REF; made by tests/golden/make.py"
    with open(os.path.join(HERE, f"{stem}.json"), "w", newline="\n") as file:
        file.write(f'{{"source":{json.dumps(source)},"cases":[\n{lines}\n]}}\n')


def main():
    write("conv2d", conv2d_cases())
    write("depthwise_conv2d", depthwise_cases())
    write("dense", dense_cases())
    write("dense_limits", dense_limit_cases())
    write("add", add_cases())
    write("avg_pool2d", pool_cases(tflite.BuiltinOperator.AVERAGE_POOL_2D, 5))
    write("max_pool2d", pool_cases(tflite.BuiltinOperator.MAX_POOL_2D, 6))
    write("mul", mul_cases())
    write("logistic", logistic_cases())
    write("hard_swish", hard_swish_cases())
    write("softmax", softmax_cases())
    write("requantize", requantize_cases())
    write("concat", concat_cases())
    write("pad", pad_cases())
    write("upsample2d", upsample_cases())


if __name__ == "__main__":
    main()
