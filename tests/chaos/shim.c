/*
 * A disk that is full and a clock that is wrong, for one process and all it forks; and names that
 * lead elsewhere, for all alike.
 *
 * Loaded with LD_PRELOAD. What it does is read from a small file shared with the tests, at every
 * call: $CHAOS_SWITCHES/$CHAOS_NAME, or, where no name is given, the file named like the program.
 * Without such a file it does nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct switches {
    int64_t clock_seconds; /* how far the wall clock is ahead */
    int64_t disk_full;
};
static const volatile struct switches nothing, *on = &nothing;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void look(void)
{
    const char *folder = getenv("CHAOS_SWITCHES"), *name = getenv("CHAOS_NAME");
    char path[512];
    if (!folder) return;
    snprintf(path, sizeof path, "%s/%s", folder, name ? name : program_invocation_short_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *on, PROT_READ, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) on = found;
    close(fd);
}

/* -- the clock: the wall clock alone, as when somebody sets it; waits go by the other one */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += on->clock_seconds;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += on->clock_seconds;
    return failed;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    REAL(sem_timedwait);
    struct timespec really = *until;
    really.tv_sec -= on->clock_seconds; /* the kernel's clock was not set */
    return real(semaphore, &really);
}

/* -- the disk: files keep what they have and grow no more; pipes, sockets and logs go on */

static int no_room(int fd, off_t end)
{
    struct stat file;
    if (!on->disk_full || fd <= 2 || fstat(fd, &file) || !S_ISREG(file.st_mode)) return 0;
    errno = ENOSPC;
    return (end < 0 ? file.st_size + 1 : end) > file.st_size;
}

static off_t sum(const struct iovec *parts, int count)
{
    off_t bytes = 0;
    while (count--) bytes += parts++->iov_len;
    return bytes;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(write);
    return no_room(fd, -1) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    REAL(pwrite);
    return no_room(fd, at + (off_t)count) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    REAL(pwritev);
    return no_room(fd, at + sum(parts, count)) ? -1 : real(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t length)
{
    REAL(posix_fallocate);
    return no_room(fd, at + length) ? ENOSPC : real(fd, at, length);
}

/* -- names: $CHAOS_SWITCHES/hosts has lines of a name and an address, read at every question */

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    REAL(getaddrinfo);
    const char *folder = getenv("CHAOS_SWITCHES");
    char path[512], known[256], address[256];
    snprintf(path, sizeof path, "%s/hosts", folder ? folder : "");
    FILE *hosts = name && folder ? fopen(path, "re") : NULL;
    while (hosts && fscanf(hosts, "%255s %255s", known, address) == 2)
        if (!strcmp(known, name)) {
            name = address;
            break;
        }
    if (hosts) fclose(hosts);
    return real(name, service, hints, found);
}
