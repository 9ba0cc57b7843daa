/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of a thread's end: the destructor of a thread-specific value runs after the thread's function has returned,
 * and after whoever wraps that function has let go. */
#include <pthread.h>
#include <stdlib.h>

#include "seam/platform.h"

typedef struct exit_call {
    void (*run)(void *arg);
    void *arg;
} exit_call;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_status;
static _Thread_local exit_call call;

static void run_call(void *value) {
    exit_call copy = *(exit_call *)value;
    copy.run(copy.arg);
}

static void make_key(void) {
    key_status = pthread_key_create(&key, run_call);
}

ferry_status fy_thread_at_exit(void (*run)(void *arg), void *arg) {
    pthread_once(&once, make_key);
    if (key_status)
        return key_status;
    call = (exit_call){run, arg};
    return pthread_setspecific(key, &call);
}
