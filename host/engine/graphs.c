/* The cache of recorded passes. Keys are lists of numbers, not bytes of structures: those have gaps. */
#include "engine/graphs.h"

#include <stdlib.h>
#include <string.h>

pl_status pl__graphs_open(pl__graphs *graphs, const pl_processor *processor)
{
    const char *asked = getenv("PLUMB_GRAPHS");
    const bool off = asked && strcmp(asked, "off") == 0;
    *graphs = (pl__graphs){0};
    if (asked && *asked && !off && strcmp(asked, "on") != 0)
        return pl_fail(PL_E_USAGE, "PLUMB_GRAPHS is '%s': expected on or off; correct or unset it", asked);
    if (processor->ops->record_begin && !off) graphs->processor = processor;
    return PL_OK;
}

static void forget(pl__graphs *graphs, pl__recorded *entry)
{
    if (entry->graph) graphs->processor->ops->graph_free(entry->graph);
    free(entry->key.data);
    *entry = (pl__recorded){0};
}

void pl__graphs_clear(pl__graphs *graphs)
{
    for (size_t i = 0; i < PL__GRAPHS; i++) forget(graphs, &graphs->entries[i]);
}

void pl__graphs_close(pl__graphs *graphs)
{
    pl__graphs_clear(graphs);
    free(graphs->key.data);
    *graphs = (pl__graphs){0};
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

enum { VIEW_NUMBERS = 6, PASS_VIEWS = 14, TAP_VIEWS = 5, LOOSE_NUMBERS = 4 };

static pl_status make_key(pl__key *key, const pl_pass *p)
{
    size_t n = LOOSE_NUMBERS + PASS_VIEWS * VIEW_NUMBERS;
    for (size_t t = 0; t < p->n_taps; t++) n += 2 + TAP_VIEWS * VIEW_NUMBERS + p->taps[t].n_layers * (1 + VIEW_NUMBERS);
    PL_TRY(pl_grow(&key->data, &key->capacity, n));
    key->n = 0;
    put(key, (uintptr_t)p->stream);
    put(key, (uintptr_t)p->kv);
    put(key, (uintptr_t)p->activations);
    put(key, p->n_taps);
    const pl_view *views[PASS_VIEWS] = {&p->batch.counts,     &p->batch.tokens,  &p->batch.positions, &p->batch.paths,
                                        &p->batch.page_table, &p->batch.copies,  &p->batch.runs,      &p->head_rows,
                                        &p->target_rows,      &p->target_tokens, &p->log_probability, &p->target_greedy,
                                        &p->greedy,           &p->logits};
    for (size_t i = 0; i < PASS_VIEWS; i++) put_view(key, views[i]);
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
static pl__recorded *find(pl__graphs *graphs)
{
    const pl__key *key = &graphs->key;
    pl__recorded *place = &graphs->entries[0];
    for (size_t i = 0; i < PL__GRAPHS; i++) {
        pl__recorded *e = &graphs->entries[i];
        if (e->key.n == key->n && memcmp(e->key.data, key->data, key->n * sizeof *key->data) == 0) return e;
        if (e->last_used < place->last_used) place = e;
    }
    return place;
}

static pl_status record(pl__graphs *graphs, pl_model *model, const pl_pass *pass, pl_graph **out)
{
    const pl_backend *ops = graphs->processor->ops;
    PL_TRY(ops->record_begin(pass->stream));
    pl_status status = pl_model_forward(model, pass);
    PL_KEEP(status, ops->record_end(pass->stream, out)); /* also after a failure: the stream must be usable again */
    if (status != PL_OK && *out) {
        ops->graph_free(*out);
        *out = NULL;
    }
    return status;
}

pl_status pl__graphs_run(pl__graphs *graphs, pl_model *model, const pl_pass *pass)
{
    if (!graphs->processor) return pl_model_forward(model, pass);
    const pl_backend *ops = graphs->processor->ops;
    PL_TRY(make_key(&graphs->key, pass));
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
        return pl_model_forward(model, pass);
    }
    entry->last_used = ++graphs->clock;
    if (!entry->graph) {
        PL_TRY(record(graphs, model, pass, &entry->graph));
        graphs->n_recorded++;
    } else
        graphs->n_replayed++;
    return ops->replay(pass->stream, entry->graph);
}
