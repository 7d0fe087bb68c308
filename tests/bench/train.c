/* Trains a checkpoint on token ids and prints who makes the products, each step, the memory that was said and that was
 * used: what training.py and gpu_training.py compare with PyTorch.
 *
 *   bench-train MODEL EXAMPLES.json [key=value ...]
 *
 * EXAMPLES.json: [{"ids": [...], "first": n}, ...], trained on in this order (order=file) or in the trainer's. Keys:
 * steps batch micro lanes rate clip decay (numbers), compute (float32, bf16x3, bf16), schedule (linear, constant),
 * checkpointing (0, 1), labels (a classifier), device (cpu), threads, export (a folder), random (1: drawn weights,
 * config.json alone is read). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/json.h"
#include "train/train.h"

static void must(pl_status status)
{
    if (status == PL_OK) return;
    (void)fprintf(stderr, "bench-train: %s\n", pl_error_text());
    exit(1);
}

static const char *option(int argc, char **argv, const char *key, const char *otherwise)
{
    const size_t n = strlen(key);
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=') return argv[i] + n + 1;
    return otherwise;
}

static double number(int argc, char **argv, const char *key, double otherwise)
{
    const char *text = option(argc, argv, key, NULL);
    return text ? strtod(text, NULL) : otherwise;
}

static size_t count(int argc, char **argv, const char *key, size_t otherwise)
{
    return (size_t)number(argc, argv, key, (double)otherwise);
}

/* The place of each example in the list such that the first epoch takes them in the file's order. */
static pl_train_example *read_examples(const char *path, size_t *n, bool as_in_file)
{
    json_t *list;
    must(pl_json_read(&list, path, (size_t)1 << 30));
    *n = json_array_size(list);
    pl_train_example *out = calloc(*n + 1, sizeof *out);
    size_t *order = calloc(*n + 1, sizeof *order);
    if (!out || !order) exit(1);
    pl_train_order(order, *n, 0, 0);
    for (size_t i = 0; i < *n; i++) {
        const json_t *e = json_array_get(list, i), *ids = json_object_get(e, "ids");
        int32_t *to = calloc(json_array_size(ids) + 1, sizeof *to);
        if (!to) exit(1);
        for (size_t k = 0; k < json_array_size(ids); k++) to[k] = (int32_t)json_integer_value(json_array_get(ids, k));
        out[as_in_file ? order[i] : i] = (pl_train_example){
            .ids = to, .n = json_array_size(ids), .first = (size_t)json_integer_value(json_object_get(e, "first"))};
    }
    free(order);
    json_decref(list);
    return out;
}

static void print_products(const pl_processor *processor)
{
    pl_device_facts facts;
    must(processor->ops->facts(processor->device, &facts));
    (void)printf("{\"products\": \"%s\"}\n", facts.makers);
}

static pl_status print_step(void *user, const pl_train_step *s)
{
    (void)user;
    (void)printf("{\"step\": %zu, \"loss\": %.9g, \"gradient_norm\": %.9g, \"tokens\": %zu, \"seconds\": %.4f}\n",
                 s->step, s->loss, s->gradient_norm, s->n_tokens, s->seconds);
    (void)fflush(stdout);
    return PL_OK;
}

int main(int argc, char **argv)
{
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_trainable *trainable;
    pl_train *train;
    size_t n;
    bool finished;
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench-train MODEL EXAMPLES.json [key=value ...]\n");
        return 2;
    }
    pl_train_example *examples = read_examples(argv[2], &n, strcmp(option(argc, argv, "order", "file"), "file") == 0);
    pl_train_settings s = pl_train_defaults();
    s.max_steps = count(argc, argv, "steps", 3);
    s.train_batch_size = count(argc, argv, "batch", 8);
    s.micro_batch_size = count(argc, argv, "micro", 0);
    s.lanes = count(argc, argv, "lanes", 1);
    s.learning_rate = number(argc, argv, "rate", 5e-5);
    s.max_grad_norm = number(argc, argv, "clip", 1);
    s.weight_decay = number(argc, argv, "decay", 0);
    s.gradient_checkpointing = count(argc, argv, "checkpointing", 0) != 0;
    s.dropout = 0;
    if (strcmp(option(argc, argv, "schedule", "linear"), "constant") == 0) s.lr_scheduler_type = PL_SCHEDULE_CONSTANT;
    pl_trainable_options options = {.n_labels = count(argc, argv, "labels", 0),
                                    .random = count(argc, argv, "random", 0)};
    options.head = options.n_labels ? PL_HEAD_CLASSIFIER : PL_HEAD_LM;
    must(pl_compute_parse(&options.compute, option(argc, argv, "compute", "float32"), "compute"));
    must(pl_processor_open(&processor, option(argc, argv, "device", "cpu"), (int)count(argc, argv, "threads", 0)));
    must(options.random ? pl_checkpoint_open_config(&checkpoint, argv[1]) : pl_checkpoint_open(&checkpoint, argv[1]));
    must(pl_trainable_create(&trainable, &processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
    must(pl_train_create(&train, trainable, &s, examples, n, "bench", NULL));
    print_products(&processor);
    const size_t said = pl_train_peak_bytes(train);
    const pl_train_callbacks callbacks = {.step = print_step};
    must(pl_train_run(train, &callbacks, &finished));
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"peak_said_gb\": %.4f, \"peak_gb\": %.4f}\n", (double)said * 1e-9,
                 (double)usage.ru_maxrss * 1024e-9);
    const char *folder = option(argc, argv, "export", NULL);
    if (folder) must(pl_trainable_export(trainable, argv[1], folder, PL_F32));
    pl_train_free(train);
    pl_trainable_free(trainable);
    pl_processor_close(&processor);
    return 0;
}
