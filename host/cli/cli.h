/* The command line: one table of verbs and options makes the parser, the help and the completion (verbs.h). */
#ifndef PLUMB_CLI_CLI_H
#define PLUMB_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"
#include "base/status.h"

/* id, name, value (NULL: a flag), its known words for completion ("@file" or "@folder": a path; NULL: any), help */
#define PL_OPTION_TABLE(X)                                                                                             \
    X(HELP, "help", NULL, NULL, "print this help (also -h)")                                                           \
    X(FULL, "full", NULL, NULL, "print every block of the table, not one screen a model and task")                     \
    X(JSON, "json", NULL, NULL, "print the result as JSON on standard output, and nothing else there")                 \
    X(QUIET, "quiet", NULL, NULL, "no progress")                                                                       \
    X(DEVICE, "device", "NAME", "cpu cuda auto",                                                                       \
      "cpu, cuda, cuda:<index> or auto: cuda if it opens; default: auto where a model runs, else cpu")                 \
    X(COMPUTE, "compute", "TYPE", "float32 bf16x3 bf16 fp16 tf32",                                                     \
      "type of products: float32, bf16x3, bf16, fp16, tf32, where the device has it (default: float32)")               \
    X(THREADS, "threads", "N", NULL, "CPU threads (default: all this process may use)")                                \
    X(RANKS, "ranks", "N", "srun",                                                                                     \
      "N processes on this machine, a device each (run: as many as it has GPUs); train also srun: as many as srun "    \
      "started")                                                                                                       \
    X(RESULTS, "results", "DIR", "@folder", "folder that holds run folders (default: results)")                        \
    X(SHARD, "shard", "I/N", NULL, "only the units of share I of N, I from 0 (for job arrays)")                        \
    X(BATCH_TOKENS, "batch-tokens", "N", NULL, "tokens of a packed batch (changes speed, never a result)")             \
    X(NO_SHARING, "no-sharing", NULL, NULL, "compute shared prefixes again each time (changes speed, never a result)") \
    X(PROMPT, "prompt", "TEXT", NULL, "the text to continue")                                                          \
    X(MAX_TOKENS, "max-tokens", "N", NULL, "tokens to generate at most (default: 64)")                                 \
    X(UNTIL, "until", "TEXT", NULL, "stop before this text")                                                           \
    X(NO_SPECIAL, "no-special", NULL, NULL, "without the tokens that the tokenizer adds (bos, eos)")                   \
    X(OUT, "out", "PATH", "@file", "the file or folder to write")                                                      \
    X(LAYERS, "layers", "LIST", "all half last final_norm",                                                            \
      "all, or numbers, half, last, final_norm, with commas (default: all); of a printed table: numbers, final_norm")  \
    X(POSITIONS, "positions", "LIST", "last mean all",                                                                 \
      "last, mean (of the tokens without the first), all, with commas (default: last)")                                \
    X(DTYPE, "dtype", "TYPE", "float32 float16 bfloat16",                                                              \
      "stored type: float32, float16, bfloat16 (default: float32)")                                                    \
    X(LOGITS, "logits", NULL, NULL, "store logits as well: of the last token, or of all with --positions all")         \
    X(WATCH, "watch", NULL, NULL, "print again every 2 seconds until nothing runs any more")                           \
    X(VERIFY, "verify", NULL, NULL, "first hold every finished unit's file against the digest in its sidecar")         \
    X(FROM, "from", "RUN", "@folder",                                                                                  \
      "an earlier run of the experiment, whose outcomes say how much the primary contrast varies")                     \
    X(REPORT_MAX, "report-max", "BYTES", NULL,                                                                         \
      "size of report.html from which on prompts and answers of cells are left out (default: 3000000)")                \
    X(LATEX, "latex", "FOLDER", "@folder",                                                                             \
      "also write table.tex and methods.tex, of the arms and of what was done, into this folder")                      \
    X(LM_EVAL, "lm-eval", NULL, NULL, "as lm-evaluation-harness writes them")                                          \
    X(CELL, "cell", "N", NULL, "which cell; without it they are listed with their numbers")                            \
    X(VERBOSE, "verbose", NULL, NULL, "also list the keys of task files that change no number")                        \
    X(HALF_WIDTH, "half-width", "W", NULL,                                                                             \
      "of the primary contrast's interval: how much would reach it (default: 0.05)")                                   \
    X(MARGIN, "margin", "M", NULL, "gain of accuracy from which on tuning is needed (default: 0.03)")                  \
    X(DATASET, "dataset", "PATH", NULL, "the matrix in the file, where it holds several: /obsm/last.05")               \
    X(PERPLEXITY, "perplexity", "N", NULL,                                                                             \
      "neighbours that count for a point; below a third of the rows (default: 30)")                                    \
    X(DIMS, "dims", "N", NULL, "principal components that the map is made of (default: 50)")                           \
    X(SEEDS, "seeds", "N", NULL, "runs with other starts, for a band; 1: none (default: 5)")

typedef enum pl_option {
#define X(id, name, value, words, help) PL_OPTION_##id,
    PL_OPTION_TABLE(X)
#undef X
        PL_OPTIONS
} pl_option;

typedef struct pl_arguments {
    size_t n_words;
    const char **words;             /* what is neither an option nor the verb: files, texts, key=value */
    const char *values[PL_OPTIONS]; /* NULL: not given; a flag that is given holds "" */
} pl_arguments;

/* Runs the program; the exit code. Errors are printed here. */
int pl_cli_main(int argc, char **argv);

/* Typed reads of option values; *out is left alone when the option is not given. */
pl_status pl_argument_size(const pl_arguments *arguments, pl_option option, size_t *out);
pl_status pl_argument_share(const pl_arguments *arguments, pl_option option, double *out); /* above 0, below 1 */
static inline bool pl_argument_flag(const pl_arguments *arguments, pl_option option)
{
    return arguments->values[option] != NULL;
}

/* Prints one JSON value and a newline on standard output, or into a file: on one line, or indented. Takes the
 * reference; NULL is out of memory. */
pl_status pl_print_json(json_t *value, bool indented);
pl_status pl_put_json(FILE *out, json_t *value, bool indented);
/* Appends the text that these print, without the end of its last line; takes the reference, too. */
pl_status pl_json_visible(pl_bytes *out, json_t *value, bool indented);

/* The verbs, one file each. */
pl_status pl_verb_run(const pl_arguments *arguments);
pl_status pl_verb_plan(const pl_arguments *arguments);
pl_status pl_verb_validate(const pl_arguments *arguments);
pl_status pl_verb_render(const pl_arguments *arguments);
pl_status pl_verb_analyze(const pl_arguments *arguments);
pl_status pl_verb_report(const pl_arguments *arguments);
pl_status pl_verb_export(const pl_arguments *arguments);
pl_status pl_verb_policies(const pl_arguments *arguments);
pl_status pl_verb_rescore(const pl_arguments *arguments);
pl_status pl_verb_explain(const pl_arguments *arguments);
pl_status pl_verb_status(const pl_arguments *arguments);
pl_status pl_verb_inspect(const pl_arguments *arguments);
pl_status pl_verb_tokenize(const pl_arguments *arguments);
pl_status pl_verb_generate(const pl_arguments *arguments);
pl_status pl_verb_extract(const pl_arguments *arguments);
pl_status pl_verb_tsne(const pl_arguments *arguments);
pl_status pl_verb_train(const pl_arguments *arguments);
pl_status pl_verb_completion(const pl_arguments *arguments);
pl_status pl_verb_help(const pl_arguments *arguments);

#endif
