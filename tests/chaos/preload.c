/* Preloaded into a node: a slow disk, and a monotonic clock that drifts. What to do stands in a page of shared memory
 * (CHAOS_PAGE), written by the suite while the node runs. The wall clock is libfaketime's part; it cannot fake
 * CLOCK_BOOTTIME alone, and with CLOCK_MONOTONIC every timed futex of the process would sleep for decades. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct page {
    uint64_t delay_ms;     /* before each sync */
    uint64_t delayed;      /* syncs that were delayed */
    uint64_t turn;         /* odd while the three below are being written */
    int64_t rate_ppm;      /* how much faster than true time */
    uint64_t base_true_ns; /* since then, */
    uint64_t base_shown_ns;/* when this was shown */
};

static volatile struct page *page;
static int (*true_clock_gettime)(clockid_t, struct timespec *);
static int (*true_fdatasync)(int);
static int (*true_fsync)(int);

__attribute__((constructor)) static void start(void) {
    true_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    true_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    true_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    const char *path = getenv("CHAOS_PAGE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(0, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) page = found;
}

static void wait_a_little(void) {
    if (!page || !page->delay_ms) return;
    struct timespec span = {(time_t)(page->delay_ms / 1000), (long)(page->delay_ms % 1000) * 1000000};
    nanosleep(&span, 0);
    __atomic_add_fetch(&page->delayed, 1, __ATOMIC_RELAXED);
}

int fdatasync(int file) {
    wait_a_little();
    return true_fdatasync(file);
}

int fsync(int file) {
    wait_a_little();
    return true_fsync(file);
}

int clock_gettime(clockid_t clock, struct timespec *shown) {
    if (!true_clock_gettime) start();
    int result = true_clock_gettime(clock, shown);
    if (result || clock != CLOCK_BOOTTIME || !page || !page->base_true_ns) return result;
    uint64_t now = (uint64_t)shown->tv_sec * 1000000000u + (uint64_t)shown->tv_nsec;
    uint64_t turn, from, at;
    int64_t rate;
    do {
        turn = __atomic_load_n(&page->turn, __ATOMIC_ACQUIRE);
        rate = page->rate_ppm;
        from = page->base_true_ns;
        at = page->base_shown_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (turn % 2 || turn != __atomic_load_n(&page->turn, __ATOMIC_RELAXED));
    /* Set a moment ago, on another processor: never before it. */
    int64_t since = now > from ? (int64_t)(now - from) : 0;
    uint64_t drifted = at + (uint64_t)(since + since / 1000 * rate / 1000);
    shown->tv_sec = (time_t)(drifted / 1000000000u);
    shown->tv_nsec = (long)(drifted % 1000000000u);
    return 0;
}
