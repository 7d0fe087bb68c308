/* Results compared byte for byte: a tolerance would hide what is promised. */
#ifndef PLUMB_TESTS_ENGINE_SAME_RESULTS_H
#define PLUMB_TESTS_ENGINE_SAME_RESULTS_H

#include "engine/engine.h"
#include "engine/random_model.h"

static inline void same_array(const void *a, const void *b, size_t bytes, const char *what, const char *which)
{
    if (!a != !b || (a && memcmp(a, b, bytes))) fail_msg("%s: %s differ", which, what);
}

static inline void same_layers(float **a, float **b, size_t n_layers, size_t bytes, const char *what, const char *which)
{
    if (!a != !b) fail_msg("%s: %s are there in one only", which, what);
    for (size_t l = 0; a && l < n_layers; l++) same_array(a[l], b[l], bytes, what, which);
}

/* All that two calls gave for the same requests and capture; logit_rows 0: no logits. */
static inline void same_all(const pl_results *a, const pl_results *b, size_t logit_rows, const char *which)
{
    size_t n = a->n_requests, n_choices = a->choice_indptr[n], n_tokens = a->token_indptr[n_choices];
    size_t row = a->n_layers ? a->widths[0] * sizeof(float) : 0, word = sizeof(uint64_t);
    if (a->n_all != b->n_all || a->n_all_ranges != b->n_all_ranges || a->tokens_in_requests != b->tokens_in_requests)
        fail_msg("%s: other numbers of rows or tokens", which);
    same_array(a->choice_indptr, b->choice_indptr, (n + 1) * word, "choice_indptr", which);
    same_array(a->token_indptr, b->token_indptr, (n_choices + 1) * word, "token_indptr", which);
    same_array(a->log_probability, b->log_probability, n_tokens * sizeof(float), "log-probabilities", which);
    same_array(a->greedy, b->greedy, n_tokens, "greedy", which);
    same_layers(a->last, b->last, a->n_layers, n * row, "last", which);
    same_layers(a->label, b->label, a->n_layers, n * row, "label", which);
    same_layers(a->mean, b->mean, a->n_layers, n * row, "mean", which);
    same_layers(a->suffix, b->suffix, a->n_layers, n * row, "suffix", which);
    same_layers(a->all, b->all, a->n_layers, a->n_all * row, "all", which);
    same_array(a->all_indptr, b->all_indptr, (n + 1) * word, "all_indptr", which);
    same_array(a->all_ranges, b->all_ranges, 2 * a->n_all_ranges * word, "all_ranges", which);
    same_array(a->logits, b->logits, logit_rows * a->V * sizeof(float), "logits", which);
}

#endif
