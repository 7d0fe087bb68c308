/* Settings of a training run, and what follows from them alone: steps, rates, the order of examples. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/train.h"

const char *const pl_schedule_names[PL_SCHEDULES] = {"linear", "cosine", "constant"};
const char *const pl_loss_mean_names[PL_LOSS_MEANS] = {"tokens", "examples"};

/* Far above any use, far below where counts of steps stop being exact. */
static const size_t COUNT_LIMIT = (size_t)1 << 31;
enum { LANE_LIMIT = 1024 };

pl_train_settings pl_train_defaults(void)
{
    return (pl_train_settings){
        .learning_rate = 5e-5,
        .num_train_epochs = 3,
        .train_batch_size = 8,
        .lanes = 1,
        .lr_scheduler_type = PL_SCHEDULE_LINEAR,
        .adam_beta1 = 0.9,
        .adam_beta2 = 0.999,
        .adam_epsilon = 1e-8,
        .max_grad_norm = 1,
        .dropout = -1,
        .loss_mean = PL_LOSS_TOKENS,
        .save_seconds = 300,
    };
}

static pl_status check_count(const char *where, const char *key, size_t value, size_t least, size_t most)
{
    if (value >= least && value <= most) return PL_OK;
    return pl_fail(PL_E_USAGE, "%s: %s is %zu, expected %zu to %zu", where, key, value, least, most);
}

pl_status pl_train_check(const pl_train_settings *s, const char *where)
{
    const struct {
        const char *key;
        double value;
        bool holds;
        const char *expected;
    } reals[] = {
        {"learning_rate", s->learning_rate, s->learning_rate > 0 && s->learning_rate <= 1e3,
         "a number above 0, at most 1000"},
        {"num_train_epochs", s->num_train_epochs, s->num_train_epochs > 0 && s->num_train_epochs <= 1e6,
         "a number above 0, at most 1000000"},
        {"warmup_ratio", s->warmup_ratio, s->warmup_ratio >= 0 && s->warmup_ratio <= 1, "0 to 1"},
        {"weight_decay", s->weight_decay, s->weight_decay >= 0 && s->weight_decay <= 1e3, "0 or more"},
        {"adam_beta1", s->adam_beta1, s->adam_beta1 >= 0 && s->adam_beta1 < 1, "0 up to (not) 1"},
        {"adam_beta2", s->adam_beta2, s->adam_beta2 >= 0 && s->adam_beta2 < 1, "0 up to (not) 1"},
        {"adam_epsilon", s->adam_epsilon, s->adam_epsilon >= 1e-30 && s->adam_epsilon <= 1, "1e-30 to 1"},
        {"max_grad_norm", s->max_grad_norm,
         s->max_grad_norm == 0 || (s->max_grad_norm >= 1e-30 && s->max_grad_norm <= 1e30),
         "0 (no clipping), or 1e-30 to 1e30"},
        {"dropout", s->dropout, s->dropout < 1 && (s->dropout >= 0 || s->dropout == -1),
         "0 up to (not) 1, or nothing for the checkpoint's own"},
        {"save_seconds", s->save_seconds, s->save_seconds >= 0 && s->save_seconds <= 1e9, "0 or more"},
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!reals[i].holds || !isfinite(reals[i].value))
            return pl_fail(PL_E_USAGE, "%s: %s is %g, expected %s", where, reals[i].key, reals[i].value,
                           reals[i].expected);
    PL_TRY(check_count(where, "train_batch_size", s->train_batch_size, 1, COUNT_LIMIT));
    PL_TRY(check_count(where, "micro_batch_size", s->micro_batch_size, 0, COUNT_LIMIT));
    PL_TRY(check_count(where, "lanes", s->lanes, 1, LANE_LIMIT));
    PL_TRY(check_count(where, "max_steps", s->max_steps, 0, COUNT_LIMIT));
    PL_TRY(check_count(where, "warmup_steps", s->warmup_steps, 0, COUNT_LIMIT));
    PL_TRY(check_count(where, "eval_steps", s->eval_steps, 0, COUNT_LIMIT));
    PL_TRY(check_count(where, "lr_scheduler_type", s->lr_scheduler_type, 0, PL_SCHEDULES - 1));
    PL_TRY(check_count(where, "loss_mean", s->loss_mean, 0, PL_LOSS_MEANS - 1));
    if (s->lanes > s->train_batch_size)
        return pl_fail(PL_E_USAGE, "%s: %zu lanes share a batch of %zu examples: expected at most as many lanes", where,
                       s->lanes, s->train_batch_size);
    return PL_OK;
}

size_t pl_train_steps_per_epoch(const pl_train_settings *settings, size_t n_examples)
{
    return (n_examples + settings->train_batch_size - 1) / settings->train_batch_size;
}

size_t pl_train_total_steps(const pl_train_settings *settings, size_t n_examples)
{
    if (settings->max_steps) return settings->max_steps;
    return (size_t)ceil(settings->num_train_epochs * (double)pl_train_steps_per_epoch(settings, n_examples));
}

/* transformers: get_{linear,cosine,constant}_schedule_with_warmup (half a cosine). */
double pl_train_rate(const pl_train_settings *settings, size_t step, size_t total)
{
    const size_t warmup =
        settings->warmup_steps ? settings->warmup_steps : (size_t)ceil((double)total * settings->warmup_ratio);
    double part = 1;
    if (step < warmup) {
        part = (double)step / (double)warmup;
    } else if (settings->lr_scheduler_type != PL_SCHEDULE_CONSTANT) {
        const double rest = total > warmup ? (double)(total - warmup) : 1;
        if (settings->lr_scheduler_type == PL_SCHEDULE_LINEAR)
            part = fmax(0, ((double)total - (double)step) / rest);
        else
            part = fmax(0, 0.5 * (1 + cos(3.141592653589793 * ((double)(step - warmup) / rest))));
    }
    return settings->learning_rate * part;
}

void pl_train_order(size_t *order, size_t n, uint64_t order_seed, size_t epoch)
{
    pl_random_permutation(order, n, order_seed, PL_RANDOM_BATCHES, (uint32_t)epoch);
}
