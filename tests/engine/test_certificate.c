/* Promise 1: log-probabilities and hidden states have the same bits with sharing on and off, in any order, for any size
 * of batch and page pool, on any number of threads; and they are those of a plain forward pass over each whole path.
 * Every comparison is of bytes: a tolerance would hide what is promised. */
#include "engine/questions.h"
#include "engine/same_results.h"
#include "model/outputs.h"

typedef struct setting {
    size_t batch_tokens, kv_tokens;
    bool no_sharing;
    uint64_t seed;
} setting;

static pl_results *score(random_model *m, const questions *q, const pl_capture *capture, const setting *s)
{
    pl_engine *engine;
    pl_results *results;
    pl_engine_options options = {.batch_tokens = s->batch_tokens,
                                 .kv_tokens = s->kv_tokens,
                                 .no_sharing = s->no_sharing,
                                 .shuffle_seed = s->seed};
    OK(pl_engine_create(&engine, m->model, &options));
    OK(pl_engine_score(engine, q->requests, q->n, capture, NULL, &results));
    pl_engine_free(engine);
    return results;
}

/* For messages. */
static const char *name_of(const setting *s, const char *what)
{
    static char text[160];
    snprintf(text, sizeof text, "%s: batch_tokens %zu, kv_tokens %zu, no_sharing %d, seed %zu", what, s->batch_tokens,
             s->kv_tokens, s->no_sharing, (size_t)s->seed);
    return text;
}

static void same_bytes(const void *a, const void *b, size_t n, const char *what, const setting *s)
{
    same_array(a, b, n, what, name_of(s, "engine"));
}

/* A pass over one whole path, without the engine; with a border, as if it were of `whole` tokens. */
static outputs run_plain(random_model *m, const int32_t *ids, size_t n, size_t whole)
{
    const sequence one = {.ids = ids, .n = n, .whole = whole};
    pl_kv *kv = kv_for(m->model, 1);
    outputs o;
    run_model(&o, m->model, kv, &one, 1, 1);
    m->processor.ops->kv_free(kv);
    return o;
}

/* The row of token t of a request: its prompt, then each choice's scored tokens. */
static size_t row_of(const pl_results *results, size_t request, size_t t)
{
    for (uint64_t i = results->all_indptr[request]; i < results->all_indptr[request + 1]; i++) {
        if (t < results->all_ranges[2 * i + 1]) return results->all_ranges[2 * i] + t;
        t -= results->all_ranges[2 * i + 1];
    }
    fail_msg("request %zu has no row for its token", request);
    return 0;
}

static void check_prompt(random_model *m, const pl_request *request, size_t r, const pl_results *results,
                         const pl_capture *capture, const setting *s)
{
    size_t C = results->widths[0], n = request->n;
    outputs p = run_plain(m, request->ids, n, n);
    for (size_t l = 0; l < capture->n_layers; l++) {
        const float *hidden = p.hidden + capture->layers[l] * n * C;
        same_bytes(results->last[l] + r * C, hidden + (n - 1) * C, C * sizeof(float), "last and plain", s);
        for (size_t t = 0; t < n; t++)
            same_bytes(results->all[l] + row_of(results, r, t) * C, hidden + t * C, C * sizeof(float), "all and plain",
                       s);
        size_t first = request->own_first ? request->own_first : 1;
        for (size_t c = 0; c < C; c++) {
            float sum = 0, mean = results->mean[l][r * C + c];
            for (size_t t = first; t < n; t++) sum += hidden[t * C + c];
            sum /= (float)(n > first ? n - first : 0);
            if (n <= first)
                assert_true(mean != mean);
            else
                same_bytes(&mean, &sum, sizeof sum, "mean and plain", s);
        }
    }
    same_bytes(results->logits + r * results->V, p.logits + (n - 1) * results->V, results->V * sizeof(float),
               "logits and plain", s);
    outputs_free(&p);
}

static void check_choice(random_model *m, const pl_request *request, size_t r, size_t c, size_t t,
                         const pl_results *results, const pl_capture *capture, const setting *s)
{
    const pl_choice *choice = &request->choices[c];
    size_t C = results->widths[0], n = choice->n, V = results->V;
    uint64_t token = results->token_indptr[results->choice_indptr[r] + c];
    outputs p = run_plain(m, choice->ids, n, n - 1); /* scored without its last token, whose row here is of no use */
    same_bytes(results->log_probability + token, p.log_probability + choice->first - 1,
               (n - choice->first) * sizeof(float), "log-probabilities and plain", s);
    for (size_t i = choice->first; i < n; i++) {
        const float *logits = p.logits + (i - 1) * V;
        size_t best = 0;
        for (size_t v = 1; v < V; v++)
            if (logits[v] > logits[best]) best = v;
        assert_int_equal(results->greedy[token + i - choice->first], best == (size_t)choice->ids[i]);
    }
    if (pl_model_config(m->model)->border) {
        outputs_free(&p);
        p = run_plain(m, choice->ids, n, n);
    }
    for (size_t l = 0; l < capture->n_layers; l++) {
        const float *hidden = p.hidden + capture->layers[l] * n * C, *label = results->label[l] + r * C;
        if (request->gold == c) same_bytes(label, hidden + (n - 1) * C, C * sizeof(float), "label and plain", s);
        if (request->gold == SIZE_MAX) assert_true(label[0] != label[0] && label[C - 1] != label[C - 1]);
        for (size_t i = choice->first; i < n; i++)
            same_bytes(results->all[l] + row_of(results, r, t + i - choice->first) * C, hidden + i * C,
                       C * sizeof(float), "all of a choice and plain", s);
    }
    outputs_free(&p);
}

enum { VARIANTS = 6 }; /* alone or not, shuffled or not, two small page pools */

/* ---- The certificate ----------------------------------------------------------------------------------------- */

static void certify(const model_shape *shape, pl_dtype compute, size_t n_questions, const size_t *sizes, size_t n_sizes)
{
    char folder[PL_PATH_MAX];
    random_model models[2];
    questions *q = malloc(sizeof *q);
    write_model(folder, shape);
    open_folder_as(&models[0], folder, 1, compute);
    open_folder_as(&models[1], folder, 2, compute);
    remove_folder(folder);
    ask(q, n_questions, shape->positions - 4, shape->V, (uint32_t)shape->C);

    const size_t layers[] = {0, 1, shape->L, shape->L + 1};
    pl_capture capture = {.n_layers = 4,
                          .layers = layers,
                          .positions = PL_POSITION_LAST | PL_POSITION_LABEL | PL_POSITION_MEAN | PL_POSITION_ALL |
                                       PL_POSITION_SUFFIX,
                          .logits_last = true};
    const setting plainly = {.batch_tokens = 256};
    pl_results *first = score(&models[0], q, &capture, &plainly);
    for (size_t r = 0; r < q->n; r++) {
        size_t t = q->requests[r].n;
        check_prompt(&models[0], &q->requests[r], r, first, &capture, &plainly);
        for (size_t c = 0; c < q->requests[r].n_choices; c++) {
            check_choice(&models[0], &q->requests[r], r, c, t, first, &capture, &plainly);
            t += q->choices[r][c].n - q->choices[r][c].first;
        }
    }
    assert_int_equal(first->tokens_computed, first->n_all);
    assert_true(first->tokens_computed < first->tokens_in_requests);

    size_t positions = (shape->positions + PL_PAGE - 1) / PL_PAGE * PL_PAGE;
    for (size_t i = 0; i < n_sizes; i++) {
        if (SMALL && i % 2 == 0 && i + 1 < n_sizes) continue; /* the build for speed has them all */
        for (size_t variant = 0; variant < VARIANTS; variant++) {
            if (sizes[i] < 16 && variant % 3) continue; /* small batches are slow: sharing, and alone and shuffled */
            const setting s = {.batch_tokens = sizes[i],
                               .kv_tokens = variant >= 4 ? positions + PL_PAGE * (variant - 4) : 0,
                               .no_sharing = variant & 1,
                               .seed = variant & 2 ? i + 1 : 0};
            /* Two threads in large steps only: on a busy machine each parallel loop waits for the other core. */
            size_t threads = sizes[i] >= 96 && variant >= 2;
            pl_results *other = score(&models[threads], q, &capture, &s);
            same_all(first, other, first->n_requests, name_of(&s, "engine"));
            if (s.no_sharing)
                assert_int_equal(other->tokens_computed, other->tokens_in_requests);
            else if (!s.kv_tokens)
                assert_int_equal(other->tokens_computed, other->n_all);
            pl_results_free(other);
        }
    }

    /* Without states the last token of a choice does not run; its log-probability stays the same. */
    pl_capture nothing = {0};
    for (int alone = 0; alone < 2; alone++) {
        const setting s = {.batch_tokens = 100, .no_sharing = alone};
        pl_results *scores = score(&models[0], q, &nothing, &s);
        size_t n_tokens = first->token_indptr[first->choice_indptr[q->n]];
        same_bytes(first->log_probability, scores->log_probability, n_tokens * sizeof(float), "scores alone", &s);
        same_bytes(first->greedy, scores->greedy, n_tokens, "greedy alone", &s);
        assert_true(scores->tokens_computed < (alone ? first->tokens_in_requests : first->tokens_computed));
        assert_null(scores->last);
        pl_results_free(scores);
    }

    /* Logits of all tokens hold those of the last. */
    capture.logits_last = false;
    capture.logits_all = true;
    pl_results *every = score(&models[0], q, &capture, &plainly);
    for (size_t r = 0; r < q->n; r++)
        same_bytes(every->logits + row_of(every, r, q->requests[r].n - 1) * shape->V, first->logits + r * shape->V,
                   shape->V * sizeof(float), "logits of all and last", &plainly);
    const setting alone = {.batch_tokens = 330, .no_sharing = true, .seed = 5};
    pl_results *again = score(&models[1], q, &capture, &alone);
    same_all(every, again, every->n_all, name_of(&alone, "engine"));
    pl_results_free(again);
    pl_results_free(every);
    pl_results_free(first);
    close_model(&models[0]);
    close_model(&models[1]);
    free(q);
}

/* Every compute type of the device. The emulator takes one a model, fewer questions and batch sizes. */
static const pl_dtype compute_types[] = {PL_F32, PL_BF16, PL_F16, PL_TF32};

static size_t n_compute_types(void)
{
    return on_cuda() ? sizeof compute_types / sizeof *compute_types : 1;
}

static void certify_types(const model_shape *shape, const size_t *sizes, size_t n_sizes, pl_dtype emulated, size_t few)
{
    if (on_emulator()) {
        certify(shape, emulated, 4, &few, 1);
        return;
    }
    for (size_t i = 0; i < n_compute_types(); i++) certify(shape, compute_types[i], QUESTIONS, sizes, n_sizes);
}

static void small_gpt2(void **state)
{
    (void)state;
    const model_shape shape = {"gpt2", 24, 3, 3, 96, 3, 61, 150, 0};
    const size_t sizes[] = {1, 3, 32, 100, 1024, 8192}, few = 31;
    certify_types(&shape, sizes, sizeof sizes / sizeof *sizes, PL_BF16, few);
}

static void small_llama(void **state)
{
    (void)state;
    const model_shape shape = {"llama", 32, 4, 2, 48, 3, 77, 141, 0};
    const size_t sizes[] = {5, 31, 96, 8192}, few = 100;
    certify_types(&shape, sizes, sizeof sizes / sizeof *sizes, PL_F32, few);
}

/* How many choices have a near prompt and are scored near, have a near one and are scored far, have both far; and how
 * many are far with their last token alone. */
static void count_sides(size_t sides[4], const model_shape *shape)
{
    questions *q = malloc(sizeof *q);
    ask(q, QUESTIONS, shape->positions - 4, shape->V, (uint32_t)shape->C);
    for (size_t r = 0; r < q->n; r++)
        for (size_t c = 0; c < q->requests[r].n_choices; c++) {
            const size_t n = q->choices[r][c].n;
            sides[pl_is_far(shape->border, q->requests[r].n) + pl_is_far(shape->border, n - 1)]++;
            sides[3] += n == shape->border + 1;
        }
    free(q);
}

/* Prompts of 15 to 28 tokens, and of one: paths on both sides of the border. */
static void a_border(void **state)
{
    (void)state;
    const model_shape shape = {"llama", 32, 4, 2, 48, 3, 77, 32, 20};
    size_t sides[4] = {0};
    count_sides(sides, &shape);
    for (size_t i = 0; i < 4; i++) assert_true(sides[i] >= 3);
    const size_t sizes[] = {5, 31, 96, 8192}, few = 100;
    certify_types(&shape, sizes, sizeof sizes / sizeof *sizes, PL_F32, few);
}

static void gpt2_width(void **state)
{
    (void)state;
    const model_shape shape = {"gpt2", 768, 12, 12, 3072, 2, 1000, 110, 0};
    const size_t sizes[] = {1, 19, 8192};
    if (on_emulator()) skip(); /* hours */
    for (size_t i = 0; i < n_compute_types(); i++)
        certify(&shape, compute_types[i], 4, sizes, sizeof sizes / sizeof *sizes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_gpt2),
        cmocka_unit_test(small_llama),
        cmocka_unit_test(a_border),
        cmocka_unit_test(gpt2_width),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
