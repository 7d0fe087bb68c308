/* Cells: their rendered prompts, answers, token ids and log-probabilities, in compressed blocks that the page opens on
 * demand. What the page may still grow by is shared out evenly among the cells. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "page/section.h"
#include "page/unit_part.h"

/* Below this a block is all head. */
enum { LEAST_BYTES = 300 };

/* Bytes of base64 into bytes that it stands for. */
static size_t decoded(size_t bytes)
{
    return bytes / 4 * 3;
}

typedef struct shown {
    size_t n_cells, n_left; /* that are there; of which some rows, or all, are left out */
} shown;

static void put_name(pl__build *b, const pl__run *run, const pl_run_unit *unit)
{
    if (b->tables->n_runs > 1) pl__put_format(b, "%s: ", run->name);
    pl__put_format(b, "%s, %s, %s, %s k=%lld, draw %lld, order %lld, wording %s", unit->model, unit->task,
                   unit->readout, unit->arm, unit->k, unit->draw, unit->order, unit->template_name);
}

static void put_cell(pl__build *b, const pl__run *run, const pl_run_unit *unit, pl_helper *reader, size_t bytes,
                     shown *so_far)
{
    pl__rows_part part;
    bool there;
    size_t head = 200 + strlen(unit->model); /* of the cell's own markup, about */
    if (b->status != PL_OK) return;
    b->status = pl__unit_rows(reader, unit->path, decoded(bytes > head ? bytes - head : 0), &part, &there);
    if (b->status != PL_OK || !there) {
        pl__rows_part_free(&part);
        return;
    }
    so_far->n_left += part.n_shown < part.n_rows;
    if (part.n_shown) {
        pl__put(b, "<details class=cell><summary>");
        put_name(b, run, unit);
        if (part.n_shown < part.n_rows) pl__put_format(b, ": the first %zu of %zu items", part.n_shown, part.n_rows);
        pl__put(b, "</summary><script type=\"application/zlib\">");
        if (b->status == PL_OK) b->status = pl_base64(&b->html, part.packed.data, part.packed.size);
        pl__put(b, "</script></details>\n");
    }
    pl__rows_part_free(&part);
}

static size_t count_cells(const pl__tables *t)
{
    size_t n = 0;
    for (size_t r = 0; r < t->n_runs; r++)
        for (size_t u = 0; u < pl_run_view_n_units(t->runs[r].view); u++)
            n += pl_run_view_unit(t->runs[r].view, u)->done;
    return n;
}

void pl__section_cells(pl__build *b, size_t report_max, size_t behind)
{
    pl_helper reader = pl__unit_reader();
    size_t left = count_cells(b->tables);
    shown so_far = {.n_cells = left};
    pl__put(b, "<section id=\"cells\">\n<h2>Cells</h2>\n<p>Each opens on its rendered prompts, answers, token ids and "
               "natural-log probabilities.</p>\n<noscript><p>Opening them needs JavaScript.</p></noscript>\n"
               "<details class=more><summary>All cells</summary>\n");
    for (size_t r = 0; r < b->tables->n_runs; r++) {
        const pl__run *run = &b->tables->runs[r];
        for (size_t u = 0; u < pl_run_view_n_units(run->view); u++) {
            const pl_run_unit *unit = pl_run_view_unit(run->view, u);
            if (!unit->done) continue;
            size_t used = b->html.size + behind, bytes = report_max > used ? (report_max - used) / left : 0;
            left--;
            if (bytes < LEAST_BYTES)
                so_far.n_left++;
            else
                put_cell(b, run, unit, &reader, bytes, &so_far);
        }
    }
    pl__put(b, "</details>\n");
    if (so_far.n_left) {
        pl__put(b, "<p class=notice>");
        pl__put_format(
            b,
            "%zu of %zu cells are not shown whole: the page would be larger than %zu bytes. plumb report RUN "
            "--report-max BYTES allows more; everything stands in samples_*.jsonl and units/*.h5.",
            so_far.n_left, so_far.n_cells, report_max);
        pl__put(b, "</p>\n");
    }
    pl__put(b, "</section>\n");
    pl_helper_stop(&reader);
}
