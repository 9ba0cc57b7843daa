/* SPDX-License-Identifier: Apache-2.0 */
/* What tests need of the system and common code has no word for; one file per system defines it. */
#ifndef FERRY_TESTS_SUPPORT_SYSTEM_H
#define FERRY_TESTS_SUPPORT_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* First in main. Afterwards a program that crashes or aborts ends with a code that says so, takes the processes that it
 * has started with it, and prints what the test prints, byte for byte. */
void fy_system_prepare(void);

/* How many threads the process has, as the kernel counts them; 0 where it does not tell. */
unsigned fy_system_thread_count(void);

/* Whether a thread costs far more to start here than elsewhere, so that a test had better start fewer of them. */
bool fy_system_threads_are_dear(void);

/* Before the start of a program that fy_system_interrupt shall reach. What goes to a console of this process may not be
 * seen any more. */
bool fy_system_begin_interrupts(void);

/* As if Ctrl-C were pressed where the program with this id runs; this process is not interrupted. */
bool fy_system_interrupt(long long process_id);

/* Ends a process by force. */
bool fy_system_kill(long long process_id);

/* Whether a process that this one has started is alive, or dead and not reaped. */
bool fy_system_has_children(void);

/* How many handles (descriptors) are open, and how many memories without a name are mapped; 0 where the system does not
 * tell. */
unsigned fy_system_handle_count(void);
unsigned fy_system_shared_memory_count(void);

/* How long threads of this process have had a processor. */
long long fy_system_cpu_us(void);

/* This process's id, as ferry_process_worker_stats tells a worker's. */
long long fy_system_process_id(void);

/* Whether what ends a process by force shows as a signal, and not as an exit code. */
bool fy_system_has_signals(void);

/* Whether such a process exists and has not ended. One that its parent has not reaped has ended. */
bool fy_system_is_alive(long long process_id);

/* The calling thread's name as the system knows it. */
void fy_system_thread_name(char *ret_name, size_t size);

#ifdef __cplusplus
}
#endif

#endif
