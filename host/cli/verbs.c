#include "cli/verbs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"

const pl__option pl__options[PL_OPTIONS] = {
#define X(id, name, value, words, help) {name, value, words, help},
    PL_OPTION_TABLE(X)
#undef X
};

#define BIT(id) (UINT64_C(1) << PL_OPTION_##id)
#define RUNS    "3 some units failed, 75 stopped by SIGTERM or SIGUSR1, 130 by Ctrl-C (run again to go on)"

// clang-format off
const pl__verb pl__verbs[] = {
    {"run", "EXP.yaml [key=value ...]", "run or resume an experiment, then analyse it", 1, SIZE_MAX,
     BIT(RESULTS) | BIT(SHARD) | BIT(DEVICE) | BIT(THREADS) | BIT(RANKS) | BIT(BATCH_TOKENS) | BIT(NO_SHARING) |
         BIT(QUIET) | BIT(FULL) | BIT(LAYERS) | BIT(JSON) | BIT(REPORT_MAX),
     "@.yaml", RUNS, "run experiments/demo.yaml items=20 'arms.0.shots=[0, 2]' --results /tmp/results", pl_verb_run},
    {"plan", "EXP.yaml [key=value ...]",
     "what an experiment and its stages would cost, and what its primary contrast can show; runs nothing", 1, SIZE_MAX,
     BIT(RESULTS) | BIT(DEVICE) | BIT(THREADS) | BIT(FROM) | BIT(HALF_WIDTH) | BIT(VERBOSE) | BIT(JSON), "@.yaml", NULL,
     "plan experiments/demo.yaml items=20", pl_verb_plan},
    {"validate", "EXP.yaml [key=value ...]",
     "the experiment, its tasks and rows as a run would read them, and what is odd about the prompts; runs nothing", 1,
     SIZE_MAX, BIT(JSON), "@.yaml", NULL, "validate experiments/demo.yaml items=20", pl_verb_validate},
    {"render", "EXP.yaml [key=value ...] [--cell N]", "the exact prompts of a cell, with token boundaries; runs nothing", 1,
     SIZE_MAX, BIT(CELL) | BIT(JSON), "@.yaml", NULL, "render experiments/demo.yaml items=20 --cell 0", pl_verb_render},
    {"analyze", "RUN", "the stability table and results again, from a run's stored files", 1, 1,
     BIT(VERIFY) | BIT(FULL) | BIT(LAYERS) | BIT(DEVICE) | BIT(JSON) | BIT(REPORT_MAX),
     "@folder", NULL, "analyze results/demo-*", pl_verb_analyze},
    {"report", "RUN [RUN ...]", "report.html and figures/ again, from a run's tables; several runs in one page", 1,
     SIZE_MAX, BIT(OUT) | BIT(LATEX) | BIT(REPORT_MAX), "@folder", NULL,
     "report results/demo-* results/demo-real-* --out both", pl_verb_report},
    {"export", "--lm-eval RUN DIR", "a run's results and samples in the files, keys and names of another program", 2, 2,
     BIT(LM_EVAL), "@folder @folder", NULL, "export --lm-eval results/demo-* exported", pl_verb_export},
    {"policies", "RUN [RUN ...]",
     "policies that choose between prompting and tuning, replayed on finished runs; whether representations tell more",
     1, SIZE_MAX, BIT(OUT) | BIT(MARGIN) | BIT(QUIET) | BIT(JSON), "@folder", NULL,
     "policies results/demo-* results/demo-real-* --out both", pl_verb_policies},
    {"rescore", "RUN", "readouts of a run's stored log-probabilities, side by side; loads no model", 1, 1, BIT(JSON),
     "@folder", NULL, "rescore results/demo-*", pl_verb_rescore},
    {"explain", "[METRIC ...]", "what a metric is: definition, formula, null, unit, source; without a name, all of them", 0,
     SIZE_MAX, BIT(JSON), NULL, NULL, "explain wobble flip_rate", pl_verb_explain},
    {"status", "RUN", "units done, running, failed and left; which processes run, stopped or died", 1, 1,
     BIT(JSON) | BIT(WATCH), "@folder", NULL, "status results/demo-* --watch", pl_verb_status},
    {"inspect", "MODEL", "family, sizes, layer plan, parameters, tokenizer and tensors of a checkpoint", 1, 1, BIT(JSON),
     "@folder", NULL, "inspect experiments/tiny/large", pl_verb_inspect},
    {"tokenize", "MODEL [TEXT ...]", "ids and pieces of texts (arguments, or JSONL rows on standard input)", 1,
     SIZE_MAX, BIT(NO_SPECIAL) | BIT(JSON), "@folder", NULL,
     "tokenize experiments/tiny/large ' big dog : alive' --json", pl_verb_tokenize},
    {"generate", "MODEL --prompt TEXT", "greedy text", 1, 1,
     BIT(PROMPT) | BIT(MAX_TOKENS) | BIT(UNTIL) | BIT(NO_SPECIAL) | BIT(DEVICE) | BIT(COMPUTE) | BIT(THREADS) |
         BIT(JSON),
     "@folder", NULL, "generate experiments/tiny/large --prompt ' task living' --max-tokens 20", pl_verb_generate},
    {"extract", "MODEL TEXTS.jsonl --out FILE.h5",
     "hidden states of any texts: rows {\"text\": ...} or {\"ids\": [...]}", 2, 2,
     BIT(OUT) | BIT(LAYERS) | BIT(POSITIONS) | BIT(DTYPE) | BIT(LOGITS) | BIT(NO_SPECIAL) | BIT(DEVICE) | BIT(COMPUTE) |
         BIT(THREADS) | BIT(BATCH_TOKENS) | BIT(QUIET) | BIT(JSON),
     "@folder @.jsonl", NULL, "extract experiments/tiny/large texts.jsonl --out states.h5 --positions last,mean",
     pl_verb_extract},
    {"tsne", "FILE.h5", "a map of any states in an HDF5 file: coordinates into /obsm/X_tsne and FILE.tsne.csv", 1, 1,
     BIT(DATASET) | BIT(PERPLEXITY) | BIT(DIMS) | BIT(SEEDS) | BIT(OUT) | BIT(DEVICE) | BIT(THREADS) | BIT(QUIET) |
         BIT(JSON),
     "@.h5", NULL, "tsne states.h5 --dataset /obsm/last.05 --seeds 1", pl_verb_tsne},
    {"train", "MODEL CORPUS.jsonl --out FOLDER [key=value ...]",
     "trains a model on texts, loss at every position: rows {\"text\"}, {\"ids\"} or {\"parts\"}", 1, SIZE_MAX,
     BIT(OUT) | BIT(NO_SPECIAL) | BIT(DEVICE) | BIT(THREADS) | BIT(RANKS) | BIT(QUIET) | BIT(JSON), "@folder @.jsonl",
     "75 stopped by SIGTERM or SIGUSR1, 130 by Ctrl-C (run again to go on)",
     "train experiments/tiny/large texts.jsonl --out tuned learning_rate=1e-4 num_train_epochs=1", pl_verb_train},
    {"completion", "bash|zsh|fish", "completion for a shell", 1, 1, 0, "bash zsh fish", NULL,
     "completion bash > ~/.local/share/bash-completion/completions/plumb", pl_verb_completion},
    {"help", "[VERB]", "this help, or a verb's", 0, 1, 0, "@verb", NULL, "help run", pl_verb_help},
};
// clang-format on
const size_t pl__n_verbs = sizeof pl__verbs / sizeof *pl__verbs;

bool pl__verb_takes(const pl__verb *verb, size_t option)
{
    return option == PL_OPTION_HELP || (verb->options & (UINT64_C(1) << option));
}

pl_status pl__verb_find(const pl__verb **out, const char *name)
{
    const char *near = NULL;
    size_t least = PL_NEAR + 1;
    *out = NULL;
    for (size_t v = 0; v < pl__n_verbs; v++) {
        size_t distance = pl_edit_distance(pl__verbs[v].name, name);
        if (distance == 0) *out = &pl__verbs[v];
        if (distance < least) {
            least = distance;
            near = pl__verbs[v].name;
        }
    }
    if (*out) return PL_OK;
    return near ? pl_fail(PL_E_USAGE, "'%s' is no verb; did you mean '%s'? plumb --help lists them", name, near)
                : pl_fail(PL_E_USAGE, "'%s' is no verb; plumb --help lists them", name);
}

static pl_status no_such_option(const pl__verb *verb, const char *given, size_t size)
{
    char name[64];
    const char *near = NULL;
    size_t least = PL_NEAR + 1;
    snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name - 1), given + 2);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        size_t distance = pl_edit_distance(pl__options[o].name, name);
        if (!pl__verb_takes(verb, o) || distance >= least) continue;
        least = distance;
        near = pl__options[o].name;
    }
    if (near) return pl_fail(PL_E_USAGE, "plumb %s has no option %s; did you mean --%s?", verb->name, given, near);
    return pl_fail(PL_E_USAGE, "plumb %s has no option %s; plumb %s --help lists them", verb->name, given, verb->name);
}

/* Takes argv[*i] (and its value) as an option of the verb. */
static pl_status take_option(const pl__verb *verb, int argc, char **argv, int *i, pl_arguments *arguments)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        const pl__option *option = &pl__options[o];
        if (strlen(option->name) != size || strncmp(option->name, name, size) != 0) continue;
        if (!pl__verb_takes(verb, o)) break;
        if (arguments->values[o]) return pl_fail(PL_E_USAGE, "--%s is given twice", option->name);
        if (!option->value) {
            if (equals) return pl_fail(PL_E_USAGE, "--%s takes no value, found '%s'", option->name, equals + 1);
            arguments->values[o] = "";
            return PL_OK;
        }
        if (!equals && *i + 1 >= argc)
            return pl_fail(PL_E_USAGE, "--%s needs a value: --%s %s", option->name, option->name, option->value);
        arguments->values[o] = equals ? equals + 1 : argv[++*i];
        return PL_OK;
    }
    return no_such_option(verb, argv[*i], size);
}

pl_status pl__arguments_parse(pl_arguments *arguments, const pl__verb *verb, int argc, char **argv)
{
    bool words_only = false;
    PL_TRY(pl_new(&arguments->words, (size_t)argc));
    for (int i = 2; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0)
            words_only = true;
        else if (!words_only && strcmp(argv[i], "-h") == 0)
            arguments->values[PL_OPTION_HELP] = "";
        else if (!words_only && strncmp(argv[i], "--", 2) == 0)
            PL_TRY(take_option(verb, argc, argv, &i, arguments));
        else
            arguments->words[arguments->n_words++] = argv[i];
    }
    if (arguments->values[PL_OPTION_HELP]) return PL_OK;
    if (arguments->n_words < verb->least || arguments->n_words > verb->most)
        return pl_fail(PL_E_USAGE, "%zu arguments, expected: plumb %s %s", arguments->n_words, verb->name, verb->words);
    return PL_OK;
}

pl_status pl_argument_size(const pl_arguments *arguments, pl_option option, size_t *out)
{
    const char *text = arguments->values[option];
    if (!text) return PL_OK;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value == 0 || value > 1000000000)
        return pl_fail(PL_E_USAGE, "--%s: expected a number from 1, found '%s'", pl__options[option].name, text);
    *out = value;
    return PL_OK;
}

pl_status pl_argument_share(const pl_arguments *arguments, pl_option option, double *out)
{
    const char *text = arguments->values[option];
    char *end;
    if (!text) return PL_OK;
    double value = strtod(text, &end);
    if (!*text || *end || !(value > 0.0 && value < 1.0))
        return pl_fail(PL_E_USAGE, "--%s: expected a number above 0 and below 1, found '%s'", pl__options[option].name,
                       text);
    *out = value;
    return PL_OK;
}
