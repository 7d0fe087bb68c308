/* Preloaded into plumb by kills.py: file systems on which locks do not work.
 *
 * PLUMB_LOCK=refused   flock fails with ENOLCK (NFS without a lock server)
 * PLUMB_LOCK=granted   flock succeeds for everybody (locks that each node keeps for itself: BeeGFS, Lustre localflock)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

int flock(int fd, int operation)
{
    const char *mode = getenv("PLUMB_LOCK");
    (void)fd;
    (void)operation;
    if (mode && strcmp(mode, "granted") == 0) return 0;
    errno = ENOLCK;
    return -1;
}
