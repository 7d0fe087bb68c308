/* Weights: packed once when a model is loaded, so that products read them from front to back. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/half.h"
#include "device/cpu/half_product.h"

enum { WIDEST_PANEL = 32 };

/* Elements of a panel, and bytes of n_out outputs rounded up to whole panels. */
static pl_status packed_size(size_t *stride, size_t *bytes, size_t n_out, size_t n_in, size_t panel, bool half)
{
    size_t n_padded = half ? pl__half_padded(n_in) : n_in;
    if (n_padded < n_in) return pl_fail(PL_E_MEMORY, "a weight of [%zu, %zu] is too large", n_out, n_in);
    PL_TRY(pl_mul_size(stride, panel, n_padded, "a weight's elements"));
    PL_TRY(pl_mul_size(bytes, n_out / panel + (n_out % panel != 0), *stride, "a weight's elements"));
    return pl_mul_size(bytes, *bytes, half ? sizeof(uint16_t) : sizeof(float), "a weight's bytes");
}

size_t pl__weight_bytes(size_t n_out, size_t n_in, pl_dtype compute)
{
    size_t bytes, stride;
    return packed_size(&stride, &bytes, n_out, n_in, WIDEST_PANEL, compute == PL_BF16) == PL_OK ? bytes : SIZE_MAX;
}

/* A weight without numbers. */
static pl_status weight_new(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute)
{
    *out = NULL;
    if (compute == PL_BF16 && !device->half) {
        return pl_fail(PL_E_UNSUPPORTED,
                       "bfloat16 needs a CPU with AVX-512-BF16 or AMX, this one computes with %s: choose dtype float32",
                       device->wide->name);
    }
    if (compute == PL_BF16X3 && !device->split) {
        return pl_fail(PL_E_UNSUPPORTED,
                       "bf16x3 needs a CPU with AMX, this one computes with %s%s%s: choose dtype float32",
                       device->wide->name, device->half ? " and " : "", device->half ? device->half->name : "");
    }
    if (compute != PL_F32 && compute != PL_BF16 && compute != PL_BF16X3) {
        return pl_fail(PL_E_UNSUPPORTED, "the CPU computes in float32%s%s, %s was asked for: choose dtype float32",
                       device->half ? ", bfloat16" : "", device->split ? ", bf16x3" : "", pl_dtype_name(compute));
    }
    if (!n_out || !n_in) return pl_fail(PL_E_INTERNAL, "a weight of [%zu, %zu] has no elements", n_out, n_in);
    PL_TRY(pl_new(out, 1));
    **out = (pl_weight){.n_out = n_out,
                        .n_in = n_in,
                        .panel = device->wide->panel_columns,
                        .device = device,
                        .half = compute == PL_BF16     ? device->half
                                : compute == PL_BF16X3 ? device->split
                                                       : NULL};
    device->n_half_weights += compute == PL_BF16;
    device->n_split_weights += compute == PL_BF16X3;
    return PL_OK;
}

pl_status pl__weight_create(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute)
{
    pl_status status;
    PL_TRY(weight_new(device, out, n_out, n_in, compute));
    pl_weight *w = *out;
    PL_GOTO(status, failed, packed_size(&w->panel_stride, &w->bytes, n_out, n_in, w->panel, pl__half_packs(w->half)));
    PL_GOTO(status, failed, pl__memory_create(&w->data, w->bytes, "a weight"));
    return PL_OK;
failed:
    pl__weight_free(w);
    *out = NULL;
    return status;
}

size_t pl__weight_attached_bytes(size_t n_out, size_t n_in, pl_dtype compute)
{
    (void)n_out;
    (void)n_in;
    (void)compute;
    return 0;
}

pl_status pl__weight_attach(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute)
{
    PL_TRY(weight_new(device, out, master.rows, master.columns, compute));
    (*out)->master = pl__f32(master, 0);
    (*out)->master_stride = master.stride;
    return PL_OK;
}

pl_dtype pl__weight_compute(const pl_weight *weight)
{
    return !weight->half ? PL_F32 : weight->half->parts == 1 ? PL_BF16 : PL_BF16X3;
}

void pl__weight_free(pl_weight *weight)
{
    if (!weight) return;
    weight->device->n_half_weights -= pl__weight_compute(weight) == PL_BF16;
    weight->device->n_split_weights -= pl__weight_compute(weight) == PL_BF16X3;
    pl__memory_free(weight->data, weight->bytes);
    free(weight);
}

/* The source of one weight_set: outputs first_out .. first_out + n_out of the weight. */
typedef struct part {
    const unsigned char *data;
    size_t first_out, n_out;
    size_t out_stride; /* bytes from one output's row to the next ([out, in]) or from one input's ([in, out]) */
    pl_dtype dtype;
} part;

/* n outputs of input k from `lane` of a panel on. */
static void put(const pl_weight *w, size_t panel, size_t k, size_t lane, const float *x, size_t n)
{
    if (pl__half_packs(w->half)) {
        uint16_t *to = (uint16_t *)w->data + panel * w->panel_stride + (k / 2 * w->panel + lane) * 2 + k % 2;
        for (size_t i = 0; i < n; i++) to[2 * i] = pl__to_bf16(x[i]);
    } else {
        memcpy((float *)w->data + panel * w->panel_stride + k * w->panel + lane, x, n * sizeof *x);
    }
}

/* A panel from rows of outputs: BLOCK inputs of each of its rows are gathered, then written line by line. */
static void pack_panel(pl_weight *w, const part *s, size_t panel_index)
{
    enum { BLOCK = 32 };
    size_t panel = w->panel, element = pl_dtype_bytes(s->dtype), base = panel_index * panel;
    size_t first = base < s->first_out ? s->first_out - base : 0, end = s->first_out + s->n_out - base;
    float block[WIDEST_PANEL][BLOCK + 1], line[WIDEST_PANEL]; /* + 1: rows in different cache sets */
    if (end > panel) end = panel;
    for (size_t k = 0; k < w->n_in; k += BLOCK) {
        size_t n = w->n_in - k < BLOCK ? w->n_in - k : BLOCK;
        for (size_t j = first; j < end; j++) {
            pl__to_f32(block[j], s->data + (base + j - s->first_out) * s->out_stride + k * element, n, s->dtype);
        }
        for (size_t i = 0; i < n; i++) {
            for (size_t j = first; j < end; j++) line[j] = block[j][i];
            put(w, panel_index, k + i, first, line + first, end - first);
        }
    }
}

/* Columns [first, end) of the weight from rows of inputs. */
static void pack_columns(pl_weight *w, const part *s, size_t first, size_t end)
{
    size_t panel = w->panel, element = pl_dtype_bytes(s->dtype);
    for (size_t k = 0; k < w->n_in; k++) {
        const unsigned char *row = s->data + k * s->out_stride;
        for (size_t column = first; column < end;) {
            size_t lane = column % panel, n = panel - lane < end - column ? panel - lane : end - column;
            float line[WIDEST_PANEL];
            pl__to_f32(line, row + (column - s->first_out) * element, n, s->dtype);
            put(w, column / panel, k, lane, line, n);
            column += n;
        }
    }
}

static void pack(pl_stream *stream, pl_weight *weight, const part *source, pl_layout layout)
{
    int n_threads = stream->device->n_threads;
    size_t end = source->first_out + source->n_out;
    if (!source->n_out) return;
    if (layout == PL_LAYOUT_OUT_IN) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
        for (size_t p = source->first_out / weight->panel; p < (end + weight->panel - 1) / weight->panel; p++) {
            pack_panel(weight, source, p);
        }
    } else {
        enum { WIDTH = 256 };
#pragma omp parallel for num_threads(n_threads) schedule(static)
        for (size_t g = source->first_out / WIDTH; g < (end + WIDTH - 1) / WIDTH; g++) {
            size_t a = g * WIDTH < source->first_out ? source->first_out : g * WIDTH;
            size_t b = (g + 1) * WIDTH < end ? (g + 1) * WIDTH : end;
            pack_columns(weight, source, a, b);
        }
    }
}

pl_status pl__weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                         pl_dtype from, pl_layout layout)
{
    part source = {(const unsigned char *)data, first_out, n_out, 0, from};
    if (weight->master) return pl_fail(PL_E_INTERNAL, "weight_set: the weight is attached to a master");
    source.out_stride = (layout == PL_LAYOUT_OUT_IN ? weight->n_in : n_out) * pl_dtype_bytes(from);
    pack(stream, weight, &source, layout);
    return PL_OK;
}

pl_status pl__weight_refresh(pl_stream *stream, pl_weight *weight, pl_view from)
{
    part source = {(const unsigned char *)pl__at(from, 0), 0, weight->n_out, from.stride * sizeof(float), PL_F32};
    if (weight->master) return PL_OK;
    pack(stream, weight, &source, PL_LAYOUT_OUT_IN);
    return PL_OK;
}
