/* plumb help, --help and -h: the table of verbs and options as text. */
#include <string.h>

#include "cli/verbs.h"

/* The width of a column: of the longest text in it. */
static int widest(int width, const char *text)
{
    int n = (int)strlen(text);
    return n > width ? n : width;
}

void pl__print_help(FILE *out)
{
    int names = 0, words = 0;
    fprintf(out,
            "plumb %s: how deep a small language model's understanding of a task goes, and how steady it is\n\n"
            "usage: plumb VERB ... [--option]\n\n",
            PLUMB_VERSION);
    for (size_t v = 0; v < pl__n_verbs; v++) {
        names = widest(names, pl__verbs[v].name);
        words = widest(words, pl__verbs[v].words);
    }
    for (size_t v = 0; v < pl__n_verbs; v++)
        fprintf(out, "  %-*s %-*s  %s\n", names, pl__verbs[v].name, words, pl__verbs[v].words, pl__verbs[v].summary);
    fprintf(
        out,
        "\n`plumb VERB --help` prints a verb's options, `plumb --version` the version (also -h, -V). A model is a\n"
        "checkpoint folder or a name in the local Hugging Face cache. An option's value stands behind a blank or a\n"
        "'=', words behind '--' are never options.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 some units failed, 75 stopped by SIGTERM or SIGUSR1,\n"
        "130 by Ctrl-C (run again to go on).\n");
}

static void option_name(char out[64], const pl__option *option)
{
    snprintf(out, 64, "--%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
}

void pl__print_verb_help(FILE *out, const pl__verb *verb)
{
    char name[64];
    int width = 0;
    fprintf(out, "usage: plumb %s %s [--option]\n%s\n\n", verb->name, verb->words, verb->summary);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        option_name(name, &pl__options[o]);
        if (pl__verb_takes(verb, o)) width = widest(width, name);
    }
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        option_name(name, &pl__options[o]);
        if (pl__verb_takes(verb, o)) fprintf(out, "  %-*s  %s\n", width, name, pl__options[o].help);
    }
    fprintf(out, "\nexample: plumb %s\nexit codes: 0 done, 1 failed, 2 wrong usage or input%s%s\n", verb->example,
            verb->exits ? ", " : "", verb->exits ? verb->exits : "");
}

pl_status pl_verb_help(const pl_arguments *arguments)
{
    const pl__verb *verb;
    if (arguments->n_words == 0) {
        pl__print_help(stdout);
        return PL_OK;
    }
    PL_TRY(pl__verb_find(&verb, arguments->words[0]));
    pl__print_verb_help(stdout, verb);
    return PL_OK;
}
