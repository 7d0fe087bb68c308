/* Every step edits each word (a space in front, another character for spaces), finds spans in it and keeps the spans by
 * the step's behaviour; the comments of Hugging Face's SplitDelimiterBehavior describe the five. */
#include "tokenizer/pretokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"
#include "tokenizer/unicode.h"

enum { STEPS_MAX = 64 };

typedef enum behaviour { ISOLATED, REMOVED, CONTIGUOUS, WITH_PREVIOUS, WITH_NEXT } behaviour;
typedef enum scheme { NEVER, FIRST, ALWAYS } scheme;

struct step {
    bool cut; /* false: the word stays whole */
    pl__pattern pattern;
    behaviour behaviour;
    bool invert;
    bool byte_level;     /* words become characters of the byte alphabet */
    char replacement[5]; /* Metaspace: what stands for a space; "" otherwise */
    scheme prepend;      /* of `replacement`, or of a space for ByteLevel */
};

struct pl__pretokenizer {
    struct step steps[STEPS_MAX];
    size_t n;
};

/* ---- from the file ---- */

static pl_status read_behaviour(struct step *step, const json_t *spec, const char *where)
{
    static const struct {
        const char *name;
        behaviour behaviour;
    } names[] = {{"Isolated", ISOLATED},
                 {"Removed", REMOVED},
                 {"Contiguous", CONTIGUOUS},
                 {"MergedWithPrevious", WITH_PREVIOUS},
                 {"MergedWithNext", WITH_NEXT}};
    const char *name = "Isolated";
    PL_TRY(pl_json_get_text(&name, spec, "behavior", where));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) {
            step->behaviour = names[i].behaviour;
            return PL_OK;
        }
    return pl_fail(PL_E_UNSUPPORTED, "%s.behavior: '%.80s' is not supported", where, name);
}

static void cut_by(struct step *step, bool (*is)(uint32_t), behaviour behaviour)
{
    step->cut = true;
    step->pattern = (pl__pattern){.kind = PL__PATTERN_CHARACTER, .is = is};
    step->behaviour = behaviour;
}

static pl_status read_byte_level(struct step *step, const json_t *spec, const char *where)
{
    bool prefix = true, regex = true;
    PL_TRY(pl_json_get_bool(&prefix, spec, "add_prefix_space", where));
    PL_TRY(pl_json_get_bool(&regex, spec, "use_regex", where));
    step->byte_level = true;
    step->prepend = prefix ? ALWAYS : NEVER;
    step->cut = regex;
    step->pattern.kind = PL__PATTERN_GPT2;
    return PL_OK;
}

static pl_status read_split(struct step *step, const json_t *spec, const char *where)
{
    step->cut = true;
    PL_TRY(pl__pattern_create(&step->pattern, json_object_get(spec, "pattern"), where));
    PL_TRY(pl_json_get_bool(&step->invert, spec, "invert", where));
    return read_behaviour(step, spec, where);
}

static pl_status read_digits(struct step *step, const json_t *spec, const char *where)
{
    bool individual = false;
    PL_TRY(pl_json_get_bool(&individual, spec, "individual_digits", where));
    cut_by(step, pl__char_is_number, individual ? ISOLATED : CONTIGUOUS);
    return PL_OK;
}

static pl_status read_punctuation(struct step *step, const json_t *spec, const char *where)
{
    cut_by(step, pl__char_is_punctuation, ISOLATED);
    return read_behaviour(step, spec, where);
}

static pl_status read_whitespace_split(struct step *step, const json_t *spec, const char *where)
{
    (void)spec, (void)where;
    cut_by(step, pl__char_is_white_space, REMOVED);
    return PL_OK;
}

/* \w+|[^\w\s]+ keeps the words. Rust's \w has the joiners U+200C and U+200D, Oniguruma's has not. */
static pl_status read_whitespace(struct step *step, const json_t *spec, const char *where)
{
    static const char pattern[] = "[\\w\\x{200C}\\x{200D}]+|[^\\w\\x{200C}\\x{200D}\\s]+";
    (void)spec;
    step->cut = step->invert = true;
    step->behaviour = REMOVED;
    return pl__pattern_regex(&step->pattern, pattern, sizeof pattern - 1, where);
}

static pl_status read_metaspace(struct step *step, const json_t *spec, const char *where)
{
    const char *replacement = "\xE2\x96\x81", *name = "always";
    bool split = true, prefix = true;
    PL_TRY(pl_json_get_text(&replacement, spec, "replacement", where));
    PL_TRY(pl_json_get_text(&name, spec, "prepend_scheme", where));
    PL_TRY(pl_json_get_bool(&split, spec, "split", where));
    /* Files from before prepend_scheme have add_prefix_space only. */
    PL_TRY(pl_json_get_bool(&prefix, spec, "add_prefix_space", where));
    size_t size = strlen(replacement);
    if (size == 0 || size != pl_utf8_size(replacement[0]))
        return pl_fail(PL_E_INPUT, "%s.replacement: expected one character, found '%.80s'", where, replacement);
    memcpy(step->replacement, replacement, size);
    if (strcmp(name, "always") != 0 && strcmp(name, "first") != 0 && strcmp(name, "never") != 0)
        return pl_fail(PL_E_UNSUPPORTED, "%s.prepend_scheme: '%.80s' is not supported", where, name);
    step->prepend = !prefix || name[0] == 'n' ? NEVER : name[0] == 'f' ? FIRST : ALWAYS;
    step->cut = split;
    step->behaviour = WITH_NEXT;
    return split ? pl__pattern_text(&step->pattern, replacement, size, where) : PL_OK;
}

static const struct {
    const char *name;
    pl_status (*read)(struct step *step, const json_t *spec, const char *where);
} readers[] = {
    {"ByteLevel", read_byte_level},    {"Split", read_split},         {"Digits", read_digits},
    {"Punctuation", read_punctuation}, {"Metaspace", read_metaspace}, {"WhitespaceSplit", read_whitespace_split},
    {"Whitespace", read_whitespace},
};

static pl_status read_step(void *context, const char *type, const json_t *spec, const char *where)
{
    pl__pretokenizer *p = context;
    if (strcmp(type, "BertPreTokenizer") == 0) {
        PL_TRY(read_step(context, "WhitespaceSplit", spec, where));
        return read_step(context, "Punctuation", spec, where);
    }
    if (p->n == STEPS_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d pre-tokenizers", where, STEPS_MAX);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(type, readers[i].name) == 0) return readers[i].read(&p->steps[p->n++], spec, where);
    return pl_fail(PL_E_UNSUPPORTED, "%s: the pre-tokenizer '%.80s' is not supported", where, type);
}

pl_status pl__pretokenizer_create(pl__pretokenizer **out, const json_t *spec, int prefix_space, const char *where)
{
    *out = NULL;
    if (!spec || json_is_null(spec)) return PL_OK;
    PL_TRY(pl_new(out, 1));
    pl_status status = pl__parts_read(spec, "pretokenizers", where, read_step, *out);
    if (status != PL_OK) {
        pl__pretokenizer_free(*out);
        *out = NULL;
        return status;
    }
    if (prefix_space >= 0 && !json_object_get(spec, "pretokenizers") && (*out)->steps[0].byte_level)
        (*out)->steps[0].prepend = prefix_space ? ALWAYS : NEVER;
    return PL_OK;
}

void pl__pretokenizer_free(pl__pretokenizer *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) pl__pattern_free(&p->steps[i].pattern);
    free(p);
}

bool pl__pretokenizer_is_byte_level(const pl__pretokenizer *p)
{
    return p && p->n > 0 && p->steps[p->n - 1].byte_level;
}

/* ByteLevel by its own pattern, or a Split by one of that line and then ByteLevel. */
const pl__pattern *pl__pretokenizer_words(const pl__pretokenizer *p)
{
    if (!pl__pretokenizer_is_byte_level(p) || p->n > 2 || p->steps[p->n - 1].prepend != NEVER) return NULL;
    const struct step *first = &p->steps[0];
    if (p->n == 2 && (first->byte_level || first->replacement[0] || p->steps[1].cut)) return NULL;
    bool plain = first->cut && !first->invert && first->behaviour == ISOLATED;
    return plain && pl__pattern_is_of_words(&first->pattern) ? &first->pattern : NULL;
}

void pl__words_free(pl__words *words)
{
    pl_bytes_free(&words->text);
    free(words->items);
    *words = (pl__words){0};
}

/* ---- at work ---- */

static pl_status add(pl__words *out, size_t start, size_t size, size_t head)
{
    if (size == 0) return PL_OK;
    if (out->n == out->capacity) PL_TRY(pl_grow(&out->items, &out->capacity, out->n + 1));
    out->items[out->n++] = (pl__word){start, size, head};
    return PL_OK;
}

/* Appends the word to out->text as the step wants to see it; *head follows. */
static pl_status edit(const struct step *step, pl__words *out, const char *text, size_t size, size_t *head)
{
    const char *mark = step->replacement[0] ? step->replacement : " ";
    size_t mark_size = strlen(mark);
    bool marked = size >= mark_size && memcmp(text, mark, mark_size) == 0;
    if (step->replacement[0] && text[0] == ' ') marked = true;
    if (!marked && (step->prepend == ALWAYS || (step->prepend == FIRST && *head > 0))) {
        PL_TRY(pl_bytes_append(&out->text, mark, mark_size));
        if (*head) *head += mark_size;
    }
    if (!step->replacement[0]) return pl_bytes_append(&out->text, text, size);
    if (text[0] == ' ' && *head) *head = mark_size;
    for (size_t at = 0; at < size;) {
        const char *space = memchr(text + at, ' ', size - at);
        size_t end = space ? (size_t)(space - text) : size;
        PL_TRY(pl_bytes_append(&out->text, text + at, end - at));
        if (space) PL_TRY(pl_bytes_append(&out->text, mark, mark_size));
        at = end + 1;
    }
    return PL_OK;
}

/* Merges spans in place by the behaviour; afterwards `match` says "leave out". */
static void apply(behaviour behaviour, pl__spans *spans)
{
    pl__span *s = spans->items;
    size_t n = 0, total = spans->n;
    bool previous = false;
    if (behaviour == REMOVED) return;
    if (behaviour == WITH_NEXT) {
        /* From the back, into the back; then down to the front. */
        size_t to = total;
        for (size_t i = total; i-- > 0;) {
            bool match = s[i].match;
            if (match && !previous && to < total)
                s[to].start = s[i].start;
            else
                s[--to] = (pl__span){s[i].start, s[i].end, false};
            previous = match;
        }
        memmove(s, s + to, (total - to) * sizeof *s);
        spans->n = total - to;
        return;
    }
    for (size_t i = 0; i < total; i++) {
        bool match = s[i].match;
        bool joins =
            n > 0 && (behaviour == CONTIGUOUS ? match == previous : behaviour == WITH_PREVIOUS && match && !previous);
        if (joins)
            s[n - 1].end = s[i].end;
        else
            s[n++] = (pl__span){s[i].start, s[i].end, false};
        previous = match;
    }
    spans->n = n;
}

static pl_status cut_word(const struct step *step, pl__words *out, size_t start, size_t head, pl__spans *spans)
{
    size_t size = out->text.size - start;
    PL_TRY(pl__pattern_find(&step->pattern, out->text.data + start, size, spans));
    if (step->invert)
        for (size_t i = 0; i < spans->n; i++) spans->items[i].match = !spans->items[i].match;
    apply(step->behaviour, spans);
    for (size_t i = 0; i < spans->n; i++) {
        const pl__span *s = &spans->items[i];
        if (s->match) continue;
        PL_TRY(add(out, start + s->start, s->end - s->start, head > s->start ? head - s->start : 0));
    }
    return PL_OK;
}

static pl_status run_step(const struct step *step, pl__words *out, const pl__words *in, pl__spans *spans)
{
    out->n = 0;
    pl_bytes_clear(&out->text);
    for (size_t i = 0; i < in->n; i++) {
        size_t start = out->text.size, head = in->items[i].head;
        PL_TRY(edit(step, out, in->text.data + in->items[i].start, in->items[i].size, &head));
        if (step->cut)
            PL_TRY(cut_word(step, out, start, head, spans));
        else
            PL_TRY(add(out, start, out->text.size - start, head));
    }
    return PL_OK;
}

/* Raw bytes to characters of the byte alphabet, where another step comes after ByteLevel. */
static pl_status map_bytes(pl__words *out, const pl__words *in)
{
    out->n = 0;
    pl_bytes_clear(&out->text);
    for (size_t i = 0; i < in->n; i++) {
        const pl__word *w = &in->items[i];
        size_t start = out->text.size, head = 0;
        PL_TRY(pl__bytes_to_alphabet(&out->text, in->text.data + w->start, w->size));
        for (size_t k = 0; k < w->head && k < w->size; k++)
            head += pl__byte_to_char((uint8_t)in->text.data[w->start + k]) < 0x80 ? 1 : 2;
        PL_TRY(add(out, start, out->text.size - start, head));
    }
    return PL_OK;
}

static void swap(pl__words *a, pl__words *b)
{
    pl__words c = *a;
    *a = *b;
    *b = c;
}

pl_status pl__pretokenize(const pl__pretokenizer *p, const char *text, size_t size, size_t head, pl__words *words,
                          pl__words *spare, pl__spans *spans)
{
    words->n = 0;
    pl_bytes_clear(&words->text);
    PL_TRY(pl_bytes_append(&words->text, text, size));
    PL_TRY(add(words, 0, size, head));
    for (size_t i = 0; p && i < p->n; i++) {
        PL_TRY(run_step(&p->steps[i], spare, words, spans));
        swap(words, spare);
        if (p->steps[i].byte_level && i + 1 < p->n) {
            PL_TRY(map_bytes(spare, words));
            swap(words, spare);
        }
    }
    words->bytes = pl__pretokenizer_is_byte_level(p);
    return PL_OK;
}
