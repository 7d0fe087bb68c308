/* The stability table as JSON: {"rows": [{column: value}], "remarks": [line], "random_weights": [model], "run",
 * "units_missing"}; what is not defined is null. */
#include "base/json_build.h"
#include "report/column.h"
#include "report/report.h"

static void put_row(pl_json_builder *b, const pl_stability_row *row)
{
    size_t n;
    const pl__csv_column *columns = pl__csv_columns(&n);
    pl_json_open(b, NULL);
    for (size_t c = 0; c < n; c++) {
        switch (columns[c].type) {
        case PL__TEXT:
        case PL__METRIC:
            pl_json_put_text(b, columns[c].name, pl__csv_column_text(&columns[c], row));
            break;
        case PL__REAL:
            pl_json_put_real(b, columns[c].name, pl__csv_column_real(&columns[c], row));
            break;
        default:
            pl_json_put_integer(b, columns[c].name, pl__csv_column_integer(&columns[c], row));
        }
    }
    pl_json_close(b);
}

static void put_texts(pl_json_builder *b, const char *key, const char *const *texts, size_t n)
{
    pl_json_open_list(b, key);
    for (size_t i = 0; i < n; i++) pl_json_put_text(b, NULL, texts[i]);
    pl_json_close(b);
}

pl_status pl_report_json(json_t **out, const pl_stability_table *table, const char *run, size_t units_missing)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_open_list(&b, "rows");
    for (size_t r = 0; r < table->n; r++) put_row(&b, &table->rows[r]);
    pl_json_close(&b);
    put_texts(&b, "remarks", table->remarks, table->n_remarks);
    put_texts(&b, "random_weights", table->random_models, table->n_random_models);
    pl_json_put_text(&b, "run", run);
    pl_json_put_size(&b, "units_missing", units_missing);
    return pl_json_end(&b, out, "the stability table as JSON");
}
