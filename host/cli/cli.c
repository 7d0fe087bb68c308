#include "cli/cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    const char *name, *value, *help;
} options[PL_OPTIONS] = {
#define X(id, name, value, help) {name, value, help},
    PL_OPTION_TABLE(X)
#undef X
};

#define BIT(id) (1u << PL_OPTION_##id)

/* One row a verb: its words, what it does, how many words it takes, its options. */
static const struct verb {
    const char *name, *words, *summary;
    size_t least, most;
    unsigned options;
    pl_status (*run)(const pl_arguments *arguments);
} verbs[] = {
    {"run", "EXP.yaml [key=value ...]", "run or resume an experiment, then analyse it", 1, SIZE_MAX,
     BIT(RESULTS) | BIT(SHARD) | BIT(DEVICE) | BIT(THREADS) | BIT(BATCH_TOKENS) | BIT(NO_SHARING) | BIT(QUIET) |
         BIT(JSON),
     pl_verb_run},
    {"plan", "EXP.yaml [key=value ...]",
     "what an experiment would cost: units, prompts, tokens, time, disk; runs nothing", 1, SIZE_MAX,
     BIT(RESULTS) | BIT(DEVICE) | BIT(THREADS) | BIT(JSON), pl_verb_plan},
    {"analyze", "RUN", "the stability table and results again, from a run's stored files", 1, 1,
     BIT(VERIFY) | BIT(JSON), pl_verb_analyze},
    {"status", "RUN", "finished, running and failed units of a run, rate and time left", 1, 1, BIT(JSON) | BIT(WATCH),
     pl_verb_status},
    {"inspect", "MODEL", "family, sizes, parameters, tokenizer and tensors of a checkpoint", 1, 1, BIT(JSON),
     pl_verb_inspect},
    {"tokenize", "MODEL [TEXT ...]", "ids and pieces of texts (arguments, or JSONL rows on standard input)", 1,
     SIZE_MAX, BIT(NO_SPECIAL) | BIT(JSON), pl_verb_tokenize},
    {"generate", "MODEL --prompt TEXT", "greedy text", 1, 1,
     BIT(PROMPT) | BIT(MAX_TOKENS) | BIT(UNTIL) | BIT(NO_SPECIAL) | BIT(DEVICE) | BIT(COMPUTE) | BIT(THREADS) |
         BIT(JSON),
     pl_verb_generate},
    {"extract", "MODEL TEXTS.jsonl --out FILE.h5",
     "hidden states of any texts: rows {\"text\": ...} or {\"ids\": [...]}", 2, 2,
     BIT(OUT) | BIT(LAYERS) | BIT(POSITIONS) | BIT(DTYPE) | BIT(LOGITS) | BIT(NO_SPECIAL) | BIT(DEVICE) | BIT(COMPUTE) |
         BIT(THREADS) | BIT(BATCH_TOKENS) | BIT(QUIET) | BIT(JSON),
     pl_verb_extract},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(FILE *out)
{
    fprintf(out,
            "plumb %s: how deep a small language model's understanding of a task goes, and how steady it is\n\n"
            "usage: plumb VERB ... [--option]\n\n",
            PLUMB_VERSION);
    for (size_t v = 0; v < VERBS; v++)
        fprintf(out, "  %-9s %-32s %s\n", verbs[v].name, verbs[v].words, verbs[v].summary);
    fprintf(out,
            "\n`plumb VERB --help` prints a verb's options. A model is a checkpoint folder or a name in the local\n"
            "Hugging Face cache. Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 some units failed,\n"
            "75 drained by a signal (run again to go on).\n");
}

static void print_verb_help(FILE *out, const struct verb *verb)
{
    fprintf(out, "usage: plumb %s %s [--option]\n%s\n\n", verb->name, verb->words, verb->summary);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        if (!(verb->options & (1u << o)) && o != PL_OPTION_HELP) continue;
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", options[o].name, options[o].value ? " " : "",
                 options[o].value ? options[o].value : "");
        fprintf(out, "  %-20s %s\n", name, options[o].help);
    }
}

static const struct verb *find_verb(const char *name)
{
    for (size_t v = 0; v < VERBS; v++)
        if (strcmp(verbs[v].name, name) == 0) return &verbs[v];
    return NULL;
}

/* Takes argv[*i] (and its value) as an option of the verb. */
static pl_status take_option(const struct verb *verb, int argc, char **argv, int *i, pl_arguments *arguments)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        if (strlen(options[o].name) != size || strncmp(options[o].name, name, size) != 0) continue;
        if (!(verb->options & (1u << o)) && o != PL_OPTION_HELP) break;
        if (arguments->values[o]) return pl_fail(PL_E_USAGE, "--%s is given twice", options[o].name);
        if (!options[o].value) {
            if (equals) return pl_fail(PL_E_USAGE, "--%s takes no value, found '%s'", options[o].name, equals + 1);
            arguments->values[o] = "";
            return PL_OK;
        }
        if (!equals && *i + 1 >= argc)
            return pl_fail(PL_E_USAGE, "--%s needs a value: --%s %s", options[o].name, options[o].name,
                           options[o].value);
        arguments->values[o] = equals ? equals + 1 : argv[++*i];
        return PL_OK;
    }
    return pl_fail(PL_E_USAGE, "plumb %s has no option %s; see plumb %s --help", verb->name, argv[*i], verb->name);
}

static pl_status parse(const struct verb *verb, int argc, char **argv, pl_arguments *arguments)
{
    bool words_only = false;
    PL_TRY(pl_new(&arguments->words, (size_t)argc));
    for (int i = 2; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0)
            words_only = true;
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
        return pl_fail(PL_E_USAGE, "--%s: expected a number from 1, found '%s'", options[option].name, text);
    *out = value;
    return PL_OK;
}

pl_status pl_print_json(json_t *value, bool indented)
{
    if (!value) return pl_fail(PL_E_MEMORY, "out of memory while writing JSON");
    int failed = json_dumpf(value, stdout, indented ? JSON_INDENT(2) : JSON_COMPACT);
    json_decref(value);
    if (failed || putchar('\n') == EOF) return pl_fail(PL_E_IO, "cannot write JSON to standard output");
    return PL_OK;
}

int pl_cli_main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("plumb %s\n", PLUMB_VERSION);
        return 0;
    }
    const struct verb *verb = find_verb(argv[1]);
    pl_arguments arguments = {0};
    pl_status status;
    if (!verb) {
        status = pl_fail(PL_E_USAGE, "'%s' is no verb; see plumb --help", argv[1]);
        goto done;
    }
    PL_GOTO(status, done, parse(verb, argc, argv, &arguments));
    if (arguments.values[PL_OPTION_HELP])
        print_verb_help(stdout, verb);
    else
        status = verb->run(&arguments);
    if (status == PL_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = pl_fail(PL_E_IO, "cannot write to standard output");
done:
    free(arguments.words);
    if (status != PL_OK) fprintf(stderr, "plumb: %s\n", pl_error_text());
    return pl_status_exit_code(status);
}
