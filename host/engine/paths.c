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

static bool is_far(const pl__paths *plan, size_t n)
{
    return pl_is_far(plan->config->border, n);
}

/* Tokens of a choice that run. */
static size_t run_length(const pl__paths *plan, const pl_request *request, size_t choice)
{
    return pl_choice_positions(request, choice, plan->capture);
}

/* Tokens of the path that it is scored on: all of those, but where the last one, which runs for its state alone, makes
 * the path far. */
static size_t scored_length(const pl__paths *plan, const pl_request *request, size_t choice)
{
    const size_t run = run_length(plan, request, choice), before = request->choices[choice].n - 1;
    return is_far(plan, run) == is_far(plan, before) ? run : before;
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

static pl_status check_request(const pl__paths *plan, size_t r)
{
    const pl_config *config = plan->config;
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
static size_t carrier_of(const pl__paths *plan, const pl_request *request)
{
    for (size_t c = 0; c < request->n_choices; c++)
        if (request->choices[c].n >= request->n &&
            is_far(plan, scored_length(plan, request, c)) == is_far(plan, request->n) &&
            memcmp(request->choices[c].ids, request->ids, request->n * sizeof *request->ids) == 0)
            return c;
    return SIZE_MAX;
}

static pl_status insert(const pl__paths *plan, pl__tree *tree, const int32_t *ids, size_t n, bool alone, uint32_t *end)
{
    return pl__tree_insert(tree, ids, n, (pl__sharing){.alone = alone, .far = is_far(plan, n)}, end);
}

/* Where the paths of a request end in a tree. */
typedef struct ends {
    uint32_t *prompt, *suffix, *choices, *states;
} ends;

static ends ends_of(const pl__paths *plan, size_t r)
{
    const uint64_t first = plan->choice_indptr[r];
    return (ends){plan->prompt_end + r, plan->suffix_end + r, plan->choice_end + first, plan->state_end + first};
}

/* Those in the tree that gives `all` its rows; .prompt NULL: it is the one that runs. */
static ends shared_ends_of(const pl__paths *plan, size_t r)
{
    if (!plan->alone) return (ends){0};
    uint32_t *at = plan->shared_end + 2 * (r + plan->choice_indptr[r]);
    return (ends){at, at + 1, at + 2, at + 2 + plan->requests[r].n_choices};
}

/* Inserts a request's paths, shared. */
static pl_status insert_shared(const pl__paths *plan, pl__tree *tree, const pl_request *request, ends end)
{
    size_t n_suffixed = pl_suffix_positions(request, plan->capture);
    *end.prompt = *end.suffix = PL__NONE;
    if (wants_prompt(plan, request)) PL_TRY(insert(plan, tree, request->ids, request->n, false, end.prompt));
    for (size_t c = 0; c < request->n_choices; c++) {
        const size_t scored = scored_length(plan, request, c), run = run_length(plan, request, c);
        PL_TRY(insert(plan, tree, request->choices[c].ids, scored, false, &end.choices[c]));
        end.states[c] = end.choices[c];
        if (run > scored) PL_TRY(insert(plan, tree, request->choices[c].ids, run, false, &end.states[c]));
    }
    return n_suffixed ? insert(plan, tree, request->suffixed, n_suffixed, false, end.suffix) : PL_OK;
}

/* Inserts each by itself, but for the prompt, which its carrier serves for. */
static pl_status insert_alone(pl__paths *plan, const pl_request *request, size_t carrier, ends end)
{
    size_t n_suffixed = pl_suffix_positions(request, plan->capture);
    *end.prompt = *end.suffix = PL__NONE;
    for (size_t c = 0; c < request->n_choices; c++) {
        const int32_t *ids = request->choices[c].ids;
        const size_t scored = scored_length(plan, request, c), run = run_length(plan, request, c);
        const size_t n = c == carrier && scored < request->n ? request->n : scored;
        PL_TRY(insert(plan, &plan->tree, ids, n, true, &end.choices[c]));
        end.states[c] = end.choices[c];
        if (run > scored) PL_TRY(insert(plan, &plan->tree, ids, run, true, &end.states[c]));
    }
    if (n_suffixed) PL_TRY(insert(plan, &plan->tree, request->suffixed, n_suffixed, true, end.suffix));
    if (!wants_prompt(plan, request)) return PL_OK;
    if (carrier == SIZE_MAX) return insert(plan, &plan->tree, request->ids, request->n, true, end.prompt);
    *end.prompt = end.choices[carrier];
    return PL_OK;
}

static pl_status insert_request(pl__paths *plan, size_t r)
{
    const pl_request *request = &plan->requests[r];
    const bool prompt = wants_prompt(plan, request);
    const size_t carrier = prompt ? carrier_of(plan, request) : SIZE_MAX;
    for (size_t c = 0; c < request->n_choices; c++) {
        const size_t scored = scored_length(plan, request, c), run = run_length(plan, request, c);
        plan->tokens_in_requests += c == carrier && scored < request->n ? request->n : scored;
        if (run > scored) plan->tokens_in_requests += run;
    }
    if (prompt && carrier == SIZE_MAX) plan->tokens_in_requests += request->n;
    plan->tokens_in_requests += pl_suffix_positions(request, plan->capture);
    if (!plan->alone) return insert_shared(plan, &plan->tree, request, ends_of(plan, r));
    PL_TRY(insert_alone(plan, request, carrier, ends_of(plan, r)));
    return wants_all(plan) ? insert_shared(plan, &plan->shared, request, shared_ends_of(plan, r)) : PL_OK;
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
        PL_TRY(want_state(plan, plan->state_end[plan->choice_indptr[r] + request->gold],
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
        const ends runs = ends_of(plan, r), shared = shared_ends_of(plan, r), rows = plan->alone ? shared : runs;
        size_t floor = plan->ranges.n;
        PL_TRY(add_ranges(plan, tree, all_first, *rows.prompt, 0, request->n, floor));
        if (plan->alone) PL_TRY(claim(plan, all_first, claimed, *shared.prompt, *runs.prompt));
        for (size_t c = 0; c < request->n_choices; c++) {
            const pl_choice *choice = &request->choices[c];
            PL_TRY(add_ranges(plan, tree, all_first, rows.states[c], choice->first, choice->n, floor));
            if (!plan->alone) continue;
            PL_TRY(claim(plan, all_first, claimed, shared.choices[c], runs.choices[c]));
            PL_TRY(claim(plan, all_first, claimed, shared.states[c], runs.states[c]));
        }
        if (*rows.suffix != PL__NONE) {
            PL_TRY(add_ranges(plan, tree, all_first, *rows.suffix, request->n, request->n_suffixed, floor));
            if (plan->alone) PL_TRY(claim(plan, all_first, claimed, *shared.suffix, *runs.suffix));
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
    PL_TRY(pl_new(&plan->state_end, n_choices));
    PL_TRY(pl_new(&plan->suffix_end, plan->n));
    if (plan->alone) PL_TRY(pl_new(&plan->shared_end, 2 * (plan->n + n_choices)));
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
    *plan = (pl__paths){.requests = requests, .n = n, .capture = capture, .config = config, .alone = alone};
    pl_status status = PL_OK;
    for (size_t r = 0; r < n; r++) PL_GOTO(status, fail, check_request(plan, r));
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
    free(plan->state_end);
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
