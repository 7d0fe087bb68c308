/* {{ a + b ~ c }}: texts go out one by one as they are found, without a value for what two of them make together. The
 * order of evaluation, the values and the errors are those of the expression. */
#include "jinja/tree.h"

/* What an expression has given: what stands in `out` from `from` on, or a value that is not written yet. */
typedef struct found {
    json_t *value; /* NULL: written */
    size_t from;
} found;

static pl_status put(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, pl_bytes *out, found *got);

static bool is_text(const pl_jinja *j, const json_t *v)
{
    return json_is_string(v) && !pl__jinja_is_mark(j, v, PL__J_NOTHING) && !pl__jinja_is_mark(j, v, PL__J_UNDEFINED) &&
           !pl__jinja_is_mark(j, v, PL__J_FUNCTION);
}

static pl_status write(const pl_jinja *j, size_t at, pl_bytes *out, found *got)
{
    if (!got->value) return PL_OK;
    pl_status status = pl_jinja_text(j, at, got->value, out);
    json_decref(got->value);
    got->value = NULL;
    return status;
}

/* As a value after all, taken back from `out`. */
static pl_status take_back(const pl_jinja *j, size_t at, pl_bytes *out, found *got)
{
    if (got->value) return PL_OK;
    size_t size = out->size - got->from;
    PL_TRY(pl__jinja_new_text(j, at, &got->value, size ? out->data + got->from : "", size));
    out->size = got->from;
    return PL_OK;
}

/* a + b where not both are texts. */
static pl_status add(const pl_jinja *j, const pl__jinja_node *n, const json_t *right, pl_bytes *out, found *got)
{
    json_t *both = NULL;
    PL_TRY(take_back(j, n->at, out, got));
    PL_TRY(pl__jinja_combine(j, n, got->value, right, &both));
    json_decref(got->value);
    got->value = both;
    return PL_OK;
}

static pl_status put_two(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, pl_bytes *out, found *got)
{
    json_t *right, *own;
    PL_TRY(put(j, n->a, item, out, got));
    pl_status status = pl__jinja_lend(j, n->b, item, &right, &own);
    if (status != PL_OK) return status;
    if (n->kind == PL__J_JOIN) status = write(j, n->at, out, got);
    if (status == PL_OK && (n->kind == PL__J_JOIN || (!got->value && is_text(j, right))))
        status = pl_jinja_text(j, n->at, right, out);
    else if (status == PL_OK)
        status = add(j, n, right, out, got);
    json_decref(own);
    return status;
}

static pl_status put_kind(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, pl_bytes *out, found *got)
{
    if (n->kind == PL__J_PLUS || n->kind == PL__J_JOIN) return put_two(j, n, item, out, got);
    const pl__jinja_node *chosen;
    PL_TRY(pl__jinja_chosen(j, n, item, &chosen));
    if (chosen) return put(j, chosen, item, out, got);
    got->value = json_incref(j->marks[j->is_chat ? PL__J_UNDEFINED : PL__J_NOTHING]);
    return PL_OK;
}

static pl_status put(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, pl_bytes *out, found *got)
{
    *got = (found){.from = out->size};
    if (n->kind != PL__J_PLUS && n->kind != PL__J_JOIN && n->kind != PL__J_CHOOSE) {
        json_t *value;
        PL_TRY(pl__jinja_lend(j, n, item, &value, &got->value));
        if (!got->value && is_text(j, value)) return pl_jinja_text(j, n->at, value, out);
        if (!got->value) got->value = json_incref(value);
        return is_text(j, value) ? write(j, n->at, out, got) : PL_OK;
    }
    PL_TRY(pl__jinja_step(j, n->at));
    pl_status status = pl__jinja_go_deeper(j, n->at);
    if (status == PL_OK) status = put_kind(j, n, item, out, got);
    j->run->nested--;
    return status;
}

pl_status pl__jinja_print(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, pl_bytes *out)
{
    found got = {0};
    pl_status status = put(j, n, item, out, &got);
    if (status == PL_OK) status = write(j, n->at, out, &got);
    json_decref(got.value);
    return status;
}

pl_status pl__jinja_eval_joined(const pl_jinja *j, const pl__jinja_node *n, const json_t *item, json_t **out)
{
    found got = {0};
    pl_bytes text = {0};
    pl_status status = put_kind(j, n, item, &text, &got);
    if (status == PL_OK) status = take_back(j, n->at, &text, &got);
    if (status == PL_OK)
        *out = got.value;
    else
        json_decref(got.value);
    pl_bytes_free(&text);
    return status;
}
