#include "report/data.h"

#include "base/csv_table.h"
#include "base/file.h"
#include "base/json_build.h"

static pl_status put_row(pl_bytes *out, const pl__data *d, const void *rows, size_t i)
{
    const char *texts[PL__DATA_TEXTS];
    double reals[PL__DATA_REALS];
    d->fields(texts, reals, rows, i);
    for (size_t t = 0; t < d->n_texts; t++) {
        PL_TRY(pl_csv_text(out, texts[t]));
        PL_TRY(pl_bytes_text(out, ","));
    }
    for (size_t r = 0; r < d->n_reals; r++) {
        PL_TRY(pl_csv_real(out, reals[r]));
        PL_TRY(pl_bytes_text(out, r + 1 < d->n_reals ? "," : "\n"));
    }
    return PL_OK;
}

static pl_status put_csv(pl_bytes *out, const pl__data *d, const void *rows, size_t n)
{
    for (size_t t = 0; t < d->n_texts; t++) PL_TRY(pl_bytes_format(out, "%s,", d->text_names[t]));
    for (size_t r = 0; r < d->n_reals; r++)
        PL_TRY(pl_bytes_format(out, "%s%s", d->real_names[r], r + 1 < d->n_reals ? "," : "\n"));
    for (size_t i = 0; i < n; i++) PL_TRY(put_row(out, d, rows, i));
    return PL_OK;
}

pl_status pl__data_csv(const pl_run_folder *run, const char *name, const pl__data *d, const void *rows, size_t n)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_status status;
    if (!n) return PL_OK;
    PL_TRY(pl_path(path, "%s/%s", run->path, name));
    PL_GOTO(status, done, put_csv(&text, d, rows, n));
    status = pl_file_replace(path, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl__data_json(json_t *object, const char *key, const pl__data *d, const void *rows, size_t n)
{
    pl_json_builder b;
    json_t *made;
    if (!n) return PL_OK;
    pl_json_begin(&b);
    pl_json_open_list(&b, key);
    for (size_t i = 0; i < n; i++) {
        const char *texts[PL__DATA_TEXTS];
        double reals[PL__DATA_REALS];
        d->fields(texts, reals, rows, i);
        pl_json_open(&b, NULL);
        for (size_t t = 0; t < d->n_texts; t++) pl_json_put_text(&b, d->text_names[t], texts[t]);
        for (size_t r = 0; r < d->n_reals; r++) pl_json_put_real(&b, d->real_names[r], reals[r]);
        pl_json_close(&b);
    }
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &made, key));
    bool ok = json_object_update(object, made) == 0;
    json_decref(made);
    return ok ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while writing %s as JSON", key);
}
