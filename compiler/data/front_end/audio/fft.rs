//! Window and spectrum of a frame.
//!
//! In: the samples of a frame. Out: bins 0 to `M` of their transform, as 32-bit pairs. With `z[n]` from the windowed
//! samples as the module above says:
//!
//! - *First pass*, no factors: `M = 4^s` transforms `z[n], z[n + M/4], z[n + M/2], z[n + 3M/4]` for each `n < M/4` by
//!   four points, `M = 2 * 4^s` transforms `z[n], z[n + M/2]` for each `n < M/2` by two, in sums and differences.
//! - *Pass from `L` to `4L` points*, until `4L = M`: of the transforms of four interleaved sequences (`a` of indices
//!   `0 mod 4`, `b` of `1`, `c` of `2`, `d` of `3`) and `j < L`, with `cos` and `sin` of `2 pi j / 4L`, `2 pi 2j / 4L`
//!   and `2 pi 3j / 4L` in 15 fraction bits, let `a' = a >> 1` and
//!   `b' = (b.re *> cos) + (b.im *> sin) + i ((b.im *> cos) - (b.re *> sin))`, and `c'`, `d'` in the same way by the
//!   second and third angle; for `j = 0` they are `b >> 1`, `c >> 1`, `d >> 1`. Then
//!   `X[j] = (a' + c') + (b' + d')`, `X[j + 2L] = (a' + c') - (b' + d')`, `X[j + L] = (a' - c') - i (b' - d')`,
//!   `X[j + 3L] = (a' - c') + i (b' - d')`.
//! - *Real transform*, for each `0 < k < M/2`, `Z = Z[k]`, `Y = Z[M - k]`, `cos` and `sin` of `2 pi k / F`:
//!   `p = (Z.re >> 1) + (Y.re >> 1)`, `q = (Z.re >> 1) - (Y.re >> 1)`, `s = (Z.im >> 1) + (Y.im >> 1)`,
//!   `t = (Z.im >> 1) - (Y.im >> 1)`, `u = (s *> cos) - (q *> sin)`, `v = (q *> cos) + (s *> sin)`. Bin `k` is
//!   `(p >> 1) + u, (t >> 1) - v`, bin `M - k` is `(p >> 1) - u, (t >> 1) + v` (conjugated, as only the modulus
//!   matters). Bin `M/2` is `Z[M/2].re >> 1, Z[M/2].im >> 1`. Bins 0 and `M` belong to no filter.
//!
//! *Room.* The window halves a sum over a frame, so moduli after a pass of `L` points are at most
//! `2^30.5 max(1, L/2) / 2^(r + later passes so far)`. With `r + later passes = log2(M) - 1` they end at `2^30.5`.

use crate::tensor::math::cos_pi;

/// Cosine and sine in 15 fraction bits.
pub(crate) type Turn = [i16; 2];

/// The transform of frames of one length.
pub(crate) struct Fft {
    window: Vec<i16>,
    /// Points of the real transform.
    size: usize,
    /// Bits that the windowed samples are shifted right.
    shift: u32,
    /// Turns by `j`, `2j` and `3j` of `M` parts, for `j < M / 4`.
    turns: Vec<[Turn; 3]>,
    /// Turns by `k` of `F` parts, for `k < M / 2`.
    real_turns: Vec<Turn>,
    /// Where the outputs of the first pass go, by `n`.
    order: Vec<u16>,
}

/// 15 fraction bits, the one as the greatest below it.
pub(super) fn q15(value: f64) -> i16 {
    (value * 32768.0).round().min(32767.0) as i16
}

/// `cos(2 pi k / n)`.
fn cos_turn(k: usize, n: usize) -> f64 {
    let k = k % n;
    let k = k.min(n - k);
    cos_pi((2 * k) as f64 / n as f64)
}

/// Cosine and sine of `k` of `n` parts of a turn, `n` divisible by 4.
fn turn(k: usize, n: usize) -> Turn {
    [q15(cos_turn(k, n)), q15(cos_turn(k + n - n / 4, n))]
}

/// `(a * w) >> 16`: half the product where `w` has 15 fraction bits.
#[inline(always)]
pub(super) fn half(a: i32, w: i16) -> i32 {
    ((i64::from(a) * i64::from(w)) >> 16) as i32
}

/// Half of a complex number turned backwards.
#[inline(always)]
fn turned(re: i32, im: i32, [cos, sin]: Turn) -> (i32, i32) {
    (half(re, cos) + half(im, sin), half(im, cos) - half(re, sin))
}

impl Fft {
    /// For frames of so many samples, 32 to 4,096.
    pub(super) fn new(frame: usize) -> Fft {
        let size = frame.next_power_of_two().max(64);
        let points = size / 2;
        let log = points.ilog2();
        let radix = if log.is_multiple_of(2) { 4 } else { 2 };
        let later = (log - radix / 2) / 2;
        let groups = points / radix as usize;
        Fft {
            window: (0..frame).map(|i| q15(0.5 - 0.5 * cos_turn(i, frame))).collect(),
            size,
            shift: log - 1 - later,
            turns: (0..points / 4).map(|j| [1, 2, 3].map(|times| turn(times * j, points))).collect(),
            real_turns: (0..points / 2).map(|k| turn(k, size)).collect(),
            order: (0..groups).map(|n| (n.reverse_bits() >> (usize::BITS - groups.ilog2())) as u16).collect(),
        }
    }

    /// `F`, the points of the real transform.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Points of the first pass's transforms: 2 or 4.
    pub(crate) fn first_radix(&self) -> usize {
        self.size / 2 / self.order.len()
    }

    /// Bits that windowed samples are shifted right.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// The window.
    pub(crate) fn window(&self) -> &[i16] {
        &self.window
    }

    /// Turns by `j`, `2j` and `3j` of `M` parts, for `j < M / 4`.
    pub(crate) fn turns(&self) -> &[[Turn; 3]] {
        &self.turns
    }

    /// Turns by `k` of `F` parts, for `k < M / 2`.
    pub(crate) fn real_turns(&self) -> &[Turn] {
        &self.real_turns
    }

    /// Writes bins 1 to `M - 1` of a frame: `into[2k]`, `into[2k + 1]` are bin `k`. `into` has `F` elements.
    pub(super) fn spectrum(&self, frame: &[i16], into: &mut [i32]) {
        let radix = self.first_radix();
        if radix == 4 {
            self.first_of_four(frame, into);
        } else {
            self.first_of_two(frame, into);
        }
        let mut length = radix;
        while 4 * length <= self.size / 2 {
            self.pass(length, into);
            length *= 4;
        }
        self.real(into);
    }

    /// Windowed samples `2n` and `2n + 1`.
    #[inline(always)]
    fn windowed(&self, frame: &[i16], n: usize) -> (i32, i32) {
        let at = |i: usize| match (frame.get(i), self.window.get(i)) {
            (Some(&x), Some(&w)) => (i32::from(x) * i32::from(w)) >> self.shift,
            _ => 0,
        };
        (at(2 * n), at(2 * n + 1))
    }

    fn first_of_two(&self, frame: &[i16], into: &mut [i32]) {
        let groups = self.order.len();
        for (n, &to) in self.order.iter().enumerate() {
            let (a, b) = (self.windowed(frame, n), self.windowed(frame, n + groups));
            let out = &mut into[4 * usize::from(to)..][..4];
            out.copy_from_slice(&[a.0 + b.0, a.1 + b.1, a.0 - b.0, a.1 - b.1]);
        }
    }

    fn first_of_four(&self, frame: &[i16], into: &mut [i32]) {
        let groups = self.order.len();
        for (n, &to) in self.order.iter().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|quarter| self.windowed(frame, n + quarter * groups));
            let out = &mut into[8 * usize::from(to)..][..8];
            out.copy_from_slice(&four(a, b, c, d));
        }
    }

    /// From transforms of `length` points to such of four times as many. Bit-reversed order has the sequence of
    /// indices `2 mod 4` before that of `1 mod 4`.
    fn pass(&self, length: usize, data: &mut [i32]) {
        let stride = self.turns.len() / length;
        for group in data.chunks_exact_mut(8 * length) {
            let (first, second) = group.split_at_mut(4 * length);
            let (q0, q1) = first.split_at_mut(2 * length);
            let (q2, q3) = second.split_at_mut(2 * length);
            let quarters = q0
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .zip(q1.as_chunks_mut::<2>().0)
                .zip(q2.as_chunks_mut::<2>().0)
                .zip(q3.as_chunks_mut::<2>().0);
            let turns = self.turns.iter().step_by(stride);
            for (j, ((((x0, x1), x2), x3), turn)) in quarters.zip(turns).enumerate() {
                let a = (x0[0] >> 1, x0[1] >> 1);
                let [b, c, d] = if j == 0 {
                    [&*x2, &*x1, &*x3].map(|x| (x[0] >> 1, x[1] >> 1))
                } else {
                    let [one, two, three] = *turn;
                    [turned(x2[0], x2[1], one), turned(x1[0], x1[1], two), turned(x3[0], x3[1], three)]
                };
                let [r0, i0, r1, i1, r2, i2, r3, i3] = four(a, b, c, d);
                (*x0, *x1, *x2, *x3) = ([r0, i0], [r1, i1], [r2, i2], [r3, i3]);
            }
        }
    }

    /// From the complex transform to bins of the real one.
    fn real(&self, data: &mut [i32]) {
        let points = self.size / 2;
        let (low, high) = data.split_at_mut(points);
        let lower = low.as_chunks_mut::<2>().0.iter_mut().skip(1);
        let (middle, upper) = high.as_chunks_mut::<2>().0.split_first_mut().expect("32 points at least");
        for ((z, y), &[cos, sin]) in lower.zip(upper.iter_mut().rev()).zip(&self.real_turns[1..]) {
            let [zr, zi, yr, yi] = [z[0] >> 1, z[1] >> 1, y[0] >> 1, y[1] >> 1];
            let (p, q, s, t) = (zr + yr, zr - yr, zi + yi, zi - yi);
            let u = half(s, cos) - half(q, sin);
            let v = half(q, cos) + half(s, sin);
            *z = [(p >> 1) + u, (t >> 1) - v];
            *y = [(p >> 1) - u, (t >> 1) + v];
        }
        *middle = [middle[0] >> 1, middle[1] >> 1];
    }
}

/// The transform of four points, in their order.
#[inline(always)]
fn four(a: (i32, i32), b: (i32, i32), c: (i32, i32), d: (i32, i32)) -> [i32; 8] {
    let (sum, difference) = ((a.0 + c.0, a.1 + c.1), (a.0 - c.0, a.1 - c.1));
    let (p, q) = ((b.0 + d.0, b.1 + d.1), (b.0 - d.0, b.1 - d.1));
    [
        sum.0 + p.0,
        sum.1 + p.1,
        difference.0 + q.1,
        difference.1 - q.0,
        sum.0 - p.0,
        sum.1 - p.1,
        difference.0 - q.1,
        difference.1 + q.0,
    ]
}
