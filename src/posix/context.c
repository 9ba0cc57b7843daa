/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: a mapping each, with a guard at its lower end and the struct itself at its upper one, so that a coroutine
 * that stands still costs one page. What sanitizers, valgrind and the C++ runtime must hear of a switch is said in two
 * functions, one before the jump and one behind it. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE
#endif
#include "seam/context.h"

#ifdef __APPLE__
#include <dlfcn.h>
#endif
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "posix/overflow.h"
#include "posix/switch.h"
#include "seam/platform.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

/* Large frames shall not step over it. */
enum { GUARD_BYTES = 64 * 1024 };

/* Stacks begin at different distances from the end of a page. If all began at the same one, what many tasks touch as
 * they take turns would share a few sets of the caches, and throw each other out. */
enum { LINE_BYTES = 64, COLOURS = 32 };

#if defined(__linux__) && !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_STACK
#define MAP_STACK 0
#endif

/* ---- the exceptions of C++ ---- */

/* What its runtime keeps for a thread and must be the stack's own: which exceptions are being handled, how many are
 * under way. The layout is the ABI's. */
typedef struct exceptions {
    void *caught;
    unsigned uncaught;
} exceptions;

/* NULL: there is no such runtime. */
static _Atomic(fy_exceptions_getter *) exceptions_of_thread;

#if defined(__APPLE__)
static fy_exceptions_getter *look_up_exceptions(void) {
    fy_exceptions_getter *getter;
    *(void **)&getter = dlsym(RTLD_DEFAULT, "__cxa_get_globals");
    return getter;
}
#else
extern void *__cxa_get_globals(void) __attribute__((weak));
static fy_exceptions_getter *look_up_exceptions(void) {
    return __cxa_get_globals;
}
#endif

void fy_context_use_exceptions(fy_exceptions_getter *getter) {
    atomic_store_explicit(&exceptions_of_thread, getter, memory_order_relaxed);
}

static void find_exceptions(void) {
    if (!atomic_load_explicit(&exceptions_of_thread, memory_order_relaxed))
        fy_context_use_exceptions(look_up_exceptions());
}

/* ---- */

typedef struct context {
    fy_context base;
    void *stopped;     /* where it stands still */
    char *mapping;     /* NULL: the thread's own */
    size_t size;       /* of the mapping */
    fy_context_entry *entry;
    exceptions exceptions;
    struct context *outer; /* a thread's own: which it had before, out of place meanwhile; or NULL */
    bool is_open;          /* a thread's own */
#ifdef WITH_ASAN
    struct context *came_from;
    void *fake_stack;
    const void *bottom;
    size_t bottom_size;
#endif
#ifdef WITH_TSAN
    void *fiber;
#endif
#ifdef VALGRIND_STACK_REGISTER
    unsigned valgrind_id;
#endif
} context;

static _Thread_local context own;

bool fy_context_has_guard_at(const fy_context *base, const char *address) {
    const context *self = (const context *)(const void *)base;
    return self->mapping && address >= self->mapping && address < self->mapping + GUARD_BYTES;
}

/* The part of it that its calls may use. */
static char *lowest(const context *self) {
    return self->mapping + GUARD_BYTES;
}

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- going from one to another ---- */

static void before_jump(context *from, context *to) {
    fy_exceptions_getter *getter = atomic_load_explicit(&exceptions_of_thread, memory_order_relaxed);
    if (getter) {
        exceptions *current = getter();
        from->exceptions = *current;
        *current = to->exceptions;
    }
#ifdef WITH_ASAN
    to->came_from = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->bottom_size);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

static void behind_jump(context *self) {
#ifdef WITH_ASAN
    context *from = self->came_from;
    const void *bottom;
    size_t bottom_size;
    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &bottom_size);
    if (!from->mapping) { /* nobody has said yet where a thread's own stack lies */
        from->bottom = bottom;
        from->bottom_size = bottom_size;
    }
#else
    (void)self;
#endif
}

static inline void go_on(fy_context *from_base, fy_context *to_base, int how) {
    context *from = (context *)(void *)from_base;
    context *to = (context *)(void *)to_base;
    before_jump(from, to);
    fy_switch_jump(&from->stopped, to->stopped, how);
    behind_jump(from);
}

void fy_context_switch(fy_context *from, fy_context *to) {
    go_on(from, to, 0);
}

void fy_context_switch_alike(fy_context *from, fy_context *to) {
    go_on(from, to, FY_SWITCH_ALIKE);
}

static void begin(void *arg) {
    context *self = arg;
    behind_jump(self);
    self->entry(&self->base);
}

#ifdef FY_SWITCH_UCONTEXT
/* A stack would go on in the modes that it has stopped in, so its calls are made anew. */
static void renew(context *self) {
#ifdef WITH_ASAN
    __asan_unpoison_memory_region(lowest(self), self->base.stack_size);
#endif
#ifdef WITH_TSAN
    __tsan_destroy_fiber(self->fiber);
    self->fiber = __tsan_create_fiber(0);
#endif
    self->stopped = fy_switch_prepare(self, begin, self);
}
#else
static inline void renew(context *self) {
    (void)self;
}
#endif

void fy_context_switch_begin(fy_context *from, fy_context *to) {
    renew((context *)(void *)to);
    go_on(from, to, FY_SWITCH_BEGIN);
}

void fy_context_fetch(const fy_context *base) {
    enum { CALLS_BYTES = 3 * LINE_BYTES }; /* the switch, who waits, and whose code it is */
    const char *stopped = ((const context *)(const void *)base)->stopped;
    for (int i = 0; i < CALLS_BYTES; i += LINE_BYTES)
        fy_cpu_fetch_to_write(stopped + i);
}

/* ---- the thread's own ---- */

/* In a child made by fork the thread may stand on a stack of the parent's: where its own one has stopped is kept, so
 * that it can still be gone back to. */
static ferry_status keep_outer(context **ret_outer) {
    *ret_outer = NULL;
    if (!own.is_open)
        return 0;
    context *outer = fy_malloc(sizeof *outer);
    if (!outer)
        return ENOMEM;
    *outer = own;
    *ret_outer = outer;
    return 0;
}

ferry_status fy_context_open_own(fy_context **ret_context) {
    context *outer;
    ferry_status status = keep_outer(&outer);
    if (status)
        return status;
    fy_overflow_prepare_thread();
    find_exceptions();
    own = (context){.outer = outer, .is_open = true};
#ifdef WITH_TSAN
    own.fiber = __tsan_get_current_fiber();
#endif
    *ret_context = &own.base;
    return 0;
}

void fy_context_close_own(fy_context *context_base) {
    context *outer = own.outer;
    (void)context_base;
    own.is_open = false;
    if (outer)
        own = *outer;
    fy_free(outer);
}

/* ---- the others ---- */

/* A guard that the kernel keeps in the page table leaves the mapping whole, so that neighbouring stacks are one range
 * for it, however many there are: it has a limit on ranges. */
static ferry_status install_guard(char *mapping) {
#ifdef MADV_GUARD_INSTALL
    static _Atomic bool is_refused;
    if (!atomic_load_explicit(&is_refused, memory_order_relaxed)) {
        if (!madvise(mapping, GUARD_BYTES, MADV_GUARD_INSTALL))
            return 0;
        atomic_store_explicit(&is_refused, true, memory_order_relaxed);
    }
#endif
    return mprotect(mapping, GUARD_BYTES, PROT_NONE) ? errno : 0;
}

static ferry_status map_stack(size_t size, char **ret_mapping) {
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return errno;
    ferry_status status = install_guard(mapping);
    if (status) {
        munmap(mapping, size);
        return status;
    }
#ifdef MADV_NOHUGEPAGE
    (void)madvise(mapping, size, MADV_NOHUGEPAGE); /* refused: stacks cost more memory */
#endif
    *ret_mapping = mapping;
    return 0;
}

static void tell_tools(context *self) {
    (void)self;
#ifdef WITH_ASAN
    self->bottom = lowest(self);
    self->bottom_size = self->base.stack_size;
    __asan_unpoison_memory_region(lowest(self), self->base.stack_size);
#endif
#ifdef WITH_TSAN
    self->fiber = __tsan_create_fiber(0);
#endif
#ifdef VALGRIND_STACK_REGISTER
    self->valgrind_id = (unsigned)VALGRIND_STACK_REGISTER(lowest(self), self->mapping + self->size);
#endif
}

ferry_status fy_context_create(size_t stack_size, fy_context_entry *entry, fy_context **ret_context) {
    static _Thread_local unsigned created;
    size_t page = page_size();
    if (stack_size > SIZE_MAX / 2)
        return ENOMEM;
    if (stack_size < FY_STACK_MIN_BYTES)
        stack_size = FY_STACK_MIN_BYTES;
    size_t size = GUARD_BYTES + (stack_size + COLOURS * LINE_BYTES + page - 1) / page * page;
    char *mapping = NULL;
    ferry_status status = map_stack(size, &mapping);
    if (status)
        return status;
    size_t above = (sizeof(context) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES + created++ % COLOURS * LINE_BYTES;
    context *self = (context *)(void *)(mapping + size - above);
    *self = (context){.base = {.stack_size = size - GUARD_BYTES}, .mapping = mapping, .size = size, .entry = entry};
    self->stopped = fy_switch_prepare(self, begin, self);
    tell_tools(self);
    *ret_context = &self->base;
    return 0;
}

void fy_context_destroy(fy_context *context_base) {
    context *self = (context *)(void *)context_base;
#ifdef WITH_ASAN
    __asan_unpoison_memory_region(lowest(self), self->base.stack_size);
#endif
#ifdef WITH_TSAN
    __tsan_destroy_fiber(self->fiber);
#endif
#ifdef VALGRIND_STACK_REGISTER
    VALGRIND_STACK_DEREGISTER(self->valgrind_id);
#endif
    munmap(self->mapping, self->size);
}

/* ---- its memory ---- */

void fy_context_trim(fy_context *context_base, size_t keep_bytes) {
    context *self = (context *)(void *)context_base;
    size_t page = page_size();
    size_t keep = (keep_bytes + page - 1) / page * page;
    if (keep < self->base.stack_size)
        (void)madvise(lowest(self), self->base.stack_size - keep, MADV_DONTNEED); /* refused: it stays */
}

size_t fy_context_touched(const fy_context *context_base) {
    enum { PAGES_AT_ONCE = 64 };
    const context *self = (const context *)(const void *)context_base;
    size_t page = page_size();
#ifdef __linux__
    unsigned char resident[PAGES_AT_ONCE];
#else
    char resident[PAGES_AT_ONCE];
#endif
    for (size_t at = 0; at < self->base.stack_size; at += PAGES_AT_ONCE * page) {
        size_t left = self->base.stack_size - at;
        size_t length = left < PAGES_AT_ONCE * page ? left : PAGES_AT_ONCE * page;
        if (mincore(lowest(self) + at, length, (void *)resident))
            return 0;
        for (size_t i = 0; i * page < length; i++)
            if (resident[i] & 1)
                return left - i * page;
    }
    return 0;
}
