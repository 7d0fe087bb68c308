/* plumb extract: hidden states (and logits) of any texts, without an experiment. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json_build.h"
#include "base/temporary.h"
#include "base/visible.h"
#include "cli/row_ids.h"
#include "cli/session.h"
#include "experiment/finite.h"
#include "experiment/states.h"
#include "task/data.h"

/* A sink before the file's: counts rows that are not finite, by place (layers, then logits), and passes them on. */
typedef struct watch {
    pl_sink sink;
    const pl_sink *into;
    const pl_config *config;
    const size_t *layers;
    size_t n_layers;
    struct watched {
        _Atomic size_t n, first; /* first: SIZE_MAX where n is 0 */
    } * places;                  /* [n_layers + 1] */
} watch;

/* Everything one extraction holds. */
typedef struct extraction {
    pl__session session;
    pl_data *data;
    pl_arena *arena;
    size_t n;
    pl_request *requests;
    pl_dtype storage;
    pl_capture capture;
    pl_states_file file;
    watch watch;
} extraction;

/* ---- values that are no numbers ---- */

static pl_status watch_begin(void *context, size_t n_all)
{
    const watch *w = context;
    return w->into->begin(w->into->context, n_all);
}

/* In half types an infinity may be a number that did not fit, which the file counts as out_of_range: only NaN counts.
 */
static bool is_number(const void *data, size_t i, pl_dtype dtype)
{
    if (dtype == PL_F32) return isfinite(((const float *)data)[i]);
    unsigned magnitude = ((const uint16_t *)data)[i] & 0x7fffu;
    return magnitude <= (dtype == PL_F16 ? 0x7c00u : 0x7f80u);
}

static pl_status watch_rows(void *context, size_t layer, size_t first_row, size_t n, void *data)
{
    watch *w = context;
    bool logits = layer == w->n_layers;
    size_t width = logits ? pl_config_outputs(w->config) : pl_config_state_width(w->config, w->layers[layer]);
    pl_dtype dtype = logits ? PL_F32 : w->sink.dtype;
    struct watched *place = &w->places[layer];
    for (size_t r = 0; r < n; r++) {
        size_t i = 0;
        while (i < width && is_number(data, r * width + i, dtype)) i++;
        if (i == width) continue;
        size_t row = first_row + r, first = atomic_load(&place->first);
        atomic_fetch_add(&place->n, 1);
        while (row < first && !atomic_compare_exchange_weak(&place->first, &first, row)) continue;
    }
    return w->into->rows(w->into->context, layer, first_row, n, data);
}

/* Puts the watch before the capture's sink, where there is one. */
static pl_status watch_open(extraction *x)
{
    watch *w = &x->watch;
    PL_TRY(pl_arena_new(x->arena, &w->places, x->capture.n_layers + 1));
    for (size_t i = 0; i <= x->capture.n_layers; i++) atomic_init(&w->places[i].first, SIZE_MAX);
    if (!x->capture.sink) return PL_OK;
    w->into = x->capture.sink;
    w->n_layers = x->capture.n_layers;
    w->layers = x->capture.layers;
    w->config = &x->session.checkpoint->config;
    w->sink = (pl_sink){.context = w, .dtype = w->into->dtype, .begin = watch_begin, .rows = watch_rows};
    x->capture.sink = &w->sink;
    return PL_OK;
}

/* What an extraction has of them. Rows are texts, or tokens in the order of the file's `states_all`. */
typedef struct not_finite {
    size_t texts, first_text, layer;     /* last and mean; layer: where the first one's begin */
    size_t states, first_state;          /* rows of `all`, in the first layer that has any */
    size_t state_layer;                  /* that layer */
    size_t logits, first_logits, n_rows; /* rows of logits, of n_rows */
} not_finite;

static not_finite count_not_finite(const extraction *x, const pl_results *results)
{
    pl_not_finite texts = pl_states_not_finite(results, x->requests);
    not_finite found = {.texts = texts.n, .first_text = texts.first};
    if (texts.n) found.layer = x->capture.layers[texts.layer];
    for (size_t l = 0; l < x->capture.n_layers && !found.states; l++) {
        found.states = x->watch.places[l].n;
        found.first_state = x->watch.places[l].first;
        found.state_layer = x->capture.layers[l];
    }
    found.logits = x->watch.places[x->capture.n_layers].n;
    found.first_logits = x->watch.places[x->capture.n_layers].first;
    found.n_rows = x->capture.logits_all || x->capture.positions & PL_POSITION_ALL ? results->n_all : x->n;
    return found;
}

static bool is_any(const not_finite *f)
{
    return f->texts || f->states || f->logits;
}

static pl_status warn(const extraction *x, const not_finite *f, const char *path)
{
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_format(&text, "warning: %s: NaN or infinite values:", path));
    if (f->texts)
        PL_GOTO(status, done,
                pl_bytes_format(&text, " states of %zu of %zu texts, the first is text %zu from layer %zu on;",
                                f->texts, x->n, f->first_text, f->layer));
    if (f->states)
        PL_GOTO(status, done,
                pl_bytes_format(&text,
                                " %zu of %zu token states of layer %zu, the first layer with any, from row %zu on;",
                                f->states, f->n_rows, f->state_layer, f->first_state));
    if (f->logits)
        PL_GOTO(status, done,
                pl_bytes_format(&text, " %zu of %zu rows of logits, the first is row %zu;", f->logits,
                                x->capture.logits_all ? f->n_rows : x->n, f->first_logits));
    pl_print(stderr, "%s check the weights, or compute in float32\n", text.data);
done:
    pl_bytes_free(&text);
    return status;
}

/* A file in which no text has finite values is worth nothing. */
static pl_status refuse_nothing_finite(const extraction *x, const not_finite *f, const char *path)
{
    size_t rows = x->capture.logits_all ? f->n_rows : x->n;
    if (f->texts < x->n && (!f->logits || f->logits < rows) && (!f->states || f->states < f->n_rows)) return PL_OK;
    return pl_fail(PL_E_NOT_FINITE, "%s: every text has NaN or infinite values; the file is there for a look at them",
                   path);
}

static pl_status split_list(pl_arena *arena, const char *text, const char ***out, size_t *n)
{
    char *copy, *rest = NULL;
    PL_TRY(pl_arena_text(arena, &copy, text, strlen(text)));
    PL_TRY(pl_arena_new(arena, out, strlen(text) + 1));
    *n = 0;
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) (*out)[(*n)++] = word;
    return PL_OK;
}

static pl_status read_capture(extraction *x, const pl_arguments *arguments)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {{"last", PL_POSITION_LAST}, {"mean", PL_POSITION_MEAN}, {"all", PL_POSITION_ALL}};
    const char **words, *layers = arguments->values[PL_OPTION_LAYERS],
                        *positions = arguments->values[PL_OPTION_POSITIONS];
    size_t n, *indices;
    PL_TRY(split_list(x->arena, layers ? layers : "all", &words, &n));
    PL_TRY(pl_layers_resolve(&indices, &x->capture.n_layers, words, n, x->session.checkpoint->config.L, "--layers",
                             x->arena));
    x->capture.layers = indices;
    PL_TRY(split_list(x->arena, positions ? positions : "last", &words, &n));
    for (size_t i = 0; i < n; i++) {
        unsigned bit = 0;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(words[i], known[k].name) == 0) bit = known[k].bit;
        if (!bit) return pl_fail(PL_E_USAGE, "--positions: expected last, mean or all; found '%s'", words[i]);
        x->capture.positions |= bit;
    }
    bool all = x->capture.positions & PL_POSITION_ALL, logits = pl_argument_flag(arguments, PL_OPTION_LOGITS);
    x->capture.logits_all = logits && all;
    x->capture.logits_last = logits && !all;
    if (arguments->values[PL_OPTION_DTYPE]) PL_TRY(pl_storage_parse(&x->storage, arguments->values[PL_OPTION_DTYPE]));
    return PL_OK;
}

/* Every row has a text or ids: seen before the model is opened. Where all have ids no tokenizer is needed. */
static pl_status look_at_rows(bool *texts, const pl_data *data)
{
    *texts = false;
    for (size_t i = 0; i < data->n; i++) {
        pl_row row;
        PL_TRY(pl_row_open(&row, data, i));
        const json_t *text = json_object_get(row.item, "text"), *list = json_object_get(row.item, "ids");
        bool good = text ? json_is_string(text) && !list : json_is_array(list);
        *texts |= text != NULL;
        pl_row_close(&row);
        if (!good)
            return pl_fail(PL_E_INPUT, "%s:%zu: expected {\"text\": ...} or {\"ids\": [...]}", data->where,
                           pl_row_line(data, i));
    }
    return PL_OK;
}

static pl_status ids_of_row(extraction *x, const pl_row *row, bool special, pl_ids *ids)
{
    const pl_config *config = &x->session.checkpoint->config;
    const char *path = row->data->where;
    const size_t limit = config->max_positions;
    PL_TRY(pl__row_ids(ids, row, x->session.tokenizer, special, config->V));
    if (ids->n == 0) return pl_fail(PL_E_INPUT, "%s:%zu: no tokens", path, pl_row_line(row->data, row->index));
    if (ids->n > limit)
        return pl_fail(PL_E_INPUT, "%s:%zu: %zu tokens, the model's context has %zu; shorten the text", path,
                       pl_row_line(row->data, row->index), ids->n, limit);
    return PL_OK;
}

static pl_status read_rows(extraction *x, const pl_arguments *arguments)
{
    bool special = !pl_argument_flag(arguments, PL_OPTION_NO_SPECIAL);
    x->n = x->data->n;
    PL_TRY(pl_arena_new(x->arena, &x->requests, x->n));
    pl_ids ids = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < x->n; i++) {
        int32_t *kept;
        pl_row row;
        ids.n = 0;
        PL_GOTO(status, done, pl_row_open(&row, x->data, i));
        status = ids_of_row(x, &row, special, &ids);
        pl_row_close(&row);
        PL_GOTO(status, done, status);
        PL_GOTO(status, done, pl_arena_new(x->arena, &kept, ids.n));
        memcpy(kept, ids.data, ids.n * sizeof *kept);
        x->requests[i] = (pl_request){.ids = kept, .n = ids.n, .gold = SIZE_MAX};
    }
done:
    pl_ids_free(&ids);
    return status;
}

/* The row's text, empty where it has ids, and its hash. */
static pl_status set_text(pl_frame *frame, pl_column *into, pl_column *hashes, const pl_data *data, size_t i)
{
    char hash[PL_SHA256_TEXT];
    pl_row row;
    PL_TRY(pl_row_open(&row, data, i));
    const json_t *value = json_object_get(row.item, "text");
    const char *text = value ? json_string_value(value) : "";
    pl_sha256(hash, text, strlen(text));
    pl_status status = pl_frame_set_text(frame, into, i, text);
    pl_row_close(&row);
    return status == PL_OK ? pl_frame_set_text(frame, hashes, i, hash) : status;
}

static pl_status write_obs(const extraction *x, pl_unit_writer *writer)
{
    enum { INDEX, DOC_ID, DOC_HASH, TEXT, TEXT_HASH, N_TOKENS, COLUMNS };
    static const char *const names[COLUMNS] = {"_index", "doc_id", "doc_hash", "text", "text_hash", "n_tokens"};
    static const pl_column_kind kinds[COLUMNS] = {PL_COLUMN_TEXT, PL_COLUMN_INTEGER, PL_COLUMN_TEXT,
                                                  PL_COLUMN_TEXT, PL_COLUMN_TEXT,    PL_COLUMN_INTEGER};
    pl_frame *frame;
    pl_column *column;
    pl_status status = PL_OK;
    PL_TRY(pl_frame_create(&frame, x->n));
    for (size_t c = 0; c < COLUMNS; c++) PL_GOTO(status, done, pl_frame_add(frame, &column, names[c], kinds[c]));
    for (size_t i = 0; i < x->n; i++) {
        char index[32], hash[PL_SHA256_TEXT];
        snprintf(index, sizeof index, "%zu", i);
        PL_GOTO(status, done, pl_frame_set_text(frame, &frame->columns[INDEX], i, index));
        PL_GOTO(status, done, pl_row_hash(hash, x->data, i));
        PL_GOTO(status, done, pl_frame_set_text(frame, &frame->columns[DOC_HASH], i, hash));
        PL_GOTO(status, done, set_text(frame, &frame->columns[TEXT], &frame->columns[TEXT_HASH], x->data, i));
        frame->columns[DOC_ID].values.integer[i] = (int64_t)i;
        frame->columns[N_TOKENS].values.integer[i] = (int64_t)x->requests[i].n;
    }
    status = pl_unit_put_obs(writer, frame);
done:
    pl_frame_free(frame);
    return status;
}

static pl_status write_tokens(const extraction *x, pl_unit_writer *writer)
{
    uint64_t *indptr;
    int32_t *ids;
    PL_TRY(pl_arena_new(x->arena, &indptr, x->n + 1));
    for (size_t i = 0; i < x->n; i++) indptr[i + 1] = indptr[i] + x->requests[i].n;
    PL_TRY(pl_arena_new(x->arena, &ids, indptr[x->n]));
    for (size_t i = 0; i < x->n; i++) memcpy(ids + indptr[i], x->requests[i].ids, x->requests[i].n * sizeof *ids);
    return pl_unit_put_tokens(writer, indptr, x->n, ids);
}

static pl_status write_config(const extraction *x, pl_unit_writer *writer)
{
    char digest[PL_HASH_TEXT];
    PL_TRY(pl_safetensors_digest(x->session.checkpoint->tensors, digest));
    pl_json_builder b;
    json_t *attributes;
    pl_json_begin(&b);
    pl_json_put_text(&b, "weights_digest", digest);
    pl_json_put_text(&b, "tokenizer_digest", x->session.tokenizer ? pl_tokenizer_digest(x->session.tokenizer) : "none");
    pl_json_put_text(&b, "texts_sha256", x->data->sha256);
    pl_json_put_text(&b, "compute_type", pl_dtype_name(pl_model_compute(x->session.model)));
    pl_json_put_text(&b, "storage_type", pl_dtype_name(x->storage));
    pl_json_put_text(&b, "model_type", x->session.checkpoint->config.model_type);
    PL_TRY(pl_json_end(&b, &attributes, "the attributes of the file"));
    pl_status status = pl_unit_put_config(writer, "{\"kind\":\"extract\"}", attributes);
    json_decref(attributes);
    return status;
}

static pl_status write_file(extraction *x, const pl_results *results)
{
    pl_unit_writer *writer = NULL;
    pl_status status;
    PL_TRY(pl_states_file_writer(&x->file, &writer));
    PL_GOTO(status, failed, write_obs(x, writer));
    PL_GOTO(status, failed,
            pl_states_write(writer, results, x->requests, x->capture.layers, x->session.checkpoint->config.L, x->n,
                            x->storage, x->capture.positions & PL_POSITION_ALL));
    PL_GOTO(status, failed, write_tokens(x, writer));
    PL_GOTO(status, failed, write_config(x, writer));
    return pl_unit_finish(writer);
failed:
    pl_unit_discard(writer);
    return status;
}

static pl_status print_summary(const extraction *x, const pl_results *results, const not_finite *f, const char *path,
                               bool json, double seconds)
{
    if (is_any(f)) PL_TRY(warn(x, f, path));
    if (!json) {
        pl_print(stderr, "%s: %zu texts, %zu tokens (%zu computed), %zu layers, %.1f s\n", path, x->n,
                 results->tokens_in_requests, results->tokens_computed, results->n_layers, seconds);
        return PL_OK;
    }
    pl_json_builder b;
    json_t *object;
    pl_json_begin(&b);
    pl_json_put_text(&b, "file", path);
    pl_json_put_size(&b, "rows", x->n);
    pl_json_put_size(&b, "tokens", results->tokens_in_requests);
    pl_json_put_size(&b, "tokens_computed", results->tokens_computed);
    pl_json_put_size(&b, "layers", results->n_layers);
    pl_json_open(&b, "not_finite");
    pl_json_put_size(&b, "texts", f->texts);
    pl_json_put_size(&b, "token_states", f->states);
    pl_json_put_size(&b, "logits", f->logits);
    if (f->texts) pl_json_put_size(&b, "first_text", f->first_text);
    if (f->texts || f->states) pl_json_put_size(&b, "first_layer", f->texts ? f->layer : f->state_layer);
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &object, "extract"));
    return pl_print_json(object, false);
}

pl_status pl_verb_extract(const pl_arguments *arguments)
{
    const char *path = arguments->values[PL_OPTION_OUT];
    if (!path) return pl_fail(PL_E_USAGE, "--out is missing: plumb extract MODEL TEXTS.jsonl --out FILE.h5");
    extraction x = {0};
    pl_results *results = NULL;
    pl_progress progress;
    pl_status status;
    double start = pl_clock_s();
    PL_GOTO(status, done, pl_arena_create(&x.arena));
    PL_GOTO(status, done, pl_data_read(&x.data, arguments->words[1], NULL, NULL));
    bool texts;
    PL_GOTO(status, done, look_at_rows(&texts, x.data));
    PL_GOTO(status, done, pl__session_open(&x.session, arguments->words[0], arguments, texts));
    PL_GOTO(status, done, read_capture(&x, arguments));
    PL_GOTO(status, done, read_rows(&x, arguments));
    pl_temporary_sweep(path); /* of an extract that was killed */
    PL_GOTO(status, done,
            pl_states_file_open(&x.file, path, &x.capture, &x.session.checkpoint->config, x.n, x.storage));
    PL_GOTO(status, done, watch_open(&x));
    pl_progress_start(&progress, "extract", "texts", x.n, pl_argument_flag(arguments, PL_OPTION_QUIET));
    PL_GOTO(status, done, pl_engine_score(x.session.engine, x.requests, x.n, &x.capture, &progress, &results));
    pl_progress_end(&progress);
    not_finite found = count_not_finite(&x, results);
    PL_GOTO(status, done, write_file(&x, results));
    PL_GOTO(
        status, done,
        print_summary(&x, results, &found, path, pl_argument_flag(arguments, PL_OPTION_JSON), pl_clock_s() - start));
    status = refuse_nothing_finite(&x, &found, path);
done:
    pl_states_file_close(&x.file);
    pl_results_free(results);
    pl_data_free(x.data);
    pl__session_close(&x.session);
    pl_arena_free(x.arena);
    return status;
}
