/* The file under an HDF5 file that is being written: an HDF5 file driver that remembers its first failure.
 *
 * HDF5 cannot close a file whose last writes fail: H5Fclose reports the error, keeps the file open and the library
 * crashes when the program ends (1.10.8, full disk). So this driver tells HDF5 that all went well, writes nothing more
 * after the first failure, and the writer asks `error` after each step. The file then closes cleanly and is removed.
 * As it takes no locks, it also works on file systems that have none. */
#ifndef PLUMB_STORE_HDF5_DISK_H
#define PLUMB_STORE_HDF5_DISK_H

#include <hdf5.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/status.h"

typedef struct pl__disk {
    const char *path; /* borrowed; for messages */
    hid_t driver;
    int fd;
    atomic_int error; /* errno of the first failure; 0: none */
} pl__disk;

/* Takes `fd`, of a file at `path` that may be read and written; `path` must outlive the disk. */
void pl__disk_open(pl__disk *disk, int fd, const char *path);
/* A file-access list under which H5Fcreate and H5Fopen use the disk; close it with H5Pclose. */
pl_status pl__disk_access(hid_t *fapl, pl__disk *disk);
/* PL_E_IO with the cause when something could not be written. */
pl_status pl__disk_check(const pl__disk *disk);
/* Writes past HDF5, into a place that HDF5 gave away: by any thread. PL_E_IO also when something failed before. */
pl_status pl__disk_write(pl__disk *disk, haddr_t address, const void *data, size_t size);
/* Everything written so far is on the disk when this returns PL_OK. */
pl_status pl__disk_sync(pl__disk *disk);
void pl__disk_close(pl__disk *disk); /* call after H5Fclose */

#endif
