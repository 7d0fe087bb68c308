/* The rotation of queries and keys, shared by `rotary` and its backward op, which turns the other way. */
#ifndef PLUMB_DEVICE_CPU_ROTARY_H
#define PLUMB_DEVICE_CPU_ROTARY_H

#include "device/cpu/cpu.h"

/* The pair (a, b) becomes (a cos - b sin, b cos + a sin), with sin times `turn`: 1, or -1 for the inverse. */
pl_status pl__rotate(const char *op, pl_stream *stream, const pl_rotary_args *args, float turn);

#endif
