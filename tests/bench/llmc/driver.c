/* llm.c's train_gpt2.c under a stopwatch: `driver MODEL.bin TOKENS.i32 B T STEPS`. Its file is included as it is (its
 * own main is left out by TESTING); training.py builds this twice, with llm.c's loops and with blas.h in their place.
 *
 * MODEL.bin: llm.c's own format; TOKENS: int32 ids, one step after another, B (T + 1) each. One line a step: seconds of
 * forward, backward and update, loss, norm of the gradient (measured outside the stopwatch). */
#define TESTING
#include "train_gpt2.c"

#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    const int B = atoi(argv[3]), T = atoi(argv[4]), steps = atoi(argv[5]);
    GPT2 model;
    gpt2_build_from_checkpoint(&model, argv[1]);
    FILE *file = fopen(argv[2], "rb");
    int *rows = malloc((size_t)B * (size_t)(T + 1) * sizeof(int)), *x = malloc((size_t)B * (size_t)T * sizeof(int)),
        *y = malloc((size_t)B * (size_t)T * sizeof(int));
    if (!file || !rows || !x || !y) return 1;
    for (int step = 1; step <= steps; step++) {
        if (fread(rows, sizeof(int), (size_t)(B * (T + 1)), file) != (size_t)(B * (T + 1))) return 1;
        for (int i = 0; i < B * T; i++) {
            x[i] = rows[i / T * (T + 1) + i % T];
            y[i] = rows[i / T * (T + 1) + i % T + 1];
        }
        double start = now_s();
        gpt2_forward(&model, x, y, (size_t)B, (size_t)T);
        gpt2_zero_grad(&model);
        gpt2_backward(&model);
        double between = now_s(), norm = 0;
        for (size_t i = 0; i < model.num_parameters; i++) norm += (double)model.grads_memory[i] * model.grads_memory[i];
        double again = now_s();
        gpt2_update(&model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.0f, step);
        printf("step\t%.6f\t%.7f\t%.7f\n", between - start + now_s() - again, (double)model.mean_loss, sqrt(norm));
        fflush(stdout);
    }
    gpt2_free(&model);
    return 0;
}
