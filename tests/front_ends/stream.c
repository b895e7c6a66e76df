/* A stream against what is expected of it. VALUES, EXPECTED and HOPS are put in by the test. */
#include "net.h"
#include <string.h>
static const net_raw_t signal[] = {VALUES};
static const int expected[][6] = {{EXPECTED}};
NET_ALIGNED static unsigned char arena[NET_ARENA_BYTES];
static net_ctx ctx;
int main(void)
{
    net_output_t scores[NET_OUTPUT_SIZE] = {0};
    if (net_stream(&ctx, signal, scores) != NET_ERROR_NULL || net_reset(&ctx) != NET_ERROR_NULL) {
        return 1;
    }
    if (net_init(&ctx, arena, sizeof arena) != NET_OK || net_reset(NULL) != NET_ERROR_NULL) {
        return 2;
    }
    if (net_stream(&ctx, NULL, scores) >= 0 || net_stream(&ctx, signal, NULL) >= 0) {
        return 3;
    }
    for (int round = 0; round < 3; ++round) {
        for (int hop = 0; hop < HOPS; ++hop) {
            const int status = net_stream(&ctx, signal + hop * NET_HOP_SIZE, scores);
            if (status != expected[hop][0]) {
                return 4;
            }
            for (int i = 0; status == 1 && i < NET_OUTPUT_SIZE; ++i) {
                if (scores[i] != expected[hop][1 + i]) {
                    return 5;
                }
            }
            memset(arena, 0x5a, sizeof arena);
        }
        if ((round == 0 ? net_reset(&ctx) : net_init(&ctx, arena, sizeof arena)) != NET_OK) {
            return 6;
        }
        /* A whole sample between is none of the stream's. */
        net_run_raw(&ctx, signal, scores);
    }
    {
        const net_output_t some[NET_OUTPUT_SIZE] = {-7, 30, -128, 30, 29};
        if (net_detect(some, 29) != 1 || net_detect(some, 30) != -1 || net_detect(some, -129) != 1) {
            return 7;
        }
    }
    return 0;
}
