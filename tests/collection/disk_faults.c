/* Loaded before libc: writes, synchronisations and truncations of files below a folder fail as a disk does that is full
   or ill, and the wall clock jumps. What fails is read from a file of integers that the test maps too. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct control {
    int write_errno, sync_errno, truncate_errno; /* 0: works */
    int room_bytes;                              /* what a failing write still takes, as a disk that fills up does */
    int clock_jump_s;
    int failed_writes, failed_syncs, failed_truncates;
};

static volatile struct control *control;
static const char *folder;

__attribute__((constructor)) static void open_control(void) {
    const char *path = getenv("DISK_FAULTS_CONTROL");
    folder = getenv("DISK_FAULTS_FOLDER");
    int descriptor = path && folder ? open(path, O_RDWR) : -1;
    if (descriptor < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static int is_ours(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

ssize_t write(int descriptor, const void *data, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "write");
    if (control && control->write_errno && is_ours(descriptor)) {
        size_t room = control->room_bytes;
        if (room == 0) {
            control->failed_writes++;
            errno = control->write_errno;
            return -1;
        }
        if (count > room)
            count = room;
        control->room_bytes = room - count;
    }
    return real(descriptor, data, count);
}

static int failing_sync(int descriptor, const char *name) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (control && control->sync_errno && is_ours(descriptor)) {
        control->failed_syncs++;
        errno = control->sync_errno;
        return -1;
    }
    return real(descriptor);
}

int fsync(int descriptor) { return failing_sync(descriptor, "fsync"); }

int fdatasync(int descriptor) { return failing_sync(descriptor, "fdatasync"); }

static int failing_truncate(int descriptor, off_t length, const char *name) {
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, name);
    if (control && control->truncate_errno && is_ours(descriptor)) {
        control->failed_truncates++;
        errno = control->truncate_errno;
        return -1;
    }
    return real(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return failing_truncate(descriptor, length, "ftruncate"); }

int ftruncate64(int descriptor, off_t length) { return failing_truncate(descriptor, length, "ftruncate64"); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (control && clock == CLOCK_REALTIME)
        now->tv_sec += control->clock_jump_s;
    return result;
}
