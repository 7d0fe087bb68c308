#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/json_build.h"

enum { SMALL_FILE = 1024, BOOT_ID_MAX = 64, STARTED_FIELD = 22 /* of /proc/<pid>/stat, from 1 */ };

/* A file of /proc: they say no size, and these fit one read. */
static bool read_small(char out[SMALL_FILE], const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, out, SMALL_FILE - 1);
    close(fd);
    if (n <= 0) return false;
    out[n] = 0;
    return true;
}

/* 0: not known. The name in the second field may hold blanks and brackets: count from the last bracket on. *ended: all
 * that is left of it is its exit code, which nobody has asked for yet. */
static long long started_of(long long pid, bool *ended)
{
    char path[64], text[SMALL_FILE];
    *ended = false;
    snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    if (!read_small(text, path)) return 0;
    const char *at = strrchr(text, ')');
    *ended = at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0);
    for (int field = 2; at && field < STARTED_FIELD; field++) at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : 0;
}

static long long own_start(void)
{
    bool ended;
    return started_of(getpid(), &ended);
}

static long long own_space(void)
{
    struct stat info;
    return stat("/proc/self/ns/pid", &info) == 0 ? (long long)info.st_ino : 0;
}

static void own_boot(char out[BOOT_ID_MAX])
{
    char text[SMALL_FILE];
    out[0] = 0;
    if (!read_small(text, "/proc/sys/kernel/random/boot_id")) return;
    text[strcspn(text, "\n")] = 0;
    snprintf(out, BOOT_ID_MAX, "%.*s", BOOT_ID_MAX - 1, text);
}

/* Eight digits for this boot and pid namespace. */
enum { PLACE_DIGITS = 8 };
static void own_place(char out[PLACE_DIGITS + 1])
{
    char boot[BOOT_ID_MAX], text[BOOT_ID_MAX + 32], hash[PL_HASH_TEXT];
    own_boot(boot);
    pl_hash128(hash, text, (size_t)snprintf(text, sizeof text, "%s %lld", boot, own_space()));
    snprintf(out, PLACE_DIGITS + 1, "%.8s", hash);
}

static void put_known(pl_json_builder *b, const char *key, long long value)
{
    if (value)
        pl_json_put_integer(b, key, value);
    else
        pl_json_put_null(b, key);
}

pl_status pl_process_record(json_t **out)
{
    pl_json_builder b;
    char host[PL_HOST_NAME_MAX], boot[BOOT_ID_MAX];
    pl_host_name(host);
    own_boot(boot);
    pl_json_begin(&b);
    pl_json_put_text(&b, "host", host);
    pl_json_put_integer(&b, "pid", getpid());
    put_known(&b, "started", own_start());
    put_known(&b, "space", own_space());
    pl_json_put_text(&b, "boot", boot[0] ? boot : NULL);
    return pl_json_end(&b, out, "process");
}

/* Of a process whose number means here what it meant to its writer. */
static pl_life life_of(long long pid, long long started)
{
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return PL_LIFE_DEAD;
    bool ended;
    long long now = started_of(pid, &ended);
    if (ended) return PL_LIFE_DEAD;
    return started && now && started != now ? PL_LIFE_DEAD : PL_LIFE_ALIVE;
}

pl_life pl_process_life(const json_t *record)
{
    char host[PL_HOST_NAME_MAX], boot[BOOT_ID_MAX];
    const char *its_host = json_string_value(json_object_get(record, "host"));
    const char *its_boot = json_string_value(json_object_get(record, "boot"));
    long long pid = json_integer_value(json_object_get(record, "pid"));
    long long started = json_integer_value(json_object_get(record, "started"));
    long long space = json_integer_value(json_object_get(record, "space"));
    pl_host_name(host);
    own_boot(boot);
    if (!its_host || strcmp(its_host, host) != 0 || pid <= 0) return PL_LIFE_UNKNOWN;
    if (its_boot && boot[0] && strcmp(its_boot, boot) != 0) return PL_LIFE_DEAD;
    if (space && own_space() && space != own_space()) return PL_LIFE_UNKNOWN;
    return life_of(pid, started);
}

void pl_process_name(char out[PL_PROCESS_NAME_MAX])
{
    char host[PL_HOST_NAME_MAX], place[PLACE_DIGITS + 1];
    pl_host_name(host);
    own_place(place);
    snprintf(out, PL_PROCESS_NAME_MAX, "%ld-%lld-%s@%s", (long)getpid(), own_start(), place, host);
}

pl_life pl_process_name_life(const char *name, size_t size)
{
    char text[PL_PROCESS_NAME_MAX], host[PL_HOST_NAME_MAX], place[PLACE_DIGITS + 1], its_place[PLACE_DIGITS + 1];
    long pid;
    long long started;
    int end = 0;
    if (size >= sizeof text) return PL_LIFE_UNKNOWN;
    memcpy(text, name, size);
    text[size] = 0;
    if (sscanf(text, "%ld-%lld-%8[0-9a-f]@%n", &pid, &started, its_place, &end) != 3 || end == 0 || pid <= 0)
        return PL_LIFE_UNKNOWN;
    pl_host_name(host);
    own_place(place);
    return strcmp(text + end, host) == 0 && strcmp(its_place, place) == 0 ? life_of(pid, started) : PL_LIFE_UNKNOWN;
}
