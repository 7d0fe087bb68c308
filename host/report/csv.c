/* stability.csv: RFC 4180 with a header, LF line ends, an empty field for what is not defined, no control
 * characters, no formulas. Reals are the shortest decimal text that reads back to the same bits, so equal tables give
 * equal bytes. */
#include "report/report.h"

#include "base/csv_table.h"
#include "base/file.h"
#include "report/column.h"

static pl_status put_row(pl_bytes *out, const pl_stability_row *row)
{
    size_t n;
    const pl__csv_column *columns = pl__csv_columns(&n);
    for (size_t c = 0; c < n; c++) {
        if (c > 0) PL_TRY(pl_bytes_text(out, ","));
        switch (columns[c].type) {
        case PL__TEXT:
        case PL__METRIC:
            PL_TRY(pl_csv_text(out, pl__csv_column_text(&columns[c], row)));
            break;
        case PL__REAL:
            PL_TRY(pl_csv_real(out, pl__csv_column_real(&columns[c], row)));
            break;
        default:
            PL_TRY(pl_bytes_format(out, "%lld", pl__csv_column_integer(&columns[c], row)));
        }
    }
    return pl_bytes_text(out, "\n");
}

static pl_status put_table(pl_bytes *out, const pl_stability_table *table)
{
    size_t n;
    const pl__csv_column *columns = pl__csv_columns(&n);
    for (size_t c = 0; c < n; c++) PL_TRY(pl_bytes_format(out, "%s%s", c ? "," : "", columns[c].name));
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t r = 0; r < table->n; r++) PL_TRY(put_row(out, &table->rows[r]));
    return PL_OK;
}

pl_status pl_report_csv(const pl_run_folder *run, const pl_stability_table *table)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_path(path, "%s/stability.csv", run->path));
    PL_GOTO(status, done, put_table(&text, table));
    PL_GOTO(status, done, pl_file_replace(path, text.data, text.size));
done:
    pl_bytes_free(&text);
    return status;
}
