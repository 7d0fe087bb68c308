/* Building of a plan: check, insert paths, note wants, group them by node. */
#include "engine/paths.h"

#include <stdlib.h>
#include <string.h>

pl_status pl__request_check_ids(const int32_t *ids, size_t n, size_t V, size_t request, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= V)
            return pl_fail(PL_E_INPUT, "request %zu, %s, position %zu: token id %d is outside the vocabulary 0..%zu",
                           request, what, i, ids[i], V - 1);
    return PL_OK;
}

pl_status pl__request_check_length(size_t n, size_t max_positions, size_t request, const char *what)
{
    if ((max_positions && n > max_positions) || n > INT32_MAX)
        return pl_fail(PL_E_INPUT, "request %zu, %s: %zu tokens are longer than the model's %zu positions; shorten it",
                       request, what, n, max_positions ? max_positions : (size_t)INT32_MAX);
    return PL_OK;
}

static bool keeps_all(const pl_capture *capture)
{
    return capture && (capture->positions & PL_POSITION_ALL || capture->logits_all);
}

static bool keeps(const pl_capture *capture, unsigned position)
{
    return capture && capture->n_layers && capture->positions & position;
}

size_t pl_choice_positions(const pl_request *request, size_t choice, const pl_capture *capture)
{
    bool whole = keeps_all(capture) || (request->gold == choice && keeps(capture, PL_POSITION_LABEL));
    return request->choices[choice].n - (whole ? 0 : 1);
}

size_t pl_suffix_positions(const pl_request *request, const pl_capture *capture)
{
    return keeps(capture, PL_POSITION_SUFFIX) ? request->n_suffixed : 0;
}

static bool wants_all(const pl__paths *plan)
{
    return keeps_all(plan->capture);
}

static bool captures(const pl__paths *plan, unsigned position)
{
    return keeps(plan->capture, position);
}

/* Is the prompt itself needed, beside the choices? */
static bool wants_prompt(const pl__paths *plan, const pl_request *request)
{
    return request->n_choices == 0 || wants_all(plan) || captures(plan, PL_POSITION_LAST) ||
           captures(plan, PL_POSITION_MEAN) || (plan->capture && plan->capture->logits_last);
}

/* Tokens of a choice that run. */
static size_t run_length(const pl__paths *plan, const pl_request *request, size_t choice)
{
    return pl_choice_positions(request, choice, plan->capture);
}

size_t pl__mean_first(const pl_request *request)
{
    return request->own_first ? request->own_first : 1;
}

/* Of a sequence classifier the labels alone have logits. */
static pl_status check_scored(const pl_choice *choice, size_t r, size_t c, const pl_config *config)
{
    size_t n = pl_config_outputs(config);
    for (size_t i = choice->first; i < choice->n; i++)
        if ((size_t)choice->ids[i] >= n)
            return pl_fail(PL_E_INPUT,
                           "request %zu, choice %zu: token id %d is scored, but the model is a sequence classifier of "
                           "%zu labels: it scores no words",
                           r, c, choice->ids[i], n);
    return PL_OK;
}

static pl_status check_request(const pl__paths *plan, size_t r, const pl_config *config)
{
    const pl_request *request = &plan->requests[r];
    const size_t V = config->V, max_positions = config->max_positions;
    if (wants_prompt(plan, request)) {
        if (request->n == 0) return pl_fail(PL_E_INPUT, "request %zu: the prompt has no token to run", r);
        PL_TRY(pl__request_check_length(request->n, max_positions, r, "prompt"));
    }
    PL_TRY(pl__request_check_ids(request->ids, request->n, V, r, "prompt"));
    if (request->gold != SIZE_MAX && request->gold >= request->n_choices)
        return pl_fail(PL_E_INPUT, "request %zu: gold choice %zu, but there are %zu choices", r, request->gold,
                       request->n_choices);
    size_t n_suffixed = pl_suffix_positions(request, plan->capture);
    if (n_suffixed && n_suffixed <= request->n)
        return pl_fail(PL_E_INPUT, "request %zu: its suffix has no token behind the prompt's %zu", r, request->n);
    PL_TRY(pl__request_check_length(n_suffixed, max_positions, r, "prompt and suffix"));
    PL_TRY(pl__request_check_ids(request->suffixed, n_suffixed, V, r, "suffix"));
    for (size_t c = 0; c < request->n_choices; c++) {
        const pl_choice *choice = &request->choices[c];
        if (choice->first < 1 || choice->first >= choice->n)
            return pl_fail(PL_E_INPUT,
                           "request %zu, choice %zu: tokens %zu..%zu of its path cannot be scored; at least one token "
                           "stands before them, and one is scored",
                           r, c, choice->first, choice->n);
        PL_TRY(pl__request_check_length(run_length(plan, request, c), max_positions, r, "prompt and choice"));
        PL_TRY(pl__request_check_ids(choice->ids, choice->n, V, r, "choice"));
        PL_TRY(check_scored(choice, r, c, config));
    }
    return PL_OK;
}

/* The first choice whose path begins with the prompt: run by itself, it serves for the prompt too. */
static size_t carrier_of(const pl_request *request)
{
    for (size_t c = 0; c < request->n_choices; c++)
        if (request->choices[c].n >= request->n &&
            memcmp(request->choices[c].ids, request->ids, request->n * sizeof *request->ids) == 0)
            return c;
    return SIZE_MAX;
}

/* Inserts a request's paths, shared. */
static pl_status insert_shared(const pl__paths *plan, pl__tree *tree, const pl_request *request, uint32_t *prompt_end,
                               uint32_t *suffix_end, uint32_t *choice_end)
{
    size_t n_suffixed = pl_suffix_positions(request, plan->capture);
    *prompt_end = *suffix_end = PL__NONE;
    if (wants_prompt(plan, request)) PL_TRY(pl__tree_insert(tree, request->ids, request->n, false, prompt_end));
    for (size_t c = 0; c < request->n_choices; c++)
        PL_TRY(pl__tree_insert(tree, request->choices[c].ids, run_length(plan, request, c), false, &choice_end[c]));
    return n_suffixed ? pl__tree_insert(tree, request->suffixed, n_suffixed, false, suffix_end) : PL_OK;
}

static pl_status insert_request(pl__paths *plan, size_t r)
{
    const pl_request *request = &plan->requests[r];
    uint32_t *prompt_end = &plan->prompt_end[r], *choice_end = plan->choice_end + plan->choice_indptr[r],
             *suffix_end = &plan->suffix_end[r];
    size_t n_suffixed = pl_suffix_positions(request, plan->capture);
    size_t carrier = wants_prompt(plan, request) ? carrier_of(request) : 0;
    if (!plan->alone) PL_TRY(insert_shared(plan, &plan->tree, request, prompt_end, suffix_end, choice_end));
    for (size_t c = 0; c < request->n_choices; c++) {
        size_t n = run_length(plan, request, c);
        if (c == carrier && wants_prompt(plan, request) && n < request->n) n = request->n;
        plan->tokens_in_requests += n;
        if (plan->alone) PL_TRY(pl__tree_insert(&plan->tree, request->choices[c].ids, n, true, &choice_end[c]));
    }
    bool apart = wants_prompt(plan, request) && carrier == SIZE_MAX;
    if (apart) plan->tokens_in_requests += request->n;
    plan->tokens_in_requests += n_suffixed;
    if (!plan->alone) return PL_OK;
    *prompt_end = *suffix_end = PL__NONE;
    if (n_suffixed) PL_TRY(pl__tree_insert(&plan->tree, request->suffixed, n_suffixed, true, suffix_end));
    if (apart)
        PL_TRY(pl__tree_insert(&plan->tree, request->ids, request->n, true, prompt_end));
    else if (wants_prompt(plan, request))
        *prompt_end = choice_end[carrier];
    uint32_t *ends = plan->shared_end + 2 * r + plan->choice_indptr[r];
    return wants_all(plan) ? insert_shared(plan, &plan->shared, request, ends, ends + 1, ends + 2) : PL_OK;
}

pl_status pl__points_add(pl__points *points, pl__point point)
{
    PL_TRY(pl_grow(&points->data, &points->capacity, points->n + 1));
    point.order = (uint32_t)points->n;
    points->data[points->n++] = point;
    return PL_OK;
}

void pl__points_free(pl__points *points)
{
    free(points->data);
    free(points->indptr);
    *points = (pl__points){0};
}

static pl_status add_range(pl__token_ranges *ranges, uint32_t node, size_t first, size_t end, size_t slot)
{
    PL_TRY(pl_grow(&ranges->data, &ranges->capacity, ranges->n + 1));
    ranges->data[ranges->n++] = (pl__token_range){node, (uint32_t)first, (uint32_t)(end - first), (uint32_t)slot};
    return PL_OK;
}

static void free_ranges(pl__token_ranges *ranges)
{
    free(ranges->data);
    free(ranges->indptr);
    *ranges = (pl__token_ranges){0};
}

/* Sorts elements that begin with a node number by it, keeping their order within a node. */
static pl_status group(void **data, size_t *capacity, size_t n, size_t bytes, size_t n_nodes, size_t **indptr)
{
    char *sorted;
    PL_TRY(pl_new(indptr, n_nodes + 2));
    PL_TRY(pl_new_bytes((void **)&sorted, n, bytes));
    size_t *start = *indptr + 1; /* start[i] becomes the end of node i while it is filled */
    uint32_t node;
    for (size_t i = 0; i < n; i++) {
        memcpy(&node, (const char *)*data + i * bytes, sizeof node);
        start[node + 1]++;
    }
    for (size_t i = 0; i < n_nodes; i++) start[i + 1] += start[i];
    for (size_t i = 0; i < n; i++) {
        memcpy(&node, (const char *)*data + i * bytes, sizeof node);
        memcpy(sorted + start[node]++ * bytes, (const char *)*data + i * bytes, bytes);
    }
    free(*data);
    *data = sorted;
    *capacity = n;
    return PL_OK;
}

static int by_position(const void *a, const void *b)
{
    const pl__point *x = a, *y = b;
    if (x->position != y->position) return x->position < y->position ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

pl_status pl__points_group(pl__points *points, size_t n_nodes)
{
    PL_TRY(group((void **)&points->data, &points->capacity, points->n, sizeof *points->data, n_nodes, &points->indptr));
    for (size_t i = 0; i < n_nodes; i++)
        qsort(points->data + points->indptr[i], points->indptr[i + 1] - points->indptr[i], sizeof *points->data,
              by_position);
    return PL_OK;
}

static pl_status group_ranges(pl__token_ranges *ranges, size_t n_nodes)
{
    return group((void **)&ranges->data, &ranges->capacity, ranges->n, sizeof *ranges->data, n_nodes, &ranges->indptr);
}

static pl_status want_state(pl__paths *plan, uint32_t end, size_t position, pl__want want, size_t slot)
{
    return pl__points_add(&plan->points, (pl__point){.node = pl__tree_at(&plan->tree, end, position),
                                                     .position = (uint32_t)position,
                                                     .want = want,
                                                     .slot = (uint32_t)slot});
}

static pl_status want_mean(pl__paths *plan, size_t r)
{
    size_t from = pl__mean_first(&plan->requests[r]), end = plan->requests[r].n;
    uint32_t at = plan->prompt_end[r];
    while (end > from) {
        at = pl__tree_at(&plan->tree, at, end - 1);
        size_t first = plan->tree.nodes[at].first > from ? plan->tree.nodes[at].first : from;
        PL_TRY(add_range(&plan->means, at, first, end, r));
        end = first;
    }
    return PL_OK;
}

static pl_status want_request(pl__paths *plan, size_t r)
{
    const pl_request *request = &plan->requests[r];
    uint64_t choice = plan->choice_indptr[r];
    for (size_t c = 0; c < request->n_choices; c++, choice++) {
        uint32_t at = plan->choice_end[choice];
        const pl_choice *path = &request->choices[c];
        for (size_t i = path->n - 1; i >= path->first; i--) { /* from the end, so that `at` only walks up */
            at = pl__tree_at(&plan->tree, at, i - 1);
            PL_TRY(pl__points_add(&plan->points,
                                  (pl__point){.node = at,
                                              .position = (uint32_t)(i - 1),
                                              .want = PL__WANT_TARGET,
                                              .token = path->ids[i],
                                              .slot = (uint32_t)(plan->token_indptr[choice] + i - path->first)}));
        }
    }
    uint32_t end = plan->prompt_end[r];
    if (captures(plan, PL_POSITION_LAST)) PL_TRY(want_state(plan, end, request->n - 1, PL__WANT_LAST, r));
    if (plan->capture && plan->capture->logits_last) PL_TRY(want_state(plan, end, request->n - 1, PL__WANT_HEAD, r));
    if (captures(plan, PL_POSITION_MEAN)) PL_TRY(want_mean(plan, r));
    if (plan->suffix_end[r] != PL__NONE)
        PL_TRY(want_state(plan, plan->suffix_end[r], request->n_suffixed - 1, PL__WANT_SUFFIX, r));
    if (captures(plan, PL_POSITION_LABEL) && request->gold != SIZE_MAX)
        PL_TRY(want_state(plan, plan->choice_end[plan->choice_indptr[r] + request->gold],
                          request->choices[request->gold].n - 1, PL__WANT_LABEL, r));
    return PL_OK;
}

/* Rows first..end - 1 of a path in the `all` matrices, in token order; ranges that touch become one. */
static pl_status add_ranges(pl__paths *plan, const pl__tree *tree, const size_t *all_first, uint32_t at, size_t first,
                            size_t end, size_t floor)
{
    size_t begin = plan->ranges.n;
    while (end > first) {
        at = pl__tree_at(tree, at, end - 1);
        const pl__node *node = &tree->nodes[at];
        size_t from = node->first > first ? node->first : first, row = all_first[at] + from - node->first;
        PL_TRY(add_range(&plan->ranges, 0, row, row + (end - from), 0));
        end = from;
    }
    pl__token_range *data = plan->ranges.data;
    for (size_t i = begin, j = plan->ranges.n; i + 1 < j; i++) {
        pl__token_range swap = data[--j];
        data[j] = data[i];
        data[i] = swap;
    }
    size_t kept = begin;
    for (size_t i = begin; i < plan->ranges.n; i++) {
        if (kept > floor && data[kept - 1].first + data[kept - 1].n == data[i].first)
            data[kept - 1].n += data[i].n;
        else
            data[kept++] = data[i];
    }
    plan->ranges.n = kept;
    return PL_OK;
}

/* Where the distinct tokens of a path that runs alone go: the first path that reaches a node fills its rows. That path
 * made the node, so it covers it whole. */
static pl_status claim(pl__paths *plan, const size_t *all_first, bool *claimed, uint32_t at, uint32_t runs)
{
    for (; at != PL__ROOT && !claimed[at]; at = plan->shared.nodes[at].parent) {
        const pl__node *node = &plan->shared.nodes[at];
        PL_TRY(add_range(&plan->all, runs, node->first, pl__node_end(node), all_first[at]));
        claimed[at] = true;
    }
    return PL_OK;
}

static pl_status lay_out_requests(pl__paths *plan, const pl__tree *tree, const size_t *all_first, bool *claimed)
{
    for (size_t r = 0; r < plan->n; r++) {
        const pl_request *request = &plan->requests[r];
        uint64_t first_choice = plan->choice_indptr[r];
        const uint32_t *ends = plan->alone ? plan->shared_end + 2 * r + first_choice : NULL;
        size_t floor = plan->ranges.n;
        uint32_t end = ends ? ends[0] : plan->prompt_end[r];
        PL_TRY(add_ranges(plan, tree, all_first, end, 0, request->n, floor));
        if (ends) PL_TRY(claim(plan, all_first, claimed, end, plan->prompt_end[r]));
        for (size_t c = 0; c < request->n_choices; c++) {
            const pl_choice *choice = &request->choices[c];
            end = ends ? ends[2 + c] : plan->choice_end[first_choice + c];
            PL_TRY(add_ranges(plan, tree, all_first, end, choice->first, choice->n, floor));
            if (ends) PL_TRY(claim(plan, all_first, claimed, end, plan->choice_end[first_choice + c]));
        }
        end = ends ? ends[1] : plan->suffix_end[r];
        if (end != PL__NONE) {
            PL_TRY(add_ranges(plan, tree, all_first, end, request->n, request->n_suffixed, floor));
            if (ends) PL_TRY(claim(plan, all_first, claimed, end, plan->suffix_end[r]));
        }
        plan->all_indptr[r + 1] = plan->ranges.n;
    }
    return PL_OK;
}

/* Numbers the rows of `all` in pre-order of the shared tree and notes where each running token's row goes. */
static pl_status lay_out(pl__paths *plan)
{
    const pl__tree *tree = plan->alone ? &plan->shared : &plan->tree;
    size_t *all_first = NULL;
    bool *claimed = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&all_first, tree->n_nodes));
    PL_GOTO(status, done, pl_new(&claimed, tree->n_nodes));
    for (uint32_t at = PL__ROOT; at != PL__NONE; at = pl__tree_next(tree, at)) {
        const pl__node *node = &tree->nodes[at];
        all_first[at] = plan->n_all;
        plan->n_all += node->n_tokens;
        if (plan->n_all > INT32_MAX) {
            status = pl_fail(PL_E_INPUT, "states of all tokens: %zu rows, at most %d", plan->n_all, INT32_MAX);
            goto done;
        }
        if (plan->alone || !node->n_tokens) continue;
        PL_GOTO(status, done, add_range(&plan->all, at, node->first, pl__node_end(node), all_first[at]));
    }
    PL_GOTO(status, done, lay_out_requests(plan, tree, all_first, claimed));
    for (size_t i = 0; plan->capture->logits_all && i < plan->all.n; i++)
        for (size_t k = 0; k < plan->all.data[i].n; k++)
            PL_GOTO(status, done,
                    want_state(plan, plan->all.data[i].node, plan->all.data[i].first + k, PL__WANT_HEAD,
                               plan->all.data[i].slot + k));
done:
    free(all_first);
    free(claimed);
    return status;
}

/* The CSR of choices and scored tokens. */
static pl_status count(pl__paths *plan)
{
    size_t n_choices = 0;
    for (size_t r = 0; r < plan->n; r++) n_choices += plan->requests[r].n_choices;
    PL_TRY(pl_new(&plan->choice_indptr, plan->n + 1));
    PL_TRY(pl_new(&plan->token_indptr, n_choices + 1));
    PL_TRY(pl_new(&plan->all_indptr, plan->n + 1));
    PL_TRY(pl_new(&plan->prompt_end, plan->n));
    PL_TRY(pl_new(&plan->choice_end, n_choices));
    PL_TRY(pl_new(&plan->suffix_end, plan->n));
    if (plan->alone) PL_TRY(pl_new(&plan->shared_end, 2 * plan->n + n_choices));
    size_t choice = 0;
    for (size_t r = 0; r < plan->n; r++) {
        for (size_t c = 0; c < plan->requests[r].n_choices; c++, choice++) {
            const pl_choice *path = &plan->requests[r].choices[c];
            plan->token_indptr[choice + 1] = plan->token_indptr[choice] + (path->n - path->first);
        }
        plan->choice_indptr[r + 1] = choice;
    }
    plan->n_targets = plan->token_indptr[n_choices];
    if (plan->n > INT32_MAX || plan->n_targets > INT32_MAX)
        return pl_fail(PL_E_INPUT, "%zu requests with %zu scored tokens in one call: at most %d", plan->n,
                       plan->n_targets, INT32_MAX);
    return PL_OK;
}

pl_status pl__paths_open(pl__paths *plan, const pl_request *requests, size_t n, const pl_capture *capture,
                         const pl_config *config, bool alone)
{
    *plan = (pl__paths){.requests = requests, .n = n, .capture = capture, .alone = alone};
    pl_status status = PL_OK;
    for (size_t r = 0; r < n; r++) PL_GOTO(status, fail, check_request(plan, r, config));
    PL_GOTO(status, fail, count(plan));
    PL_GOTO(status, fail, pl__tree_open(&plan->tree));
    PL_GOTO(status, fail, pl__tree_open(&plan->shared));
    for (size_t r = 0; r < n; r++) PL_GOTO(status, fail, insert_request(plan, r));
    for (size_t r = 0; r < n; r++) PL_GOTO(status, fail, want_request(plan, r));
    if (wants_all(plan)) PL_GOTO(status, fail, lay_out(plan));
    PL_GOTO(status, fail, pl__points_group(&plan->points, plan->tree.n_nodes));
    PL_GOTO(status, fail, group_ranges(&plan->means, plan->tree.n_nodes));
    PL_GOTO(status, fail, group_ranges(&plan->all, plan->tree.n_nodes));
    return PL_OK;
fail:
    pl__paths_close(plan);
    return status;
}

void pl__paths_close(pl__paths *plan)
{
    pl__tree_close(&plan->tree);
    pl__tree_close(&plan->shared);
    free(plan->prompt_end);
    free(plan->choice_end);
    free(plan->suffix_end);
    free(plan->choice_indptr);
    free(plan->token_indptr);
    free(plan->shared_end);
    free(plan->all_indptr);
    pl__points_free(&plan->points);
    free_ranges(&plan->means);
    free_ranges(&plan->all);
    free_ranges(&plan->ranges);
    *plan = (pl__paths){0};
}
