
/* Half of `a` times the lower or upper 16 bits of `w`, a factor with 15 fraction bits; rounded down. */
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
/* A pass with a known length keeps all it needs in registers: a fourth less work for 800 bytes more code. */
#define $_FEATURES_PASS $_INLINE

$_INLINE int32_t @_features_by_low(int32_t a, int32_t w)
{
    int32_t half;
    __asm__("smulwb %0, %1, %2" : "=r"(half) : "r"(a), "r"(w));
    return half;
}

$_INLINE int32_t @_features_by_high(int32_t a, int32_t w)
{
    int32_t half;
    __asm__("smulwt %0, %1, %2" : "=r"(half) : "r"(a), "r"(w));
    return half;
}

$_INLINE int32_t @_features_plus_by_high(int32_t sum, int32_t a, int32_t w)
{
    int32_t half;
    __asm__("smlawt %0, %1, %2, %3" : "=r"(half) : "r"(a), "r"(w), "r"(sum));
    return half;
}
#else
#define $_FEATURES_PASS static $_NOINLINE

$_INLINE int32_t @_features_by(int32_t a, int32_t w)
{
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
    return (a >> 16) * w + (((a & 0xffff) * w) >> 16);
#else
    return (int32_t)(((int64_t)a * w) >> 16);
#endif
}

$_INLINE int32_t @_features_by_low(int32_t a, int32_t w)
{
    return @_features_by(a, (int16_t)(w & 0xffff));
}

$_INLINE int32_t @_features_by_high(int32_t a, int32_t w)
{
    return @_features_by(a, w >> 16);
}

$_INLINE int32_t @_features_plus_by_high(int32_t sum, int32_t a, int32_t w)
{
    return sum + @_features_by_high(a, w);
}
#endif

/* Windowed samples 2n and 2n + 1. */
$_INLINE void @_features_windowed(const int16_t *frame, int32_t n, int32_t *re, int32_t *im)
{
    const int32_t window = @_features_window[n];
    const int32_t first = frame[2 * n];
    const int32_t second = SECOND;
    *re = (first * (int16_t)(window & 0xffff)) >> @_features_shift;
    *im = (second * (window >> 16)) >> @_features_shift;
}

/* `n` with the order of its bits reversed, for the groups of the first pass. */
$_INLINE int32_t @_features_reversed(int32_t n)
{
    static const uint8_t reversed[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    const int32_t bits = reversed[n & 15] << 8 | reversed[n >> 4 & 15] << 4 | reversed[n >> 8 & 15];
    return bits >> @_features_unreversed;
}
FIRST_PASS
/* From transforms of `length` points to such of four times as many; at every `stride`-th turn. */
$_FEATURES_PASS void @_features_pass(int32_t *data, int32_t length, int32_t stride)
{
    const int32_t *turn = @_features_turns;
    for (int32_t at = 0; at < @_features_size; at += 8 * length) {
        int32_t *const x0 = data + at;
        int32_t *const x1 = x0 + 2 * length;
        int32_t *const x2 = x1 + 2 * length;
        int32_t *const x3 = x2 + 2 * length;
        const int32_t sum_re = (x0[0] >> 1) + (x1[0] >> 1);
        const int32_t sum_im = (x0[1] >> 1) + (x1[1] >> 1);
        const int32_t difference_re = (x0[0] >> 1) - (x1[0] >> 1);
        const int32_t difference_im = (x0[1] >> 1) - (x1[1] >> 1);
        const int32_t p_re = (x2[0] >> 1) + (x3[0] >> 1);
        const int32_t p_im = (x2[1] >> 1) + (x3[1] >> 1);
        const int32_t q_re = (x2[0] >> 1) - (x3[0] >> 1);
        const int32_t q_im = (x2[1] >> 1) - (x3[1] >> 1);
        x0[0] = sum_re + p_re;
        x0[1] = sum_im + p_im;
        x1[0] = difference_re + q_im;
        x1[1] = difference_im - q_re;
        x2[0] = sum_re - p_re;
        x2[1] = sum_im - p_im;
        x3[0] = difference_re - q_im;
        x3[1] = difference_im + q_re;
    }
    for (int32_t j = 1; j < length; ++j) {
        turn += stride;
        const int32_t w1 = turn[0];
        const int32_t w2 = turn[1];
        const int32_t w3 = turn[2];
        for (int32_t at = 2 * j; at < @_features_size; at += 8 * length) {
            int32_t *const x0 = data + at;
            int32_t *const x1 = x0 + 2 * length;
            int32_t *const x2 = x1 + 2 * length;
            int32_t *const x3 = x2 + 2 * length;
            const int32_t c_re = @_features_plus_by_high(@_features_by_low(x1[0], w2), x1[1], w2);
            const int32_t c_im = @_features_by_low(x1[1], w2) - @_features_by_high(x1[0], w2);
            const int32_t sum_re = (x0[0] >> 1) + c_re;
            const int32_t sum_im = (x0[1] >> 1) + c_im;
            const int32_t difference_re = (x0[0] >> 1) - c_re;
            const int32_t difference_im = (x0[1] >> 1) - c_im;
            const int32_t b_re = @_features_plus_by_high(@_features_by_low(x2[0], w1), x2[1], w1);
            const int32_t b_im = @_features_by_low(x2[1], w1) - @_features_by_high(x2[0], w1);
            const int32_t d_re = @_features_plus_by_high(@_features_by_low(x3[0], w3), x3[1], w3);
            const int32_t d_im = @_features_by_low(x3[1], w3) - @_features_by_high(x3[0], w3);
            const int32_t p_re = b_re + d_re;
            const int32_t p_im = b_im + d_im;
            const int32_t q_re = b_re - d_re;
            const int32_t q_im = b_im - d_im;
            x0[0] = sum_re + p_re;
            x0[1] = sum_im + p_im;
            x1[0] = difference_re + q_im;
            x1[1] = difference_im - q_re;
            x2[0] = sum_re - p_re;
            x2[1] = sum_im - p_im;
            x3[0] = difference_re - q_im;
            x3[1] = difference_im + q_re;
        }
    }
}

/* From the complex transform to the bins of the real one. */
static $_NOINLINE void @_features_real(int32_t *data)
{
    int32_t *y = data + @_features_size;
    for (int32_t k = 1; k < @_features_size / 4; ++k) {
        const int32_t w = @_features_real_turns[k];
        int32_t *const z = data + 2 * k;
        y -= 2;
        const int32_t p = (z[0] >> 1) + (y[0] >> 1);
        const int32_t q = (z[0] >> 1) - (y[0] >> 1);
        const int32_t s = (z[1] >> 1) + (y[1] >> 1);
        const int32_t t = (z[1] >> 1) - (y[1] >> 1);
        const int32_t u = @_features_by_low(s, w) - @_features_by_high(q, w);
        const int32_t v = @_features_plus_by_high(@_features_by_low(q, w), s, w);
        z[0] = (p >> 1) + u;
        z[1] = (t >> 1) - v;
        y[0] = (p >> 1) - u;
        y[1] = (t >> 1) + v;
    }
    data[@_features_size / 2] >>= 1;
    data[@_features_size / 2 + 1] >>= 1;
}

$_INLINE int32_t @_features_leading_zeros(uint32_t x)
{
#if defined(__GNUC__)
    return __builtin_clz(x);
#else
    int32_t zeros = 0;
    while ((x & UINT32_C(0x80000000)) == 0) {
        x <<= 1;
        ++zeros;
    }
    return zeros;
#endif
}

/* log2(1 + energy / 2^floor) with 9 fraction bits. */
static int32_t @_features_log2(uint64_t energy)
{
    const uint64_t sum = energy + (UINT64_C(1) << @_features_floor);
    const uint32_t upper = (uint32_t)(sum >> 32);
    const int32_t zeros = upper != 0 ? @_features_leading_zeros(upper) : 32 + @_features_leading_zeros((uint32_t)sum);
    const uint32_t mantissa = (uint32_t)((sum << zeros) >> 32);
    const uint16_t *const piece = @_features_log + (mantissa >> 26 & 31u);
    const uint32_t fraction = piece[0] + (((uint32_t)piece[1] - piece[0]) * (mantissa >> 10 & 0xffffu) >> 16);
    return (63 - zeros - @_features_floor) * 512 + (int32_t)((fraction + 32) >> 6);
}

/* Logarithms of the filters' energies. */
static $_NOINLINE void @_features_mel(INTO)
{
    const int32_t *bin = spectrum + 2 * @_features_first;
    const int16_t *weight = @_features_weights;
    int64_t rising = 0;
    for (int32_t gap = 0; gap <= @_features_filters; ++gap) {
        int64_t all = 0;
        int64_t upper = 0;
        for (int32_t n = @_features_gaps[gap]; n > 0; --n) {
            const int32_t re = bin[0];
            const int32_t im = bin[1];
            const int32_t w = *weight;
            all += (int64_t)re * re;
            all += (int64_t)im * im;
            upper += (int64_t)re * @_features_by_low(re, w);
            upper += (int64_t)im * @_features_by_low(im, w);
            bin += 2;
            ++weight;
        }
        if (gap > 0) {
            const int64_t energy = rising + all - 2 * upper;
            const int32_t value = @_features_log2(energy > 0 ? (uint64_t)energy : 0u);
            STORE
        }
        rising = 2 * upper;
    }
}
DCT
/* One row of features from one frame of samples. `scratch` has room for the spectrum. */
static void @_features_row(const int16_t *frame, int32_t *scratch, int16_t *row)
{
    @_features_start(frame, scratch);
PASSES
    @_features_real(scratch);
ROW}
