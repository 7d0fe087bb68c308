/* The gradient of every tensor of tiny models against PyTorch's, through a whole forward and backward pass. */
#include "base/random.h"
#include "train/runs.h"

/* ‖g - reference‖ / ‖reference‖ of a tensor: float32 on both sides; a forgotten branch, scale or transposition gives
 * more than 1e-2. */
static const double TENSOR = 1e-4, NOTHING = 1e-6;

/* Of a tensor; the scale below which a difference is rounding is that of all gradients together. */
static double tensor_off(const subject *s, const golden *g, const char *name, double scale)
{
    size_t n, k;
    float *got, *reference = golden_floats(g, name, &k);
    double off = 0, all = 0;
    OK(pl_trainable_tensor(s->trainable, pl_trainable_views(s->trainable).gradient, name, &got, &n));
    assert_int_equal(n, k);
    double own = 0;
    for (size_t i = 0; i < n; i++) {
        off += ((double)got[i] - (double)reference[i]) * ((double)got[i] - (double)reference[i]);
        all += (double)reference[i] * (double)reference[i];
        own += (double)got[i] * (double)got[i];
    }
    free(got);
    free(reference);
    /* Nothing but rounding, on both sides: the bias of keys that are not turned, which all scores of a query share. */
    if (sqrt(all) < NOTHING && sqrt(own) < NOTHING) return 0;
    return sqrt(off) / fmax(sqrt(all), scale);
}

/* The loss, and the gradient of the mean over all tokens that carry it. */
static double all_gradients(subject *s, const examples *e, bool checkpointing)
{
    size_t members[N_EXAMPLES], loss_tokens = 0;
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        members[i] = i;
        loss_tokens += e->list[i].n - e->list[i].first;
    }
    return add_gradients(s, e->list, members, N_EXAMPLES, 1 / (double)loss_tokens, checkpointing);
}

/* at_border of make_train.py: 16 and 17 tokens run, the last near path and the first far one. */
static void cut_at_border(examples *e)
{
    e->list[6].n = 17;
    e->list[7].n = 18;
    e->list[6].first = e->list[7].first = 1;
}

/* The model with PADDING of make_train.py. */
static void open_padded(subject *s, const char *model)
{
    pl_checkpoint *checkpoint;
    const pl_trainable_options options = {0};
    *s = (subject){0};
    OK(pl_path(s->folder, GOLDEN_FOLDER "/../models/%s", model));
    OK(pl_processor_open(&s->processor, chosen_device(), 1));
    OK(pl_checkpoint_open(&checkpoint, s->folder));
    checkpoint->config.has_padding = true;
    checkpoint->config.padding = 7;
    OK(pl_trainable_create(&s->trainable, &s->processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
}

static void test_tensors(void **state)
{
    (void)state;
    /* Padded: one of the examples' tokens is the model's pad_token_id. */
    static const struct {
        const char *model, *head;
        bool padded;
    } cases[] = {{"gpt2", "lm", false},
                 {"llama-tied", "lm", false},
                 {"llama-grouped", "lm", false},
                 {"llama-bias-linear", "lm", false},
                 {"neox", "lm", false},
                 {"neox-sequential", "lm", false},
                 {"qwen2", "lm", false},
                 {"qwen3", "lm", false},
                 {"mistral", "lm", false},
                 {"smollm3", "lm", false},
                 {"gemma2", "lm", false},
                 {"olmo2", "lm", false},
                 {"opt", "lm", false},
                 {"opt-plain", "lm", false},
                 {"phi", "lm", false},
                 {"phi-tied", "lm", false},
                 {"phi3", "lm", false},
                 {"gemma3", "lm", false},
                 {"granite", "lm", false},
                 {"granite-hybrid", "lm", false},
                 {"gpt-neo", "lm", false},
                 {"gptj", "lm", false},
                 {"gptj-tied", "lm", false},
                 {"stablelm", "lm", false},
                 {"stablelm-parallel", "lm", false},
                 {"starcoder2", "lm", false},
                 {"falcon", "lm", false},
                 {"falcon-new", "lm", false},
                 {"falcon-sequential", "lm", false},
                 {"bloom", "lm", false},
                 {"mpt", "lm", false},
                 {"mpt-even", "lm", false},
                 {"phi-norms", "lm", false},
                 {"stablelm-norms", "lm", false},
                 {"gemma", "lm", false},
                 {"gemma3-untied", "lm", false},
                 {"opt-behind", "lm", false},
                 {"opt-wider", "lm", false},
                 {"phi3-longrope", "lm", false},
                 {"falcon-alibi", "lm", false},
                 {"falcon-alibi-new", "lm", false},
                 {"llama-grouped", "classifier", false},
                 {"llama-tied", "lm", true},
                 {"llama-grouped", "lm", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int checkpointing = 0; checkpointing < 2; checkpointing++) {
            char name[128];
            subject s;
            examples e;
            if (cases[i].padded)
                open_padded(&s, cases[i].model);
            else
                open_subject(&s, cases[i].model, cases[i].head);
            open_examples(&e, s.classifier);
            if (strcmp(cases[i].model, "phi3-longrope") == 0) cut_at_border(&e);
            snprintf(name, sizeof name, "gradient-%s%s-%s", cases[i].model, cases[i].padded ? "-padded" : "",
                     cases[i].head);
            golden g = open_golden(name);
            double loss = all_gradients(&s, &e, checkpointing != 0), worst = 0,
                   expected = (double)golden_number(&g, "loss", 0);
            for (size_t t = 0; t < pl_safetensors_count(g.tensors); t++) {
                const char *tensor = pl_safetensors_at(g.tensors, t)->name;
                if (strcmp(tensor, "loss") == 0) continue;
                double off = tensor_off(&s, &g, tensor, 1e-4);
                if (off > TENSOR) print_message("%s: %s is off by %.1e\n", name, tensor, off);
                worst = fmax(worst, off);
            }
            print_message("%s: loss %.1e, gradients %.1e\n", name, fabs(loss - expected) / expected, worst);
            assert_true(fabs(loss - expected) <= 1e-6 * expected);
            assert_true(worst <= TENSOR);
            close_golden(&g);
            close_examples(&e);
            close_subject(&s);
        }
}

/* ---- What no reference model has: finite differences ---- */

/* A family's table without the second norm. */
static pl_family one_norm(const pl_family *family, pl__tensor_fact *facts)
{
    pl_family f = *family;
    f.n_tensors = 0;
    f.tensors = facts;
    for (size_t i = 0; i < family->n_tensors; i++)
        if (family->tensors[i].slot != PL__NORM_2 && family->tensors[i].slot != PL__NORM_2_BIAS)
            facts[f.n_tensors++] = family->tensors[i];
    return f;
}

typedef struct variant {
    const char *name, *model;
    bool parallel, one_norm, checkpointing;
    double dropout, attention_softcap, logit_softcap, embed_scale;
} variant;

static void open_variant(subject *s, const variant *v, pl_family *family, pl__tensor_fact *facts)
{
    pl_checkpoint *checkpoint;
    *s = (subject){.dropout = v->dropout};
    OK(pl_path(s->folder, GOLDEN_FOLDER "/../models/%s", v->model));
    OK(pl_processor_open(&s->processor, chosen_device(), 1));
    OK(pl_checkpoint_open(&checkpoint, s->folder));
    pl_config *c = &checkpoint->config;
    if (v->one_norm) {
        *family = one_norm(c->family, facts);
        c->family = family;
    }
    c->parallel = v->parallel;
    c->attention_softcap = v->attention_softcap;
    c->logit_softcap = v->logit_softcap;
    if (v->embed_scale != 0) c->embed_scale = v->embed_scale;
    const pl_trainable_options options = {0};
    OK(pl_trainable_create(&s->trainable, &s->processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
}

static void put_buffer(const subject *s, pl_view view, const float *values)
{
    pl_stream *stream;
    OK(s->processor.ops->stream_create(s->processor.device, &stream));
    OK(pl_upload(&s->processor, stream, view, values));
    OK(pl_trainable_refresh(s->trainable, stream));
    OK(s->processor.ops->stream_wait(stream));
    s->processor.ops->stream_free(stream);
}

/* Of one parameter: the slope of the loss along a random direction of length 1 inside it, twice. */
static void check_slope(subject *s, const examples *e, const variant *v, size_t p, const float *w, const float *g)
{
    enum { N = 6 };
    const size_t members[N] = {0, 2, 3, 5, 9, 12}; /* up to 40 tokens: two pages */
    const pl_parameter *parameter = &s->trainable->list[p];
    const size_t first = parameter->master.offset, n = parameter->master.rows * parameter->master.columns;
    const double step = 1e-2;
    double slope = 0, length = 0, gradient = 0, loss[2];
    float *moved = malloc(masters_bytes(s)), *direction = malloc(n * sizeof *direction);
    for (size_t i = 0; i < n; i++) {
        direction[i] = (float)pl_random_normal(7, PL_RANDOM_TEST, (uint32_t)p, i);
        length += (double)direction[i] * (double)direction[i];
    }
    for (size_t i = 0; i < n; i++) {
        direction[i] /= (float)sqrt(length);
        slope += (double)direction[i] * (double)g[first + i];
        gradient += (double)g[first + i] * (double)g[first + i];
    }
    for (int side = 0; side < 2; side++) {
        memcpy(moved, w, masters_bytes(s));
        for (size_t i = 0; i < n; i++) moved[first + i] += (side ? 1.0F : -1.0F) * (float)step * direction[i];
        put_buffer(s, pl_trainable_views(s->trainable).master, moved);
        loss[side] = add_gradients(s, e->list, members, N, 0.1, v->checkpointing);
    }
    const double seen = (loss[1] - loss[0]) / (2 * step);
    /* A loss of about 5 has 24 bits; what is left is the curve within the step. */
    if (fabs(seen - slope) > 3e-3 * sqrt(gradient) + 2e-4)
        fail_msg("%s: parameter %zu: slope %g, by differences %g", v->name, p, slope, seen);
    free(moved);
    free(direction);
}

static void test_differences(void **state)
{
    (void)state;
    enum { N = 6 };
    const size_t members[N] = {0, 2, 3, 5, 9, 12};
    const variant variants[] = {
        {.name = "as it is", .model = "gpt2-bare"},
        {.name = "dropout", .model = "gpt2-bare", .dropout = 0.3},
        {.name = "dropout, run again", .model = "llama-grouped", .dropout = 0.3, .checkpointing = true},
        {.name = "parallel", .model = "llama-grouped", .parallel = true},
        {.name = "parallel, one norm", .model = "llama-grouped", .parallel = true, .one_norm = true},
        {.name = "parallel, one norm, run again, dropout",
         .model = "gpt2-bare",
         .parallel = true,
         .one_norm = true,
         .checkpointing = true,
         .dropout = 0.2},
        {.name = "caps and scale", .model = "llama-tied", .attention_softcap = 2, .logit_softcap = 3, .embed_scale = 2},
    };
    examples e;
    open_examples(&e, false);
    const size_t n_variants = SMALL && on_emulator() ? 1 : sizeof variants / sizeof *variants;
    for (size_t i = 0; i < n_variants; i++) {
        const variant *v = &variants[i];
        subject s;
        pl_family family;
        pl__tensor_fact facts[64];
        open_variant(&s, v, &family, facts);
        float *w = masters(&s);
        add_gradients(&s, e.list, members, N, 0.1, v->checkpointing);
        float *g = buffer_values(&s, pl_trainable_views(s.trainable).gradient);
        for (size_t p = 0; p < s.trainable->n_list; p++) check_slope(&s, &e, v, p, w, g);
        free(w);
        free(g);
        close_subject(&s);
    }
    close_examples(&e);
}

int main(void)
{
    const int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tensors), cmocka_unit_test(test_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
