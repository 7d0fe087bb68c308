/* What bounds one rendering, whatever its template does: the bytes of its texts and values (growth), its steps, how
 * deep evaluations nest, and how deep lists and objects lie in one another.
 *
 * Values share their parts: thirty times [x, x] is a list of thirty lists that reads as a billion. So every walk over a
 * value counts its steps, one a list or object that it meets, however often. Nothing walks or frees deeper than a value
 * is, and that is looked at once, where a value gets a name: what one expression adds to it, the parser bounds. */
#include "jinja/tree.h"

static pl_status refuse_growth(const pl_jinja *j, size_t at)
{
    return pl_jinja_fail(j, at,
                         "the texts of one rendering grew beyond %d bytes: expected what a prompt can use; look for "
                         "repetitions and replacements that feed each other",
                         (int)PL_GROWTH_MAX);
}

pl_status pl__jinja_check_text(const pl_jinja *j, size_t at, size_t size)
{
    return size <= PL_GROWTH_MAX ? PL_OK : refuse_growth(j, at);
}

pl_status pl__jinja_grow(const pl_jinja *j, size_t at, size_t bytes)
{
    return pl_growth_add(&j->run->growth, bytes) ? PL_OK : refuse_growth(j, at);
}

/* ---- steps ---- */

pl_status pl__jinja_refuse_steps(const pl_jinja *j, size_t at)
{
    return pl_jinja_fail(j, at,
                         "one rendering took more than %zu steps; look for loops inside of loops, and for a value that "
                         "is put into itself",
                         j->most_steps);
}

/* Bytes are copied and compared, elements are held; or something is done with each letter or element: a step takes some
 * 100 ns in either case. */
enum { BYTES_A_STEP = 256, ELEMENTS_A_STEP = 32, LETTERS_A_STEP = 8, DEEDS_A_STEP = 2 };

pl_status pl__jinja_step_over(const pl_jinja *j, size_t at, const json_t *v)
{
    if (json_is_string(v)) return pl__jinja_steps(j, at, json_string_length(v) / BYTES_A_STEP);
    return pl__jinja_steps(j, at, (json_is_array(v) ? json_array_size(v) : json_object_size(v)) / ELEMENTS_A_STEP);
}

pl_status pl__jinja_step_parts(const pl_jinja *j, size_t at, const json_t *v)
{
    if (json_is_string(v)) return pl__jinja_steps(j, at, json_string_length(v) / LETTERS_A_STEP);
    return pl__jinja_steps(j, at, (json_is_array(v) ? json_array_size(v) : json_object_size(v)) / DEEDS_A_STEP);
}

pl_status pl__jinja_step_each(const pl_jinja *j, size_t at, const json_t *text, const json_t *what)
{
    enum { BYTES_A_LETTER = 64 }; /* compared as fast as one letter is looked at */
    return pl__jinja_steps(j, at,
                           json_string_length(text) / BYTES_A_STEP * (json_string_length(what) / BYTES_A_LETTER));
}

pl_status pl__jinja_refuse_depth(const pl_jinja *j, size_t at)
{
    return pl_jinja_fail(j, at, "evaluated deeper than %d levels; look for a macro that calls itself",
                         (int)PL__JINJA_MAX_NESTED);
}

/* ---- walks over values ---- */

static pl_status holds(const pl_jinja *j, size_t at, const json_t *v, pl__jinja_kind_of *is_wanted, size_t layer,
                       bool *out)
{
    *out = is_wanted && is_wanted(j, v);
    if (*out || !(json_is_array(v) || json_is_object(v))) return PL_OK;
    if (layer > PL__JINJA_MAX_LAYERS)
        return pl_jinja_fail(j, at,
                             "a value of lists or objects inside of one another, deeper than %d levels; look for a set "
                             "that puts a value into itself",
                             (int)PL__JINJA_MAX_LAYERS);
    PL_TRY(pl__jinja_step(j, at));
    PL_TRY(pl__jinja_step_over(j, at, v));
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v) && !*out; i++)
        PL_TRY(holds(j, at, json_array_get(v, i), is_wanted, layer + 1, out));
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)(uintptr_t)v, key, child)
    {
        PL_TRY(holds(j, at, child, is_wanted, layer + 1, out));
        if (*out) break;
    }
    return PL_OK;
}

pl_status pl__jinja_holds(const pl_jinja *j, size_t at, const json_t *value, pl__jinja_kind_of *is_wanted, bool *out)
{
    return holds(j, at, value, is_wanted, 1, out);
}

/* What a look-up gives is part of what has a name, or of the item. */
static bool is_look_up(const pl__jinja_node *n)
{
    while (n->kind == PL__J_INDEX || n->kind == PL__J_ATTRIBUTE) n = n->a;
    return n->kind == PL__J_NAME;
}

pl_status pl__jinja_eval_kept(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, json_t **out)
{
    bool unused;
    PL_TRY(pl__jinja_eval(j, n, item, out));
    if (is_look_up(n)) return PL_OK;
    return pl__jinja_kept(out, holds(j, n->at, *out, NULL, 1, &unused));
}
