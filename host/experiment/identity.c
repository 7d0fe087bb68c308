#include "experiment/identity.h"

#include <stdio.h>

#include "base/json_build.h"
#include "store/unit_file.h"

static void put_capture(pl_json_builder *b, const pl_identity *i)
{
    if (!i->captures) {
        pl_json_put_null(b, "capture");
        return;
    }
    pl_json_open(b, "capture");
    pl_json_open_list(b, "layers");
    for (size_t l = 0; l < i->n_layers; l++) pl_json_put_size(b, NULL, i->layers[l]);
    pl_json_close(b);
    pl_json_open_list(b, "positions");
    for (size_t p = 0; p < PL_POSITIONS; p++)
        if (i->positions & pl_positions[p].bit) pl_json_put_text(b, NULL, pl_positions[p].name);
    pl_json_close(b);
    if (i->suffix) pl_json_put_text(b, "suffix", i->suffix);
    pl_json_put_text(b, "dtype", pl_dtype_name(i->storage));
    if (i->capture_items == SIZE_MAX)
        pl_json_put_text(b, "items", "all");
    else
        pl_json_put_size(b, "items", i->capture_items);
    if (i->capture_items != SIZE_MAX) /* rows without: of the file's order */
        pl_json_put_text(b, "order", i->truncation == PL_TRUNCATION_SKIP ? "chance of kept" : "chance");
    pl_json_close(b);
}

static void put_arm(pl_json_builder *b, const pl_identity *i)
{
    pl_json_open(b, "arm");
    if (i->learned_by) {
        pl_json_put_text(b, "kind", pl_arm_name(i->kind));
        pl_json_put_text(b, "learned_by", i->learned_by);
        pl_json_close(b);
        return;
    }
    pl_json_put_text(b, "kind", "prompt");
    pl_json_put_size(b, "k", i->k);
    pl_json_put_size(b, "draw", i->draw);
    pl_json_put_size(b, "order", i->order);
    pl_json_put_bool(b, "balance", i->balance);
    if (i->first_shots) pl_json_put_text(b, "sampler", "first_n");
    pl_json_close(b);
}

static void put_content_free(pl_json_builder *b, const pl_identity *i)
{
    if (!i->n_content_free) return;
    pl_json_open_list(b, "content_free");
    for (size_t c = 0; c < i->n_content_free; c++) pl_json_put_text(b, NULL, i->content_free[c]);
    pl_json_close(b);
}

static void put_generation(pl_json_builder *b, const pl_identity *i)
{
    if (!i->generation) {
        pl_json_put_null(b, "generation");
        return;
    }
    pl_json_open(b, "generation");
    pl_json_put(b, "task", json_deep_copy(i->generation));
    pl_json_open_list(b, "stop_ids");
    for (size_t s = 0; s < i->n_stops; s++) pl_json_put_integer(b, NULL, i->stops[s]);
    pl_json_close(b);
    pl_json_close(b);
}

void pl__put_chat(pl_json_builder *b, const pl_identity_chat *chat)
{
    if (!chat) return;
    pl_json_open(b, "chat");
    if (chat->template) pl_json_put_text(b, "template", chat->template);
    if (chat->system) pl_json_put_text(b, "system", chat->system);
    if (chat->date) pl_json_put_text(b, "date", chat->date);
    if (chat->template) pl_json_put_bool(b, "fewshot_as_multiturn", chat->multiturn);
    pl_json_close(b);
}

pl_status pl_identity_text(pl_bytes *out, const pl_identity *i)
{
    pl_json_builder b;
    json_t *json;
    pl_json_begin(&b);
    pl_json_put_size(&b, "numerics", PL_NUMERICS_VERSION);
    pl_json_put_size(&b, "format", PL_UNIT_FORMAT_VERSION);
    pl_json_put_text(&b, "model", i->model);
    pl_json_put_text(&b, "weights", i->weights);
    pl_json_put_text(&b, "config", i->config);
    pl_json_put_text(&b, "tokenizer", i->tokenizer);
    pl_json_put_text(&b, "unicode", i->unicode);
    pl_json_put_text(&b, "task", i->task);
    pl_json_put_text(&b, "template", i->template_name);
    pl_json_put_text(&b, "template_digest", i->template_digest);
    pl_json_put_text(&b, "role", i->role);
    pl_json_put_text(&b, "test_sha256", i->test_sha256);
    pl_json_put_text(&b, "items", i->items_digest);
    pl_json_put_text(&b, "fewshot_sha256", i->fewshot_sha256);
    pl_json_put_text(&b, "readout", pl_readout_name(i->readout));
    put_arm(&b, i);
    pl_json_put_size(&b, "seed", i->seed);
    pl_json_put_text(&b, "truncation", pl_truncation_name(i->truncation));
    pl_json_put_text(&b, "compute", pl_dtype_name(i->compute));
    put_capture(&b, i);
    pl__put_chat(&b, i->chat);
    put_content_free(&b, i);
    put_generation(&b, i);
    PL_TRY(pl_json_end(&b, &json, "a unit's identity"));
    pl_status status = pl_json_canonical(out, json);
    json_decref(json);
    return status;
}

pl_status pl_identity_id(char id[PL_HASH_TEXT], const pl_identity *identity)
{
    pl_bytes text = {0};
    pl_status status = pl_identity_text(&text, identity);
    if (status == PL_OK) pl_hash128(id, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

void pl_numerics_key(char key[PL_NUMERICS_KEY], const pl_device_facts *facts)
{
    snprintf(key, PL_NUMERICS_KEY, "%s; %s; numerics %d", facts->device_class, facts->products,
             (int)PL_NUMERICS_VERSION);
}
