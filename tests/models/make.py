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
NUMPY |= {T.INT16: np.int16, T.INT64: np.int64}
RANGES = {np.int8: (-128, 128), np.uint8: (0, 256), np.int16: (-32768, 32768)}
# Of operators on elements of 16 bits.
WIDE_VERSIONS = {B.ADD: 3, B.SUB: 5, B.MUL: 4, B.MAXIMUM: 4, B.MINIMUM: 4, B.PRELU: 1}
WIDE_VERSIONS |= {B.RELU: 3, B.RELU6: 3, B.LEAKY_RELU: 2, B.LOGISTIC: 3, B.TANH: 3}


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

    def kind(self, number):
        return self.tensors[number].type

    def meaning(self, number):
        q = self.tensors[number].quantization
        return q.scale[0], q.zeroPoint[0]

    def version(self, x, narrow, wide):
        return wide if self.kind(x) == T.INT16 else narrow

    def alike(self, x, shape):
        """Elements that mean the same as those of x."""
        return self.tensor(shape, self.kind(x), *self.meaning(x))

    def drawn(self, x, shape):
        """Of 16 bits as wide as x about, and symmetric."""
        scale, zero = 0.2 + self.rng.uniform(0, 0.1), self.rng.integers(-40, 40)
        if self.kind(x) == T.INT16:
            scale, zero = 20 * scale * self.meaning(x)[0], 0
        return self.tensor(shape, self.kind(x), scale, zero)

    def bias(self, x, scales, filters, kind=None):
        """Beside elements of 16 bits of 64 bits, if nothing else is said."""
        kind = kind or (T.INT64 if self.kind(x) == T.INT16 else T.INT32)
        limit = 9000 if self.kind(x) == T.INT8 else 300000
        return self.tensor([filters], kind, scales, 0, 0, self.rng.integers(-limit, limit, filters))

    def op(self, code, version, inputs, output, kind=0, options=None):
        key = (code, version)
        if key not in self.codes:
            self.codes.append(key)
        op = tflite.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self.codes.index(key), list(inputs), [output]
        op.builtinOptionsType, op.builtinOptions = kind, options
        self.operators.append(op)
        return output

    def conv(self, x, filters, kernel, stride=1, depthwise=False, act=0, per_channel=True, same=True, narrow=False):
        """Narrow with biases and sums of 32 bits."""
        _, h, w, c = self.shape(x)
        filters = c * filters if depthwise else filters
        shape = [1, kernel, kernel, filters] if depthwise else [filters, kernel, kernel, c]
        scales = 0.01 * self.rng.uniform(0.5, 2.0, filters if per_channel else 1)
        weights = self.tensor(shape, scales=scales, axis=3 if depthwise else 0, data=self.rng.integers(-127, 128, shape))
        extents = [-(-e // stride) if same else (e - kernel) // stride + 1 for e in (h, w)]
        y = self.drawn(x, [1, *extents, filters])
        by_channel = np.float32(self.meaning(x)[0]) * np.float32(scales)
        inputs = [x, weights, self.bias(x, by_channel, filters, T.INT32 if narrow else None)]
        o = tflite.DepthwiseConv2DOptionsT() if depthwise else tflite.Conv2DOptionsT()
        o.padding, o.strideH, o.strideW, o.fusedActivationFunction = (0 if same else 1), stride, stride, act
        o.dilationHFactor = o.dilationWFactor = 1
        if depthwise:
            o.depthMultiplier = filters // c
            version = 3 if self.kind(x) == T.INT8 else 1
            return self.op(B.DEPTHWISE_CONV_2D, version, inputs, y, O.DepthwiseConv2DOptions, o)
        if narrow:
            o.quantizedBiasType = T.INT32
        version = 3 if self.kind(x) == T.INT8 else 8 if narrow else 1
        return self.op(B.CONV_2D, version, inputs, y, O.Conv2DOptions, o)

    def dense(self, x, units, act=0, bias=True, features=None, shape=None, narrow=False, scales=0.01):
        features = features or int(np.prod(self.shape(x)))
        w = self.tensor([units, features], scales=scales, data=self.rng.integers(-127, 128, (units, features)))
        given = np.multiply(scales, self.meaning(x)[0])
        b = self.bias(x, given, units, T.INT32 if narrow else None) if bias else -1
        wide = self.kind(x) == T.INT16
        meaning = (400 * np.max(scales) * self.meaning(x)[0], 0) if wide else (0.3, 5)
        y = self.tensor(shape or [1, units], self.kind(x), *meaning)
        o = tflite.FullyConnectedOptionsT()
        o.fusedActivationFunction, o.keepNumDims = act, len(shape or []) > 2
        if narrow:
            o.quantizedBiasType = T.INT32
        version = 4 if not wide else 11 if narrow else 5 if o.keepNumDims else 1
        return self.op(B.FULLY_CONNECTED, version, [x, w, b], y, O.FullyConnectedOptions, o)

    def pair(self, code, a, b, kind, options, scale=0.25, zero=-8, element=T.INT8, version=2):
        shape = np.broadcast_shapes(tuple(self.shape(a)), tuple(self.shape(b)))
        if self.kind(a) == T.INT16:
            element, zero, version = T.INT16, 0, WIDE_VERSIONS[code]
        y = self.tensor([int(extent) for extent in shape], element, scale, zero)
        return self.op(code, version, [a, b], y, kind, options)

    def add(self, a, b, act=0, **meaning):
        o = tflite.AddOptionsT()
        o.fusedActivationFunction, o.potScaleInt16 = act, self.kind(a) != T.INT16
        return self.pair(B.ADD, a, b, O.AddOptions, o, **meaning)

    def sub(self, a, b, act=0, **meaning):
        o = tflite.SubOptionsT()
        o.fusedActivationFunction, o.potScaleInt16 = act, self.kind(a) != T.INT16
        return self.pair(B.SUB, a, b, O.SubOptions, o, **meaning)

    def mul(self, a, b, act=0, **meaning):
        o = tflite.MulOptionsT()
        o.fusedActivationFunction = act
        return self.pair(B.MUL, a, b, O.MulOptions, o, **meaning)

    def constant(self, shape, scale, zero, element=T.INT8):
        low, high = RANGES[NUMPY[element]]
        return self.tensor(shape, element, scale, zero, data=self.rng.integers(low, high, shape))

    def transposed(self, x, filters, kernel, stride, extents=None, act=0, bias=True, narrow=False):
        """With extents padded as SAME, else VALID."""
        _, h, w, c = self.shape(x)
        scales = 0.01 * self.rng.uniform(0.5, 2.0, filters)
        shape = [filters, *kernel, c]
        weights = self.tensor(shape, scales=scales, data=self.rng.integers(-127, 128, shape))
        o = tflite.TransposeConvOptionsT()
        o.padding, o.strideH, o.strideW, o.fusedActivationFunction = (0 if extents else 1), *stride, act
        extents = extents or [(e - 1) * s + k for e, s, k in zip((h, w), stride, kernel)]
        given = self.tensor([4], T.INT32, data=[1, *extents, filters])
        inputs = [given, weights, x]
        if bias:
            by_channel = np.float32(self.meaning(x)[0]) * np.float32(scales)
            inputs.append(self.bias(x, by_channel, filters, T.INT32 if narrow else None))
        if narrow:
            o.quantizedBiasType = T.INT32
        y = self.drawn(x, [1, *extents, filters])
        return self.op(B.TRANSPOSE_CONV, 5 if narrow else 4 if act else 3, inputs, y, O.TransposeConvOptions, o)

    def pool(self, code, x, kernel, stride):
        _, h, w, c = self.shape(x)
        extents = [(h - kernel[0]) // stride + 1, (w - kernel[1]) // stride + 1]
        y = self.alike(x, [1, *extents, c])
        o = tflite.Pool2DOptionsT()
        o.padding, o.strideH, o.strideW, o.filterHeight, o.filterWidth = 1, stride, stride, *kernel
        return self.op(code, self.version(x, 2, 3), [x], y, O.Pool2DOptions, o)

    def pad(self, x, sides):
        before = self.tensor([4, 2], T.INT32, data=sides)
        y = self.alike(x, [e + a + b for e, (a, b) in zip(self.shape(x), sides)])
        return self.op(B.PAD, self.version(x, 2, 3), [x, before], y, O.PadOptions, tflite.PadOptionsT())

    def reshape(self, x, shape):
        extents = self.tensor([len(shape)], T.INT32, data=shape)
        y = self.alike(x, shape)
        o = tflite.ReshapeOptionsT()
        o.newShape = list(shape)
        return self.op(B.RESHAPE, 1, [x, extents], y, O.ReshapeOptions, o)

    def transpose(self, x, order):
        given = self.tensor([len(order)], T.INT32, data=order)
        y = self.alike(x, [self.shape(x)[axis] for axis in order])
        return self.op(B.TRANSPOSE, self.version(x, 2, 5), [x, given], y, O.TransposeOptions, tflite.TransposeOptionsT())

    def mean(self, x, axes, keep=True):
        given = self.tensor([len(axes)], T.INT32, data=axes)
        extents = [1 if i in axes else e for i, e in enumerate(self.shape(x)) if keep or i not in axes]
        o = tflite.ReducerOptionsT()
        o.keepDims = keep
        meaning = (0.4 * self.meaning(x)[0], 0) if self.kind(x) == T.INT16 else (0.11, 9)
        y = self.tensor(extents, self.kind(x), *meaning)
        return self.op(B.MEAN, self.version(x, 2, 3), [x, given], y, O.ReducerOptions, o)

    def split(self, x, axis, parts):
        given = self.tensor([1], T.INT32, data=[axis])
        extents = [e // parts if i == axis else e for i, e in enumerate(self.shape(x))]
        ys = [self.alike(x, extents) for _ in range(parts)]
        o = tflite.SplitOptionsT()
        o.numSplits = parts
        self.op(B.SPLIT, self.version(x, 1, 4), [given, x], ys[0], O.SplitOptions, o)
        self.operators[-1].outputs = ys
        return ys

    def unpack(self, x, axis):
        extents = [e for i, e in enumerate(self.shape(x)) if i != axis]
        ys = [self.alike(x, extents) for _ in range(self.shape(x)[axis])]
        o = tflite.UnpackOptionsT()
        o.num, o.axis = len(ys), axis
        self.op(B.UNPACK, self.version(x, 2, 4), [x], ys[0], O.UnpackOptions, o)
        self.operators[-1].outputs = ys
        return ys

    def split_v(self, x, axis, sizes):
        given = self.tensor([len(sizes)], T.INT32, data=sizes)
        along = self.tensor([1], T.INT32, data=[axis])
        rest = self.shape(x)[axis] - sum(size for size in sizes if size > 0)
        extents = lambda size: [(rest if size < 0 else size) if i == axis else e for i, e in enumerate(self.shape(x))]
        ys = [self.alike(x, extents(size)) for size in sizes]
        o = tflite.SplitVOptionsT()
        o.numSplits = len(sizes)
        self.op(B.SPLIT_V, 1, [x, given, along], ys[0], O.SplitVOptions, o)
        self.operators[-1].outputs = ys
        return ys

    def pack(self, xs, axis):
        shape = list(self.shape(xs[0]))
        shape.insert(axis, len(xs))
        o = tflite.PackOptionsT()
        o.valuesCount, o.axis = len(xs), axis
        return self.op(B.PACK, self.version(xs[0], 2, 3), xs, self.alike(xs[0], shape), O.PackOptions, o)

    def reduce_max(self, x, axes, keep=True):
        given = self.tensor([len(axes)], T.INT32, data=axes)
        extents = [1 if i in axes else e for i, e in enumerate(self.shape(x)) if keep or i not in axes]
        o = tflite.ReducerOptionsT()
        o.keepDims = keep
        return self.op(B.REDUCE_MAX, self.version(x, 2, 3), [x, given], self.alike(x, extents), O.ReducerOptions, o)

    def bilinear(self, x, extents, align=False, half=False):
        given = self.tensor([2], T.INT32, data=extents)
        y = self.alike(x, [1, *extents, self.shape(x)[3]])
        o = tflite.ResizeBilinearOptionsT()
        o.alignCorners, o.halfPixelCenters = align, half
        return self.op(B.RESIZE_BILINEAR, self.version(x, 3, 4), [x, given], y, O.ResizeBilinearOptions, o)

    def nearest(self, x, extents, align=False, half=False):
        given = self.tensor([2], T.INT32, data=extents)
        y = self.alike(x, [1, *extents, self.shape(x)[3]])
        o = tflite.ResizeNearestNeighborOptionsT()
        o.alignCorners, o.halfPixelCenters = align, half
        code, kind = B.RESIZE_NEAREST_NEIGHBOR, O.ResizeNearestNeighborOptions
        return self.op(code, self.version(x, 3, 4), [x, given], y, kind, o)

    def strided(self, x, shape, begins, ends, steps, **masks):
        given = [self.tensor([len(given)], T.INT32, data=given) for given in (begins, ends, steps)]
        o = tflite.StridedSliceOptionsT()
        o.beginMask, o.endMask, o.shrinkAxisMask = (masks.get(name, 0) for name in ("begin", "end", "shrink"))
        y = self.alike(x, shape)
        return self.op(B.STRIDED_SLICE, self.version(x, 2, 1), [x, *given], y, O.StridedSliceOptions, o)

    def slice(self, x, begins, sizes):
        given = [self.tensor([len(given)], T.INT32, data=given) for given in (begins, sizes)]
        extents = [e - b if s == -1 else s for e, b, s in zip(self.shape(x), begins, sizes)]
        y = self.alike(x, extents)
        return self.op(B.SLICE, self.version(x, 2, 4), [x, *given], y, O.SliceOptions, tflite.SliceOptionsT())

    def concat(self, xs, axis=-1, meaning=None):
        shape = list(self.shape(xs[0]))
        axis %= len(shape)
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        y = self.tensor(shape, self.kind(xs[0]), *(meaning or self.meaning(xs[0])))
        o = tflite.ConcatenationOptionsT()
        o.axis = axis
        return self.op(B.CONCATENATION, self.version(xs[0], 2, 3), xs, y, O.ConcatenationOptions, o)

    def softmax(self, x):
        o = tflite.SoftmaxOptionsT()
        o.beta = 1.0
        meaning = self.version(x, (1 / 256, -128), (1 / 32768, 0))
        y = self.tensor(self.shape(x), self.kind(x), *meaning)
        return self.op(B.SOFTMAX, self.version(x, 2, 3), [x], y, O.SoftmaxOptions, o)

    def quantize(self, x, scale, zero, kind=T.INT8):
        y = self.tensor(self.shape(x), kind, scale, zero)
        return self.op(B.QUANTIZE, 2, [x], y, O.QuantizeOptions, tflite.QuantizeOptionsT())

    def dequantize(self, x):
        y = self.tensor(self.shape(x), T.FLOAT32)
        return self.op(B.DEQUANTIZE, self.version(x, 2, 3), [x], y, O.DequantizeOptions, tflite.DequantizeOptionsT())

    def curve(self, code, x, scale, zero, kind=0, options=None):
        version = self.version(x, 1, WIDE_VERSIONS.get(code))
        return self.op(code, version, [x], self.tensor(self.shape(x), self.kind(x), scale, zero), kind, options)

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


def pairs():
    """Sums, differences and products of tensors of other shapes, and of constants."""
    m = Model(5)
    x, gate = m.input([1, 5, 4, 6]), m.input([1, 5, 4, 1], scale=0.02, zero=7)
    y = m.sub(x, m.conv(x, 6, 1), act=1)
    y = m.mul(y, gate, scale=0.1, zero=-90)
    y = m.add(m.constant([6], 0.04, -11), y, act=3)
    y = m.sub(y, m.constant([1, 1, 1, 1], 0.03, 9), scale=0.2, zero=-30)
    y = m.mul(m.constant([], 0.01, -128), y, scale=0.2, zero=-50)
    y = m.sub(m.constant([1, 5, 4, 6], 0.03, 5), y)
    y = m.add(y, m.constant([1, 5, 4, 6], 0.3, 5), scale=0.5)
    z = m.mul(m.mean(x, [1, 2]), m.constant([4, 1], 0.02, 3), scale=0.05)
    y = m.add(y, z, scale=0.4, zero=3)
    o = tflite.MaximumMinimumOptionsT
    y = m.pair(B.MAXIMUM, y, m.constant([4, 1], *m.meaning(y)), O.MaximumMinimumOptions, o(), *m.meaning(y))
    y = m.pair(B.MINIMUM, m.constant([], 0.4, 3), y, O.MaximumMinimumOptions, o(), *m.meaning(y))
    w = m.pair(B.PRELU, x, m.constant([1, 1, 6], 0.01, 20), 0, None, 0.06, -40, version=1)
    return m, m.bytes(y, m.pool(B.AVERAGE_POOL_2D, w, (5, 4), 1), m.sub(gate, gate))


def decoder():
    """Transposed convolutions: strides below, at and above the kernel, odd extents, one of a row."""
    m = Model(6)
    x = m.input([1, 3, 4, 5])
    x = m.transposed(x, 6, (3, 3), (2, 2), [6, 8], act=1)
    y = m.transposed(x, 3, (2, 2), (2, 2))
    y = m.transposed(m.pool(B.MAX_POOL_2D, y, (3, 3), 3), 4, (1, 3), (3, 2), [10, 9], bias=False)
    z = m.transposed(m.conv(x, 4, 3, stride=3), 5, (4, 3), (3, 1), [4, 3], act=3)
    w = m.transposed(m.pool(B.MAX_POOL_2D, x, (6, 2), 2), 2, (1, 5), (1, 2), [1, 8])
    return m, m.bytes(y, z, w, m.transposed(z, 2, (3, 3), (3, 3), [10, 7]))


def joins():
    """Tensors put together and taken apart along any dimension, and matrices on many vectors."""
    m = Model(7)
    x = m.input([1, 4, 3, 5])
    y = m.concat([x, m.quantize(m.conv(x, 5, 3), *m.meaning(x))], axis=1)
    z = m.concat([m.slice(y, [0, 2, 0, 0], [1, 4, 2, 5]), x], axis=2)
    a, b, c = m.split_v(z, 2, [2, -1, 1])
    a = m.concat([a, b], axis=-2)
    a, b = m.split_v(a, 3, [4, 1])
    rows = m.unpack(m.reshape(a, [4, 16]), 0)
    d = m.pack([rows[2], rows[0], rows[3]], 0)
    d = m.pack([d, m.transpose(m.reshape(d, [16, 3]), [1, 0])], 2)
    d = m.dense(m.reshape(d, [1, 6, 16]), 7, features=16, shape=[1, 6, 7], act=1)
    e = m.dense(d, 4, features=7, shape=[6, 4], bias=False)
    f = m.mul(e, m.constant([6, 4], 0.02, 9), scale=0.1, zero=40)
    return m, m.bytes(m.dense(m.softmax(e), 3), m.mean(d, [0, 1]), c, b, m.curve(B.RELU, f, 0.2, -80))


def tables():
    """What makes an element of an element, with floats in between."""
    m = Model(8)
    x = m.input([1, 6, 6, 4], scale=0.04, zero=-20)
    y = m.curve(B.TANH, x, 1 / 128, 0)
    o = tflite.LeakyReluOptionsT()
    o.alpha = 0.17
    z = m.curve(B.LEAKY_RELU, x, 0.03, -40, O.LeakyReluOptions, o)
    w = m.curve(B.RELU6, x, 0.02, -128)
    v = m.curve(B.RELU, m.quantize(m.dequantize(z), 0.05, 11), 0.07, -100)
    u = m.quantize(m.quantize(x, 0.09, 100, T.UINT8), 0.03, 2)
    return m, m.bytes(m.pool(B.MAX_POOL_2D, y, (2, 2), 2), z, w, v, u, m.dequantize(v))


def resized():
    """Maps of other extents, and greatest elements along dimensions that touch and that do not."""
    m = Model(10)
    x = m.input([1, 4, 3, 3])
    y = m.bilinear(m.bilinear(m.bilinear(x, [7, 5]), [3, 8], half=True), [5, 6], align=True)
    z = m.bilinear(x, [8, 6], half=True)
    return m, m.bytes(y, z, m.reduce_max(z, [1, 2]), m.reduce_max(y, [1, 3], keep=False))


def unsigned_inside():
    """A network of bytes without a sign throughout."""
    m, u = Model(9), T.UINT8
    x = m.input([1, 7, 7, 3], u, 0.05, 120)
    w = m.tensor([6, 3, 3, 3], u, 0.01, 131, data=m.rng.integers(3, 256, [6, 3, 3, 3]))
    b = m.tensor([6], T.INT32, 0.01 * 0.05, data=m.rng.integers(-4000, 4000, 6))
    o = tflite.Conv2DOptionsT()
    o.padding, o.strideH, o.strideW, o.fusedActivationFunction, o.dilationHFactor, o.dilationWFactor = 0, 2, 2, 1, 1, 1
    x = m.op(B.CONV_2D, 1, [x, w, b], m.tensor([1, 4, 4, 6], u, 0.2, 10), O.Conv2DOptions, o)
    w = m.tensor([1, 3, 3, 6], u, 0.02, 125, data=m.rng.integers(0, 253, [1, 3, 3, 6]))
    o = tflite.DepthwiseConv2DOptionsT()
    o.padding, o.strideH, o.strideW, o.depthMultiplier, o.dilationHFactor, o.dilationWFactor = 0, 1, 1, 1, 1, 1
    b = m.tensor([6], T.INT32, 0.2 * 0.02, data=m.rng.integers(-4000, 4000, 6))
    y = m.op(B.DEPTHWISE_CONV_2D, 1, [x, w, b], m.tensor([1, 4, 4, 6], u, 0.3, 100), O.DepthwiseConv2DOptions, o)
    x = m.add(x, y, act=1, scale=0.4, zero=30, element=u)
    x = m.mul(x, m.constant([6], 0.02, 60, u), scale=0.6, zero=128, element=u)
    x = m.concat([x, y], meaning=(0.5, 90))
    o = tflite.Pool2DOptionsT()
    o.padding, o.strideH, o.strideW, o.filterHeight, o.filterWidth = 1, 1, 1, 3, 3
    x = m.op(B.AVERAGE_POOL_2D, 1, [x], m.tensor([1, 2, 2, 12], u, 0.5, 90), O.Pool2DOptions, o)
    w = m.tensor([5, 48], u, 0.01, 128, data=m.rng.integers(1, 256, [5, 48]))
    y = m.tensor([1, 5], u, 0.4, 128)
    y = m.op(B.FULLY_CONNECTED, 1, [x, w, -1], y, O.FullyConnectedOptions, tflite.FullyConnectedOptionsT())
    o = tflite.SoftmaxOptionsT()
    o.beta = 0.5
    return m, m.bytes(m.op(B.SOFTMAX, 1, [y], m.tensor([1, 5], u, 1 / 256, 0), O.SoftmaxOptions, o), x)


def i16_cnn():
    """Elements of 16 bits between floats, weights of 8 and biases of 64."""
    m = Model(11)
    x = m.quantize(m.input([1, 9, 8, 2], T.FLOAT32), 0.0004, 0, T.INT16)
    x = m.conv(x, 6, 3, stride=2, act=1)
    y = m.conv(x, 1, 3, depthwise=True, act=3)
    y = m.conv(y, 6, 1, per_channel=False)
    x = m.add(x, y, act=1, scale=0.05)
    y = m.pool(B.AVERAGE_POOL_2D, x, (2, 2), 1)
    z = m.mean(x, [1, 2], keep=False)
    x = m.dense(m.reshape(y, [1, 4 * 3 * 6]), 5, scales=0.002)
    x = m.concat([x, m.quantize(z, m.meaning(x)[0], 0, T.INT16)])
    x = m.dense(x, 4, act=1, scales=0.0005 * m.rng.uniform(0.5, 2, 4))
    return m, m.bytes(m.dequantize(m.softmax(x)), m.dequantize(z))


def i16_parts():
    """Tensors of 16 bits that are taken apart and put together."""
    m = Model(12)
    x = m.pad(m.input([1, 4, 6, 4], T.INT16, 0.00025, 0), [[0, 0], [1, 0], [0, 1], [0, 0]])
    a, b = m.split(x, 3, 2)
    c = m.strided(a, [1, 3, 3, 2], [0, 0, 1, 0], [1, 5, 6, 2], [1, 2, 2, 1])
    d = m.concat([c, m.slice(b, [0, 1, 0, 0], [1, 3, 3, 2])])
    d = m.reshape(m.transpose(d, [0, 3, 1, 2]), [1, 6, 3, 2])
    e, f = m.split_v(m.curve(B.RELU6, d, 0.0002, 0), 1, [2, -1])
    g, h = m.unpack(m.pack([e, m.slice(f, [0, 0, 0, 0], [1, 2, 3, 2])], 1), 1)
    y = m.nearest(m.pool(B.MAX_POOL_2D, b, (2, 2), 2), [5, 4])
    y = m.bilinear(y, [4, 7], half=True)
    return m, m.bytes(m.concat([g, h], axis=2), y, m.reduce_max(y, [1, 2]), m.nearest(f, [3, 5], align=True))


def i16_curves():
    """What makes an element of 16 bits of one or two."""
    m = Model(13)
    x = m.input([1, 4, 5, 3], T.INT16, 0.0003, 0)
    y = m.curve(B.LOGISTIC, x, 1 / 32768, 0)
    z = m.curve(B.TANH, m.mul(x, y, scale=0.00025), 1 / 32768, 0)
    o = tflite.LeakyReluOptionsT()
    o.alpha = 0.17
    w = m.curve(B.LEAKY_RELU, m.sub(x, z, act=3, scale=0.0004), 0.0002, 0, O.LeakyReluOptions, o)
    w = m.sub(w, m.constant([3], 0.0001, 0, T.INT16), scale=0.0003)
    o = tflite.MaximumMinimumOptionsT
    w = m.pair(B.MAXIMUM, w, x, O.MaximumMinimumOptions, o(), 0.0003)
    v = m.pair(B.PRELU, x, m.constant([1, 1, 3], 0.01, 0), 0, None, 0.0004)
    v = m.pair(B.MINIMUM, v, m.constant([], 0.0004, 0, T.INT16), O.MaximumMinimumOptions, o(), 0.0004)
    u = m.quantize(m.quantize(w, 0.07, 11), 0.0005, 0, T.INT16)
    t = m.quantize(m.quantize(z, 1 / 128, 0), 0.0001, 0, T.INT16)
    return m, m.bytes(y, t, m.curve(B.RELU, v, 0.00025, 0), m.softmax(w), u)


def i16_narrow():
    """Biases and sums of 32 bits, transposed convolutions, and sums of scales that are powers of two."""
    m = Model(14)
    x = m.input([1, 4, 3, 3], T.INT16, 1 / 4096, 0)
    y = m.conv(x, 4, 3, act=1, narrow=True)
    z = m.transposed(y, 3, (3, 3), (2, 2), [8, 6], narrow=True)
    w = m.transposed(x, 2, (2, 3), (2, 1), act=1)
    o = tflite.AddOptionsT()
    v = m.curve(B.RELU, y, 1 / 4096, 0)
    u = m.quantize(y, 1 / 1024, 0, T.INT16)
    v = m.op(B.ADD, 1, [v, u], m.alike(u, m.shape(u)), O.AddOptions, o)
    u = m.dense(m.reshape(v, [1, 48]), 6, narrow=True, scales=0.01 * m.rng.uniform(0.5, 2, 6))
    return m, m.bytes(z, w, v, m.dense(u, 3, bias=False))


def sample(m, interpreter):
    inputs = []
    for detail in interpreter.get_input_details():
        low, high = RANGES.get(detail["dtype"], (0, 0))
        data = m.rng.integers(low, high, detail["shape"]) if high else m.rng.normal(0, 2, detail["shape"]).round(3)
        inputs.append(data.astype(detail["dtype"]))
        interpreter.set_tensor(detail["index"], inputs[-1])
    interpreter.invoke()
    outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return [[[x.item() for x in tensor.ravel()] for tensor in tensors] for tensors in (inputs, outputs)]


def main():
    wide = i16_cnn, i16_parts, i16_curves, i16_narrow
    for make in (cnn, borders, unsigned, parts, pairs, decoder, joins, tables, resized, unsigned_inside, *wide):
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
