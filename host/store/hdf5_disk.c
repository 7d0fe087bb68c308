/* The driver of hdf5_disk.h: the callbacks that HDF5 wants from a file, over pread and pwrite. */
#include "store/hdf5_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

/* What HDF5 hands back to us: its own part first. */
struct disk_file {
    H5FD_t base;
    pl__disk *disk;
    haddr_t end_allocated, end_of_file;
};

static herr_t fail(pl__disk *disk, int error)
{
    int none = 0;
    atomic_compare_exchange_strong(&disk->error, &none, error ? error : EIO);
    return 0; /* on purpose: see the header */
}

static H5FD_t *disk_open(const char *name, unsigned flags, hid_t fapl, haddr_t max_address)
{
    (void)name, (void)flags, (void)max_address;
    pl__disk *const *disk = H5Pget_driver_info(fapl);
    struct disk_file *file = calloc(1, sizeof *file);
    if (!disk || !file) {
        free(file);
        return NULL;
    }
    file->disk = *disk;
    struct stat st;
    if (fstat((*disk)->fd, &st) == 0) file->end_of_file = (haddr_t)st.st_size;
    return &file->base;
}

static herr_t disk_close(H5FD_t *base)
{
    free(base);
    return 0;
}

static int disk_compare(const H5FD_t *a, const H5FD_t *b)
{
    const pl__disk *x = ((const struct disk_file *)a)->disk, *y = ((const struct disk_file *)b)->disk;
    return x < y ? -1 : x > y;
}

static herr_t disk_query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t disk_get_eoa(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct disk_file *)base)->end_allocated;
}

static herr_t disk_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((struct disk_file *)base)->end_allocated = address;
    return 0;
}

static haddr_t disk_get_eof(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct disk_file *)base)->end_of_file;
}

static herr_t disk_read(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t size, void *buffer)
{
    (void)type, (void)dxpl;
    struct disk_file *file = (struct disk_file *)base;
    memset(buffer, 0, size); /* behind the end of the file: zeros */
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(file->disk->fd, (char *)buffer + done, size - done, (off_t)(address + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(file->disk, errno);
        if (n == 0) break;
        done += (size_t)n;
    }
    return 0;
}

static herr_t write_all(pl__disk *disk, haddr_t address, size_t size, const void *data)
{
    for (size_t done = 0; done < size && !disk->error;) {
        ssize_t n = pwrite(disk->fd, (const char *)data + done, size - done, (off_t)(address + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail(disk, n < 0 ? errno : ENOSPC);
        done += (size_t)n;
    }
    return 0;
}

static herr_t disk_write(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t size, const void *buffer)
{
    (void)type, (void)dxpl;
    struct disk_file *file = (struct disk_file *)base;
    if (address + size > file->end_of_file) file->end_of_file = address + size;
    return write_all(file->disk, address, size, buffer);
}

/* HDF5 may have allocated more, or less, than it wrote: the file ends where the allocation ends. */
static herr_t disk_truncate(H5FD_t *base, hid_t dxpl, hbool_t closing)
{
    (void)dxpl, (void)closing;
    struct disk_file *file = (struct disk_file *)base;
    if (file->end_of_file == file->end_allocated) return 0;
    file->end_of_file = file->end_allocated;
    if (!file->disk->error && ftruncate(file->disk->fd, (off_t)file->end_allocated) != 0) fail(file->disk, errno);
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* 512 and up: for drivers that are not HDF5's own */
#endif
    .name = "plumb_disk",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(pl__disk *),
    .open = disk_open,
    .close = disk_close,
    .cmp = disk_compare,
    .query = disk_query,
    .get_eoa = disk_get_eoa,
    .set_eoa = disk_set_eoa,
    .get_eof = disk_get_eof,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

void pl__disk_open(pl__disk *disk, int fd, const char *path)
{
    *disk = (pl__disk){.path = path, .driver = H5I_INVALID_HID, .fd = fd};
}

pl_status pl__disk_access(hid_t *fapl, pl__disk *disk)
{
    *fapl = H5Pcreate(H5P_FILE_ACCESS);
    disk->driver = H5FDregister(&driver);
    /* The 1.8 format: no object carries a time, and every reader of the last 15 years knows it. */
    if (*fapl < 0 || disk->driver < 0 || H5Pset_driver(*fapl, disk->driver, &disk) < 0 ||
        H5Pset_libver_bounds(*fapl, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0)
        return pl_fail(PL_E_INTERNAL, "%s: HDF5 does not take the file driver", disk->path);
    return PL_OK;
}

pl_status pl__disk_check(const pl__disk *disk)
{
    if (!disk->error) return PL_OK;
    const char *advice = disk->error == ENOSPC || disk->error == EDQUOT ? "; free some space and run again, finished "
                                                                          "units are kept"
                                                                        : "";
    return pl_fail(PL_E_IO, "%s: cannot write: %s%s", disk->path, strerror(disk->error), advice);
}

pl_status pl__disk_write(pl__disk *disk, haddr_t address, const void *data, size_t size)
{
    (void)write_all(disk, address, size, data); /* a failure is in the disk */
    return pl__disk_check(disk);
}

pl_status pl__disk_sync(pl__disk *disk)
{
    /* EINVAL: a file system that cannot sync (some in user space); its own promises are then all there is. */
    if (!disk->error && fdatasync(disk->fd) != 0 && errno != EINVAL) disk->error = errno;
    return pl__disk_check(disk);
}

void pl__disk_close(pl__disk *disk)
{
    /* Not earlier: HDF5 drops its last reference to a driver before it calls the driver's close. */
    if (disk->driver >= 0) H5FDunregister(disk->driver);
    if (disk->fd >= 0) close(disk->fd);
    disk->driver = H5I_INVALID_HID;
    disk->fd = -1;
}
