#include "experiment/encode.h"

#include <stdlib.h>
#include <string.h>

static pl_status encode_text(const pl_encoder *e, const char *text, size_t size, pl_ids *out)
{
    out->n = 0;
    PL_TRY(pl_tokenizer_encode(e->tokenizer, text, size, true, out));
    if (e->strip_eos && out->n > 0 && out->data[out->n - 1] == pl_tokenizer_eos(e->tokenizer)) out->n--;
    if (out->n > 0) return PL_OK;
    /* An empty context is conditioned on bos, or eos where there is none, as lm-evaluation-harness does. */
    int32_t prefix =
        pl_tokenizer_bos(e->tokenizer) >= 0 ? pl_tokenizer_bos(e->tokenizer) : pl_tokenizer_eos(e->tokenizer);
    if (prefix < 0)
        return pl_fail(PL_E_INPUT, "an empty prompt, and the tokenizer has neither bos nor eos to start from");
    return pl_ids_append(out, &prefix, 1);
}

pl_status pl_encoder_create(pl_encoder *out, const pl_tokenizer *tokenizer, size_t limit, pl_arena *arena)
{
    *out = (pl_encoder){.tokenizer = tokenizer, .arena = arena, .limit = limit};
    int32_t eos = pl_tokenizer_eos(tokenizer);
    pl_ids ids = {0};
    pl_status status = pl_tokenizer_encode(tokenizer, "a", 1, true, &ids);
    out->strip_eos = status == PL_OK && ids.n > 1 && eos >= 0 && ids.data[ids.n - 1] == eos;
    pl_ids_free(&ids);
    return status;
}

static pl_status keep(const pl_encoder *e, int32_t **out, const pl_ids *ids)
{
    PL_TRY(pl_arena_new(e->arena, out, ids->n));
    memcpy(*out, ids->data, ids->n * sizeof **out);
    return PL_OK;
}

/* Tokens of the text before the item's own, encoded by itself; items of a cell mostly share it. */
static pl_status count_prefix(pl_encoder *e, const pl_prompt *prompt, pl_ids *scratch)
{
    if (e->prefix && e->prefix_size == prompt->own_offset && memcmp(e->prefix, prompt->context, e->prefix_size) == 0)
        return PL_OK;
    scratch->n = 0;
    PL_TRY(pl_tokenizer_encode(e->tokenizer, prompt->context, prompt->own_offset, true, scratch));
    if (e->strip_eos && scratch->n > 0) scratch->n--;
    PL_TRY(pl_arena_text(e->arena, &e->prefix, prompt->context, prompt->own_offset));
    e->prefix_size = prompt->own_offset;
    e->prefix_tokens = scratch->n;
    return PL_OK;
}

static pl_status encode_choice(pl_encoder *e, const pl_prompt *prompt, size_t context_size, const char *text,
                               pl_encoded *out, pl_choice *choice, pl_bytes *whole, pl_ids *scratch)
{
    pl_bytes_clear(whole);
    PL_TRY(pl_bytes_append(whole, prompt->context, prompt->context_size));
    PL_TRY(pl_bytes_text(whole, text));
    PL_TRY(encode_text(e, whole->data, whole->size, scratch));
    if (context_size == 0) {
        /* The empty context stands for its one prefix token, which the tokenizer may or may not have put there. */
        if (scratch->n == 0 || scratch->data[0] != out->ids[0]) {
            PL_TRY(pl_ids_append(scratch, &out->ids[0], 1));
            memmove(scratch->data + 1, scratch->data, (scratch->n - 1) * sizeof *scratch->data);
            scratch->data[0] = out->ids[0];
        }
    }
    if (scratch->n < 2)
        return pl_fail(PL_E_INPUT, "the choice '%.80s' has no token of its own behind the prompt", text);
    int32_t *ids;
    PL_TRY(keep(e, &ids, scratch));
    choice->ids = ids;
    choice->n = scratch->n;
    choice->first = out->n < choice->n ? out->n : choice->n - 1;
    if (out->n >= choice->n || memcmp(choice->ids, out->ids, out->n * sizeof *out->ids) != 0) out->merged = true;
    return PL_OK;
}

pl_status pl_encode(pl_encoder *e, const pl_prompt *prompt, pl_encoded *out)
{
    *out = (pl_encoded){0};
    size_t context_size = prompt->context_size;
    while (prompt->n_choices && context_size > 0 && strchr(" \n\t", prompt->context[context_size - 1])) context_size--;
    pl_ids scratch = {0};
    pl_bytes whole = {0};
    pl_status status;
    PL_GOTO(status, done, encode_text(e, prompt->context, context_size, &scratch));
    out->n = scratch.n;
    PL_GOTO(status, done, keep(e, &out->ids, &scratch));
    PL_GOTO(status, done, count_prefix(e, prompt, &scratch));
    out->own_first = e->prefix_tokens < out->n ? e->prefix_tokens : out->n - 1;
    out->n_choices = prompt->n_choices;
    PL_GOTO(status, done, pl_arena_new(e->arena, &out->choices, prompt->n_choices));
    for (size_t i = 0; i < prompt->n_choices; i++)
        PL_GOTO(status, done,
                encode_choice(e, prompt, context_size, prompt->choices[i], out, &out->choices[i], &whole, &scratch));
done:
    pl_bytes_free(&whole);
    pl_ids_free(&scratch);
    return status;
}

size_t pl_encoded_length(const pl_encoded *encoded, size_t room)
{
    size_t longest = encoded->n + room;
    for (size_t i = 0; i < encoded->n_choices; i++)
        if (encoded->choices[i].n > longest) longest = encoded->choices[i].n;
    return longest;
}

/* Removes tokens [from, from + cut) of a run in place. */
static void cut_run(int32_t *ids, size_t *n, size_t from, size_t cut)
{
    memmove(ids + from, ids + from + cut, (*n - from - cut) * sizeof *ids);
    *n -= cut;
}

pl_status pl_encoded_cut(pl_encoded *encoded, size_t room, size_t limit, int32_t bos)
{
    size_t length = pl_encoded_length(encoded, room);
    if (length <= limit) return PL_OK;
    size_t cut = length - limit, from = encoded->ids[0] == bos ? 1 : 0;
    size_t shortest = encoded->n;
    for (size_t i = 0; i < encoded->n_choices; i++)
        if (encoded->choices[i].first < shortest) shortest = encoded->choices[i].first;
    if (from + cut >= shortest)
        return pl_fail(PL_E_INPUT, "the label alone does not fit: %zu tokens are too many by %zu", length, cut);
    cut_run(encoded->ids, &encoded->n, from, cut);
    for (size_t i = 0; i < encoded->n_choices; i++) {
        pl_choice *c = &encoded->choices[i];
        cut_run((int32_t *)(uintptr_t)c->ids, &c->n, from, cut);
        c->first -= cut;
    }
    encoded->own_first = encoded->own_first > from + cut ? encoded->own_first - cut : from;
    encoded->tokens_cut = cut;
    return PL_OK;
}
