/* A step of a map: a warp a point gathers its neighbours and its first lane moves it, to places of their own, since the
 * other points still pull at the old ones; a second launch takes the mean off. What a point's lanes have is added in
 * double in a fixed tree, places are added by blocks of fixed points and then in a fixed tree. */
#include "cuda.h"
#include "norm.cuh"

/* POINTS: of a block; a warp has POINTS / WARPS of them, one after another. */
enum { THREADS = 256, WARPS = THREADS / PL__WARP, POINTS = 32 };

#define MOMENTUM   0.8f
#define LEAST_GAIN 0.01f
#define GAIN_UP    0.2f
#define GAIN_DOWN  0.8f
#define MOST_STEP  5.0f

struct step {
    int n;
    const int32_t *start, *column;
    const float *value, *force;
    const double *z;
    float exaggeration, rate;
    float *y, *update, *gain; /* [n, 2] */
    float *moved;             /* [n, 2] */
    double *sums, *mean;      /* [blocks, 2], [2] */
};

static __device__ __forceinline__ int sign_of(float x)
{
    return (x > 0.0f) - (x < 0.0f);
}

/* One coordinate: its gain, and its update from the gradient. */
static __device__ __forceinline__ float next_update(float gradient, float update, float *gain, float rate)
{
    *gain = sign_of(gradient) == sign_of(update) ? fmaf(*gain, GAIN_DOWN, LEAST_GAIN) : *gain + GAIN_UP;
    return fmaf(MOMENTUM, update, -(rate * *gain * gradient));
}

/* Moves point i along its gradient. */
static __device__ __forceinline__ void move(const step &s, size_t i, float gx, float gy)
{
    float ux = next_update(gx, s.update[2 * i], s.gain + 2 * i, s.rate);
    float uy = next_update(gy, s.update[2 * i + 1], s.gain + 2 * i + 1, s.rate);
    const float length = sqrtf(fmaf(ux, ux, uy * uy));
    if (length > MOST_STEP) {
        ux *= MOST_STEP / length;
        uy *= MOST_STEP / length;
    }
    s.update[2 * i] = ux;
    s.update[2 * i + 1] = uy;
    s.moved[2 * i] = s.y[2 * i] + ux;
    s.moved[2 * i + 1] = s.y[2 * i + 1] + uy;
}

static __global__ void __launch_bounds__(THREADS) move_points(step s)
{
    __shared__ double sum_x[WARPS], sum_y[WARPS];
    const int lane = (int)threadIdx.x % PL__WARP, warp = (int)threadIdx.x / PL__WARP;
    const int first = (int)blockIdx.x * POINTS + warp * (POINTS / WARPS), end = min(s.n, first + POINTS / WARPS);
    double to_x = 0.0, to_y = 0.0;
    for (int i = first; i < end; i++) {
        const float x = s.y[2 * (size_t)i], y = s.y[2 * (size_t)i + 1];
        const int last = s.start[i + 1];
        float pull_x = 0.0f, pull_y = 0.0f;
        for (int at = s.start[i] + lane; at < last; at += PL__WARP) {
            const size_t other = 2 * (size_t)s.column[at];
            const float dx = x - s.y[other], dy = y - s.y[other + 1];
            const float weight = __fdividef(s.value[at], fmaf(dx, dx, fmaf(dy, dy, 1.0f)));
            pull_x = fmaf(weight, dx, pull_x);
            pull_y = fmaf(weight, dy, pull_y);
        }
        const double all_x = pl__warp_sum((double)pull_x), all_y = pl__warp_sum((double)pull_y);
        if (lane) continue;
        const double share = 1.0 / *s.z, more = (double)s.exaggeration;
        move(s, (size_t)i, (float)(more * all_x - share * (double)s.force[2 * (size_t)i]),
             (float)(more * all_y - share * (double)s.force[2 * (size_t)i + 1]));
        to_x += (double)s.moved[2 * (size_t)i];
        to_y += (double)s.moved[2 * (size_t)i + 1];
    }
    if (lane == 0) {
        sum_x[warp] = to_x;
        sum_y[warp] = to_y;
    }
    __syncthreads(); /* every warp's sum is there */
    if (threadIdx.x) return;
    for (int w = 1; w < WARPS; w++) {
        to_x += sum_x[w];
        to_y += sum_y[w];
    }
    s.sums[2 * (size_t)blockIdx.x] = to_x;
    s.sums[2 * (size_t)blockIdx.x + 1] = to_y;
}

static __global__ void __launch_bounds__(THREADS) centre_points(step s, int n_sums)
{
    __shared__ double scratch[PL__WARP];
    double x = 0.0, y = 0.0;
    for (int k = (int)threadIdx.x; k < n_sums; k += THREADS) {
        x += s.sums[2 * (size_t)k];
        y += s.sums[2 * (size_t)k + 1];
    }
    x = pl__block_group{scratch}.sum(x) / (double)s.n;
    y = pl__block_group{scratch}.sum(y) / (double)s.n;
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < (size_t)s.n) {
        s.y[2 * i] = (float)((double)s.moved[2 * i] - x);
        s.y[2 * i + 1] = (float)((double)s.moved[2 * i + 1] - y);
    }
    if (blockIdx.x || threadIdx.x) return;
    s.mean[0] = x;
    s.mean[1] = y;
}

static size_t blocks_of(size_t n)
{
    return (n + POINTS - 1) / POINTS;
}

extern "C" size_t pl__map_step_workspace_bytes(size_t n_points)
{
    return 2 * (blocks_of(n_points) * sizeof(double) + n_points * sizeof(float));
}

extern "C" pl_status pl__map_step(pl_stream *stream, const pl_map_step_args *args)
{
    const size_t n = args->y.columns / 2, blocks = blocks_of(n);
    double *sums = (double *)pl__at(args->workspace, 0);
    const step s = {(int)n,
                    (const int32_t *)pl__at(args->start, 0),
                    (const int32_t *)pl__at(args->column, 0),
                    (const float *)pl__at(args->value, 0),
                    (const float *)pl__at(args->force, 0),
                    (const double *)pl__at(args->z, 0),
                    (float)args->exaggeration,
                    (float)((double)n / args->exaggeration),
                    (float *)pl__at(args->y, 0),
                    (float *)pl__at(args->update, 0),
                    (float *)pl__at(args->gain, 0),
                    (float *)(sums + 2 * blocks),
                    sums,
                    (double *)pl__at(args->mean, 0)};
    CU_LAUNCH(move_points, dim3((unsigned)blocks), dim3(THREADS), 0, stream->handle, s);
    PL_LAUNCHED(stream, "map_step");
    CU_LAUNCH(centre_points, dim3((unsigned)((n + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream->handle, s,
              (int)blocks);
    PL_LAUNCHED(stream, "map_step: the mean");
    return PL_OK;
}
