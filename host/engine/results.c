/* Results: one allocation an array, so that a caller may hand rows on to a file as they are. */
#include "engine/results.h"

#include <stdlib.h>
#include <string.h>

size_t pl__states_width(const pl_capture *capture, const pl_config *config, size_t n)
{
    size_t width = 0;
    for (size_t l = 0; l < n; l++) width += pl_config_state_width(config, capture->layers[l]);
    return width;
}

static pl_status new_states(float ***out, const pl_results *results, const pl_capture *capture, unsigned position,
                            size_t rows)
{
    if (!capture->n_layers || !(capture->positions & position)) return PL_OK;
    PL_TRY(pl_new(out, capture->n_layers));
    for (size_t l = 0; l < capture->n_layers; l++) {
        size_t n;
        PL_TRY(pl_mul_size(&n, rows, results->widths[l], "captured states"));
        PL_TRY(pl_new(&(*out)[l], n));
    }
    return PL_OK;
}

static pl_status copy_indptr(uint64_t **out, const uint64_t *from, size_t n)
{
    PL_TRY(pl_new(out, n + 1));
    memcpy(*out, from, (n + 1) * sizeof **out);
    return PL_OK;
}

static pl_status copy_ranges(pl_results *results, const pl__paths *plan)
{
    results->n_all_ranges = plan->ranges.n;
    PL_TRY(copy_indptr(&results->all_indptr, plan->all_indptr, plan->n));
    PL_TRY(pl_new(&results->all_ranges, 2 * plan->ranges.n));
    for (size_t i = 0; i < plan->ranges.n; i++) {
        results->all_ranges[2 * i] = plan->ranges.data[i].first;
        results->all_ranges[2 * i + 1] = plan->ranges.data[i].n;
    }
    return PL_OK;
}

static pl_status fill(pl_results *results, const pl__paths *plan, const pl_config *config)
{
    PL_TRY(copy_indptr(&results->choice_indptr, plan->choice_indptr, plan->n));
    PL_TRY(copy_indptr(&results->token_indptr, plan->token_indptr, plan->choice_indptr[plan->n]));
    PL_TRY(pl_new(&results->log_probability, plan->n_targets));
    PL_TRY(pl_new(&results->greedy, plan->n_targets));
    const pl_capture *capture = plan->capture;
    if (!capture) return PL_OK;
    results->n_layers = capture->n_layers;
    PL_TRY(pl_new(&results->widths, capture->n_layers));
    for (size_t l = 0; l < capture->n_layers; l++)
        results->widths[l] = pl_config_state_width(config, capture->layers[l]);
    PL_TRY(new_states(&results->last, results, capture, PL_POSITION_LAST, plan->n));
    PL_TRY(new_states(&results->label, results, capture, PL_POSITION_LABEL, plan->n));
    PL_TRY(new_states(&results->mean, results, capture, PL_POSITION_MEAN, plan->n));
    PL_TRY(new_states(&results->suffix, results, capture, PL_POSITION_SUFFIX, plan->n));
    if (!capture->sink) PL_TRY(new_states(&results->all, results, capture, PL_POSITION_ALL, plan->n_all));
    if (capture->positions & PL_POSITION_ALL || capture->logits_all) PL_TRY(copy_ranges(results, plan));
    if (capture->sink || (!capture->logits_last && !capture->logits_all)) return PL_OK;
    size_t n;
    PL_TRY(pl_mul_size(&n, capture->logits_all ? plan->n_all : plan->n, results->V, "logits"));
    return pl_new(&results->logits, n);
}

pl_status pl__results_create(pl_results **out, const pl__paths *plan, const pl_config *config)
{
    *out = NULL;
    pl_results *results;
    PL_TRY(pl_new(&results, 1));
    results->n_requests = plan->n;
    results->V = pl_config_outputs(config);
    results->n_all = plan->n_all;
    results->tokens_in_requests = plan->tokens_in_requests;
    pl_status status = fill(results, plan, config);
    if (status == PL_OK)
        *out = results;
    else
        pl_results_free(results);
    return status;
}

static void free_states(float **states, size_t n_layers)
{
    for (size_t l = 0; states && l < n_layers; l++) free(states[l]);
    free(states);
}

void pl_results_free(pl_results *results)
{
    if (!results) return;
    free_states(results->last, results->n_layers);
    free_states(results->label, results->n_layers);
    free_states(results->mean, results->n_layers);
    free_states(results->suffix, results->n_layers);
    free_states(results->all, results->n_layers);
    free(results->widths);
    free(results->choice_indptr);
    free(results->token_indptr);
    free(results->log_probability);
    free(results->greedy);
    free(results->all_indptr);
    free(results->all_ranges);
    free(results->logits);
    free(results);
}
