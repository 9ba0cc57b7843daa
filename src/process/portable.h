/* SPDX-License-Identifier: Apache-2.0 */
/* The program's table of portable functions: what a function is called where its address means nothing. Set once, by
 * ferry_worker_init, before there are other threads; only read from then on. */
#ifndef FERRY_PROCESS_PORTABLE_H
#define FERRY_PROCESS_PORTABLE_H

#include "ferry/process.h"
#include "process/wire.h"

/* Returns: as ferry_worker_init. */
ferry_status fy_portable_set(const ferry_portable *functions);

bool fy_portable_is_set(void);

/* What this process says of itself in a hello; 0 as identity if the program's file cannot be looked at. */
fy_hello fy_portable_hello(void);

/* How many there are, and the one with that number. */
uint32_t fy_portable_count(void);
const ferry_portable *fy_portable_at(uint32_t number);

/* The number of a function; false if it is not in the table. */
bool fy_portable_find(ferry_function *function, uint32_t *ret_number);

#endif
