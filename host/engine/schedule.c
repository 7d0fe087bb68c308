/* Planning of steps. See schedule.h for the rules; the invariants that keep it going:
 *   a node that holds pages has ancestors that hold all of theirs;
 *   while something is deferred, a new node starts only if `deepest` pages stay free, so that the first deferred node
 *   can be brought to its end depth-first;
 *   a step that is empty and finds no page drops pages: first all off the next node's path, then all. */
#include "engine/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

static const pl__node *node_of(const pl__schedule *s, uint32_t node)
{
    return &s->tree->nodes[node];
}

void pl__schedule_pages(const pl__tree *tree, size_t *longest, size_t *deepest)
{
    *longest = *deepest = 0;
    size_t held = 0;
    uint32_t at = PL__ROOT;
    /* Pre-order with a running sum: entering a node adds its pages, leaving its subtree takes them off again. */
    while (at != PL__NONE) {
        const pl__node *node = &tree->nodes[at];
        size_t end = pl__node_end(node);
        held += pl__pages_between(node->first, end);
        if (held > *deepest) *deepest = held;
        if (pl__pages_between(0, end) > *longest) *longest = pl__pages_between(0, end);
        uint32_t next = pl__tree_next(tree, at);
        uint32_t above = next == PL__NONE ? PL__NONE : tree->nodes[next].parent;
        for (uint32_t up = at; up != above && up != PL__NONE; up = tree->nodes[up].parent)
            held -= pl__pages_between(tree->nodes[up].first, pl__node_end(&tree->nodes[up]));
        at = next;
    }
}

static void push_children(pl__schedule *s, uint32_t node)
{
    uint32_t *top = s->stack + s->n_stack;
    size_t n = node_of(s, node)->n_children, i = n;
    for (uint32_t c = node_of(s, node)->first_child; c != PL__NONE; c = node_of(s, c)->next) top[--i] = c;
    for (i = n; s->shuffle_seed && i > 1; i--) {
        uint32_t j = pl_random_below(s->shuffle_seed, PL_RANDOM_TEST, 1, s->n_draws++, (uint32_t)i);
        uint32_t swap = top[i - 1];
        top[i - 1] = top[j];
        top[j] = swap;
    }
    s->n_stack += n;
}

pl_status pl__schedule_open(pl__schedule *s, const pl__tree *tree, pl__pages *pages, size_t capacity,
                            uint64_t shuffle_seed)
{
    *s = (pl__schedule){.tree = tree, .pages = pages, .capacity = capacity, .shuffle_seed = shuffle_seed};
    pl__schedule_pages(tree, &s->longest, &s->deepest);
    if (pages->n_pages < s->longest)
        return pl_fail(PL_E_INPUT,
                       "key/value pages: the longest path needs %zu tokens (%zu pages), the pool holds %zu; raise "
                       "kv_tokens or shorten the prompts",
                       s->longest * PL_PAGE, s->longest, pages->n_pages * PL_PAGE);
    size_t n = tree->n_nodes, n_pages = 0;
    for (size_t i = 0; i < n; i++) n_pages += pl__pages_between(tree->nodes[i].first, pl__node_end(&tree->nodes[i]));
    pl_status status;
    PL_GOTO(status, fail, pl_new(&s->node_states, n));
    PL_GOTO(status, fail, pl_new(&s->pages_of, n_pages));
    PL_GOTO(status, fail, pl_new(&s->stack, 2 * n)); /* a node, and once more while it runs again for a descendant */
    PL_GOTO(status, fail, pl_new(&s->deferred, n));
    PL_GOTO(status, fail, pl_new(&s->done, n));
    PL_GOTO(status, fail, pl_new(&s->step.chunks, capacity));
    PL_GOTO(status, fail, pl_new(&s->step.copies, capacity));
    n_pages = 0;
    for (size_t i = 0; i < n; i++) {
        s->node_states[i].pages = n_pages;
        s->node_states[i].open = tree->nodes[i].n_children + 1;
        n_pages += pl__pages_between(tree->nodes[i].first, pl__node_end(&tree->nodes[i]));
    }
    push_children(s, PL__ROOT);
    return PL_OK;
fail:
    pl__schedule_close(s);
    return status;
}

static void release(pl__schedule *s, uint32_t node)
{
    pl__node_state *state = &s->node_states[node];
    size_t first = node_of(s, node)->first, n = pl__pages_between(first, first + state->held);
    for (size_t i = 0; i < n; i++) pl__pages_drop(s->pages, s->pages_of[state->pages + i]);
    state->held = 0;
}

void pl__schedule_close(pl__schedule *s)
{
    for (size_t i = 0; s->node_states && i < s->tree->n_nodes; i++) release(s, (uint32_t)i);
    free(s->node_states);
    free(s->pages_of);
    free(s->stack);
    free(s->deferred);
    free(s->done);
    free(s->step.chunks);
    free(s->step.copies);
    *s = (pl__schedule){0};
}

/* The page that holds the last token of a node. */
static int32_t last_page(const pl__schedule *s, uint32_t node)
{
    const pl__node *n = node_of(s, node);
    return s->pages_of[s->node_states[node].pages + pl__pages_between(n->first, pl__node_end(n)) - 1];
}

/* Called when a node's last token is planned. Its children come next, and a subtree that is over is remembered. */
static void finish(pl__schedule *s, uint32_t node)
{
    pl__node_state *state = &s->node_states[node];
    bool again = state->finished != 0;
    state->finished = s->n_steps;
    if (again) return;
    push_children(s, node);
    while (node != PL__ROOT && --s->node_states[node].open == 0) {
        s->done[s->n_done++] = node;
        node = node_of(s, node)->parent;
    }
}

typedef enum outcome { RUN_ON, WAIT, NO_PAGES, FULL } outcome;

/* The first page of a node that starts inside a page: its parent's when nobody went on there, else a copy. */
static outcome enter_page(pl__schedule *s, uint32_t node)
{
    uint32_t parent = node_of(s, node)->parent, inside = node_of(s, node)->first % PL_PAGE;
    int32_t *own = &s->pages_of[s->node_states[node].pages], shared = last_page(s, parent);
    if (s->pages->filled[shared] == inside) {
        pl__pages_hold(s->pages, shared);
        *own = shared;
        return RUN_ON;
    }
    if (s->node_states[parent].finished == s->n_steps) return WAIT;
    *own = pl__pages_take(s->pages);
    if (*own < 0) return NO_PAGES;
    s->pages->filled[*own] = (uint8_t)inside;
    int32_t *copy = s->step.copies[s->step.n_copies++];
    copy[0] = shared;
    copy[1] = *own;
    return RUN_ON;
}

/* Gives pages to up to `room` further tokens of a node; returns how many tokens got a place. */
static size_t fill_pages(pl__schedule *s, uint32_t node, size_t room)
{
    const pl__node *n = node_of(s, node);
    pl__node_state *state = &s->node_states[node];
    size_t from = (size_t)n->first + state->held, end = from, most = n->n_tokens - state->held;
    size_t limit = from + (most < room ? most : room);
    while (end < limit) {
        int32_t *page = &s->pages_of[state->pages + end / PL_PAGE - n->first / PL_PAGE];
        if (end % PL_PAGE == 0) *page = pl__pages_take(s->pages);
        if (*page < 0) break;
        size_t page_end = (end / PL_PAGE + 1) * PL_PAGE;
        end = page_end < limit ? page_end : limit;
        s->pages->filled[*page] = (uint8_t)(end - (page_end - PL_PAGE));
    }
    return end - from;
}

/* Plans as much of the top node as fits; the node stays on the stack until its last token is planned. */
static outcome plan_top(pl__schedule *s)
{
    uint32_t node = s->stack[s->n_stack - 1];
    const pl__node *n = node_of(s, node);
    pl__node_state *state = &s->node_states[node];
    uint32_t parent = n->parent;
    if (s->node_states[parent].held < node_of(s, parent)->n_tokens) { /* dropped: it runs again first */
        s->stack[s->n_stack++] = parent;
        return RUN_ON;
    }
    size_t room = s->capacity - s->step.n_rows;
    if (!room) return FULL;
    if (s->n_deferred) {
        size_t needs = pl__pages_between((size_t)n->first + state->held, pl__node_end(n));
        if (s->pages->n_free < needs + s->deepest) return NO_PAGES;
    }
    bool enters = state->held == 0 && n->first % PL_PAGE != 0;
    if (enters) {
        outcome entered = enter_page(s, node);
        if (entered == WAIT) {
            s->deferred[s->n_deferred++] = node;
            s->n_stack--;
            return RUN_ON;
        }
        if (entered != RUN_ON) return entered;
    }
    size_t count = fill_pages(s, node, room);
    if (!count) return NO_PAGES;
    uint32_t first = n->first + state->held;
    uint32_t fresh = first > n->first + state->ran ? first : n->first + state->ran;
    s->step.chunks[s->step.n_chunks++] = (pl__chunk){node, first, (uint32_t)count, (uint32_t)s->step.n_rows, fresh};
    s->step.n_rows += count;
    state->held += (uint32_t)count;
    if (fresh > first) s->n_again += fresh - first < count ? fresh - first : count;
    if (state->held > state->ran) state->ran = state->held;
    if (state->held < n->n_tokens) return s->step.n_rows == s->capacity ? FULL : NO_PAGES;
    s->n_stack--;
    finish(s, node);
    return RUN_ON;
}

/* Takes the pages away from all nodes, or from all that are not on the path to the top node. */
static void drop_pages(pl__schedule *s, bool keep_path)
{
    for (uint32_t at = s->stack[s->n_stack - 1]; keep_path && at != PL__ROOT; at = node_of(s, at)->parent)
        s->node_states[at].kept = true;
    for (uint32_t i = 1; i < s->tree->n_nodes; i++) {
        if (!s->node_states[i].kept) release(s, i);
        s->node_states[i].kept = false;
    }
}

pl_status pl__schedule_next(pl__schedule *s)
{
    for (size_t i = 0; i < s->n_done; i++) release(s, s->done[i]);
    s->n_done = 0;
    while (s->n_deferred) s->stack[s->n_stack++] = s->deferred[--s->n_deferred];
    s->step.n_chunks = s->step.n_rows = s->step.n_copies = 0;
    s->n_steps++;
    for (int drops = 0; s->n_stack;) {
        outcome planned = plan_top(s);
        if (planned == RUN_ON) continue;
        if (s->step.n_rows) break;
        if (drops == 2) return pl_fail(PL_E_INTERNAL, "schedule: no page is left in an empty step");
        drop_pages(s, drops++ == 0);
    }
    s->n_ran += s->step.n_rows;
    return PL_OK;
}

void pl__schedule_path(const pl__schedule *s, uint32_t node, size_t end, int32_t *row)
{
    size_t left = pl__pages_between(0, end); /* pages of the path that are not in the row yet */
    while (left) {
        const pl__node *n = node_of(s, node);
        size_t first = n->first / PL_PAGE;
        for (size_t i = first; i < left; i++) row[i] = s->pages_of[s->node_states[node].pages + i - first];
        if (first < left) left = first;
        node = n->parent;
    }
}
