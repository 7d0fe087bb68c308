#include "report/block.h"

#include <string.h>

static bool same_group(const pl_stability_row *a, const pl_stability_row *b)
{
    return a->k == b->k && !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout);
}

static bool same_block(const pl_stability_row *a, const pl_stability_row *b)
{
    return same_group(a, b) && a->draw == b->draw && a->order == b->order && a->seed == b->seed &&
           (a->n_seeds > 1) == (b->n_seeds > 1);
}

/* Whether the group that row `at` is of has means over draws: its rows stand together. */
static bool has_means(const pl_stability_table *t, size_t at)
{
    size_t first = at;
    while (first > 0 && same_group(&t->rows[first - 1], &t->rows[at])) first--;
    for (size_t i = first; i < t->n && same_group(&t->rows[i], &t->rows[at]); i++)
        if (t->rows[i].n_seeds > 1) return true;
    return false;
}

bool pl__block_next(pl__block *b)
{
    const pl_stability_table *t = b->table;
    size_t at = b->rows ? (size_t)(b->rows - t->rows) + b->n : 0;
    while (at < t->n) {
        b->rows = &t->rows[at];
        for (b->n = 1; at + b->n < t->n && same_block(b->rows, &b->rows[b->n]); b->n++) continue;
        if (b->rows->n_seeds > 1 || !has_means(t, at)) return true;
        at += b->n;
    }
    return false;
}

const pl_stability_row *pl__block_find(const pl__block *b, pl_metric_id metric, const char *contrast,
                                       const char *template_name)
{
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (!*r->layer && r->metric == metric && !strcmp(r->contrast, contrast) &&
            !strcmp(r->template_name, template_name))
            return r;
    }
    return NULL;
}

const pl_stability_row *pl__block_find_layer(const pl__block *b, const pl_stability_row *at, pl_metric_id metric)
{
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, "templates") &&
            *r->preproc == *pl_metric_of(metric)->preprocessing && !strcmp(r->layer, at->layer) &&
            !strcmp(r->position, at->position))
            return r;
    }
    return NULL;
}

static const struct of_texts {
    pl_metric_id metric;
    const char *unit;
} OF_TEXTS[] = {{PL_METRIC_WORD_PERPLEXITY, "a word"},
                {PL_METRIC_BYTE_PERPLEXITY, "a byte"},
                {PL_METRIC_BITS_PER_BYTE, "bits a byte"}};

bool pl__block_of_texts(const pl__block *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].metric == OF_TEXTS[0].metric) return true;
    return false;
}

void pl__block_texts(char out[PL__TEXTS_LINE], const pl__block *b, const char *template_name)
{
    size_t used = (size_t)snprintf(out, PL__TEXTS_LINE, "perplexity");
    for (const struct of_texts *of = OF_TEXTS; of < OF_TEXTS + sizeof OF_TEXTS / sizeof *OF_TEXTS; of++) {
        const pl_stability_row *r = pl__block_find(b, of->metric, "templates", template_name);
        int wrote;
        if (!r || used >= PL__TEXTS_LINE) continue;
        const char *comma = of == OF_TEXTS ? "" : ",";
        if (isnan(r->lo))
            wrote = snprintf(out + used, PL__TEXTS_LINE - used, "%s %.4g %s", comma, r->value, of->unit);
        else
            wrote = snprintf(out + used, PL__TEXTS_LINE - used, "%s %.4g [%.4g, %.4g] %s", comma, r->value, r->lo,
                             r->hi, of->unit);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}
