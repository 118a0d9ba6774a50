// Counts allocations of a program, thread by thread, without stopping it. Preloaded; glibc only.
//
// The counts stand in the file MALLOCS_FILE names (a shared mapping), so that another process reads them while the
// program runs: `mallocs.py` says how. A thread owns its slot, so counting costs one addition and no lock.
//
//   MALLOCS_FILE=/tmp/counts LD_PRELOAD=./mallocs.so program
//   cc -O2 -shared -fPIC -o mallocs.so mallocs.c
//
// MALLOCS_SAMPLE=N besides: every Nth allocation of a thread prints its call stack's addresses to stderr.
#define _GNU_SOURCE
#include <execinfo.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SLOTS = 256 };

// Read by mallocs.py: 64 bytes a thread. The last slot is shared by the threads beyond the others.
struct slot {
    uint64_t tid, allocations, bytes, frees;
    char name[16];
    char padding[16];
};

static struct slot before[SLOTS]; // until the file is mapped
static struct slot *slots = before;
static _Atomic int taken;
static long sample;
static __thread struct slot *mine __attribute__((tls_model("initial-exec")));
static __thread int inside __attribute__((tls_model("initial-exec")));

static struct slot *own(void) {
    if (!mine) {
        int n = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
        mine = &slots[n < SLOTS ? n : SLOTS - 1];
        mine->tid = (uint64_t)syscall(SYS_gettid);
        prctl(PR_GET_NAME, mine->name);
    }
    return mine;
}

static void count(size_t size) {
    int saved = errno;
    struct slot *s = own();
    s->allocations++;
    s->bytes += size;
    if (sample && s->allocations % (uint64_t)sample == 0 && !inside) {
        inside = 1;
        void *stack[24];
        prctl(PR_GET_NAME, s->name);
        int depth = backtrace(stack, 24);
        backtrace_symbols_fd(stack + 2, depth - 2, 2);
        (void)!write(2, "--\n", 3);
        inside = 0;
    }
    errno = saved;
}

// What the calling thread allocated so far; looked up by name by a program that measures itself.
uint64_t mallocs_allocations(void) { return own()->allocations; }

__attribute__((constructor)) static void map(void) {
    const char *path = getenv("MALLOCS_FILE"), *every = getenv("MALLOCS_SAMPLE");
    if (every) {
        void *warm[2];
        backtrace(warm, 2); // loads libgcc now, not inside an allocation
        sample = atol(every);
    }
    if (!path) return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof before)) return;
    struct slot *shared = mmap(NULL, sizeof before, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return;
    // Only this thread exists yet; what it counted so far moves along.
    shared[0] = before[0];
    mine = mine ? &shared[0] : NULL;
    slots = shared;
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    count(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) || alignment & (alignment - 1) || !alignment) return EINVAL;
    count(size);
    void *p = __libc_memalign(alignment, size);
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

void free(void *p) {
    if (p) own()->frees++;
    __libc_free(p);
}
