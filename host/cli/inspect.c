/* plumb inspect: what a checkpoint is, before anything is run. */
#include <stdio.h>

#include "base/digest.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "model/layer_text.h"

/* What is printed. */
typedef struct facts {
    const pl_checkpoint *checkpoint;
    const pl_tokenizer *tokenizer;
    const char *digest; /* of the weights */
    pl_ids ends;        /* ids that end a generation */
    char unicode[PL_UNICODE_TEXT];
} facts;

static void put_tensors(pl_json_builder *b, const pl_safetensors *tensors)
{
    pl_json_open_list(b, "tensors");
    for (size_t i = 0; i < pl_safetensors_count(tensors); i++) {
        const pl_tensor *t = pl_safetensors_at(tensors, i);
        pl_json_open(b, NULL);
        pl_json_put_text(b, "name", t->name);
        pl_json_put_text(b, "dtype", t->type);
        pl_json_open_list(b, "shape");
        for (size_t d = 0; d < t->n_dims; d++) pl_json_put_size(b, NULL, t->dims[d]);
        pl_json_close(b);
        pl_json_close(b);
    }
    pl_json_close(b);
}

static void put_tokenizer(pl_json_builder *b, const facts *f)
{
    pl_json_open(b, "tokenizer");
    pl_json_put_text(b, "kind", pl_tokenizer_kind(f->tokenizer));
    pl_json_put_size(b, "size", pl_tokenizer_size(f->tokenizer));
    pl_json_put_integer(b, "bos", pl_tokenizer_bos(f->tokenizer));
    pl_json_put_integer(b, "eos", pl_tokenizer_eos(f->tokenizer));
    pl_json_put_text(b, "digest", pl_tokenizer_digest(f->tokenizer));
    pl_json_put_text(b, "unicode", f->unicode);
    pl_json_close(b);
}

/* The blocks that do the same are one entry: which they are, and what they do. */
typedef pl_status put_blocks(void *to, const char *numbers, const char *text);

static pl_status each_kind(const pl_config *config, put_blocks *put, void *to)
{
    pl_bytes numbers = {0}, text = {0};
    pl_status status = PL_OK;
    for (size_t layer = 0; layer < config->L && status == PL_OK; layer++) {
        bool first;
        pl_bytes_clear(&numbers);
        pl_bytes_clear(&text);
        PL_GOTO(status, done, pl_layer_numbers(&numbers, &first, config, layer));
        if (!first) continue;
        PL_GOTO(status, done, pl_layer_text(&text, config, layer));
        status = put(to, numbers.data, text.data);
    }
done:
    pl_bytes_free(&numbers);
    pl_bytes_free(&text);
    return status;
}

static pl_status put_plan_json(void *to, const char *numbers, const char *text)
{
    pl_json_builder *b = to;
    pl_json_open(b, NULL);
    pl_json_put_text(b, "blocks", numbers);
    pl_json_put_text(b, "does", text);
    pl_json_close(b);
    return PL_OK;
}

static pl_status put_plan(void *to, const char *numbers, const char *text)
{
    fprintf(to, "    %-10s %s\n", numbers, text);
    return PL_OK;
}

static pl_status print_json(const facts *f)
{
    const pl_checkpoint *c = f->checkpoint;
    const pl_config *config = &c->config;
    pl_json_builder b;
    json_t *object;
    pl_json_begin(&b);
    pl_json_put_text(&b, "folder", c->folder);
    pl_json_put_text(&b, "family", config->model_type);
    pl_json_put_size(&b, "layers", config->L);
    pl_json_put_size(&b, "width", config->C);
    pl_json_put_size(&b, "embedding_width", config->E);
    pl_json_put_size(&b, "heads", config->H);
    pl_json_put_size(&b, "kv_heads", config->G);
    pl_json_put_size(&b, "head_width", config->D);
    pl_json_put_size(&b, "feed_forward_width", config->F);
    pl_json_open_list(&b, "plan");
    pl_status status = each_kind(config, put_plan_json, &b);
    pl_json_close(&b);
    pl_json_put_size(&b, "vocabulary", config->V);
    pl_json_put_size(&b, "positions", config->max_positions);
    pl_json_put_size(&b, "parameters", c->n_parameters);
    pl_json_put_bool(&b, "tied", config->tied);
    pl_json_put_text(&b, "stored_dtype", config->dtype ? config->dtype : "");
    pl_json_put_bool(&b, "random_weights", config->random_weights);
    pl_json_put_text(&b, "weights_digest", f->digest);
    pl_json_open_list(&b, "stop_ids");
    for (size_t i = 0; i < f->ends.n; i++) pl_json_put_integer(&b, NULL, f->ends.data[i]);
    pl_json_close(&b);
    pl_json_open_list(&b, "notes");
    for (size_t i = 0; i < c->n_notes; i++) pl_json_put_text(&b, NULL, c->notes[i]);
    pl_json_close(&b);
    put_tokenizer(&b, f);
    put_tensors(&b, c->tensors);
    if (status != PL_OK) {
        pl_json_discard(&b);
        return status;
    }
    PL_TRY(pl_json_end(&b, &object, "inspect"));
    return pl_print_json(object, true);
}

static void print_ends(const pl_ids *ends)
{
    printf("  end         generation ends at %s", ends->n ? "" : "no id");
    for (size_t i = 0; i < ends->n; i++) printf("%s%d", i ? ", " : "", ends->data[i]);
    puts("");
}

static void print_tensor(const pl_tensor *t)
{
    char name[256];
    pl_visible_text(name, sizeof name, t->name);
    printf("    %-60s %-4s [", name, t->type);
    for (size_t d = 0; d < t->n_dims; d++) printf("%s%zu", d ? ", " : "", t->dims[d]);
    printf("]\n");
}

static pl_status print(const facts *all)
{
    const pl_checkpoint *c = all->checkpoint;
    const pl_tokenizer *tokenizer = all->tokenizer;
    const pl_config *f = &c->config;
    pl_print(stdout, "%s\n", c->folder);
    pl_print(stdout, "  family      %s%s\n", f->model_type,
             f->random_weights ? " (random weights: no skill expected)" : "");
    pl_print(stdout, "  parameters  %zu (%s)\n", c->n_parameters, f->dtype ? f->dtype : "type not stated");
    printf("  layers      %zu blocks, width %zu, %zu heads of %zu, %zu key/value heads, feed-forward %zu\n", f->L, f->C,
           f->H, f->D, f->G, f->F);
    PL_TRY(each_kind(f, put_plan, stdout));
    printf("  vocabulary  %zu", f->V);
    if (f->E != f->C) printf(", embeddings of width %zu", f->E);
    printf(", head %s; %zu positions\n", f->tied ? "tied to the embedding" : "of its own", f->max_positions);
    printf("  tokenizer   %s; bos %d, eos %d\n", pl_tokenizer_kind(tokenizer), pl_tokenizer_bos(tokenizer),
           pl_tokenizer_eos(tokenizer));
    print_ends(&all->ends);
    for (size_t i = 0; i < c->n_notes; i++) pl_print(stdout, "  note        %s\n", c->notes[i]);
    printf("  states      `mean` of a text leaves its first token out (position 0 is an outlier in such models)\n");
    printf("  unicode     %s\n", all->unicode);
    printf("  digest      %s (weights), %s (tokenizer)\n  tensors     %zu\n", all->digest,
           pl_tokenizer_digest(tokenizer), pl_safetensors_count(c->tensors));
    for (size_t i = 0; i < pl_safetensors_count(c->tensors); i++) print_tensor(pl_safetensors_at(c->tensors, i));
    return PL_OK;
}

pl_status pl_verb_inspect(const pl_arguments *arguments)
{
    char folder[PL_PATH_MAX], digest[PL_HASH_TEXT];
    pl_checkpoint *checkpoint = NULL;
    pl_tokenizer *tokenizer = NULL;
    facts all = {0};
    pl_status status;
    PL_TRY(pl_model_find(folder, arguments->words[0]));
    PL_GOTO(status, done, pl_checkpoint_open(&checkpoint, folder));
    PL_GOTO(status, done, pl_tokenizer_open(&tokenizer, folder));
    PL_GOTO(status, done, pl_safetensors_digest(checkpoint->tensors, digest));
    all = (facts){.checkpoint = checkpoint, .tokenizer = tokenizer, .digest = digest};
    PL_GOTO(status, done, pl_stop_ids(&all.ends, &checkpoint->config, tokenizer));
    pl_tokenizer_unicode(all.unicode);
    status = pl_argument_flag(arguments, PL_OPTION_JSON) ? print_json(&all) : print(&all);
done:
    pl_ids_free(&all.ends);
    pl_tokenizer_free(tokenizer);
    pl_checkpoint_close(checkpoint);
    return status;
}
