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

/* The context's own ids. An empty one is conditioned on bos, or eos where there is none. */
static pl_status encode_context(pl_encoder *e, const char *text, size_t size, pl_encoded *out, pl_ids *scratch)
{
    PL_TRY(encode_text(e, text, size, scratch));
    if (scratch->n == 0) {
        if (e->start < 0)
            return pl_fail(PL_E_INPUT, "an empty prompt, and the tokenizer has neither bos nor eos to start from");
        PL_TRY(pl_ids_append(scratch, &e->start, 1));
    }
    int32_t *ids;
    PL_TRY(keep(e, &ids, scratch->data, scratch->n));
    out->request.ids = ids;
    out->request.n = scratch->n;
    return PL_OK;
}

/* The ids of context and continuation as one text, which the path takes its end from. */
static pl_status encode_whole(pl_encoder *e, const pl_prompt *prompt, bool empty, const char *text,
                              const pl_encoded *out, pl_bytes *whole, pl_ids *scratch)
{
    pl_bytes_clear(whole);
    PL_TRY(pl_bytes_append(whole, prompt->context, prompt->context_size));
    PL_TRY(pl_bytes_text(whole, text));
    if (!empty) return encode_text(e, whole->data, whole->size, scratch);
    /* Behind the one token that an empty context stands for, the continuation has no special tokens of its own. */
    scratch->n = 0;
    PL_TRY(pl_tokenizer_encode(e->tokenizer, whole->data, whole->size, false, scratch));
    if (scratch->n > 0 && scratch->data[0] == out->request.ids[0]) return PL_OK;
    PL_TRY(pl_ids_append(scratch, out->request.ids, 1));
    memmove(scratch->data + 1, scratch->data, (scratch->n - 1) * sizeof *scratch->data);
    scratch->data[0] = out->request.ids[0];
    return PL_OK;
}

static pl_status encode_choice(pl_encoder *e, const pl_prompt *prompt, bool empty, const char *text, pl_encoded *out,
                               pl_choice *choice, pl_bytes *whole, pl_ids *scratch)
{
    size_t n = out->request.n;
    PL_TRY(encode_whole(e, prompt, empty, text, out, whole, scratch));
    if (scratch->n <= n)
        return pl_fail(
            PL_E_INPUT,
            "the choice '%.80s' has no token of its own behind the prompt: the prompt has %zu tokens, prompt "
            "and choice %zu; change target_delimiter or the end of doc_to_text",
            text, n, scratch->n);
    if (memcmp(scratch->data, out->request.ids, n * sizeof *scratch->data) != 0) {
        out->merged = true;
        memcpy(scratch->data, out->request.ids, n * sizeof *scratch->data);
    }
    int32_t *ids;
    PL_TRY(keep(e, &ids, scratch->data, scratch->n));
    *choice = (pl_choice){.ids = ids, .n = scratch->n, .first = n};
    return PL_OK;
}

pl_status pl_encode(pl_encoder *e, const pl_prompt *prompt, pl_encoded *out)
{
    *out = (pl_encoded){.request.gold = prompt->n_choices ? prompt->gold : SIZE_MAX};
    size_t size = prompt->n_choices ? pl_utf8_rstrip(prompt->context, prompt->context_size) : prompt->context_size;
    pl_choice *choices;
    pl_ids scratch = {0};
    pl_bytes whole = {0};
    pl_status status;
    PL_GOTO(status, done, encode_context(e, prompt->context, size, out, &scratch));
    PL_GOTO(status, done, count_prefix(e, prompt, &scratch));
    out->request.own_first = e->prefix_tokens < out->request.n ? e->prefix_tokens : out->request.n - 1;
    PL_GOTO(status, done, pl_arena_new(e->arena, &choices, prompt->n_choices));
    out->request.n_choices = prompt->n_choices;
    out->request.choices = choices;
    for (size_t i = 0; i < prompt->n_choices; i++)
        PL_GOTO(status, done,
                encode_choice(e, prompt, size == 0, prompt->choices[i], out, &choices[i], &whole, &scratch));
done:
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
