/* Runs a bundle over the samples of `inputs.bin` and writes `outputs.bin`; on the board it also counts
   instructions and stack into `counts.bin`. NASC_NAME and NASC_UPPER are the bundle's prefixes; NASC_INPUTS and
   NASC_OUTPUTS say that there are several. */
#include NASC_HEADER

#include <string.h>

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define FN(suffix) JOIN(NASC_NAME, suffix)
#define MACRO(suffix) JOIN(NASC_UPPER, suffix)

#if defined(NASC_RAW)
typedef FN(_raw_t) sample_t;
#define RUN FN(_run_raw)
#define SAMPLE_SIZE MACRO(_RAW_SIZE)
#else
typedef FN(_input_t) sample_t;
#define RUN FN(_run)
#define SAMPLE_SIZE MACRO(_INPUT_SIZE)
#define NASC_LEAD 0
#endif

FN(_ctx) nasc_ctx;
static unsigned char memory[MACRO(_ARENA_BYTES) + MACRO(_ARENA_ALIGN)];
#if defined(NASC_STREAM)
/* A stream takes a lead before the sample; the last hop may end behind it. */
static sample_t hops[NASC_LEAD + SAMPLE_SIZE + MACRO(_HOP_SIZE)];
#else
static sample_t hops[SAMPLE_SIZE];
#endif
static sample_t *const sample = hops + NASC_LEAD;
static FN(_output_t) output[MACRO(_OUTPUT_SIZE)];

static int prepare(void)
{
    const uintptr_t past = (uintptr_t)memory % MACRO(_ARENA_ALIGN);
    unsigned char *const arena = memory + (past == 0 ? 0 : MACRO(_ARENA_ALIGN) - past);
    return FN(_init)(&nasc_ctx, arena, MACRO(_ARENA_BYTES));
}

#if defined(NASC_STREAM)
/* Whether a sample that comes hop by hop gives one result, with its last row, and that of the whole. */
static int stream_agrees(void)
{
    static FN(_output_t) scores[MACRO(_OUTPUT_SIZE)];
    int results = 0;
    if (FN(_reset)(&nasc_ctx) != 0) {
        return 0;
    }
    for (int32_t at = 0; results == 0 && at < NASC_LEAD + SAMPLE_SIZE; at += MACRO(_HOP_SIZE)) {
        results = FN(_stream)(&nasc_ctx, hops + at, scores);
    }
    return results == 1 && memcmp(scores, output, sizeof(output)) == 0 && FN(_detect)(scores, 127) == -1;
}
#endif

#if !defined(NASC_BOARD)

#include <stdio.h>

#if !defined(NASC_RAW) && !defined(NASC_INPUTS) && !defined(NASC_OUTPUTS)
#define NASC_SLOTS
/* Whether the slots, their own pointers among them, give what the caller's memory gave; what earlier runs left in
   the arena must not matter. */
static int slots_agree(void)
{
    FN(_input_t) *const input_slot = FN(_input)(&nasc_ctx);
    FN(_output_t) *const output_slot = FN(_output)(&nasc_ctx);
    memcpy(input_slot, sample, sizeof(hops));
    if (FN(_run)(&nasc_ctx, NULL, NULL) != 0 || memcmp(output_slot, output, sizeof(output)) != 0) {
        return 0;
    }
    memcpy(input_slot, sample, sizeof(hops));
    return FN(_run)(&nasc_ctx, input_slot, output_slot) == 0 && memcmp(output_slot, output, sizeof(output)) == 0;
}
#endif

int main(void)
{
    FILE *const inputs = fopen("inputs.bin", "rb");
    FILE *const outputs = fopen("outputs.bin", "wb");
    if (inputs == NULL || outputs == NULL || prepare() != 0) {
        return 2;
    }
    while (fread(sample, sizeof(sample_t) * SAMPLE_SIZE, 1, inputs) == 1) {
        if (RUN(&nasc_ctx, sample, output) != 0) {
            return 3;
        }
        if (fwrite(output, sizeof(output), 1, outputs) != 1) {
            return 4;
        }
#if defined(NASC_STREAM)
        if (!stream_agrees()) {
            return 7;
        }
#endif
#if defined(NASC_SLOTS)
        if (!slots_agree()) {
            return 6;
        }
#endif
    }
    return fclose(outputs) == 0 ? 0 : 4;
}

#else

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSTICK_CONTROL REGISTER(0xe000e010u)
#define SYSTICK_RELOAD REGISTER(0xe000e014u)
#define SYSTICK_VALUE REGISTER(0xe000e018u)
#define CONFIGURATION REGISTER(0xe000ed14u)
#define COPROCESSORS REGISTER(0xe000ed88u)

extern uint32_t bundle_data_load[], bundle_data_start[], bundle_data_end[];
extern uint32_t bundle_bss_start[], bundle_bss_end[];
extern uint32_t data_load[], data_start[], data_end[];
extern uint32_t bss_start[], bss_end[];
extern uint32_t stack_limit[];
/* The first vector: an address that is no function, declared as one for the sake of the table. */
extern void stack_top(void);

static volatile uint32_t wraps;

/* Arm semihosting: operation in r0, parameters in r1. */
static int32_t host(uint32_t operation, const void *parameters)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static void leave(int status)
{
    /* ADP_Stopped_ApplicationExit, or ADP_Stopped_InternalError. */
    host(0x18, (const void *)(status == 0 ? 0x20026u : 0x20024u));
    for (;;) {
    }
}

static int32_t open_file(const char *name, uint32_t mode)
{
    const uint32_t parameters[3] = {(uint32_t)name, mode, (uint32_t)strlen(name)};
    return host(0x01, parameters);
}

/* The number of bytes not transferred. */
static int32_t transfer(uint32_t operation, int32_t file, const void *data, uint32_t size)
{
    const uint32_t parameters[3] = {(uint32_t)file, (uint32_t)data, size};
    return host(operation, parameters);
}

static uint64_t ticks(void)
{
    uint32_t before, value;
    do {
        before = wraps;
        value = SYSTICK_VALUE;
    } while (before != wraps);
    return ((uint64_t)before << 24) + (0xffffffu - value);
}

static uint64_t count_ticks(int raw)
{
    uint64_t start, end;
    SYSTICK_RELOAD = 0xffffffu;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7;
    while (SYSTICK_VALUE == 0) {
    }
    start = ticks();
    if (raw) {
        RUN(&nasc_ctx, sample, NULL);
    } else {
        FN(_run)(&nasc_ctx, NULL, NULL);
    }
    end = ticks();
    SYSTICK_CONTROL = 0;
    return end - start;
}

__attribute__((noinline)) static uint32_t measure_stack(void)
{
    const uint32_t pattern = 0xa5c35a3cu;
    volatile uint32_t *top;
    volatile uint32_t *word;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (word = stack_limit; word < top; ++word) {
        *word = pattern;
    }
    RUN(&nasc_ctx, sample, output);
    for (word = stack_limit; word < top && *word == pattern; ++word) {
    }
    return (uint32_t)top - (uint32_t)word;
}

static void run_samples(void)
{
    const int32_t inputs = open_file("inputs.bin", 1);
    const int32_t outputs = open_file("outputs.bin", 5);
    const int32_t counts = open_file("counts.bin", 5);
    uint64_t numbers[3] = {0, 0, 0};
    int first = 1;
    if (inputs < 0 || outputs < 0 || counts < 0 || prepare() != 0) {
        leave(2);
    }
    while (transfer(0x06, inputs, sample, sizeof(sample_t) * SAMPLE_SIZE) == 0) {
        const int measured = first;
        if (first) {
            first = 0;
#if !defined(NASC_INPUTS)
            memset(FN(_input)(&nasc_ctx), 0, MACRO(_INPUT_SIZE));
#endif
            numbers[0] = count_ticks(0);
            numbers[1] = measure_stack();
            numbers[2] = count_ticks(1);
        }
#if defined(NASC_OUTPUTS)
        if (RUN(&nasc_ctx, sample, output) != 0) {
            leave(3);
        }
#else
        if (RUN(&nasc_ctx, sample, NULL) != 0) {
            leave(3);
        }
        memcpy(output, FN(_output)(&nasc_ctx), sizeof(output));
#endif
        if (transfer(0x05, outputs, output, sizeof(output)) != 0) {
            leave(4);
        }
#if defined(NASC_STREAM)
        if (measured && !stream_agrees()) {
            leave(7);
        }
#else
        (void)measured;
#endif
    }
    if (transfer(0x05, counts, numbers, sizeof(numbers)) != 0) {
        leave(4);
    }
    leave(0);
}

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from)
{
    while (to < end) {
        *to++ = *from++;
    }
}

static void clear(uint32_t *to, const uint32_t *end)
{
    while (to < end) {
        *to++ = 0;
    }
}

void reset(void);
void reset(void)
{
#if defined(__ARM_ARCH_6M__)
    /* An Armv6-M core faults on every unaligned access, the Armv7-M one that runs its code here only on demand. */
    CONFIGURATION |= 1u << 3;
#else
    COPROCESSORS |= 0xfu << 20;
#endif
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    copy(bundle_data_start, bundle_data_end, bundle_data_load);
    copy(data_start, data_end, data_load);
    clear(bundle_bss_start, bundle_bss_end);
    clear(bss_start, bss_end);
    run_samples();
}

static void fault(void)
{
    leave(5);
}

static void systick(void)
{
    wraps = wraps + 1;
}

typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    stack_top, reset, fault, fault, fault, fault, fault, fault,
    0, 0, 0, fault, fault, 0, fault, systick,
};

#endif
