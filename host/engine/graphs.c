/* The cache of recorded passes. Keys are lists of numbers, not bytes of structures: those have gaps. */
#include "engine/graphs.h"

#include <stdlib.h>
#include <string.h>

pl_status pl_graphs_open(pl_graphs *graphs, const pl_processor *processor)
{
    const char *asked = getenv("PLUMB_GRAPHS");
    const bool off = asked && strcmp(asked, "off") == 0;
    *graphs = (pl_graphs){0};
    if (asked && *asked && !off && strcmp(asked, "on") != 0)
        return pl_fail(PL_E_USAGE, "PLUMB_GRAPHS is '%s': expected on or off; correct or unset it", asked);
    if (processor->ops->record_begin && !off) graphs->processor = processor;
    return PL_OK;
}

static void forget(pl_graphs *graphs, pl__recorded *entry)
{
    if (entry->graph) graphs->processor->ops->graph_free(entry->graph);
    free(entry->key.data);
    *entry = (pl__recorded){0};
}

void pl_graphs_clear(pl_graphs *graphs)
{
    for (size_t i = 0; i < PL_GRAPHS; i++) forget(graphs, &graphs->entries[i]);
}

void pl_graphs_close(pl_graphs *graphs)
{
    pl_graphs_clear(graphs);
    free(graphs->key.data);
    *graphs = (pl_graphs){0};
}

/* ---- Keys ---- */

static void put(pl__key *key, uint64_t value)
{
    key->data[key->n++] = value;
}

static void put_view(pl__key *key, const pl_view *v)
{
    put(key, (uintptr_t)v->buffer);
    put(key, v->offset);
    put(key, v->rows);
    put(key, v->columns);
    put(key, v->stride);
    put(key, (uint64_t)v->dtype);
}

static void put_number(pl__key *key, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(key, bits);
}

enum { VIEW_NUMBERS = 6, PASS_VIEWS = 15, TAP_VIEWS = 5, LOOSE_NUMBERS = 6, TRAINING_VIEWS = 10, TRAINING_NUMBERS = 3 };

static void put_training(pl__key *key, const pl_training *t)
{
    const pl_view *views[TRAINING_VIEWS] = {&t->n_sequences,    &t->sequences,       &t->order,        &t->starts,
                                            &t->position_order, &t->position_starts, &t->loss_weights, &t->key,
                                            &t->examples,       &t->gradient};
    for (size_t i = 0; i < TRAINING_VIEWS; i++) put_view(key, views[i]);
    put_number(key, t->embed_dropout);
    put_number(key, t->attention_dropout);
    put_number(key, t->residual_dropout);
}

static pl_status make_key(pl__key *key, const pl_pass *p, uint64_t variant)
{
    size_t n = LOOSE_NUMBERS + PASS_VIEWS * VIEW_NUMBERS;
    if (p->training) n += TRAINING_VIEWS * VIEW_NUMBERS + TRAINING_NUMBERS;
    for (size_t t = 0; t < p->n_taps; t++) n += 2 + TAP_VIEWS * VIEW_NUMBERS + p->taps[t].n_layers * (1 + VIEW_NUMBERS);
    PL_TRY(pl_grow(&key->data, &key->capacity, n));
    key->n = 0;
    put(key, variant);
    put(key, (uintptr_t)p->tape);
    put(key, (uintptr_t)p->stream);
    put(key, (uintptr_t)p->kv);
    put(key, (uintptr_t)p->activations);
    put(key, p->n_taps);
    const pl_view *views[PASS_VIEWS] = {&p->batch.counts,     &p->batch.tokens,  &p->batch.positions, &p->batch.paths,
                                        &p->batch.page_table, &p->batch.copies,  &p->batch.runs,      &p->head_rows,
                                        &p->target_rows,      &p->target_tokens, &p->log_probability, &p->target_greedy,
                                        &p->greedy,           &p->logits,        &p->batch.turns};
    for (size_t i = 0; i < PASS_VIEWS; i++) put_view(key, views[i]);
    if (p->training) put_training(key, p->training);
    for (size_t t = 0; t < p->n_taps; t++) {
        const pl_tap *tap = &p->taps[t];
        const pl_view *tap_views[TAP_VIEWS] = {&tap->counts, &tap->rows, &tap->slots, &tap->indptr, &tap->ranges};
        put(key, (uint64_t)tap->kind);
        put(key, tap->n_layers);
        for (size_t i = 0; i < TAP_VIEWS; i++) put_view(key, tap_views[i]);
        for (size_t l = 0; l < tap->n_layers; l++) {
            put(key, tap->layers[l]);
            put_view(key, &tap->into[l]);
        }
    }
    return PL_OK;
}

/* ---- Running ---- */

/* The entry of the key; when there is none, the place for it (free, or the least recently used). */
static pl__recorded *find(pl_graphs *graphs)
{
    const pl__key *key = &graphs->key;
    pl__recorded *place = &graphs->entries[0];
    for (size_t i = 0; i < PL_GRAPHS; i++) {
        pl__recorded *e = &graphs->entries[i];
        if (e->key.n == key->n && memcmp(e->key.data, key->data, key->n * sizeof *key->data) == 0) return e;
        if (e->last_used < place->last_used) place = e;
    }
    return place;
}

static pl_status record(pl_graphs *graphs, const pl_pass *pass, pl_graphs_enqueue *enqueue, void *user, pl_graph **out)
{
    const pl_backend *ops = graphs->processor->ops;
    PL_TRY(ops->record_begin(pass->stream));
    pl_status status = enqueue(user, pass);
    PL_KEEP(status, ops->record_end(pass->stream, out)); /* also after a failure: the stream must be usable again */
    if (status != PL_OK && *out) {
        ops->graph_free(*out);
        *out = NULL;
    }
    return status;
}

pl_status pl_graphs_run(pl_graphs *graphs, const pl_pass *pass, uint64_t variant, pl_graphs_enqueue *enqueue,
                        void *user)
{
    if (!graphs->processor) return enqueue(user, pass);
    const pl_backend *ops = graphs->processor->ops;
    PL_TRY(make_key(&graphs->key, pass, variant));
    pl__recorded *entry = find(graphs);
    bool known = entry->key.n && entry->key.n == graphs->key.n &&
                 memcmp(entry->key.data, graphs->key.data, entry->key.n * sizeof *entry->key.data) == 0;
    if (!known) {
        if (entry->graph) PL_TRY(ops->stream_wait(pass->stream)); /* it may still run */
        forget(graphs, entry);
        PL_TRY(pl_grow(&entry->key.data, &entry->key.capacity, graphs->key.n));
        memcpy(entry->key.data, graphs->key.data, graphs->key.n * sizeof *entry->key.data);
        entry->key.n = graphs->key.n;
        entry->last_used = ++graphs->clock;
        return enqueue(user, pass);
    }
    entry->last_used = ++graphs->clock;
    if (!entry->graph) {
        PL_TRY(record(graphs, pass, enqueue, user, &entry->graph));
        graphs->n_recorded++;
    } else
        graphs->n_replayed++;
    return ops->replay(pass->stream, entry->graph);
}
