/* SPDX-License-Identifier: Apache-2.0 */
/* The words of cancellations that are under way. A future has no room for them while its op is with the backend, and
 * hardly anybody gives any: so they are notes in a list of the loop's. */
#include <string.h>

#include "base/alloc.h"
#include "io/file.h"

typedef struct cancel_note {
    struct cancel_note *next;
    const ferry_future *future;
    char message[];
} cancel_note;

void fy_cancel_note_keep(ferry_future *future, const char *message) {
    size_t size = strlen(message) + 1;
    cancel_note *note = fy_malloc(sizeof *note + size);
    if (!note)
        return;
    note->next = future->loop->io.cancel_notes;
    note->future = future;
    memcpy(note->message, message, size);
    future->loop->io.cancel_notes = note;
}

static cancel_note *take(const ferry_future *future) {
    cancel_note *note = future->loop->io.cancel_notes;
    if (!note)
        return NULL;
    if (note->future == future) {
        future->loop->io.cancel_notes = note->next;
        return note;
    }
    for (cancel_note *before = note; (note = before->next) != NULL; before = note)
        if (note->future == future) {
            before->next = note->next;
            return note;
        }
    return NULL;
}

void fy_cancel_note_end(ferry_future *future, const char *message) {
    cancel_note *note = take(future);
    fy_future_finish_cancelled(future, note ? note->message : message);
    fy_free(note);
}

void fy_cancel_note_drop(ferry_future *future) {
    fy_free(take(future));
}
