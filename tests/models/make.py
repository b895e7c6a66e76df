"""Small models of TensorFlow Lite with what LiteRT's reference kernels make of some inputs.

    pip install ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19
    python3 tests/models/make.py

Each model is written as `tests/models/<name>.tflite`, its samples beside it as `<name>.json`: `inputs` and `outputs`, for
each sample a list of tensors, each a list of the integers (or floats) of the file's own types. Weights and inputs are
random. `tests/tflite.rs` demands every byte. The script makes the same files again, byte for byte.
"""

import json
import os

import numpy as np
import flatbuffers
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = os.path.dirname(os.path.abspath(__file__))
B, O, T = tflite.BuiltinOperator, tflite.BuiltinOptions, tflite.TensorType
NUMPY = {T.INT8: np.int8, T.UINT8: np.uint8, T.INT32: np.int32, T.FLOAT32: np.float32}


class Model:
    """A model that grows operator by operator."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.tensors, self.buffers, self.operators, self.codes = [], [tflite.BufferT()], [], []
        self.inputs, self.outputs = [], []

    def tensor(self, shape, kind=T.INT8, scales=None, zeros=0, axis=0, data=None):
        out = tflite.TensorT()
        out.name, out.shape, out.type, out.buffer = f"t{len(self.tensors)}", list(shape), kind, 0
        if scales is not None:
            q = tflite.QuantizationParametersT()
            q.scale = [float(s) for s in np.float32(np.atleast_1d(scales))]
            q.zeroPoint = [int(zeros)] * len(q.scale)
            q.quantizedDimension = axis
            out.quantization = q
        if data is not None:
            buffer = tflite.BufferT()
            buffer.data = np.frombuffer(np.asarray(data).astype(NUMPY[kind]).tobytes(), dtype=np.uint8)
            self.buffers.append(buffer)
            out.buffer = len(self.buffers) - 1
        self.tensors.append(out)
        return len(self.tensors) - 1

    def input(self, shape, kind=T.INT8, scale=0.05, zero=-3):
        self.inputs.append(self.tensor(shape, kind, None if kind == T.FLOAT32 else scale, zero))
        return self.inputs[-1]

    def shape(self, number):
        return self.tensors[number].shape

    def meaning(self, number):
        q = self.tensors[number].quantization
        return q.scale[0], q.zeroPoint[0]

    def op(self, code, version, inputs, output, kind=0, options=None):
        key = (code, version)
        if key not in self.codes:
            self.codes.append(key)
        op = tflite.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self.codes.index(key), list(inputs), [output]
        op.builtinOptionsType, op.builtinOptions = kind, options
        self.operators.append(op)
        return output

    def conv(self, x, filters, kernel, stride=1, depthwise=False, act=0, per_channel=True, same=True):
        _, h, w, c = self.shape(x)
        filters = c * filters if depthwise else filters
        shape = [1, kernel, kernel, filters] if depthwise else [filters, kernel, kernel, c]
        scales = 0.01 * self.rng.uniform(0.5, 2.0, filters if per_channel else 1)
        weights = self.tensor(shape, scales=scales, axis=3 if depthwise else 0, data=self.rng.integers(-127, 128, shape))
        extents = [-(-e // stride) if same else (e - kernel) // stride + 1 for e in (h, w)]
        y = self.tensor([1, *extents, filters], scales=0.2 + self.rng.uniform(0, 0.1), zeros=self.rng.integers(-40, 40))
        by_channel = np.float32(self.meaning(x)[0]) * np.float32(scales)
        bias = self.tensor([filters], T.INT32, by_channel, 0, 0, self.rng.integers(-9000, 9000, filters))
        inputs = [x, weights, bias]
        o = tflite.DepthwiseConv2DOptionsT() if depthwise else tflite.Conv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.fusedActivationFunction = (0 if same else 1), stride, stride, act
        o.dilationHFactor = o.dilationWFactor = 1
        if depthwise:
            o.depthMultiplier = filters // c
            return self.op(B.DEPTHWISE_CONV_2D, 3, inputs, y, O.DepthwiseConv2DOptions, o)
        return self.op(B.CONV_2D, 3, inputs, y, O.Conv2DOptions, o)

    def dense(self, x, units, act=0, bias=True):
        features = int(np.prod(self.shape(x)))
        w = self.tensor([units, features], scales=0.01, data=self.rng.integers(-127, 128, (units, features)))
        b = self.tensor([units], T.INT32, 0.01 * self.meaning(x)[0], 0, 0, self.rng.integers(-9000, 9000, units)) if bias else -1
        y = self.tensor([1, units], scales=0.3, zeros=5)
        o = tflite.FullyConnectedOptionsT()
        o.fusedActivationFunction = act
        return self.op(B.FULLY_CONNECTED, 4, [x, w, b], y, O.FullyConnectedOptions, o)

    def pair(self, code, a, b, kind, options):
        y = self.tensor(self.shape(a), scales=0.25, zeros=-8)
        return self.op(code, 2, [a, b], y, kind, options)

    def pool(self, code, x, kernel, stride):
        _, h, w, c = self.shape(x)
        extents = [(h - kernel[0]) // stride + 1, (w - kernel[1]) // stride + 1]
        y = self.tensor([1, *extents, c], T.INT8, *self.meaning(x))
        o = tflite.Pool2DOptionsT()
        o.padding, o.strideH, o.strideW, o.filterHeight, o.filterWidth = 1, stride, stride, *kernel
        return self.op(code, 2, [x], y, O.Pool2DOptions, o)

    def pad(self, x, sides):
        before = self.tensor([4, 2], T.INT32, data=sides)
        y = self.tensor([e + a + b for e, (a, b) in zip(self.shape(x), sides)], T.INT8, *self.meaning(x))
        return self.op(B.PAD, 2, [x, before], y, O.PadOptions, tflite.PadOptionsT())

    def reshape(self, x, shape):
        extents = self.tensor([len(shape)], T.INT32, data=shape)
        y = self.tensor(shape, T.INT8, *self.meaning(x))
        o = tflite.ReshapeOptionsT()
        o.newShape = list(shape)
        return self.op(B.RESHAPE, 1, [x, extents], y, O.ReshapeOptions, o)

    def transpose(self, x, order):
        given = self.tensor([len(order)], T.INT32, data=order)
        y = self.tensor([self.shape(x)[axis] for axis in order], T.INT8, *self.meaning(x))
        return self.op(B.TRANSPOSE, 2, [x, given], y, O.TransposeOptions, tflite.TransposeOptionsT())

    def mean(self, x, axes, keep=True):
        given = self.tensor([len(axes)], T.INT32, data=axes)
        extents = [1 if i in axes else e for i, e in enumerate(self.shape(x)) if keep or i not in axes]
        o = tflite.ReducerOptionsT()
        o.keepDims = keep
        return self.op(B.MEAN, 2, [x, given], self.tensor(extents, scales=0.11, zeros=9), O.ReducerOptions, o)

    def split(self, x, axis, parts):
        given = self.tensor([1], T.INT32, data=[axis])
        extents = [e // parts if i == axis else e for i, e in enumerate(self.shape(x))]
        ys = [self.tensor(extents, T.INT8, *self.meaning(x)) for _ in range(parts)]
        o = tflite.SplitOptionsT()
        o.numSplits = parts
        self.op(B.SPLIT, 1, [given, x], ys[0], O.SplitOptions, o)
        self.operators[-1].outputs = ys
        return ys

    def unpack(self, x, axis):
        extents = [e for i, e in enumerate(self.shape(x)) if i != axis]
        ys = [self.tensor(extents, T.INT8, *self.meaning(x)) for _ in range(self.shape(x)[axis])]
        o = tflite.UnpackOptionsT()
        o.num, o.axis = len(ys), axis
        self.op(B.UNPACK, 2, [x], ys[0], O.UnpackOptions, o)
        self.operators[-1].outputs = ys
        return ys

    def strided(self, x, shape, begins, ends, steps, **masks):
        given = [self.tensor([len(given)], T.INT32, data=given) for given in (begins, ends, steps)]
        o = tflite.StridedSliceOptionsT()
        o.beginMask, o.endMask, o.shrinkAxisMask = (masks.get(name, 0) for name in ("begin", "end", "shrink"))
        y = self.tensor(shape, T.INT8, *self.meaning(x))
        return self.op(B.STRIDED_SLICE, 2, [x, *given], y, O.StridedSliceOptions, o)

    def slice(self, x, begins, sizes):
        given = [self.tensor([len(given)], T.INT32, data=given) for given in (begins, sizes)]
        extents = [e - b if s == -1 else s for e, b, s in zip(self.shape(x), begins, sizes)]
        y = self.tensor(extents, T.INT8, *self.meaning(x))
        return self.op(B.SLICE, 2, [x, *given], y, O.SliceOptions, tflite.SliceOptionsT())

    def concat(self, xs):
        y = self.tensor([*self.shape(xs[0])[:-1], sum(self.shape(x)[-1] for x in xs)], T.INT8, *self.meaning(xs[0]))
        o = tflite.ConcatenationOptionsT()
        o.axis = len(self.shape(xs[0])) - 1
        return self.op(B.CONCATENATION, 2, xs, y, O.ConcatenationOptions, o)

    def softmax(self, x):
        o = tflite.SoftmaxOptionsT()
        o.beta = 1.0
        return self.op(B.SOFTMAX, 2, [x], self.tensor(self.shape(x), scales=1 / 256, zeros=-128), O.SoftmaxOptions, o)

    def quantize(self, x, scale, zero, kind=T.INT8):
        y = self.tensor(self.shape(x), kind, scale, zero)
        return self.op(B.QUANTIZE, 2, [x], y, O.QuantizeOptions, tflite.QuantizeOptionsT())

    def dequantize(self, x):
        y = self.tensor(self.shape(x), T.FLOAT32)
        return self.op(B.DEQUANTIZE, 2, [x], y, O.DequantizeOptions, tflite.DequantizeOptionsT())

    def curve(self, code, x, scale, zero, kind=0, options=None):
        return self.op(code, 1, [x], self.tensor(self.shape(x), T.INT8, scale, zero), kind, options)

    def bytes(self, *outputs):
        m, graph = tflite.ModelT(), tflite.SubGraphT()
        m.version, m.buffers, m.subgraphs, m.operatorCodes = 3, self.buffers, [graph], []
        for code, version in self.codes:
            c = tflite.OperatorCodeT()
            c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), version
            m.operatorCodes.append(c)
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = self.inputs, list(outputs)
        builder = flatbuffers.Builder(4096)
        builder.Finish(m.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def cnn():
    """Most operators in a line, with a residual and a branch."""
    m = Model(1)
    x = m.input([1, 12, 10, 3])
    x = m.conv(x, 8, 3, stride=2, act=1)
    y = m.conv(x, 1, 3, depthwise=True, act=3)
    y = m.conv(y, 8, 1)
    o = tflite.AddOptionsT()
    o.fusedActivationFunction = 1
    x = m.pair(B.ADD, x, y, O.AddOptions, o)
    x = m.pool(B.MAX_POOL_2D, m.pad(x, [[0, 0], [1, 0], [0, 1], [0, 0]]), (2, 2), 1)
    y = m.curve(B.HARD_SWISH, x, 0.2, -100, O.HardSwishOptions, tflite.HardSwishOptionsT())
    x = m.pair(B.MUL, x, y, O.MulOptions, tflite.MulOptionsT())
    x = m.concat([x, m.quantize(m.conv(x, 4, 3), *m.meaning(x))])
    x = m.pool(B.AVERAGE_POOL_2D, x, tuple(m.shape(x)[1:3]), 1)
    x = m.reshape(m.transpose(x, [0, 3, 1, 2]), [1, 12])
    x = m.reshape(m.dense(x, 12), [1, 2, 3, 2])
    x = m.reshape(m.transpose(m.transpose(x, [0, 3, 1, 2]), [0, 2, 1, 3]), [1, 12])
    return m, m.bytes(m.softmax(m.dense(x, 5)))


def borders():
    """Floats outside, several outputs of one input channel at first."""
    m = Model(2)
    x = m.quantize(m.input([1, 9, 9, 1], T.FLOAT32), 0.03, 10)
    x = m.conv(x, 4, 3, stride=2, depthwise=True, act=1)
    x = m.conv(x, 2, 3, depthwise=True, per_channel=False, same=False)
    y = m.mean(m.transpose(x, [0, 3, 1, 2]), [2, 3], keep=False)
    x = m.concat([m.dense(x, 4, bias=False), m.quantize(y, 0.3, 5)])
    x = m.dense(m.reshape(m.mean(m.reshape(x, [1, 3, 4, 1]), [2]), [1, 3]), 3)
    return m, m.bytes(m.dequantize(m.softmax(x)))


def unsigned():
    """Bytes without a sign outside, and two outputs."""
    m = Model(3)
    x = m.quantize(m.input([1, 6, 4, 2], T.UINT8, 0.02, 125), 0.02, -3)
    x = m.conv(x, 5, 3, act=1)
    y = m.curve(B.LOGISTIC, m.dense(x, 4), 1 / 256, -128)
    return m, m.bytes(m.quantize(x, m.meaning(x)[0], m.meaning(x)[1] + 128, T.UINT8), y)


def parts():
    """Tensors that are taken apart and put together."""
    m = Model(4)
    a, b = m.split(m.conv(m.input([1, 8, 6, 4]), 8, 3, act=1), 3, 2)
    c = m.strided(a, [1, 3, 3, 2], [0, 1, -6, 0], [0, -1, 0, 3], [1, 2, 2, 2], begin=1, end=1 | 4)
    d = m.slice(b, [0, 2, 3, 1], [1, 3, -1, 2])
    e = m.concat([c, d])
    f = m.strided(e, [1, 3, 4], [0, 0, 1, 0], [1, 3, 2, 4], [1, 1, 1, 1], shrink=4)
    g, h, i = m.unpack(f, 1)
    return m, m.bytes(m.dense(m.concat([g, i]), 3), h)


def sample(m, interpreter):
    inputs = []
    for detail in interpreter.get_input_details():
        low, high = {np.int8: (-128, 128), np.uint8: (0, 256)}.get(detail["dtype"], (0, 0))
        data = m.rng.integers(low, high, detail["shape"]) if high else m.rng.normal(0, 2, detail["shape"]).round(3)
        inputs.append(data.astype(detail["dtype"]))
        interpreter.set_tensor(detail["index"], inputs[-1])
    interpreter.invoke()
    outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return [[[x.item() for x in tensor.ravel()] for tensor in tensors] for tensors in (inputs, outputs)]


def main():
    for make in (cnn, borders, unsigned, parts):
        m, content = make()
        with open(os.path.join(HERE, f"{make.__name__}.tflite"), "wb") as file:
            file.write(content)
        interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        inputs, outputs = zip(*(sample(m, interpreter) for _ in range(10)))
        with open(os.path.join(HERE, f"{make.__name__}.json"), "w", newline="\n") as file:
            text = json.dumps({"inputs": inputs, "outputs": outputs}, separators=(",", ":"))
            file.write(text.replace("]],[[", "]],\n[[") + "\n")


if __name__ == "__main__":
    main()
