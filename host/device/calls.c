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
