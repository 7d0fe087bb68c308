/* One optimizer step: lanes one after another (or shared out: ranks.c), their micro-batches in order, the norm, AdamW.
 */
#include <math.h>
#include <string.h>

#include "train/run.h"

void pl__train_members(pl_train *t, size_t step, const size_t **members, size_t *n)
{
    const size_t epoch = step / t->steps_per_epoch, begin = step % t->steps_per_epoch * t->settings.train_batch_size;
    if (t->order_epoch != epoch) pl_train_order(t->order, t->n_examples, t->settings.order_seed, epoch);
    t->order_epoch = epoch;
    *members = t->order + begin;
    *n = t->n_examples - begin < t->settings.train_batch_size ? t->n_examples - begin : t->settings.train_batch_size;
}

/* The loss weight of each of a member's tokens, so that their sum over the global batch is the declared mean. */
static void weigh(pl_train *t, const size_t *members, size_t n, pl_train_step *record)
{
    double sum = 0;
    record->n_tokens = record->n_loss_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        const pl_train_example *e = &t->examples[members[i]];
        record->n_tokens += e->n - 1;
        record->n_loss_tokens += pl__loss_tokens(e);
        sum += pl__loss_weight_sum(e);
    }
    for (size_t i = 0; i < n; i++) {
        const pl_train_example *e = &t->examples[members[i]];
        t->weights[i] = t->settings.loss_mean == PL_LOSS_TOKENS ? 1 / sum : 1 / ((double)n * pl__loss_weight_sum(e));
    }
}

/* ---- What the device does ---- */

/* Clip factor and update, on the stream. A gradient that is not finite updates nothing. */
static pl_status enqueue_update(pl_train *t)
{
    const pl_train_settings *s = &t->settings;
    const pl_parameters *parameters = pl_trainable_parameters(t->trainable);
    const pl_gradient_norm_args norm = {.parameters = parameters,
                                        .max_norm = (float)s->max_grad_norm,
                                        .factors = t->factors,
                                        .workspace = t->workspace};
    const pl_adamw_args adamw = {.parameters = parameters,
                                 .factors = t->factors,
                                 .beta1 = s->adam_beta1,
                                 .beta2 = s->adam_beta2,
                                 .eps = s->adam_epsilon,
                                 .weight_decay = s->weight_decay};
    PL_TRY(pl_op_gradient_norm(&t->processor, t->stream, &norm));
    return pl_op_adamw(&t->processor, t->stream, &adamw);
}

static pl_status enqueue_gradient(void *train, const pl_pass *pass)
{
    pl_train *t = (pl_train *)train;
    PL_TRY(pl_model_forward(pl_trainable_model(t->trainable), pass));
    return pl_model_backward(t->trainable, pass);
}

static pl_status enqueue_step(void *train, const pl_pass *pass)
{
    PL_TRY(enqueue_gradient(train, pass));
    return enqueue_update((pl_train *)train);
}

static pl_status enqueue_part(void *train, const pl_pass *pass)
{
    pl_train *t = (pl_train *)train;
    if (t->part.end == t->config.L) PL_TRY(pl_model_forward(pl_trainable_model(t->trainable), pass));
    return pl_model_backward_part(t->trainable, pass, t->part.first, t->part.end);
}

/* What is recorded of a micro-batch: its gradient, the whole step, or its gradient in parts. */
typedef enum recording { GRADIENT, STEP, IN_PARTS } recording;

/* A recording a part, so that other ranks get a part's gradients while the next ones are made. One recording of all
 * would have to mark the parts' ends by events inside of it, which is a node of CUDA's own kind; a part more is a
 * launch more, of some microseconds. */
static pl_status run_parts(pl_train *t, const pl_pass *pass)
{
    enum { PARTS = 4 };
    const size_t L = t->config.L, size = (L + PARTS - 1) / PARTS;
    for (size_t end = L, first; end > 0; end = first) {
        first = end > size ? end - size : 0;
        t->part = (pl__part){first, end};
        PL_TRY(pl_graphs_run(&t->graphs, pass, IN_PARTS + first, enqueue_part, t));
        PL_TRY(pl__ranks_send(t, t->part));
    }
    return PL_OK;
}

/* Whether a global batch of n is one micro-batch, and so the whole step one recording. */
static bool is_one_pass(const pl_train *t, size_t n)
{
    return t->settings.lanes == 1 && t->ranks.size == 1 && n <= pl__micro_size(&t->settings);
}

/* *loss += the micro-batch's; its gradient is added to `gradient`, and where it is the whole step the weights follow.
 */
static pl_status run_micro(pl_train *t, const size_t *members, const double *weights, size_t n, pl_view gradient,
                           recording as, double *loss)
{
    pl__batch *b = &t->batch;
    PL_TRY(pl__batch_put(b, t->stream, t->examples, members, weights, n));
    b->training.key = t->key;
    b->training.embed_dropout = t->config.embed_dropout;
    b->training.attention_dropout = t->config.attention_dropout;
    b->training.residual_dropout = t->config.residual_dropout;
    b->training.gradient = gradient;
    b->pass.stream = t->stream;
    b->pass.tape = t->tape;
    b->pass.training = &b->training;
    PL_TRY(as == IN_PARTS ? run_parts(t, &b->pass)
                          : pl_graphs_run(&t->graphs, &b->pass, as, as == STEP ? enqueue_step : enqueue_gradient, t));
    PL_TRY(pl_download(&t->processor, t->stream, b->log_probabilities, b->pass.log_probability));
    PL_TRY(t->processor.ops->stream_wait(t->stream));
    for (size_t i = 0; i < b->n_rows; i++) *loss -= (double)b->weights[i] * (double)b->log_probabilities[i];
    return PL_OK;
}

pl_status pl__train_lane(pl_train *t, const size_t *members, size_t n, size_t lane, pl_view into, double *loss)
{
    const size_t micro = pl__micro_size(&t->settings);
    size_t first, size;
    pl__lane_part(&first, &size, n, t->settings.lanes, lane);
    for (size_t at = 0; at < size; at += micro) {
        const bool last = at + micro >= size;
        const recording as = is_one_pass(t, n) ? STEP : last && t->ranks.size > 1 ? IN_PARTS : GRADIENT;
        PL_TRY(run_micro(t, members + first + at, t->weights + first + at, last ? size - at : micro, into, as, loss));
    }
    return PL_OK;
}

/* The gradient of the global batch, in the parameters' gradient buffer, which is zero before. */
static pl_status run_lanes(pl_train *t, const size_t *members, size_t n, double *loss)
{
    const pl_view sum = pl_trainable_views(t->trainable).gradient;
    for (size_t lane = 0; lane < t->settings.lanes; lane++) {
        size_t first, size;
        double own = 0;
        pl__lane_part(&first, &size, n, t->settings.lanes, lane);
        if (size == 0) continue;
        PL_TRY(pl__train_lane(t, members, n, lane, first == 0 ? sum : t->lane, &own));
        *loss += own;
        if (first == 0) continue;
        pl_reduce_lanes_args args = {.accumulate = true, .lanes = t->lane, .sum = sum};
        PL_TRY(pl_op_reduce_lanes(&t->processor, t->stream, &args));
        PL_TRY(pl_fill_zero(&t->processor, t->stream, t->lane));
    }
    return PL_OK;
}

static pl_status send(pl_train *t, pl_view to, const void *from)
{
    PL_TRY(pl_upload(&t->processor, t->stream, to, from));
    return t->processor.ops->stream_wait(t->stream);
}

static pl_status send_step(pl_train *t, double rate)
{
    const pl_train_settings *s = &t->settings;
    const double number = (double)t->step + 1;
    const float factors[PL_FACTORS] = {[PL_FACTOR_RATE] = (float)rate,
                                       [PL_FACTOR_FIRST] = (float)(1 - pow(s->adam_beta1, number)),
                                       [PL_FACTOR_SECOND] = (float)(1 - pow(s->adam_beta2, number))};
    const uint32_t key[3] = {(uint32_t)s->dropout_seed, (uint32_t)(s->dropout_seed >> 32), (uint32_t)t->step};
    PL_TRY(send(t, t->factors, factors));
    return send(t, t->key, key);
}

/* One line that names the step and its examples. */
static pl_status fail_not_finite(const pl_train *t, const pl_train_step *record, const size_t *members, size_t n)
{
    enum { SHOWN = 8 };
    char list[SHOWN * 24] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && i < SHOWN; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%zu", i ? ", " : "", members[i]);
    return pl_fail(PL_E_NOT_FINITE,
                   "training stopped at step %zu of %zu: loss %g, gradient norm %g, at learning rate %g, on examples "
                   "%s%s (from 0); the weights are those of step %zu: try a lower learning_rate or a warm-up",
                   record->step, t->total_steps, fabs(record->loss), fabs(record->gradient_norm), record->learning_rate,
                   list, /* a NaN without its sign */
                   n > SHOWN ? ", ..." : "", t->step);
}

pl_status pl__train_step(pl_train *t, pl_train_step *record)
{
    const size_t *members;
    size_t n;
    float factors[PL_FACTORS];
    pl__train_members(t, t->step, &members, &n);
    *record = (pl_train_step){.step = t->step + 1,
                              .epoch = (double)(t->step + 1) / (double)t->steps_per_epoch,
                              .learning_rate = pl_train_rate(&t->settings, t->step, t->total_steps)};
    weigh(t, members, n, record);
    PL_TRY(send_step(t, record->learning_rate));
    PL_TRY(t->ranks.size > 1 ? pl__ranks_gradient(t, members, n, &record->loss)
                             : run_lanes(t, members, n, &record->loss));
    if (!is_one_pass(t, n)) PL_TRY(enqueue_update(t));
    PL_TRY(pl_download(&t->processor, t->stream, factors, t->factors));
    PL_TRY(t->processor.ops->stream_wait(t->stream));
    record->gradient_norm = (double)factors[PL_FACTOR_NORM];
    if (!isfinite(record->loss) || factors[PL_FACTOR_FINITE] != 1.0F) return fail_not_finite(t, record, members, n);
    return PL_OK;
}
