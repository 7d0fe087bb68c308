/* Who a process is, as a record and as a name that another process can read, and whether that one still lives. */
#ifndef PLUMB_BASE_PROCESS_H
#define PLUMB_BASE_PROCESS_H

#include "base/clock.h"
#include "base/json.h"

/* {host, pid, started, space, boot}: a pid alone is soon another process's. `started` counts the kernel's ticks from
 * the boot to the start of the process, `space` names its pid namespace (containers count pids anew), `boot` the boot.
 * What the system does not tell is null. A new reference. */
pl_status pl_process_record(json_t **out);

typedef enum pl_life {
    PL_LIFE_ALIVE,
    PL_LIFE_DEAD,
    PL_LIFE_UNKNOWN, /* of another host, or of a container whose processes are not seen from here */
} pl_life;
/* What a record tells here and now. */
pl_life pl_process_life(const json_t *record);

/* The same in a file's name or a line of text: "<pid>-<started>-<place>@<host>". The place stands for boot and pid
 * namespace: another process of the same place can be asked for, so hosts or containers of one name are told apart. */
enum { PL_PROCESS_NAME_MAX = 64 + PL_HOST_NAME_MAX };
void pl_process_name(char out[PL_PROCESS_NAME_MAX]);
/* Of a name of `size` bytes. What is no such name: unknown. */
pl_life pl_process_name_life(const char *name, size_t size);

#endif
