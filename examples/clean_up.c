/* SPDX-License-Identifier: Apache-2.0 */
/* A task runs out of time amid a wait, and nothing of what it holds is left behind: references go with their scopes
 * (FERRY_AUTO, where the compiler has it), and then what was deferred is done. */
#include <ferry.h>

#include <stdio.h>

static void burn(void *letter) {
    printf("burnt: %s\n", (const char *)letter);
}

static void say(void *sentence) {
    printf("%s\n", (const char *)sentence);
}

/* However this returns, the queue goes, and burns the letters that nobody has read. */
static ferry_status read_letters(void *arg, ferry_call *call) {
    FERRY_AUTO(ferry_queue, letters) = NULL;
    ferry_queue_options options = {FERRY_QUEUE_OPTIONS, .free = burn};
    void *letter = NULL;
    (void)arg;
    (void)call;
    ferry_status status = ferry_defer(say, "the reader is gone");
    if (!status)
        status = ferry_queue_create(ferry_running_loop(), &options, &letters);
    if (!status)
        status = ferry_queue_put(letters, "the first letter");
    if (!status)
        status = ferry_queue_put(letters, "the second letter");
    if (!status)
        status = ferry_queue_get(letters, &letter);
    if (status)
        return status;
    printf("read: %s\n", (const char *)letter);
    return ferry_sleep(FERRY_FOREVER);
}

static ferry_status read_for_a_while(void *arg, ferry_call *call) {
    FERRY_AUTO(ferry_task, reader) = NULL;
    ferry_timeout *timeout = NULL;
    char sentence[128];
    (void)arg;
    (void)call;
    ferry_status status = ferry_timeout_open(100000, &timeout);
    if (status)
        return status;
    status = ferry_task_create(NULL, read_letters, NULL, &reader);
    if (!status)
        status = FERRY_AWAIT(reader, NULL);
    status = ferry_timeout_close(timeout, status);
    printf("main: %s\n", ferry_strerror(status, sentence, sizeof sentence));
    return status == FERRY_ETIMEDOUT ? 0 : status;
}

int main(void) {
    return ferry_run(read_for_a_while, NULL) != 0;
}
