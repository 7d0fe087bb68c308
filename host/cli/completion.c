/* plumb completion: a script for a shell, made from the table of verbs and options. Texts of the table are quoted for
 * the shell that reads them; paths are what the shell itself finds. */
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"

/* `text` with a backslash before each of `special`; a single quote as the shells' '\'' (fish: \'). */
static void print_quoted(FILE *out, const char *text, const char *special, const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs(quote, out);
            continue;
        }
        if (strchr(special, *text)) fputc('\\', out);
        fputc(*text, out);
    }
}

/* The n-th of "@folder @.jsonl"; false beyond the last. */
static bool kind_of(char out[64], const char *completes, size_t n)
{
    const char *word = completes;
    for (; word && n > 0; n--) word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL;
    if (word) snprintf(out, 64, "%.*s", (int)strcspn(word, " "), word);
    return word != NULL;
}

static bool has_kinds(const pl__verb *verb)
{
    return verb->completes && verb->completes[0] == '@';
}

static void print_verbs(FILE *out)
{
    for (size_t v = 0; v < pl__n_verbs; v++) fprintf(out, "%s%s", v ? " " : "", pl__verbs[v].name);
}

/* ---- bash ---- */

/* The command that answers for one kind of word. */
static void bash_kind(FILE *out, const char *kind)
{
    if (strcmp(kind, "@folder") == 0)
        fputs("_plumb_paths -d", out);
    else if (strcmp(kind, "@verb") == 0)
        fputs("_plumb_words \"$verbs\"", out);
    else if (strncmp(kind, "@.", 2) == 0)
        fprintf(out, "_plumb_paths -f -X '!*%s'", kind + 1);
    else
        fputs("_plumb_paths -f", out);
}

static void bash_options(FILE *out)
{
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        const pl__option *option = &pl__options[o];
        if (!option->value) continue;
        fprintf(out, "    --%s) ", option->name);
        if (!option->words)
            fputs(":", out);
        else if (option->words[0] == '@')
            bash_kind(out, option->words);
        else
            fprintf(out, "_plumb_words '%s'", option->words);
        fputs("; return ;;\n", out);
    }
}

static void bash_verb(FILE *out, const pl__verb *verb)
{
    char kind[64];
    fprintf(out, "    %s)\n        if [[ $cur == -* ]]; then\n            _plumb_words '", verb->name);
    for (size_t o = 0; o < PL_OPTIONS; o++)
        if (pl__verb_takes(verb, o)) fprintf(out, "--%s ", pl__options[o].name);
    fputs("-h'\n", out);
    if (verb->completes && !has_kinds(verb)) {
        fprintf(out, "        else\n            _plumb_words '%s'\n", verb->completes);
    } else if (has_kinds(verb)) {
        for (size_t n = 0; kind_of(kind, verb->completes, n); n++) {
            fprintf(out, "        elif [[ $n -eq %zu ]]; then\n            ", n);
            bash_kind(out, kind);
            fputs("\n", out);
        }
    }
    fputs("        fi\n        ;;\n", out);
}

static void print_bash(FILE *out)
{
    fputs("# bash completion for plumb: source it, or put it into bash-completion's folder under the name plumb.\n"
          "_plumb_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
          "_plumb_paths() {\n"
          "    compopt -o filenames 2>/dev/null\n"
          "    mapfile -t COMPREPLY < <({ compgen \"$@\" -- \"$cur\"; compgen -d -- \"$cur\"; } | sort -u)\n"
          "}\n"
          "_plumb() {\n"
          "    local verbs='",
          out);
    print_verbs(out);
    fputs("'\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i n=0\n"
          "    COMPREPLY=()\n"
          "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
          "        _plumb_words \"$verbs --help --version\"\n"
          "        return\n"
          "    fi\n"
          "    # bash cuts --option=value into three words\n"
          "    if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
          "    case $prev in\n",
          out);
    bash_options(out);
    fputs("    esac\n"
          "    # how many words that are no options stand before this one\n"
          "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n        ",
          out);
    bool first = true;
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        if (!pl__options[o].value) continue;
        fprintf(out, "%s--%s", first ? "" : " | ", pl__options[o].name);
        first = false;
    }
    fputs(") ((i++)) ;;\n"
          "        -*) ;;\n"
          "        *) ((n++)) ;;\n"
          "        esac\n"
          "    done\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
    for (size_t v = 0; v < pl__n_verbs; v++) bash_verb(out, &pl__verbs[v]);
    fputs("    esac\n}\ncomplete -F _plumb plumb\n", out);
}

/* ---- zsh ---- */

static void zsh_kind(FILE *out, const char *kind)
{
    if (strcmp(kind, "@folder") == 0)
        fputs("_files -/", out);
    else if (strcmp(kind, "@verb") == 0) {
        fputs("(", out);
        print_verbs(out);
        fputs(")", out);
    } else if (strncmp(kind, "@.", 2) == 0)
        fprintf(out, "_files -g \"*%s\"", kind + 1);
    else if (kind[0] == '@')
        fputs("_files", out);
    else
        fprintf(out, "(%s)", kind);
}

static void zsh_verb(FILE *out, const pl__verb *verb)
{
    char kind[64];
    fprintf(out, "    %s)\n        _arguments \\\n            '(- *)-h[print this help]'", verb->name);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        const pl__option *option = &pl__options[o];
        if (!pl__verb_takes(verb, o)) continue;
        fprintf(out, " \\\n            '--%s%s[", option->name, option->value ? "=" : "");
        print_quoted(out, option->help, ":[]\\", "'\\''");
        fputs("]", out);
        if (option->value) {
            fprintf(out, ":%s:", option->value);
            if (option->words) zsh_kind(out, option->words);
        }
        fputs("'", out);
    }
    if (verb->completes && !has_kinds(verb)) {
        fprintf(out, " \\\n            '1:word:(%s)'", verb->completes);
    } else if (has_kinds(verb)) {
        for (size_t n = 0; kind_of(kind, verb->completes, n); n++) {
            fprintf(out, " \\\n            '%zu:word:", n + 1);
            zsh_kind(out, kind);
            fputs("'", out);
        }
    }
    fputs("\n        ;;\n", out);
}

static void print_zsh(FILE *out)
{
    fputs("#compdef plumb\n"
          "# zsh completion for plumb: put it into a folder of $fpath under the name _plumb, or source it after "
          "compinit.\n"
          "_plumb() {\n"
          "    local -a verbs\n"
          "    verbs=(\n",
          out);
    for (size_t v = 0; v < pl__n_verbs; v++) {
        fprintf(out, "        '%s:", pl__verbs[v].name);
        print_quoted(out, pl__verbs[v].summary, ":\\", "'\\''");
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe verb verbs\n"
          "        return\n"
          "    fi\n"
          "    local verb=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $verb in\n",
          out);
    for (size_t v = 0; v < pl__n_verbs; v++) zsh_verb(out, &pl__verbs[v]);
    fputs("    esac\n}\n"
          "if [ \"$funcstack[1]\" = _plumb ]; then _plumb \"$@\"; elif (( $+functions[compdef] )); then compdef _plumb "
          "plumb; fi\n",
          out);
}

/* ---- fish ---- */

static void fish_help(FILE *out, const char *text)
{
    fputs(" -d '", out);
    print_quoted(out, text, "\\", "\\'");
    fputs("'\n", out);
}

/* What stands behind -a. */
static void fish_kind(FILE *out, const char *kind)
{
    if (strcmp(kind, "@folder") == 0)
        fputs("'(__fish_complete_directories)'", out);
    else if (strcmp(kind, "@verb") == 0) {
        fputs("'", out);
        print_verbs(out);
        fputs("'", out);
    } else if (strncmp(kind, "@.", 2) == 0)
        fprintf(out, "'(__fish_complete_suffix %s)'", kind + 1);
    else if (kind[0] == '@')
        fputs("'(__fish_complete_path)'", out);
    else
        fprintf(out, "'%s'", kind);
}

static void fish_verb(FILE *out, const pl__verb *verb)
{
    char kind[64];
    fprintf(out, "complete -c plumb -n __fish_use_subcommand -a %s", verb->name);
    fish_help(out, verb->summary);
    for (size_t o = 0; o < PL_OPTIONS; o++) {
        const pl__option *option = &pl__options[o];
        if (!pl__verb_takes(verb, o)) continue;
        fprintf(out, "complete -c plumb -n '__fish_seen_subcommand_from %s' -l %s", verb->name, option->name);
        if (option->value) fputs(" -x", out);
        if (option->words) {
            fputs(" -a ", out);
            fish_kind(out, option->words);
        }
        fish_help(out, option->help);
    }
    if (!verb->completes) return;
    if (!has_kinds(verb)) {
        fprintf(out, "complete -c plumb -n '__fish_seen_subcommand_from %s' -a '%s'\n", verb->name, verb->completes);
        return;
    }
    for (size_t n = 0; kind_of(kind, verb->completes, n); n++) { /* fish shows all of them at each place */
        fprintf(out, "complete -c plumb -n '__fish_seen_subcommand_from %s' -a ", verb->name);
        fish_kind(out, kind);
        fputs("\n", out);
    }
}

static void print_fish(FILE *out)
{
    fputs("# fish completion for plumb: put it into ~/.config/fish/completions under the name plumb.fish.\n"
          "complete -c plumb -f\n"
          "complete -c plumb -s h -l help -d 'print help'\n"
          "complete -c plumb -n __fish_use_subcommand -s V -l version -d 'print the version'\n",
          out);
    for (size_t v = 0; v < pl__n_verbs; v++) fish_verb(out, &pl__verbs[v]);
}

pl_status pl__print_completion(FILE *out, const char *shell)
{
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        if (strcmp(shells[i].name, shell) != 0) continue;
        shells[i].print(out);
        return PL_OK;
    }
    return pl_fail(PL_E_USAGE, "completion: expected bash, zsh or fish; found '%s'", shell);
}

pl_status pl_verb_completion(const pl_arguments *arguments)
{
    return pl__print_completion(stdout, arguments->words[0]);
}
