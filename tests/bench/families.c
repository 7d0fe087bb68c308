/* Is a family slower than llama for the work that it does? One small model of each family with drawn weights, width
 * 576, runs a prompt of 2,048 tokens in turn with llama's; printed are tokens a second, floating point operations of a
 * token (products and attention, as the layer plan has it), and operations a second against llama's of the same round.
 *
 *   bench-families [ROUNDS [FAMILY ...]]      5 rounds of every family, unless said; one thread, its processor time
 *
 * The goal: no family below 0.90. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "engine/engine.h"
#include "model/trainable.h"
#include "model/weights.h"

enum { TOKENS = 2048, ROUNDS_MAX = 99 };

#define SIZES                                                                                                          \
    "\"vocab_size\":1024,\"hidden_size\":576,\"num_hidden_layers\":4,\"num_attention_heads\":9,"                       \
    "\"max_position_embeddings\":2048"
#define INNER ",\"intermediate_size\":1536"

/* Keys of config.json beside model_type; of those families that differ in what is computed. */
static const struct {
    const char *family, *keys;
} cases[] = {
    {"llama", SIZES INNER ",\"num_key_value_heads\":3"},
    {"gpt2", "\"vocab_size\":1024,\"n_embd\":576,\"n_layer\":4,\"n_head\":9,\"n_positions\":2048"},
    {"gpt_neox", SIZES INNER},
    {"mistral", SIZES INNER ",\"num_key_value_heads\":3,\"sliding_window\":512"},
    {"qwen3", SIZES INNER ",\"num_key_value_heads\":3,\"head_dim\":64"},
    {"gemma2", SIZES INNER ",\"num_key_value_heads\":3,\"head_dim\":64,\"sliding_window\":512"},
    {"gemma3_text", SIZES INNER ",\"num_key_value_heads\":3,\"head_dim\":64,\"sliding_window\":512"},
    {"olmo2", SIZES INNER ",\"num_key_value_heads\":3"},
    {"opt", SIZES ",\"ffn_dim\":1536,\"word_embed_proj_dim\":576"},
    {"phi", SIZES INNER ",\"qk_layernorm\":true"},
    {"phi3", SIZES INNER ",\"num_key_value_heads\":3"},
    {"granite", SIZES INNER ",\"num_key_value_heads\":3,\"residual_multiplier\":0.22,\"logits_scaling\":8"},
    {"gpt_neo", "\"vocab_size\":1024,\"hidden_size\":576,\"num_layers\":4,\"num_heads\":9,\"window_size\":256,"
                "\"max_position_embeddings\":2048,\"attention_types\":[[[\"global\",\"local\"],2]]"},
    {"gptj", "\"vocab_size\":1024,\"n_embd\":576,\"n_layer\":4,\"n_head\":9,\"n_positions\":2048,\"rotary_dim\":32"},
    {"stablelm", SIZES INNER ",\"num_key_value_heads\":3,\"qk_layernorm\":true"},
    {"starcoder2", SIZES INNER ",\"num_key_value_heads\":3"},
    {"falcon", SIZES},
    {"bloom", "\"vocab_size\":1024,\"hidden_size\":576,\"n_layer\":4,\"n_head\":9,\"seq_length\":2048"},
    {"mpt", "\"vocab_size\":1024,\"d_model\":576,\"n_layers\":4,\"n_heads\":9,\"max_seq_len\":2048"},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-families: %s\n", pl_error_text());
    exit(1);
}

typedef struct subject {
    pl_trainable *trainable;
    pl_engine *engine;
    double flops; /* of the prompt */
} subject;

/* Two operations an element of every matrix of a block and token; of attention four a feature of each query and key
 * that it sees. */
static double flops_of(const pl_config *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->family->n_tensors; i++) {
        const pl__tensor_fact *fact = &c->family->tensors[i];
        if (pl__slot_facts(fact->slot)->form != PL__MATRIX || fact->slot == PL__HEAD) continue;
        double elements = (double)pl__fact_count(c, fact);
        for (const char *d = fact->dims; *d; d++) elements *= (double)pl__dimension(c, *d);
        sum += 2 * elements * TOKENS;
    }
    for (size_t l = 0; l < c->L; l++)
        for (size_t t = 0; t < TOKENS; t++) {
            const size_t window = pl_config_layer(c, l)->window;
            sum += 4.0 * (double)(c->H * c->D) * (double)(window && window < t + 1 ? window : t + 1);
        }
    return sum;
}

static void open_subject(subject *s, const pl_processor *processor, size_t i)
{
    char folder[] = "/tmp/bench-families-XXXXXX", path[PL_PATH_MAX];
    pl_checkpoint *checkpoint;
    pl_bytes text = {0};
    if (!mkdtemp(folder)) need(pl_fail(PL_E_IO, "cannot make a folder in /tmp"));
    need(pl_path(path, "%s/config.json", folder));
    need(pl_bytes_format(&text, "{\"model_type\":\"%s\",%s}", cases[i].family, cases[i].keys));
    need(pl_file_replace(path, text.data, text.size));
    need(pl_checkpoint_open_config(&checkpoint, folder));
    const pl_trainable_options options = {.random = true, .init_seed = 1};
    need(pl_trainable_create(&s->trainable, processor, checkpoint, &options));
    const pl_engine_options engine = {.batch_tokens = TOKENS};
    need(pl_engine_create(&s->engine, pl_trainable_model(s->trainable), &engine));
    s->flops = flops_of(&checkpoint->config);
    pl_checkpoint_close(checkpoint);
    pl_bytes_free(&text);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void close_subject(subject *s)
{
    pl_engine_free(s->engine);
    pl_trainable_free(s->trainable);
}

static double processor_time(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of the prompt, up to the last token's final state. */
static double run(subject *s, const int32_t *ids)
{
    const size_t layer = pl_model_config(pl_trainable_model(s->trainable))->L + 1;
    const pl_capture capture = {.n_layers = 1, .layers = &layer, .positions = PL_POSITION_LAST};
    const pl_request request = {.ids = ids, .n = TOKENS, .gold = SIZE_MAX};
    pl_results *results;
    const double start = processor_time();
    need(pl_engine_score(s->engine, &request, 1, &capture, NULL, &results));
    const double seconds = processor_time() - start;
    pl_results_free(results);
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_size);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static void measure(const pl_processor *processor, subject *llama, size_t i, size_t rounds, const int32_t *ids)
{
    subject s;
    double ratios[ROUNDS_MAX], times[ROUNDS_MAX];
    open_subject(&s, processor, i);
    (void)run(&s, ids);
    for (size_t r = 0; r < rounds; r++) {
        const double reference = llama->flops / run(llama, ids);
        times[r] = run(&s, ids);
        ratios[r] = s.flops / times[r] / reference;
    }
    printf("%-12s %8.0f tokens/s %8.1f MFLOP/token  %.3f of llama's operations a second\n", cases[i].family,
           TOKENS / median(times, rounds), s.flops / TOKENS / 1e6, median(ratios, rounds));
    fflush(stdout);
    close_subject(&s);
}

int main(int argc, char **argv)
{
    const size_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 5;
    pl_processor processor;
    subject llama;
    static int32_t ids[TOKENS];
    if (rounds < 1 || rounds > ROUNDS_MAX) need(pl_fail(PL_E_USAGE, "rounds: expected 1..%d", ROUNDS_MAX));
    for (uint32_t i = 0; i < TOKENS; i++) ids[i] = (int32_t)pl_random_below(1, PL_RANDOM_TEST, 0, i, 1024);
    need(pl_processor_open(&processor, "cpu", 1));
    open_subject(&llama, &processor, 0);
    (void)run(&llama, ids);
    for (size_t i = 0; i < N_CASES; i++) {
        bool wanted = argc <= 2;
        for (int a = 2; a < argc; a++) wanted = wanted || strcmp(argv[a], cases[i].family) == 0;
        if (wanted) measure(&processor, &llama, i, rounds, ids);
    }
    close_subject(&llama);
    pl_processor_close(&processor);
    return 0;
}
