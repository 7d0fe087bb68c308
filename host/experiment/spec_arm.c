/* The arms of an experiment file: prompt, linear, finetune. */
#include <math.h>
#include <string.h>

#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

enum { MAX_SHOTS = 1000, MAX_EXAMPLES = 10000000, MIN_EXAMPLES = 4, MAX_NAME = 40 };

static const char *const arm_names[PL_ARM_KINDS] = {"prompt", "linear", "finetune"};
static const char *const readout_names[PL_READOUTS] = {"loglikelihood", "generate"};
static const char *const head_names[PL_HEAD_KINDS] = {"lm", "classifier"};
static const char *const label_names[PL_LABELLINGS] = {"given", "shuffled"};

const char *pl_arm_name(pl_arm_kind kind)
{
    return arm_names[kind];
}

const char *pl_readout_name(pl_readout readout)
{
    return readout_names[readout];
}

const char *pl_head_name(pl_head_kind head)
{
    return head_names[head];
}

const char *pl_labelling_name(pl_labelling labels)
{
    return label_names[labels];
}

/* A list of names as marks; an absent key marks the first. */
static pl_status read_marks(bool *out, const pl_yaml_node *map, const char *key, const char *const *names, size_t n)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    pl__list l;
    out[0] = !node;
    if (!node) return PL_OK;
    PL_TRY(pl__list_of(&l, node));
    for (size_t i = 0; i < l.n; i++) {
        size_t which;
        PL_TRY(pl__one_of(&which, pl__list_item(&l, i), names, n));
        if (out[which]) return pl_yaml_fail(pl__list_item(&l, i), "%s: '%s' is listed twice", key, names[which]);
        out[which] = true;
    }
    return PL_OK;
}

static pl_status read_shots(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    pl__list l;
    size_t *shots;
    PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, &shots, l.n));
    for (size_t i = 0; i < l.n; i++) {
        PL_TRY(pl_yaml_to_size(&shots[i], pl__list_item(&l, i)));
        if (shots[i] > MAX_SHOTS)
            return pl_yaml_fail(pl__list_item(&l, i), "%zu shots: expected at most %d", shots[i], MAX_SHOTS);
        for (size_t j = 0; j < i; j++)
            if (shots[j] == shots[i]) return pl_yaml_fail(pl__list_item(&l, i), "%zu shots are listed twice", shots[i]);
    }
    arm->shots = shots;
    arm->n_shots = l.n;
    return PL_OK;
}

static pl_status read_prompt(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    if (pl_yaml_get(node, "shots")) PL_TRY(read_shots(spec, arm, pl_yaml_get(node, "shots")));
    PL_TRY(pl__read_positive(&arm->draws, node, "draws"));
    PL_TRY(pl__read_positive(&arm->orders, node, "orders"));
    return read_marks(arm->readouts, node, "readout", readout_names, PL_READOUTS);
}

/* ---- arms that learn ---- */

/* One condition: a name, or a list of names. */
static pl_status read_mixture(pl_spec *spec, pl_mixture *out, const pl_yaml_node *node)
{
    PL_TRY(pl__read_texts(spec, &out->names, &out->n, node));
    for (size_t i = 0; i < out->n; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(out->names[i], out->names[j]))
                return pl_yaml_fail(node, "train_templates: template '%s' is named twice", out->names[i]);
    return PL_OK;
}

static bool same_mixture(const pl_mixture *a, const pl_mixture *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = !strcmp(a->names[i], b->names[i]);
    return same;
}

static pl_status read_mixtures(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *map)
{
    const pl_yaml_node *node = pl_yaml_get(map, "train_templates");
    pl_mixture *mixtures;
    pl__list l = {.n = 1};
    if (node) PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, &mixtures, l.n));
    for (size_t i = 0; node && i < l.n; i++) {
        const pl_yaml_node *item = pl__list_item(&l, i);
        PL_TRY(read_mixture(spec, &mixtures[i], item));
        for (size_t j = 0; j < i; j++)
            if (same_mixture(&mixtures[i], &mixtures[j]))
                return pl_yaml_fail(item, "train_templates: '%s' is listed twice", mixtures[i].names[0]);
    }
    arm->mixtures = mixtures;
    arm->n_mixtures = l.n;
    return PL_OK;
}

static pl_status read_sizes(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *map)
{
    const pl_yaml_node *node = pl_yaml_get(map, "n_train");
    size_t *sizes;
    pl__list l;
    if (!node) return pl_yaml_fail(map, "'n_train' is missing: the number of labelled examples, for example 64");
    PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, &sizes, l.n));
    for (size_t i = 0; i < l.n; i++) {
        const pl_yaml_node *item = pl__list_item(&l, i);
        PL_TRY(pl_yaml_to_size(&sizes[i], item));
        if (sizes[i] < MIN_EXAMPLES || sizes[i] > MAX_EXAMPLES)
            return pl_yaml_fail(item, "n_train: expected %d to %d examples, found %zu", MIN_EXAMPLES, MAX_EXAMPLES,
                                sizes[i]);
        for (size_t j = 0; j < i; j++)
            if (sizes[j] == sizes[i]) return pl_yaml_fail(item, "n_train: %zu is listed twice", sizes[i]);
    }
    arm->n_train = sizes;
    arm->n_sizes = l.n;
    return PL_OK;
}

static pl_status read_learner(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    PL_TRY(read_sizes(spec, arm, node));
    PL_TRY(read_mixtures(spec, arm, node));
    PL_TRY(pl__read_positive(&arm->seeds, node, "seeds"));
    return read_marks(arm->labels, node, "labels", label_names, PL_LABELLINGS);
}

static pl_status read_linear(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    static const char *final_norm[] = {"final_norm"};
    const pl_yaml_node *layers = pl_yaml_get(node, "layers");
    PL_TRY(read_learner(spec, arm, node));
    arm->readouts[PL_READOUT_LOGLIKELIHOOD] = true;
    arm->layers = final_norm;
    arm->n_layers = 1;
    return layers ? pl__read_texts(spec, &arm->layers, &arm->n_layers, layers) : PL_OK;
}

/* ---- how a model is fine-tuned ---- */

/* A real number of [low, high), or (low, high) when `open`. */
static pl_status check_real(double value, const pl_yaml_node *node, const char *key, double low, double high, bool open)
{
    if (isfinite(value) && (open ? value > low : value >= low) && value < high) return PL_OK;
    if (isinf(high))
        return pl_yaml_fail(node, "%s: expected a number %s %g, found %g", key, open ? "above" : "of at least", low,
                            value);
    return pl_yaml_fail(node, "%s: expected a number %s %g, and below %g, found %g", key,
                        open ? "above" : "of at least", low, high, value);
}

static pl_status read_real(double *out, const pl_yaml_node *map, const char *key, double low, double high, bool open)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_real(out, node));
    return check_real(*out, node, key, low, high, open);
}

static pl_status read_flag(bool *out, const pl_yaml_node *map, const char *key)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    return node ? pl_yaml_to_bool(out, node) : PL_OK;
}

static pl_status read_rates(pl_recipe *r, const pl_yaml_node *map, pl_arena *arena)
{
    const pl_yaml_node *node = pl_yaml_get(map, "learning_rate");
    double *rates;
    pl__list l = {.n = 1};
    if (node) PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(arena, &rates, l.n));
    rates[0] = 5e-5;
    for (size_t i = 0; node && i < l.n; i++) {
        const pl_yaml_node *item = pl__list_item(&l, i);
        PL_TRY(pl_yaml_to_real(&rates[i], item));
        PL_TRY(check_real(rates[i], item, "learning_rate", 0, INFINITY, true));
        for (size_t j = 0; j < i; j++)
            if (rates[j] == rates[i]) return pl_yaml_fail(item, "learning_rate: %g is listed twice", rates[i]);
    }
    r->learning_rate = rates;
    r->n_rates = l.n;
    return PL_OK;
}

/* lanes x micro-batches make a batch. */
static pl_status read_batches(pl_train_settings *t, const pl_yaml_node *map)
{
    const pl_yaml_node *micro = pl_yaml_get(map, "micro_batch_size"), *lanes = pl_yaml_get(map, "lanes");
    PL_TRY(pl__read_positive(&t->train_batch_size, map, "train_batch_size"));
    PL_TRY(pl__read_positive(&t->lanes, map, "lanes"));
    if (t->lanes > t->train_batch_size)
        return pl_yaml_fail(lanes, "lanes: expected at most train_batch_size (%zu), found %zu", t->train_batch_size,
                            t->lanes);
    size_t share = (t->train_batch_size + t->lanes - 1) / t->lanes;
    t->micro_batch_size = share;
    PL_TRY(pl__read_positive(&t->micro_batch_size, map, "micro_batch_size"));
    if (t->micro_batch_size <= share) return PL_OK;
    return pl_yaml_fail(micro, "micro_batch_size: expected at most %zu (train_batch_size / lanes), found %zu", share,
                        t->micro_batch_size);
}

static pl_status read_schedule(pl_train_settings *t, const pl_yaml_node *map)
{
    const pl_yaml_node *type = pl_yaml_get(map, "lr_scheduler_type"), *mean = pl_yaml_get(map, "loss_mean"),
                       *ratio = pl_yaml_get(map, "warmup_ratio"), *steps = pl_yaml_get(map, "warmup_steps");
    size_t which;
    if (type) {
        PL_TRY(pl__one_of(&which, type, pl_schedule_names, PL_SCHEDULES));
        t->lr_scheduler_type = (pl_schedule)which;
    }
    if (mean) {
        PL_TRY(pl__one_of(&which, mean, pl_loss_mean_names, PL_LOSS_MEANS));
        t->loss_mean = (pl_loss_mean)which;
    }
    if (ratio && steps) return pl_yaml_fail(steps, "warmup_steps: warmup_ratio is there too, expected one of them");
    PL_TRY(read_real(&t->warmup_ratio, map, "warmup_ratio", 0, 1, false));
    return steps ? pl_yaml_to_size(&t->warmup_steps, steps) : PL_OK;
}

pl_status pl_recipe_read(pl_recipe *r, const pl_yaml_node *map, pl_arena *arena)
{
    pl_train_settings *t = &r->settings;
    char where[PL_PATH_MAX];
    *t = pl_train_defaults();
    PL_TRY(read_rates(r, map, arena));
    PL_TRY(read_batches(t, map));
    PL_TRY(read_schedule(t, map));
    PL_TRY(read_real(&t->num_train_epochs, map, "num_train_epochs", 0, 1e6, true));
    PL_TRY(read_real(&t->weight_decay, map, "weight_decay", 0, INFINITY, false));
    PL_TRY(read_real(&t->adam_beta1, map, "adam_beta1", 0, 1, false));
    PL_TRY(read_real(&t->adam_beta2, map, "adam_beta2", 0, 1, false));
    PL_TRY(read_real(&t->adam_epsilon, map, "adam_epsilon", 0, INFINITY, true));
    PL_TRY(read_real(&t->max_grad_norm, map, "max_grad_norm", 0, INFINITY, false));
    PL_TRY(read_real(&t->dropout, map, "dropout", 0, 1, false));
    PL_TRY(read_flag(&t->gradient_checkpointing, map, "gradient_checkpointing"));
    PL_TRY(read_flag(&r->bf16, map, "bf16"));
    PL_TRY(read_flag(&r->save, map, "save"));
    PL_TRY(pl__read_positive(&t->eval_steps, map, "eval_steps"));
    PL_TRY(pl__read_positive(&t->max_steps, map, "max_steps"));
    PL_TRY(pl_path(where, "%s:%zu", map->file, map->line));
    for (size_t i = 0; i < r->n_rates; i++) {
        t->learning_rate = r->learning_rate[i];
        if (pl_train_check(t, where) != PL_OK) return pl_fail(PL_E_INPUT, "%s", pl_error_text());
    }
    return PL_OK;
}

static pl_status read_finetune(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    PL_TRY(read_learner(spec, arm, node));
    PL_TRY(read_marks(arm->heads, node, "head", head_names, PL_HEAD_KINDS));
    PL_TRY(read_marks(arm->readouts, node, "readout", readout_names, PL_READOUTS));
    if (arm->heads[PL_HEAD_CLASSIFIER] && arm->readouts[PL_READOUT_GENERATE])
        return pl_yaml_fail(pl_yaml_get(node, "readout"),
                            "readout: a model with head classifier writes no text: expected loglikelihood");
    return pl_recipe_read(&arm->recipe, node, spec->arena);
}

static pl_status read_arm(pl_spec *spec, pl_spec_arm *arm, const pl_yaml_node *node)
{
    static const pl_yaml_key *const keys[PL_ARM_KINDS] = {pl_spec_arm_keys, pl_spec_linear_keys, pl_spec_finetune_keys};
    size_t which;
    const pl_yaml_node *kind = node->kind == PL_YAML_MAP ? pl_yaml_get(node, "kind") : NULL;
    if (!kind) return pl_yaml_fail(node, "an arm needs 'kind': prompt, linear or finetune");
    PL_TRY(pl__one_of(&which, kind, arm_names, PL_ARM_KINDS));
    PL_TRY(pl_yaml_check_keys(node, keys[which]));
    *arm = (pl_spec_arm){.kind = (pl_arm_kind)which, .draws = 1, .orders = 1, .seeds = 1, .balance = true};
    PL_TRY(read_flag(&arm->balance, node, "balance"));
    if (pl_yaml_get(node, "name")) PL_TRY(pl__read_name(&arm->name, pl_yaml_get(node, "name"), MAX_NAME));
    switch (arm->kind) {
    case PL_ARM_LINEAR:
        return read_linear(spec, arm, node);
    case PL_ARM_FINETUNE:
        return read_finetune(spec, arm, node);
    default:
        return read_prompt(spec, arm, node);
    }
}

pl_status pl__read_arms(pl_spec *spec, const pl_yaml_node *root)
{
    const pl_yaml_node *node = pl_yaml_get(root, "arms");
    if (!node) return pl_yaml_fail(root, "'arms' is missing: for example [{kind: prompt, shots: [0, 4], draws: 5}]");
    pl__list l;
    pl_spec_arm *arms;
    PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, &arms, l.n));
    for (size_t i = 0; i < l.n; i++) {
        PL_TRY(read_arm(spec, &arms[i], pl__list_item(&l, i)));
        for (size_t j = 0; arms[i].name && j < i; j++)
            if (arms[j].name && !strcmp(arms[j].name, arms[i].name))
                return pl_yaml_fail(pl__list_item(&l, i), "two arms are called '%s'", arms[i].name);
    }
    spec->arms = arms;
    spec->n_arms = l.n;
    return PL_OK;
}
