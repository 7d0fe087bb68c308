/* What the tests of the store share: a folder of their own, and one unit file that holds a little of everything. */
#ifndef PLUMB_TESTS_STORE_FIXTURE_H
#define PLUMB_TESTS_STORE_FIXTURE_H

#include "tests.h"

#include <errno.h>
#include <math.h>

#include "base/file.h"
#include "base/half.h"
#include "base/temporary.h"
#include "store/unit_file.h"

enum { ROWS = 7, WIDTH = 5, TOKENS = 11, VOCABULARY = 13 };

static inline float sample_value(size_t i)
{
    return (float)i * 0.25f - 3.1f;
}

/* Seven rows; every kind of column, with a missing text, category and real. */
static inline pl_status sample_obs(pl_frame **out)
{
    static const char *const arms[] = {"prompt", "finetune", "prompt"};
    pl_frame *f;
    pl_column *c;
    char text[64];
    PL_TRY(pl_frame_create(&f, ROWS));
    PL_TRY(pl_frame_add(f, &c, "_index", PL_COLUMN_TEXT));
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(text, sizeof text, "row%zu", i);
        PL_TRY(pl_frame_set_text(f, c, i, text));
    }
    PL_TRY(pl_frame_add(f, &c, "text", PL_COLUMN_TEXT));
    for (size_t i = 1; i < ROWS; i++) PL_TRY(pl_frame_set_text(f, c, i, i == 2 ? "" : "Grüße, 世界 🙂"));
    PL_TRY(pl_frame_add(f, &c, "arm", PL_COLUMN_CATEGORY));
    for (size_t i = 0; i < ROWS; i++) PL_TRY(pl_frame_set_text(f, c, i, i == 4 ? NULL : arms[i % 3]));
    PL_TRY(pl_frame_add(f, &c, "k", PL_COLUMN_INTEGER));
    for (size_t i = 0; i < ROWS; i++) c->values.integer[i] = i == 3 ? INT64_MIN : (int64_t)i - 2;
    PL_TRY(pl_frame_add(f, &c, "score", PL_COLUMN_REAL));
    for (size_t i = 0; i < ROWS; i++) c->values.real[i] = i == 5 ? NAN : (double)i / 3.0;
    PL_TRY(pl_frame_add(f, &c, "correct", PL_COLUMN_BOOL));
    for (size_t i = 0; i < ROWS; i++) c->values.boolean[i] = i % 2;
    *out = f;
    return PL_OK;
}

static uint64_t sample_choice_indptr[ROWS + 1] = {0, 2, 4, 4, 6, 8, 10, 12};
static uint64_t sample_token_indptr[13] = {0, 1, 3, 4, 5, 6, 8, 8, 9, 10, 11, 12, 14};
static int32_t sample_token_ids[14] = {5, -1, 7, 8, 2147483647, 1, 2, 3, 4, 5, 6, 7, 8, 9};
static float sample_logprobs[14] = {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -INFINITY, -0.5f};
static uint8_t sample_greedy[14] = {1, 0, 1};
static uint32_t sample_choice_bytes[12] = {3, 4, 5}, sample_choice_characters[12] = {1, 2, 3};
static double sample_score[12] = {-1, -5, -4, -5, -6, -15, 0, -9, -10, -11, -12, -INFINITY};
static const pl_loglik sample_loglik = {ROWS,
                                        12,
                                        14,
                                        sample_choice_indptr,
                                        sample_token_indptr,
                                        sample_token_ids,
                                        sample_logprobs,
                                        sample_greedy,
                                        sample_choice_bytes,
                                        sample_choice_characters,
                                        sample_score};

static const char *sample_label_texts[2] = {" negative", " positive"};
static uint64_t sample_label_indptr[3] = {0, 1, 3};
static int32_t sample_label_ids[3] = {10, 20, 30};
static uint64_t sample_ranges_indptr[ROWS + 1] = {0, 1, 2, 3, 4, 5, 6, 8};
static uint64_t sample_ranges[16] = {0, 2, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1, 0, 2, 9, 2};
static uint64_t sample_tokens_indptr[ROWS + 1] = {0, 2, 3, 4, 5, 6, 8, 11};
static const char *const sample_samples[ROWS] = {"{}", "{\"doc\":1}", "[]", "{}", "\"\\u0000\"", "{}", "null"};

static const char sample_id[] = "00112233445566778899aabbccddeeff";
static inline json_t *sample_attributes(void)
{
    return json_pack("{s:s,s:s,s:s,s:I,s:f}", "unit_id", sample_id, "weights_digest", "0123abcd", "compute_type",
                     "float32", "numerics_version", (json_int_t)3, "temperature", 0.1);
}

static inline pl_status put_sample(pl_unit_writer *w)
{
    float values[TOKENS * VOCABULARY];
    int32_t ids[TOKENS];
    for (size_t i = 0; i < TOKENS * VOCABULARY; i++) values[i] = sample_value(i);
    for (size_t i = 0; i < TOKENS; i++) ids[i] = (int32_t)i * 3;
    float large[ROWS * WIDTH] = {1.0f, 70000.0f, -INFINITY, NAN, 1e-8f, 65504.0f, 65519.0f, 65520.0f};
    const pl_labels labels = {2, WIDTH, sample_label_texts, sample_label_indptr, sample_label_ids, values};
    pl_frame *obs;
    PL_TRY(sample_obs(&obs));
    json_t *attributes = sample_attributes();
    pl_status status = pl_unit_put_obs(w, obs);
    PL_KEEP(status, pl_unit_put_states(w, "last.05", values, ROWS, WIDTH, PL_F32, NULL));
    PL_KEEP(status, pl_unit_put_states(w, "last.final_norm", large, ROWS, WIDTH, PL_F16, NULL));
    PL_KEEP(status, pl_unit_put_states(w, "mean.00", values, ROWS, WIDTH, PL_BF16, NULL));
    PL_KEEP(status, pl_unit_put_loglik(w, &sample_loglik));
    PL_KEEP(status, pl_unit_put_labels(w, &labels));
    PL_KEEP(status, pl_unit_put_ranges(w, sample_ranges_indptr, ROWS, sample_ranges, 8));
    pl_slab *all, *logits;
    uint16_t halves[TOKENS * WIDTH];
    pl_f16_from_f32(halves, values, TOKENS * WIDTH);
    PL_KEEP(status, pl_unit_reserve_states_all(w, "05", TOKENS, WIDTH, PL_F16, &all));
    PL_KEEP(status, pl_slab_write(all, 0, TOKENS, halves));
    PL_KEEP(status, pl_unit_put_tokens(w, sample_tokens_indptr, ROWS, ids));
    PL_KEEP(status, pl_unit_reserve_logits(w, TOKENS, VOCABULARY, &logits));
    PL_KEEP(status, pl_slab_write(logits, 0, TOKENS, values));
    PL_KEEP(status, pl_unit_put_samples(w, sample_samples, ROWS));
    PL_KEEP(status, pl_unit_put_config(w, "{\"arm\":\"prompt\",\"k\":2}", attributes));
    json_decref(attributes);
    pl_frame_free(obs);
    return status;
}

static inline pl_status write_sample(const char *path)
{
    pl_unit_writer *w;
    PL_TRY(pl_unit_create(&w, path));
    pl_status status = put_sample(w);
    if (status == PL_OK) return pl_unit_finish(w);
    pl_unit_discard(w);
    return status;
}

/* All columns of /obs. */
static inline pl_status get_obs(const pl_unit_reader *r, pl_frame **out)
{
    pl_arena *arena;
    const char **names;
    size_t n;
    *out = NULL;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = pl_unit_list_obs(r, arena, &names, &n);
    if (status == PL_OK) status = pl_unit_get_obs(r, names, n, out);
    pl_arena_free(arena);
    return status;
}

#endif
