/* plumb inspect: what a checkpoint is, before anything is run. */
#include <stdio.h>

#include "base/digest.h"
#include "base/json.h"
#include "cli/cli.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

static json_t *tensors_json(const pl_safetensors *tensors)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pl_safetensors_count(tensors); i++) {
        const pl_tensor *t = pl_safetensors_at(tensors, i);
        json_t *shape = json_array();
        for (size_t d = 0; d < t->n_dims; d++) json_array_append_new(shape, json_integer((json_int_t)t->dims[d]));
        json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "name", t->name, "dtype", t->type, "shape", shape));
    }
    return list;
}

static json_t *model_json(const pl_checkpoint *c, const pl_tokenizer *tokenizer, const char *digest)
{
    const pl_config *f = &c->config;
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:s,s:b,s:s,s:{s:s,s:I,s:I,s:I,s:s},s:o}",
                     "folder", c->folder, "family", f->model_type, "layers", (json_int_t)f->L, "width",
                     (json_int_t)f->C, "heads", (json_int_t)f->H, "kv_heads", (json_int_t)f->G, "head_width",
                     (json_int_t)f->D, "feed_forward_width", (json_int_t)f->F, "vocabulary", (json_int_t)f->V,
                     "positions", (json_int_t)f->max_positions, "parameters", (json_int_t)c->n_parameters, "tied",
                     (int)f->tied, "stored_dtype", f->dtype ? f->dtype : "", "random_weights", (int)f->random_weights,
                     "weights_digest", digest, "tokenizer", "kind", pl_tokenizer_kind(tokenizer), "size",
                     (json_int_t)pl_tokenizer_size(tokenizer), "bos", (json_int_t)pl_tokenizer_bos(tokenizer), "eos",
                     (json_int_t)pl_tokenizer_eos(tokenizer), "digest", pl_tokenizer_digest(tokenizer), "tensors",
                     tensors_json(c->tensors));
}

static void print(const pl_checkpoint *c, const pl_tokenizer *tokenizer, const char *digest)
{
    const pl_config *f = &c->config;
    printf("%s\n  family      %s%s\n  parameters  %zu (%s)\n", c->folder, f->model_type,
           f->random_weights ? " (random weights: no skill expected)" : "", c->n_parameters,
           f->dtype ? f->dtype : "type not stated");
    printf("  layers      %zu blocks, width %zu, %zu heads of %zu, %zu key/value heads, feed-forward %zu\n", f->L, f->C,
           f->H, f->D, f->G, f->F);
    printf("  vocabulary  %zu, head %s; %zu positions\n", f->V, f->tied ? "tied to the embedding" : "of its own",
           f->max_positions);
    printf("  tokenizer   %s; bos %d, eos %d\n", pl_tokenizer_kind(tokenizer), pl_tokenizer_bos(tokenizer),
           pl_tokenizer_eos(tokenizer));
    printf("  digest      %s (weights), %s (tokenizer)\n  tensors     %zu\n", digest, pl_tokenizer_digest(tokenizer),
           pl_safetensors_count(c->tensors));
    for (size_t i = 0; i < pl_safetensors_count(c->tensors); i++) {
        const pl_tensor *t = pl_safetensors_at(c->tensors, i);
        printf("    %-60s %-4s [", t->name, t->type);
        for (size_t d = 0; d < t->n_dims; d++) printf("%s%zu", d ? ", " : "", t->dims[d]);
        printf("]\n");
    }
}

pl_status pl_verb_inspect(const pl_arguments *arguments)
{
    char folder[PL_PATH_MAX], digest[PL_HASH_TEXT];
    pl_checkpoint *checkpoint = NULL;
    pl_tokenizer *tokenizer = NULL;
    pl_status status;
    PL_TRY(pl_model_find(folder, arguments->words[0]));
    PL_GOTO(status, done, pl_checkpoint_open(&checkpoint, folder));
    PL_GOTO(status, done, pl_tokenizer_open(&tokenizer, folder));
    PL_GOTO(status, done, pl_safetensors_digest(checkpoint->tensors, digest));
    if (!pl_argument_flag(arguments, PL_OPTION_JSON)) {
        print(checkpoint, tokenizer, digest);
        goto done;
    }
    status = pl_print_json(model_json(checkpoint, tokenizer, digest), true);
done:
    pl_tokenizer_free(tokenizer);
    pl_checkpoint_close(checkpoint);
    return status;
}
