/* SPDX-License-Identifier: Apache-2.0 */
/* A call that goes over the end of its stack touches the guard, and the system sends a signal. The handler, on a stack
 * of its own, says whose stack it was, and then lets happen what would have happened without it: it puts back what was
 * set for the signal before, and the access is made again. An access elsewhere is none of its business. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE
#endif
#include "posix/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIGNAL_STACK_BYTES = 64 * 1024, MESSAGE_MAX = 512 };

static _Atomic(fy_context_current *) current_context;
static _Atomic(fy_context_describe *) describe_context; /* set after the other */
static struct sigaction former_segv, former_bus;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t stack_key;
static bool has_key;

/* ---- the signal ---- */

static void tell(const fy_context *context) {
    char message[MESSAGE_MAX] = "ferry: stack overflow in ";
    size_t length = strlen(message);
    atomic_load(&describe_context)(context, message + length, sizeof message - length - 1);
    length = strlen(message);
    message[length++] = '\n';
    (void)!write(STDERR_FILENO, message, length); /* nobody else could be told */
}

static void on_signal(int signum, siginfo_t *info, void *registers) {
    struct sigaction *former = signum == SIGSEGV ? &former_segv : &former_bus;
    const fy_context *context = atomic_load(&current_context)();
    if (context && fy_context_has_guard_at(context, info->si_addr)) {
        tell(context);
        sigaction(signum, former, NULL);
        return;
    }
    if (former->sa_flags & SA_SIGINFO)
        former->sa_sigaction(signum, info, registers);
    else if (former->sa_handler != SIG_DFL && former->sa_handler != SIG_IGN)
        former->sa_handler(signum);
    else
        sigaction(signum, former, NULL);
}

static void install(int signum, struct sigaction *former) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    (void)sigaction(signum, &action, former); /* refused: an overflow ends the program without a word */
}

/* ---- the stack it runs on ---- */

/* The thread ends. */
static void free_stack(void *stack) {
    stack_t none = {.ss_flags = SS_DISABLE};
    stack_t current;
    if (!sigaltstack(NULL, &current) && current.ss_sp == stack)
        sigaltstack(&none, NULL);
    munmap(stack, SIGNAL_STACK_BYTES);
}

static void prepare_process(void) {
    has_key = !pthread_key_create(&stack_key, free_stack);
    if (!has_key || !atomic_load(&describe_context))
        return;
    install(SIGSEGV, &former_segv);
    install(SIGBUS, &former_bus);
}

void fy_overflow_prepare_thread(void) {
    stack_t current;
    pthread_once(&once, prepare_process);
    if (!has_key || pthread_getspecific(stack_key) || sigaltstack(NULL, &current) || !(current.ss_flags & SS_DISABLE))
        return; /* it has one, its own or the program's */
    void *stack = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (stack == MAP_FAILED)
        return;
    if (pthread_setspecific(stack_key, stack) ||
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = SIGNAL_STACK_BYTES}, NULL)) {
        pthread_setspecific(stack_key, NULL);
        munmap(stack, SIGNAL_STACK_BYTES);
    }
}

void fy_context_name_overflows(fy_context_current *current, fy_context_describe *describe) {
    atomic_store(&current_context, current);
    atomic_store(&describe_context, describe);
}
