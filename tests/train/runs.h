/* Tiny models and examples with reference values from PyTorch: tests/golden/train/make_train.py. */
#ifndef PLUMB_TESTS_TRAIN_RUNS_H
#define PLUMB_TESTS_TRAIN_RUNS_H

#include <math.h>

#include "base/json.h"
#include "device/chosen.h"
#include "model/masters.h"
#include "tests.h"
#include "train/batch.h"

#define GOLDEN_FOLDER PLUMB_SOURCE_DIR "/tests/golden/train"

enum { N_EXAMPLES = 20 };

/* ---- Golden files ---- */

typedef struct golden {
    pl_bytes text;
    pl_safetensors *tensors;
} golden;

static inline golden open_golden(const char *name)
{
    golden g;
    char path[PL_PATH_MAX];
    OK(pl_path(path, GOLDEN_FOLDER "/%s.safetensors", name));
    OK(pl_file_read(&g.text, path, 1 << 24));
    OK(pl_safetensors_parse(&g.tensors, (const uint8_t *)g.text.data, g.text.size, path));
    return g;
}

static inline void close_golden(golden *g)
{
    pl_safetensors_close(g->tensors);
    pl_bytes_free(&g->text);
}

/* A copy; the caller frees it. */
static inline float *golden_floats(const golden *g, const char *name, size_t *n)
{
    const pl_tensor *t = pl_safetensors_find(g->tensors, name);
    if (!t) fail_msg("no reference tensor %s", name);
    float *values = malloc(t->bytes + 1);
    *n = t->bytes / sizeof *values;
    memcpy(values, t->data, t->bytes);
    return values;
}

/* ---- Examples ---- */

typedef struct examples {
    pl_train_example list[N_EXAMPLES];
    int32_t *ids[N_EXAMPLES];
} examples;

static inline float golden_number(const golden *g, const char *format, size_t i)
{
    char name[64];
    size_t n;
    snprintf(name, sizeof name, format, i);
    float *values = golden_floats(g, name, &n), first = values[0];
    free(values);
    return first;
}

static inline void open_examples(examples *e, bool classifier)
{
    golden g = open_golden("examples");
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "ids.%zu", i);
        float *values = golden_floats(&g, name, &n);
        e->ids[i] = malloc((n + 1) * sizeof *e->ids[i]);
        for (size_t k = 0; k < n; k++) e->ids[i][k] = (int32_t)values[k];
        e->ids[i][n] = (int32_t)golden_number(&g, "label.%zu", i);
        e->list[i] = (pl_train_example){.ids = e->ids[i], .n = n, .first = (size_t)golden_number(&g, "first.%zu", i)};
        if (classifier) e->list[i] = (pl_train_example){.ids = e->ids[i], .n = n + 1, .first = n};
        free(values);
    }
    close_golden(&g);
}

static inline void close_examples(examples *e)
{
    for (size_t i = 0; i < N_EXAMPLES; i++) free(e->ids[i]);
}

/* ---- Models ---- */

typedef struct subject {
    pl_processor processor;
    pl_trainable *trainable;
    char folder[PL_PATH_MAX]; /* of its checkpoint */
    bool classifier;
    double dropout; /* of add_gradients, at all sites */
} subject;

static inline void open_subject_on(subject *s, const char *model, const char *head, int n_threads, pl_dtype compute)
{
    *s = (subject){.classifier = strcmp(head, "classifier") == 0};
    OK(pl_path(s->folder, s->classifier ? GOLDEN_FOLDER "/%s-classifier" : GOLDEN_FOLDER "/../models/%s", model));
    pl_checkpoint *checkpoint;
    OK(pl_processor_open(&s->processor, chosen_device(), n_threads));
    OK(pl_checkpoint_open(&checkpoint, s->folder));
    pl_trainable_options options = {
        .compute = compute, .head = s->classifier ? PL_HEAD_CLASSIFIER : PL_HEAD_LM, .n_labels = s->classifier ? 3 : 0};
    OK(pl_trainable_create(&s->trainable, &s->processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
}

static inline void open_subject(subject *s, const char *model, const char *head)
{
    open_subject_on(s, model, head, 1, PL_F32);
}

static inline void close_subject(subject *s)
{
    pl_trainable_free(s->trainable);
    pl_processor_close(&s->processor);
}

/* All of one of the four buffers; the caller frees it. */
static inline float *buffer_values(const subject *s, pl_view view)
{
    float *values = malloc(view.columns * sizeof *values);
    pl_stream *stream;
    OK(s->processor.ops->stream_create(s->processor.device, &stream));
    OK(pl_download(&s->processor, stream, values, view));
    OK(s->processor.ops->stream_wait(stream));
    s->processor.ops->stream_free(stream);
    return values;
}

static inline float *masters(const subject *s)
{
    return buffer_values(s, pl_trainable_views(s->trainable).master);
}

static inline size_t masters_bytes(const subject *s)
{
    return pl_trainable_views(s->trainable).master.columns * sizeof(float);
}

/* One micro-batch: its gradient is added to the gradient buffer; each token's loss has this weight. Gives the loss. */
static inline double add_gradients(subject *s, const pl_train_example *list, const size_t *members, size_t n,
                                   double weight, bool checkpointing)
{
    double *weights = malloc(n * sizeof *weights), loss = 0;
    pl__batch b;
    pl_tape *tape;
    pl_stream *stream;
    const pl_config *config = pl_model_config(pl_trainable_model(s->trainable));
    for (size_t i = 0; i < n; i++) weights[i] = weight;
    pl__capacity capacity = pl__capacity_of(list, members, n);
    OK(pl__batch_create(&b, &s->processor, config, pl_model_compute(pl_trainable_model(s->trainable)), capacity));
    OK(s->processor.ops->stream_create(s->processor.device, &stream));
    OK(pl_tape_create(&tape, s->trainable, capacity.tokens + 5, capacity.rows + 3, checkpointing));
    OK(pl__batch_put(&b, stream, list, members, weights, n));
    b.training.gradient = pl_trainable_views(s->trainable).gradient;
    const int32_t key[3] = {5, 0, 1};
    pl_view key_view;
    OK(pl_view_create(&s->processor, &key_view, 1, 3, PL_I32));
    OK(pl_upload(&s->processor, stream, key_view, key));
    b.training.key = key_view;
    b.training.embed_dropout = b.training.attention_dropout = b.training.residual_dropout = s->dropout;
    b.pass.stream = stream;
    b.pass.tape = tape;
    b.pass.training = &b.training;
    OK(pl_model_forward(pl_trainable_model(s->trainable), &b.pass));
    OK(pl_model_backward(s->trainable, &b.pass));
    OK(pl_download(&s->processor, stream, b.log_probabilities, b.pass.log_probability));
    OK(s->processor.ops->stream_wait(stream));
    for (size_t i = 0; i < capacity.rows; i++) loss -= (double)b.weights[i] * (double)b.log_probabilities[i];
    s->processor.ops->stream_free(stream);
    pl_view_free(&s->processor, &key_view);
    pl_tape_free(tape);
    pl__batch_free(&b);
    free(weights);
    return loss;
}

/* ---- Settings by their Hugging Face names ---- */

static inline json_t *open_cases(void)
{
    json_t *cases;
    OK(pl_json_read(&cases, GOLDEN_FOLDER "/cases.json", 1 << 20));
    return cases;
}

static inline size_t index_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    fail_msg("unknown name %s", name);
    return n;
}

static inline pl_train_settings case_settings(const json_t *c)
{
    pl_train_settings s = pl_train_defaults();
    const char *schedule = "linear", *mean = "tokens", *where = "cases.json";
    OK(pl_json_get_size(&s.max_steps, c, "max_steps", where));
    OK(pl_json_get_size(&s.train_batch_size, c, "train_batch_size", where));
    OK(pl_json_get_size(&s.micro_batch_size, c, "micro_batch_size", where));
    OK(pl_json_get_size(&s.warmup_steps, c, "warmup_steps", where));
    OK(pl_json_get_real(&s.learning_rate, c, "learning_rate", where));
    OK(pl_json_get_real(&s.weight_decay, c, "weight_decay", where));
    OK(pl_json_get_real(&s.adam_beta1, c, "adam_beta1", where));
    OK(pl_json_get_real(&s.adam_beta2, c, "adam_beta2", where));
    OK(pl_json_get_real(&s.max_grad_norm, c, "max_grad_norm", where));
    OK(pl_json_get_bool(&s.gradient_checkpointing, c, "gradient_checkpointing", where));
    OK(pl_json_get_text(&schedule, c, "lr_scheduler_type", where));
    OK(pl_json_get_text(&mean, c, "loss_mean", where));
    s.lr_scheduler_type = (pl_schedule)index_of(pl_schedule_names, PL_SCHEDULES, schedule);
    s.loss_mean = (pl_loss_mean)index_of(pl_loss_mean_names, PL_LOSS_MEANS, mean);
    s.order_seed = (uint64_t)json_integer_value(json_object_get(c, "order_seed"));
    s.dropout = 0;
    return s;
}

static const pl_train_callbacks no_callbacks = {0};

/* Trains to the end; the caller frees the run. */
static inline pl_train *train_whole(subject *s, const pl_train_settings *settings, const examples *e)
{
    pl_train *train;
    bool finished;
    OK(pl_train_create(&train, s->trainable, settings, e->list, N_EXAMPLES, "test", NULL));
    OK(pl_train_run(train, &no_callbacks, &finished));
    assert_true(finished);
    return train;
}

#endif
