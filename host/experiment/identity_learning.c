/* The identity of a unit that adapts a model (identity.h). */
#include "base/json_build.h"
#include "experiment/identity.h"
#include "store/unit_file.h"

static void put_templates(pl_json_builder *b, const char *key, const pl_template *const *templates, size_t n)
{
    pl_json_open_list(b, key);
    for (size_t t = 0; t < n; t++) {
        pl_json_open(b, NULL);
        pl_json_put_text(b, "name", templates[t]->name);
        pl_json_put_text(b, "digest", templates[t]->digest);
        pl_json_close(b);
    }
    pl_json_close(b);
}

/* As they are in training: the recipe's, or the checkpoint's own, which the digest of its config leaves out. */
static void put_dropout(pl_json_builder *b, const pl_recipe *r, const pl_config *c)
{
    const bool own = r->settings.dropout < 0;
    pl_json_open(b, "dropout");
    pl_json_put_real(b, "embedding", own ? c->embed_dropout : r->settings.dropout);
    pl_json_put_real(b, "attention", own ? c->attention_dropout : r->settings.dropout);
    pl_json_put_real(b, "residual", own ? c->residual_dropout : r->settings.dropout);
    pl_json_close(b);
}

/* Whether the weights are kept decides no number. */
static void put_recipe(pl_json_builder *b, const pl_recipe *r)
{
    const pl_train_settings *t = &r->settings;
    pl_json_open_list(b, "learning_rate");
    for (size_t i = 0; i < r->n_rates; i++) pl_json_put_real(b, NULL, r->learning_rate[i]);
    pl_json_close(b);
    pl_json_put_real(b, "num_train_epochs", t->num_train_epochs);
    pl_json_put_size(b, "train_batch_size", t->train_batch_size);
    pl_json_put_size(b, "micro_batch_size", t->micro_batch_size);
    pl_json_put_size(b, "lanes", t->lanes);
    pl_json_put_text(b, "lr_scheduler_type", pl_schedule_names[t->lr_scheduler_type]);
    pl_json_put_text(b, "loss_mean", pl_loss_mean_names[t->loss_mean]);
    pl_json_put_real(b, "warmup_ratio", t->warmup_ratio);
    pl_json_put_size(b, "warmup_steps", t->warmup_steps);
    pl_json_put_real(b, "weight_decay", t->weight_decay);
    pl_json_put_real(b, "adam_beta1", t->adam_beta1);
    pl_json_put_real(b, "adam_beta2", t->adam_beta2);
    pl_json_put_real(b, "adam_epsilon", t->adam_epsilon);
    pl_json_put_real(b, "max_grad_norm", t->max_grad_norm);
    pl_json_put_bool(b, "gradient_checkpointing", t->gradient_checkpointing);
    pl_json_put_bool(b, "bf16", r->bf16);
    pl_json_put_size(b, "eval_steps", t->eval_steps);
}

static void put_arm(pl_json_builder *b, const pl_learning *l)
{
    pl_json_open(b, "arm");
    pl_json_put_text(b, "kind", pl_arm_name(l->kind));
    pl_json_put_size(b, "n_train", l->n_train);
    pl_json_put_size(b, "draw", l->draw);
    pl_json_put_bool(b, "balance", l->balance);
    pl_json_put_text(b, "labels", pl_labelling_name(l->labels));
    put_templates(b, "train_templates", l->templates, l->n_templates);
    if (l->recipe) {
        pl_json_put_text(b, "head", pl_head_name(l->head));
        put_templates(b, "dev_templates", l->dev_templates, l->n_dev_templates);
        put_recipe(b, l->recipe);
        put_dropout(b, l->recipe, l->facts);
        if (l->head == PL_HEAD_CLASSIFIER) pl_json_put_real(b, "initializer_range", l->facts->initializer_range);
        if (l->facts->has_padding) pl_json_put_integer(b, "padding", l->facts->padding);
        if (l->until) pl_json_put_text(b, "until", l->until);
    } else {
        pl_json_open_list(b, "layers");
        for (size_t i = 0; i < l->n_layers; i++) pl_json_put_size(b, NULL, l->layers[i]);
        pl_json_close(b);
        if (l->group) pl_json_put_text(b, "group", l->group);
    }
    pl_json_close(b);
}

pl_status pl_learning_text(pl_bytes *out, const pl_learning *l)
{
    pl_json_builder b;
    json_t *json;
    pl_json_begin(&b);
    pl_json_put_text(&b, "stage", "learn");
    pl_json_put_size(&b, "numerics", PL_NUMERICS_VERSION);
    pl_json_put_size(&b, "format", PL_UNIT_FORMAT_VERSION);
    pl_json_put_text(&b, "model", l->model);
    pl_json_put_text(&b, "weights", l->weights);
    pl_json_put_text(&b, "config", l->config);
    pl_json_put_text(&b, "tokenizer", l->tokenizer);
    pl_json_put_text(&b, "unicode", l->unicode);
    pl_json_put_text(&b, "task", l->task);
    pl_json_put_text(&b, "fewshot_sha256", l->fewshot_sha256);
    pl_json_put_text(&b, "examples", l->examples);
    pl_json_put_size(&b, "seed", l->seed);
    pl_json_put_text(&b, "truncation", pl_truncation_name(l->truncation));
    pl_json_put_text(&b, "compute", pl_dtype_name(l->compute));
    put_arm(&b, l);
    pl__put_chat(&b, l->chat);
    PL_TRY(pl_json_end(&b, &json, "a unit's identity"));
    pl_status status = pl_json_canonical(out, json);
    json_decref(json);
    return status;
}
