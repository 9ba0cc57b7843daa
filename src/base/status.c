/* SPDX-License-Identifier: Apache-2.0 */
/* What a status means in words, and which version this is. It knows the numbers and their sentences and nothing of who
 * returns them; every number that is not Ferry's own goes to APR, which knows its codes and the system's. */
#include "ferry/base.h"

#include <string.h>

#include <apr_errno.h>

#define FIRST FERRY_ECANCELED
#define COUNT (sizeof(sentences) / sizeof(sentences[0]))

static const char *const sentences[] = {
    [FERRY_ECANCELED - FIRST] = "The work, or the wait for it, was cancelled",
    [FERRY_ETIMEDOUT - FIRST] = "The time limit passed first",
    [FERRY_ECLOSED - FIRST] = "The loop is closed",
    [FERRY_ESHUTDOWN - FIRST] = "Shut down: it takes nothing new",
    [FERRY_EBROKEN - FIRST] = "Broken: an executor whose initializer failed or worker could not go on, or a barrier",
    [FERRY_EFULL - FIRST] = "The queue is full",
    [FERRY_EINVALIDSTATE - FIRST] = "Not in this state: not done yet, already done, or running",
    [FERRY_EWRONGTHREAD - FIRST] = "A call that belongs to the loop's thread came from another thread",
    [FERRY_EWRONGLOOP - FIRST] = "The future belongs to another loop",
    [FERRY_EDEADLK - FIRST] = "Waiting here could never end",
    [FERRY_EFORKED - FIRST] = "The object belongs to the parent process",
    [FERRY_EWRONGTYPE - FIRST] = "The result, or the item of a pack, is of another kind than the one asked for",
    [FERRY_EEXHAUSTED - FIRST] = "The iteration has ended",
    [FERRY_ENOTHREAD - FIRST] = "The system refused a thread and no worker exists to take the job",
    [FERRY_ENOTSUP - FIRST] = "Not supported on this platform or by this kind of executor",
    [FERRY_ETRUNCATED - FIRST] = "Cut short: a datagram that was longer than the buffer, or a pack",
    [FERRY_ENOTASK - FIRST] = "Only a task can wait here, and none is calling",
    [FERRY_EAWAITED_CANCELED - FIRST] = "What was waited for was cancelled; the wait itself was not",
    [FERRY_EEMPTY - FIRST] = "The queue is empty",
    [FERRY_ENOTPORTABLE - FIRST] = "The job cannot go to another process",
};

static const char *own_sentence(ferry_status status) {
    if (status == 0)
        return "Success";
    if (status < FIRST || (size_t)(status - FIRST) >= COUNT)
        return NULL;
    return sentences[status - FIRST];
}

char *ferry_strerror(ferry_status status, char *buffer, size_t size) {
    if (!buffer || !size)
        return buffer;
    const char *sentence = own_sentence(status);
    if (!sentence)
        return apr_strerror(status, buffer, size);
    size_t length = strlen(sentence);
    if (length >= size)
        length = size - 1;
    memcpy(buffer, sentence, length);
    buffer[length] = '\0';
    return buffer;
}

const char *ferry_version(void) {
    return FERRY_STRINGIFY(FERRY_VERSION_MAJOR) "." FERRY_STRINGIFY(FERRY_VERSION_MINOR) "." FERRY_STRINGIFY(
        FERRY_VERSION_PATCH);
}
