/* The table of verbs and options, for the parser, the help and the completion. Shared inside the folder. */
#ifndef PLUMB_CLI_VERBS_H
#define PLUMB_CLI_VERBS_H

#include <stdint.h>

#include "cli/cli.h"

typedef struct pl__option {
    const char *name, *value, *words, *help; /* as in PL_OPTION_TABLE */
} pl__option;
extern const pl__option pl__options[PL_OPTIONS];

typedef struct pl__verb {
    const char *name, *words, *summary;
    size_t least, most; /* how many words it takes */
    uint64_t options;   /* bit o: PL_OPTION o; ask pl__verb_takes */
    /* What its words are, for completion: words with blanks between, or "@folder", "@.yaml", "@.jsonl" (files that end
     * so, and folders) and "@verb", one a word: "@folder @.jsonl"; NULL: nothing known. */
    const char *completes;
    const char *exits;   /* exit codes beside 0, 1 and 2 */
    const char *example; /* one line, without "plumb" */
    pl_status (*run)(const pl_arguments *arguments);
} pl__verb;
extern const pl__verb pl__verbs[];
extern const size_t pl__n_verbs;

bool pl__verb_takes(const pl__verb *verb, size_t option);
/* NULL and PL_E_USAGE with the nearest verb in the message. */
pl_status pl__verb_find(const pl__verb **out, const char *name);
/* Reads argv from 2 on. Free arguments->words, also on failure. */
pl_status pl__arguments_parse(pl_arguments *arguments, const pl__verb *verb, int argc, char **argv);

void pl__print_help(FILE *out);
void pl__print_verb_help(FILE *out, const pl__verb *verb);

/* The completion script of a shell; PL_E_USAGE when it is not bash, zsh or fish. */
pl_status pl__print_completion(FILE *out, const char *shell);

#endif
