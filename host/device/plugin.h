/* Backends that are shared objects, opened at run time: the program itself needs none of their libraries to start. */
#ifndef PLUMB_DEVICE_PLUGIN_H
#define PLUMB_DEVICE_PLUGIN_H

#include "device/ops.h"

/* The plug-in's own copy of a name of `length` characters; NULL when no plug-in has it. */
const char *pl__plugin_named(const char *name, size_t length);

/* *out = the table of backend `name` ("cuda": libplumb_cuda.so; "cuda-emulated": libplumb_cuda_emulated.so). The file
 * is PLUMB_CUDA_PLUGIN, or stands beside the program, in ../lib, or where the loader finds it. PL_E_UNSUPPORTED when
 * there is none (the message says where it was looked for), when it was found in a folder that others can write, when
 * it cannot be opened (the loader's reason), or when it is not this backend of this version. *found is false when there
 * is no such file at all. The table is the plug-in's and stays until the process ends: a plug-in is never unloaded,
 * because its libraries have threads and exit handlers of their own. */
pl_status pl__plugin_open(const pl_backend **out, bool *found, const char *name);

#endif
