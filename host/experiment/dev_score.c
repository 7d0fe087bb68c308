#include "experiment/dev_score.h"

#include <math.h>

static double share_of_commonest(const pl_examples *e)
{
    size_t most = 0;
    for (size_t i = e->n - e->n_dev; i < e->n; i++) {
        size_t same = 0;
        for (size_t j = e->n - e->n_dev; j < e->n; j++) same += e->classes[j] == e->classes[i];
        if (same > most) most = same;
    }
    return (double)most / (double)e->n_dev;
}

/* The last token of a choice is scored and not run. */
static size_t count_tokens(const pl_request *r)
{
    size_t n = r->n;
    for (size_t c = 0; c < r->n_choices; c++)
        if (r->choices[c].n - 1 > r->n) n += r->choices[c].n - 1 - r->n;
    return n;
}

/* Every item must be scored the same way: by its choices, or by the one answer that it has. */
static pl_status add_item(pl_dev_items *out, const pl_example_prompt *p, const pl_template *t, const pl_plan *plan,
                          const pl_plan_unit *unit)
{
    bool has_labels = p->prompt.n_choices > 1;
    if (out->n == 0) out->has_labels = has_labels;
    if (has_labels != out->has_labels)
        return pl_fail(PL_E_INPUT,
                       "%s: dev templates of task %s: '%s' gives %zu choices, others %s: expected choices under all of "
                       "them, or under none",
                       plan->tasks[unit->task].task->path, plan->tasks[unit->task].task->name, t->name,
                       p->prompt.n_choices, has_labels ? "one answer" : "several");
    out->requests[out->n] = p->encoded.request;
    out->n_tokens += count_tokens(&p->encoded.request);
    out->gold[out->n++] = p->prompt.gold;
    return PL_OK;
}

pl_status pl_dev_items_make(pl_dev_items *out, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena)
{
    const pl_adaptation *a = unit->adaptation;
    const pl_examples *e = a->examples;
    pl_example_prompt *prompts;
    *out = (pl_dev_items){.majority = e->classes ? share_of_commonest(e) : NAN};
    PL_TRY(pl_arena_new(arena, &prompts, e->n_dev));
    PL_TRY(pl_arena_new(arena, &out->requests, e->n_dev * a->n_dev_templates));
    PL_TRY(pl_arena_new(arena, &out->gold, e->n_dev * a->n_dev_templates));
    for (size_t t = 0; t < a->n_dev_templates; t++) {
        const pl_template *template = a->dev_templates[t];
        pl_example_paths paths = template->doc_to_choice ? PL_EXAMPLE_CHOICES : PL_EXAMPLE_ANSWER;
        PL_TRY(pl_example_prompts(prompts, plan, unit, e->n - e->n_dev, e->n_dev, template, paths, arena));
        for (size_t i = 0; i < e->n_dev; i++) PL_TRY(add_item(out, &prompts[i], template, plan, unit));
    }
    return PL_OK;
}

/* Log-probability of a choice: the sum of its tokens'. */
static double choice_score(const pl_results *r, size_t choice)
{
    double sum = 0;
    for (size_t t = r->token_indptr[choice]; t < r->token_indptr[choice + 1]; t++) sum += (double)r->log_probability[t];
    return sum;
}

/* Whether the right choice is the likeliest, the first of equals; *p: its probability among the choices. */
static bool is_right(double *p, const pl_results *r, size_t item, size_t gold)
{
    size_t first = r->choice_indptr[item], n = r->choice_indptr[item + 1] - first, best = 0;
    double top = -INFINITY, sum = 0;
    for (size_t c = 0; c < n; c++) {
        double score = choice_score(r, first + c);
        if (isnan(score)) {
            *p = NAN;
            return false;
        }
        if (score > top) top = score, best = c;
    }
    for (size_t c = 0; c < n; c++) sum += exp(choice_score(r, first + c) - top);
    *p = exp(choice_score(r, first + gold) - top) / sum;
    return best == gold;
}

pl_status pl_dev_score(double *score, const pl_dev_items *items, pl_model *model)
{
    pl_engine *engine = NULL;
    pl_results *results = NULL;
    double right = 0, mean = 0, n = (double)items->n;
    pl_status status;
    PL_GOTO(status, done, pl_engine_create(&engine, model, NULL));
    PL_GOTO(status, done, pl_engine_score(engine, items->requests, items->n, NULL, NULL, &results));
    for (size_t i = 0; i < items->n; i++) {
        double p = 0;
        if (items->has_labels)
            right += is_right(&p, results, i, items->gold[i]);
        else
            p = choice_score(results, results->choice_indptr[i]);
        mean += p / n;
    }
    *score = items->has_labels ? (right + mean) / n : mean;
done:
    pl_results_free(results);
    pl_engine_free(engine);
    return status;
}

double pl_dev_accuracy(const pl_dev_items *items, double score)
{
    double n = (double)items->n;
    /* A mean probability of exactly 1 belongs to all right answers. */
    return fmin(floor(score * n + 1e-9) / n, 1);
}
