#include "experiment/render.h"

#include "base/json_build.h"
#include "experiment/item.h"

static void put_tokens(pl_json_builder *b, const char *ids_key, const char *pieces_key, const pl_tokenizer *tokenizer,
                       const int32_t *ids, size_t n)
{
    pl_json_open_list(b, ids_key);
    for (size_t i = 0; i < n; i++) pl_json_put_integer(b, NULL, ids[i]);
    pl_json_close(b);
    pl_json_open_list(b, pieces_key);
    for (size_t i = 0; i < n; i++) pl_json_put_text(b, NULL, pl_tokenizer_piece(tokenizer, ids[i]));
    pl_json_close(b);
}

/* One list a continuation: its ids, or (with a tokenizer) its pieces; where choices are contexts, all behind the
 * prompt.
 */
static void put_continuations(pl_json_builder *b, const char *key, const pl__item *item, const pl_tokenizer *tokenizer)
{
    const pl_request *r = &item->encoded.request;
    pl_json_open_list(b, key);
    for (size_t c = 0; c < r->n_choices; c++) {
        const pl_choice *choice = &r->choices[c];
        pl_json_open_list(b, NULL);
        for (size_t t = item->prompt.contexts ? r->n : choice->first; t < choice->n; t++)
            if (tokenizer)
                pl_json_put_text(b, NULL, pl_tokenizer_piece(tokenizer, choice->ids[t]));
            else
                pl_json_put_integer(b, NULL, choice->ids[t]);
        pl_json_close(b);
    }
    pl_json_close(b);
}

static void put_contexts(pl_json_builder *b, const pl_prompt *p)
{
    pl_json_open_list(b, "contexts");
    for (size_t c = 0; c < p->n_choices; c++) pl_json_put_bytes(b, NULL, p->contexts[c].text, p->contexts[c].size);
    pl_json_close(b);
}

static pl_status item_json(json_t **out, const pl__item *item, const pl_tokenizer *tokenizer)
{
    const pl_request *r = &item->encoded.request;
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_size(&b, "doc_id", item->index);
    pl_json_put_text(&b, "context", item->prompt.context);
    pl_json_put_size(&b, "own_from", item->prompt.own_offset);
    pl_json_open_list(&b, "continuations");
    for (size_t c = 0; c < item->prompt.n_choices; c++) pl_json_put_text(&b, NULL, item->prompt.choices[c]);
    pl_json_close(&b);
    if (item->prompt.contexts) put_contexts(&b, &item->prompt);
    if (item->prompt.gold == SIZE_MAX)
        pl_json_put_null(&b, "gold");
    else
        pl_json_put_size(&b, "gold", item->prompt.gold);
    pl_json_put_text(&b, "target", item->prompt.target);
    put_tokens(&b, "ids", "pieces", tokenizer, r->ids, r->n);
    put_continuations(&b, "continuation_ids", item, NULL);
    put_continuations(&b, "continuation_pieces", item, tokenizer);
    pl_json_put_bool(&b, "merged", item->encoded.merged);
    pl_json_put_size(&b, "shots_dropped", item->encoded.shots_dropped);
    pl_json_put_size(&b, "tokens_cut", item->encoded.tokens_cut);
    return pl_json_end(&b, out, "a prompt");
}

pl_status pl_render_unit(const pl_plan *plan, const pl_plan_unit *unit, size_t most,
                         void (*take)(void *listener, const json_t *item), void *listener)
{
    pl_arena *arena;
    pl__items items;
    if (unit->learns)
        return pl_fail(PL_E_USAGE, "the unit learns: it has examples, not prompts; choose one that evaluates");
    PL_TRY(pl_arena_create(&arena));
    pl_status status = pl__items_build(&items, plan, unit, arena);
    for (size_t i = 0; status == PL_OK && i < items.n && i < most; i++) {
        json_t *item = NULL;
        status = item_json(&item, &items.items[i], plan->models[unit->model].tokenizer);
        if (status == PL_OK) take(listener, item);
        json_decref(item);
    }
    pl_arena_free(arena);
    return status;
}
