/* The calls that every user of a backend makes: arguments are checked, then the backend is called. */
#include "device/arguments.h"

static pl_status lacks(const pl__call *c)
{
    return pl_fail(PL_E_UNSUPPORTED, "%s: op '%s' is not supported", c->ops->name, c->op);
}

#define X(name)                                                                                                        \
    pl_status pl_op_##name(const pl_processor *processor, pl_stream *stream, const pl_##name##_args *args)             \
    {                                                                                                                  \
        const pl__call c = {processor->ops, #name};                                                                    \
        if (!c.ops->unchecked.name) return lacks(&c);                                                                  \
        PL_TRY(pl__check_##name(&c, args));                                                                            \
        return c.ops->unchecked.name(stream, args);                                                                    \
    }
PL_OPS(X)
#undef X

pl_status pl_upload(const pl_processor *processor, pl_stream *stream, pl_view to, const void *from)
{
    const pl__call c = {processor->ops, "upload"};
    PL_TRY(pl__need_whole(&c, "to", to));
    return c.ops->unchecked.upload(stream, to, from);
}

pl_status pl_download(const pl_processor *processor, pl_stream *stream, void *to, pl_view from)
{
    const pl__call c = {processor->ops, "download"};
    PL_TRY(pl__need_whole(&c, "from", from));
    return c.ops->unchecked.download(stream, to, from);
}

pl_status pl_fill_zero(const pl_processor *processor, pl_stream *stream, pl_view view)
{
    const pl__call c = {processor->ops, "fill_zero"};
    PL_TRY(pl__need_whole(&c, "view", view));
    return c.ops->unchecked.fill_zero(stream, view);
}

pl_status pl_weight_set(const pl_processor *processor, pl_stream *stream, pl_weight *weight, size_t first_out,
                        size_t n_out, const void *data, pl_dtype from, pl_layout layout)
{
    const pl_backend *ops = processor->ops;
    const size_t has = weight ? ops->weight_shape(weight).n_out : 0;
    if (!weight || first_out > has || n_out > has - first_out)
        return pl_fail(PL_E_INTERNAL, "weight_set: outputs %zu..+%zu of %zu", first_out, n_out, has);
    if (from != PL_F32 && !pl__is_half(from)) {
        return pl_fail(PL_E_UNSUPPORTED, "a weight of type %s: expected float32, bfloat16 or float16",
                       pl_dtype_name(from));
    }
    return ops->unchecked.weight_set(stream, weight, first_out, n_out, data, from, layout);
}

pl_status pl_weight_refresh(const pl_processor *processor, pl_stream *stream, pl_weight *weight, pl_view from)
{
    const pl__call c = {processor->ops, "weight_refresh"};
    if (!weight) return pl_fail(PL_E_INTERNAL, "weight_refresh: no weight is given");
    const pl_weight_shape w = c.ops->weight_shape(weight);
    PL_TRY(pl__need(&c, "from", from, w.n_out, w.n_in, PL_F32));
    return c.ops->unchecked.weight_refresh(stream, weight, from);
}

pl_status pl_weight_attach(const pl_processor *processor, pl_weight **out, pl_view master, pl_dtype compute)
{
    const pl__call c = {processor->ops, "weight_attach"};
    *out = NULL;
    if (!c.ops->weight_attach) return lacks(&c);
    PL_TRY(pl__need(&c, "master", master, master.rows, master.columns, PL_F32));
    return c.ops->weight_attach(processor->device, out, master, compute);
}

static pl_status need_parameter(const pl__call *c, const pl_parameter *p)
{
    const pl_view *views[] = {&p->master, &p->gradient, &p->first, &p->second};
    const char *names[] = {"master", "gradient", "first", "second"};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        PL_TRY(pl__need(c, names[i], *views[i], p->master.rows, p->master.columns, PL_F32));
        if (views[i]->stride != p->master.columns)
            return pl_fail(PL_E_INTERNAL, "%s: rows of %s are %zu apart, expected %zu", c->op, names[i],
                           views[i]->stride, p->master.columns);
    }
    if (!p->weight) return PL_OK;
    const pl_weight_shape w = c->ops->weight_shape(p->weight);
    if (w.n_out == p->master.rows && w.n_in == p->master.columns) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "%s: a weight of [%zu, %zu] attached to a master of [%zu, %zu]", c->op, w.n_out,
                   w.n_in, p->master.rows, p->master.columns);
}

pl_status pl_parameters_create(const pl_processor *processor, pl_parameters **out, const pl_parameter *list, size_t n)
{
    const pl__call c = {processor->ops, "parameters_create"};
    *out = NULL;
    if (!c.ops->parameters_create) return lacks(&c);
    for (size_t i = 0; i < n; i++) PL_TRY(need_parameter(&c, &list[i]));
    return c.ops->parameters_create(processor->device, out, list, n);
}

/* ---- Ranks ---- */

enum { MOST_RANKS = 4096 };

pl_status pl_comm_id(const pl_processor *processor, uint8_t id[PL_COMM_ID_BYTES])
{
    const pl__call c = {processor->ops, "comm_id"};
    return c.ops->comm_id ? c.ops->comm_id(processor->device, id) : lacks(&c);
}

pl_status pl_comm_create(const pl_processor *processor, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank,
                         int size)
{
    const pl__call c = {processor->ops, "comm_create"};
    *out = NULL;
    if (!c.ops->comm_create) return lacks(&c);
    if (size < 1 || size > MOST_RANKS || rank < 0 || rank >= size)
        return pl_fail(PL_E_INTERNAL, "comm_create: rank %d of %d", rank, size);
    return c.ops->comm_create(processor->device, out, id, rank, size);
}

/* Rows that stand one behind the other. */
static pl_status need_packed(const pl__call *c, const char *argument, pl_view v)
{
    PL_TRY(pl__need_whole(c, argument, v));
    if (v.rows == 1 || v.stride == v.columns) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "%s: rows of %s are %zu apart, expected %zu", c->op, argument, v.stride, v.columns);
}

static pl_status need_comm(const pl__call *c, const pl_comm *comm)
{
    return comm ? PL_OK : pl_fail(PL_E_INTERNAL, "%s: no ranks are given", c->op);
}

pl_status pl_comm_exchange(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view from, pl_view to)
{
    const pl__call c = {processor->ops, "comm_exchange"};
    PL_TRY(need_comm(&c, comm));
    PL_TRY(need_packed(&c, "from", from));
    PL_TRY(need_packed(&c, "to", to));
    PL_TRY(pl__need(&c, "to", to, from.rows, from.columns, from.dtype));
    if (to.rows != from.rows || to.columns != from.columns)
        return pl_fail(PL_E_INTERNAL, "comm_exchange: [%zu, %zu] into [%zu, %zu]", from.rows, from.columns, to.rows,
                       to.columns);
    return c.ops->unchecked.comm_exchange(stream, comm, from, to);
}

pl_status pl_comm_gather(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view part, pl_view all)
{
    const pl__call c = {processor->ops, "comm_gather"};
    PL_TRY(need_comm(&c, comm));
    PL_TRY(pl__need_whole(&c, "part", part));
    PL_TRY(need_packed(&c, "all", all));
    if (part.rows != 1 || part.columns != all.columns || part.dtype != all.dtype)
        return pl_fail(PL_E_INTERNAL, "comm_gather: [%zu, %zu] into [%zu, %zu]", part.rows, part.columns, all.rows,
                       all.columns);
    return c.ops->unchecked.comm_gather(stream, comm, part, all);
}

pl_status pl_comm_broadcast(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view x, int root)
{
    const pl__call c = {processor->ops, "comm_broadcast"};
    PL_TRY(need_comm(&c, comm));
    PL_TRY(pl__need_whole(&c, "x", x));
    if (x.rows != 1) return pl_fail(PL_E_INTERNAL, "comm_broadcast: %zu rows, expected one", x.rows);
    return c.ops->unchecked.comm_broadcast(stream, comm, x, root);
}
