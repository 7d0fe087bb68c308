#include "experiment/encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* The ids of a text with what the post-processor puts before it, and without its eos behind it. A text that spells bos
 * out has it already, as lm-evaluation-harness sees it. */
static pl_status encode_text(const pl_encoder *e, const char *text, size_t size, pl_ids *out)
{
    out->n = 0;
    bool spelled = e->start_size && size >= e->start_size && memcmp(text, e->start_text, e->start_size) == 0;
    PL_TRY(pl_tokenizer_encode(e->tokenizer, text, size, !spelled, out));
    if (!spelled && e->strip_eos && out->n > 0 && out->data[out->n - 1] == pl_tokenizer_eos(e->tokenizer)) out->n--;
    return PL_OK;
}

static pl_status read_start(pl_encoder *e)
{
    pl_bytes text = {0};
    pl_status status = PL_OK;
    e->start = pl_tokenizer_bos(e->tokenizer) >= 0 ? pl_tokenizer_bos(e->tokenizer) : pl_tokenizer_eos(e->tokenizer);
    if (e->start < 0) return PL_OK;
    PL_GOTO(status, done, pl_tokenizer_decode(e->tokenizer, &e->start, 1, false, &text));
    PL_GOTO(status, done, pl_arena_text(e->arena, &e->start_text, text.size ? text.data : "", text.size));
    e->start_size = text.size;
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl_encoder_create(pl_encoder *out, const pl_tokenizer *tokenizer, pl_arena *arena)
{
    *out = (pl_encoder){.tokenizer = tokenizer, .arena = arena};
    int32_t eos = pl_tokenizer_eos(tokenizer);
    pl_ids ids = {0};
    pl_status status = pl_tokenizer_encode(tokenizer, "a", 1, true, &ids);
    out->strip_eos = status == PL_OK && ids.n > 1 && eos >= 0 && ids.data[ids.n - 1] == eos;
    pl_ids_free(&ids);
    return status == PL_OK ? read_start(out) : status;
}

static pl_status keep(const pl_encoder *e, int32_t **out, const int32_t *ids, size_t n)
{
    PL_TRY(pl_arena_new(e->arena, out, n));
    memcpy(*out, ids, n * sizeof **out);
    return PL_OK;
}

/* Tokens of the text before the item's own, encoded by itself; items of a cell mostly share it. */
static pl_status count_prefix(pl_encoder *e, const pl_prompt *prompt, pl_ids *scratch)
{
    if (e->prefix && e->prefix_size == prompt->own_offset && memcmp(e->prefix, prompt->context, e->prefix_size) == 0)
        return PL_OK;
    PL_TRY(encode_text(e, prompt->context, prompt->own_offset, scratch));
    PL_TRY(pl_arena_text(e->arena, &e->prefix, prompt->context, prompt->own_offset));
    e->prefix_size = prompt->own_offset;
    e->prefix_tokens = scratch->n;
    return PL_OK;
}

/* What stands before a continuation: its text as it is, and the ids of what is left of it without white space at its
 * end. */
typedef struct context {
    const char *text;
    size_t size;
    bool empty; /* without white space */
    int32_t *ids;
    size_t n;
} context;

/* An empty context is conditioned on bos, or eos where there is none. strip: white space moves to the continuation. */
static pl_status encode_context(pl_encoder *e, const char *text, size_t size, bool strip, context *out, pl_ids *scratch)
{
    size_t kept = strip ? pl_utf8_rstrip(text, size) : size;
    *out = (context){.text = text, .size = size, .empty = kept == 0};
    PL_TRY(encode_text(e, text, kept, scratch));
    if (scratch->n == 0) {
        if (e->start < 0)
            return pl_fail(PL_E_INPUT, "an empty prompt, and the tokenizer has neither bos nor eos to start from");
        PL_TRY(pl_ids_append(scratch, &e->start, 1));
    }
    out->n = scratch->n;
    return keep(e, &out->ids, scratch->data, scratch->n);
}

/* The ids of context and continuation as one text, which the path takes its end from. */
static pl_status encode_whole(pl_encoder *e, const context *c, const char *text, pl_bytes *whole, pl_ids *scratch)
{
    pl_bytes_clear(whole);
    PL_TRY(pl_bytes_append(whole, c->text, c->size));
    PL_TRY(pl_bytes_text(whole, text));
    if (!c->empty) return encode_text(e, whole->data, whole->size, scratch);
    /* Behind the one token that an empty context stands for, the continuation has no special tokens of its own. */
    scratch->n = 0;
    PL_TRY(pl_tokenizer_encode(e->tokenizer, whole->data, whole->size, false, scratch));
    if (scratch->n > 0 && scratch->data[0] == c->ids[0]) return PL_OK;
    PL_TRY(pl_ids_append(scratch, c->ids, 1));
    memmove(scratch->data + 1, scratch->data, (scratch->n - 1) * sizeof *scratch->data);
    scratch->data[0] = c->ids[0];
    return PL_OK;
}

static pl_status encode_choice(pl_encoder *e, const context *c, const char *text, pl_encoded *out, pl_choice *choice,
                               pl_bytes *whole, pl_ids *scratch)
{
    size_t n = c->n;
    PL_TRY(encode_whole(e, c, text, whole, scratch));
    if (scratch->n <= n)
        return pl_fail(
            PL_E_INPUT,
            "the choice '%.80s' has no token of its own behind the prompt: the prompt has %zu tokens, prompt "
            "and choice %zu; change target_delimiter or the end of doc_to_text",
            text, n, scratch->n);
    if (memcmp(scratch->data, c->ids, n * sizeof *scratch->data) != 0) {
        out->merged = true;
        memcpy(scratch->data, c->ids, n * sizeof *scratch->data);
    }
    int32_t *ids;
    PL_TRY(keep(e, &ids, scratch->data, scratch->n));
    *choice = (pl_choice){.ids = ids, .n = scratch->n, .first = n};
    return PL_OK;
}

/* The prompt of items whose choices are contexts: the tokens that all paths begin with, at least what an empty context
 * stands for. */
static pl_status share_contexts(pl_encoder *e, pl_encoded *out, const pl_choice *paths, size_t n)
{
    size_t shared = paths[0].first;
    for (size_t i = 1; i < n; i++) {
        size_t same = 0;
        while (same < shared && same < paths[i].first && paths[i].ids[same] == paths[0].ids[same]) same++;
        shared = same;
    }
    context empty;
    pl_ids scratch = {0};
    out->request.ids = paths[0].ids;
    out->request.n = shared;
    if (shared) return PL_OK;
    pl_status status = encode_context(e, "", 0, true, &empty, &scratch);
    out->request.ids = empty.ids;
    out->request.n = empty.n;
    pl_ids_free(&scratch);
    return status;
}

/* Every choice behind its context, then (unconditional) every choice behind an empty one. */
static pl_status encode_choices(pl_encoder *e, const pl_prompt *prompt, const context *shared, pl_encoded *out,
                                pl_choice *paths, pl_bytes *whole, pl_ids *scratch)
{
    context c = *shared;
    for (size_t i = 0; i < prompt->n_choices; i++) {
        if (prompt->contexts)
            PL_TRY(encode_context(e, prompt->contexts[i].text, prompt->contexts[i].size, true, &c, scratch));
        PL_TRY(encode_choice(e, &c, prompt->choices[i], out, &paths[i], whole, scratch));
    }
    if (!prompt->unconditional) return PL_OK;
    const bool merged = out->merged;
    PL_TRY(encode_context(e, "", 0, true, &c, scratch));
    for (size_t i = 0; i < prompt->n_choices; i++)
        PL_TRY(encode_choice(e, &c, prompt->unconditional[i], out, &paths[prompt->n_choices + i], whole, scratch));
    out->merged = merged;
    return PL_OK;
}

/* Tokens [from, to) of a text are scored behind those from `seen` on; seen < from. */
static pl_status add_window(const pl_encoder *e, const int32_t *ids, size_t seen, size_t from, size_t to,
                            pl_choice *out)
{
    int32_t *kept;
    PL_TRY(keep(e, &kept, ids + seen, to - seen));
    *out = (pl_choice){.ids = kept, .n = to - seen, .first = from - seen};
    return PL_OK;
}

/* lm-evaluation-harness gives the whole text the special tokens that its tokenizer gives any text. */
static pl_status encode_rolling(pl_encoder *e, const pl_prompt *prompt, pl_encoded *out, pl_ids *ids)
{
    size_t size = strlen(prompt->target), n_windows, w = e->window;
    bool spelled = e->start_size && size >= e->start_size && memcmp(prompt->target, e->start_text, e->start_size) == 0;
    pl_choice *paths;
    if (e->start < 0) return pl_fail(PL_E_INPUT, "a text is scored behind bos or eos, and the tokenizer has neither");
    ids->n = 0;
    PL_TRY(pl_ids_append(ids, &e->start, 1));
    PL_TRY(pl_tokenizer_encode(e->tokenizer, prompt->target, size, !spelled, ids));
    n_windows = (ids->n - 1 + w - 1) / w;
    if (n_windows == 0) return pl_fail(PL_E_INPUT, "a text without a token has no log-likelihood");
    PL_TRY(pl_arena_new(e->arena, &paths, n_windows));
    for (size_t i = 0; i < n_windows; i++) { /* the text's token t is ids->data[t + 1] */
        size_t from = 1 + i * w, to = from + w < ids->n ? from + w : ids->n;
        PL_TRY(add_window(e, ids->data, i == 0 ? 0 : to - w - 1, from, to, &paths[i]));
    }
    out->request.ids = paths[0].ids;
    out->request.n = 1;
    out->request.n_choices = n_windows;
    out->request.choices = paths;
    return PL_OK;
}

static pl_status encode_prompt(pl_encoder *e, const pl_prompt *prompt, pl_encoded *out, pl_bytes *whole,
                               pl_ids *scratch)
{
    context c;
    pl_choice *paths;
    size_t n_paths = prompt->n_choices * (prompt->unconditional ? 2 : 1);
    PL_TRY(encode_context(e, prompt->context, prompt->context_size, prompt->n_choices > 0, &c, scratch));
    PL_TRY(count_prefix(e, prompt, scratch));
    PL_TRY(pl_arena_new(e->arena, &paths, n_paths));
    PL_TRY(encode_choices(e, prompt, &c, out, paths, whole, scratch));
    out->request.ids = c.ids;
    out->request.n = c.n;
    if (prompt->contexts && n_paths) PL_TRY(share_contexts(e, out, paths, prompt->n_choices));
    out->request.own_first = e->prefix_tokens < out->request.n ? e->prefix_tokens : out->request.n - 1;
    out->request.n_choices = n_paths;
    out->request.choices = paths;
    return PL_OK;
}

pl_status pl_encode(pl_encoder *e, const pl_prompt *prompt, pl_encoded *out)
{
    *out = (pl_encoded){.request.gold = prompt->n_choices ? prompt->gold : SIZE_MAX, .n_choices = prompt->n_choices};
    pl_ids scratch = {0};
    pl_bytes whole = {0};
    pl_status status =
        prompt->rolling ? encode_rolling(e, prompt, out, &scratch) : encode_prompt(e, prompt, out, &whole, &scratch);
    pl_bytes_free(&whole);
    pl_ids_free(&scratch);
    return status;
}

pl_status pl_encode_suffix(pl_ids *out, const pl_tokenizer *tokenizer, const char *text)
{
    size_t before = out->n;
    PL_TRY(pl_tokenizer_encode(tokenizer, text, strlen(text), false, out));
    if (out->n > before) return PL_OK;
    return pl_fail(PL_E_INPUT, "capture.suffix '%.80s' has no token", text);
}

pl_status pl_encoded_suffix(pl_encoder *e, pl_encoded *encoded, const pl_ids *suffix)
{
    pl_request *request = &encoded->request;
    int32_t *ids;
    PL_TRY(pl_arena_new(e->arena, &ids, request->n + suffix->n));
    memcpy(ids, request->ids, request->n * sizeof *ids);
    memcpy(ids + request->n, suffix->data, suffix->n * sizeof *ids);
    request->suffixed = ids;
    request->n_suffixed = request->n + suffix->n;
    return PL_OK;
}

size_t pl_encoded_positions(const pl_encoded *encoded, size_t room, const pl_capture *capture)
{
    const pl_request *request = &encoded->request;
    size_t most = request->n + (room ? room - 1 : 0), suffixed = pl_suffix_positions(request, capture);
    if (suffixed > most) most = suffixed;
    for (size_t i = 0; i < request->n_choices; i++) {
        size_t n = pl_choice_positions(request, i, capture);
        if (n > most) most = n;
    }
    return most;
}

/* A copy of a run without its tokens [from, from + cut). */
static pl_status cut_run(const pl_encoder *e, const int32_t **ids, size_t *n, size_t from, size_t cut)
{
    int32_t *left;
    PL_TRY(pl_arena_new(e->arena, &left, *n - cut));
    memcpy(left, *ids, from * sizeof *left);
    memcpy(left + from, *ids + from + cut, (*n - from - cut) * sizeof *left);
    *ids = left;
    *n -= cut;
    return PL_OK;
}

pl_status pl_encoded_cut(pl_encoder *e, pl_encoded *encoded, size_t room, const pl_capture *capture, size_t limit)
{
    pl_request *request = &encoded->request;
    size_t length = pl_encoded_positions(encoded, room, capture);
    if (length <= limit) return PL_OK;
    size_t cut = length - limit, from = request->ids[0] == pl_tokenizer_bos(e->tokenizer) ? 1 : 0;
    if (from + cut >= request->n)
        return pl_fail(PL_E_INPUT, "the answer alone does not fit: %zu positions are too many by %zu", length, cut);
    pl_choice *choices;
    PL_TRY(cut_run(e, &request->ids, &request->n, from, cut));
    if (request->n_suffixed) PL_TRY(cut_run(e, &request->suffixed, &request->n_suffixed, from, cut));
    PL_TRY(pl_arena_new(e->arena, &choices, request->n_choices));
    for (size_t i = 0; i < request->n_choices; i++) {
        choices[i] = request->choices[i];
        if (i >= encoded->n_choices) continue; /* behind an empty context */
        PL_TRY(cut_run(e, &choices[i].ids, &choices[i].n, from, cut));
        choices[i].first -= cut;
    }
    request->choices = choices;
    request->own_first = request->own_first > from + cut ? request->own_first - cut : from;
    encoded->tokens_cut = cut;
    return PL_OK;
}

pl_status pl_encoded_label_paths(pl_encoded *encoded, pl_arena *arena)
{
    pl_request *r = &encoded->request;
    pl_choice *choices;
    PL_TRY(pl_arena_new(arena, &choices, r->n_choices));
    for (size_t c = 0; c < r->n_choices; c++) {
        int32_t *ids;
        PL_TRY(pl_arena_new(arena, &ids, r->n + 1));
        memcpy(ids, r->ids, r->n * sizeof *ids);
        ids[r->n] = (int32_t)c;
        choices[c] = (pl_choice){.ids = ids, .n = r->n + 1, .first = r->n};
    }
    r->choices = choices;
    r->gold = SIZE_MAX;
    encoded->merged = false;
    return PL_OK;
}
