/* What a training step asks of a device: calls of ops, floating-point operations and bytes of one step, counted by a
 * backend that computes nothing, within 5 % of the closed formulas that results/benchmarks/gpu-predictions.md uses. */
#include "train/runs.h"

static const double FIVE_PERCENT = 0.05;

static const char gpt2[] =
    "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 3000, \"n_embd\": 256, "
    "\"n_layer\": 4, \"n_head\": 4, \"n_positions\": 512}";
static const char llama[] =
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 3000, \"hidden_size\": "
    "256, "
    "\"intermediate_size\": 704, \"num_hidden_layers\": 3, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, "
    "\"max_position_embeddings\": 512, \"tie_word_embeddings\": true}";

/* ---- The device that counts: the CPU's table, whose ops do nothing ---- */

typedef struct counts {
    double calls, operations, bytes;
} counts;

static counts counted;
static const pl_backend *cpu;
static double pairs, parameters; /* of a query and a key in the batch; elements of all parameters */

static void note(double operations, double bytes)
{
    counted.calls++;
    counted.operations += operations;
    counted.bytes += bytes;
}

static double bytes_of(pl_view v)
{
    return v.buffer ? (double)v.rows * (double)v.columns * (double)pl_dtype_bytes(v.dtype) : 0;
}

static double weight_elements(const pl_weight *w)
{
    const pl_weight_shape s = cpu->weight_shape(w);
    return (double)s.n_out * (double)s.n_in;
}

#define COUNT(op, operations, bytes)                                                                                   \
    static pl_status count_##op(pl_stream *stream, const pl_##op##_args *a)                                            \
    {                                                                                                                  \
        (void)stream;                                                                                                  \
        (void)a;                                                                                                       \
        note(operations, bytes);                                                                                       \
        return PL_OK;                                                                                                  \
    }

/* Elementwise operations are not counted as such: their bytes are what they take. An op that adds reads what it writes.
 */
COUNT(embed, 0, 2 * bytes_of(a->x))
COUNT(norm, 0, bytes_of(a->x) + bytes_of(a->y))
COUNT(head_norm, 0, 2 * bytes_of(a->x))
COUNT(linear, 2 * (double)a->x.rows * weight_elements(a->weight),
      bytes_of(a->x) + 4 * weight_elements(a->weight) + (a->accumulate ? 2 : 1) * bytes_of(a->y) + bytes_of(a->pre))
COUNT(gate, 0, bytes_of(a->x) + bytes_of(a->y))
COUNT(rotary, 0, 2 * bytes_of(a->qkv))
COUNT(kv_copy, 0, 0)
COUNT(kv_write, 0, 0)
COUNT(attention, 4 * pairs * (double)a->y.columns, bytes_of(a->qkv) + bytes_of(a->y) + bytes_of(a->lse))
COUNT(gather, 0, 2 * bytes_of(a->y))
COUNT(pool, 0, 0)
COUNT(score, 0, 0)
COUNT(copy, 0, 2 * bytes_of(a->to))
COUNT(convert, 0, bytes_of(a->x) + bytes_of(a->y))
COUNT(embed_backward, 0, 3 * bytes_of(a->dx))
COUNT(norm_backward, 0, bytes_of(a->x) + bytes_of(a->dy) + 2 * bytes_of(a->dx))
COUNT(head_norm_backward, 0, 3 * bytes_of(a->x))
COUNT(linear_backward, (a->dx.buffer ? 4 : 2) * (double)a->x.rows * weight_elements(a->weight),
      bytes_of(a->x) + 2 * bytes_of(a->dy) + bytes_of(a->pre) + bytes_of(a->dx) + 3 * 4 * weight_elements(a->weight))
COUNT(gate_backward, 0, bytes_of(a->x) + bytes_of(a->dy) + bytes_of(a->dx))
COUNT(rotary_backward, 0, 2 * bytes_of(a->qkv))
COUNT(attention_backward, 10 * pairs * (double)a->y.columns,
      bytes_of(a->qkv) + bytes_of(a->y) + bytes_of(a->dy) + bytes_of(a->dqkv))
COUNT(gather_backward, 0, 3 * bytes_of(a->dy))
COUNT(score_backward, 6 * (double)a->x.rows * weight_elements(a->weight),
      2 * bytes_of(a->x) + 4 * 4 * weight_elements(a->weight))
COUNT(dropout, 0, bytes_of(a->x) + bytes_of(a->y))
COUNT(zero_tail, 0, 0)
COUNT(reduce_lanes, 0, 3 * bytes_of(a->sum))
COUNT(adamw, 0, 4 * 8 * parameters)
COUNT(logistic, 0, 0)
COUNT(repulsion, 0, 0)
COUNT(map_step, 0, 0)
COUNT(pairwise, 0, 0)

/* The step goes on as if all were finite. */
static pl_status count_gradient_norm(pl_stream *stream, const pl_gradient_norm_args *a)
{
    float factors[PL_FACTORS] = {[PL_FACTOR_CLIP] = 1, [PL_FACTOR_NORM] = 1, [PL_FACTOR_FINITE] = 1};
    note(0, 4 * parameters);
    return cpu->unchecked.upload(stream, a->factors, factors);
}

/* ---- One step ---- */

enum { ROWS = 96, SEQUENCES = 4, IDS = ROWS + 1 };

typedef struct shape {
    const char *name, *config;
    bool at_label, checkpointing;
} shape;

static counts count_step(const shape *h, pl_config *config)
{
    static pl_backend ops;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    int32_t ids[IDS];
    pl_train_example list[SEQUENCES];
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_trainable *trainable;
    pl_train *train;
    bool finished;
    make_folder(folder);
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, h->config, strlen(h->config)));
    for (size_t i = 0; i < IDS; i++) ids[i] = (int32_t)(i * 37 % 3000);
    for (size_t i = 0; i < SEQUENCES; i++)
        list[i] = (pl_train_example){.ids = ids, .n = IDS, .first = h->at_label ? IDS - 1 : 1};
    OK(pl_processor_open(&processor, "cpu", 1));
    cpu = processor.ops;
    ops = *cpu;
#define X(op) ops.unchecked.op = count_##op;
    PL_OPS(X)
#undef X
    processor.ops = &ops;
    const pl_trainable_options options = {.random = true};
    pl_train_settings s = pl_train_defaults();
    s.max_steps = 1;
    s.train_batch_size = SEQUENCES;
    s.gradient_checkpointing = h->checkpointing;
    s.dropout = 0;
    OK(pl_checkpoint_open_config(&checkpoint, folder));
    *config = checkpoint->config;
    OK(pl_trainable_create(&trainable, &processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
    parameters = (double)pl_trainable_views(trainable).master.columns;
    pairs = SEQUENCES * ROWS * (ROWS + 1) / 2.0;
    OK(pl_train_create(&train, trainable, &s, list, SEQUENCES, "", NULL));
    counted = (counts){0};
    OK(pl_train_run(train, &no_callbacks, &finished));
    pl_train_free(train);
    pl_trainable_free(trainable);
    processor.ops = cpu;
    pl_processor_close(&processor);
    remove_folder(folder);
    return counted;
}

/* The formulas. A forward pass of a block: two norms, four products, the page's write, attention, the residual stream
 * copied twice for the way back; gated families have the gate and the rotation besides. Backward: an op each, but for
 * the page and the copies; with checkpointing the forward pass once more, but for DOWN. Operations: 2 a weight and
 * token forward, 4 backward; attention 4 and 10 a pair and feature; the head 6. Bytes: activations of 4 bytes as each
 * op reads and writes them, weights, gradients, and AdamW's 32 a parameter. */
static counts expected(const shape *h, const pl_config *c)
{
    const double N = SEQUENCES * ROWS, R = h->at_label ? SEQUENCES : N, L = (double)c->L, C = (double)c->C,
                 F = (double)c->F, A = (double)((c->H + 2 * c->G) * c->D), V = (double)c->V;
    const bool gated = c->family->gated;
    const double U = gated ? 2 * F : F, again = h->checkpointing ? 2 : 1, spared = again - 1;
    const double weights = A * C + C * C + U * C + F * C, rotated = gated ? 2 * A : 0;
    /* Floats a token: forward 2 norms and 2 copies (8 C), QKV (C + A), attention (A + C), OUT (3 C), UP (C + U and what
     * the activation was applied to), DOWN (F + 2 C). */
    const double forward = 4 * C + 4 * C + C + A + A + C + 3 * C + C + U + F + 2 * C + (gated ? U + F + rotated : U);
    const double backward = 2 * 4 * C + (C + 2 * A + C) + (2 * A + 2 * C) + 3 * C + C + (C + 3 * U + C) +
                            (2 * F + 2 * C) + (gated ? 2 * U + F + rotated : 0);
    counts e;
    e.calls = L * again * (gated ? 12 : 10) + L * (gated ? 9 : 7) + 10 - L * spared;
    e.operations = (again + 2) * 2 * N * L * weights - 2 * N * L * F * C * spared + (4 * again + 10) * pairs * C * L +
                   6 * R * C * V;
    e.bytes = 4 * (N * L * (again * forward + backward - spared * (F + 2 * C)) + L * weights * (again + 3) -
                   L * F * C * spared + 5 * N * C + 11 * R * C + 4 * C * V + 9 * parameters);
    return e;
}

static void test_step(void **state)
{
    (void)state;
    static const shape shapes[] = {{"gpt2, loss at every position", gpt2, false, false},
                                   {"gpt2, loss at the label", gpt2, true, false},
                                   {"gpt2, blocks run again", gpt2, true, true},
                                   {"llama, loss at every position", llama, false, false},
                                   {"llama, loss at the label", llama, true, false}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        pl_config config;
        const counts got = count_step(&shapes[i], &config), e = expected(&shapes[i], &config);
        print_message("%s: %.0f calls (formula %.0f), %.4g operations (%.4g), %.4g bytes (%.4g)\n", shapes[i].name,
                      got.calls, e.calls, got.operations, e.operations, got.bytes, e.bytes);
        assert_true(fabs(got.calls / e.calls - 1) <= FIVE_PERCENT);
        assert_true(fabs(got.operations / e.operations - 1) <= FIVE_PERCENT);
        assert_true(fabs(got.bytes / e.bytes - 1) <= FIVE_PERCENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
