/* SPDX-License-Identifier: Apache-2.0 */
/* Which sanitizer watches this program, or valgrind, for the few tests that must know: some do less under one, since it
 * is slow. */
#ifndef FERRY_TESTS_SUPPORT_SANITIZED_H
#define FERRY_TESTS_SUPPORT_SANITIZED_H

#if defined(__SANITIZE_THREAD__)
#define FY_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FY_THREAD_SANITIZED 1
#endif
#endif
#ifndef FY_THREAD_SANITIZED
#define FY_THREAD_SANITIZED 0
#endif

#if FY_THREAD_SANITIZED || defined(__SANITIZE_ADDRESS__) || defined(FY_UNDER_VALGRIND)
#define FY_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define FY_SANITIZED 1
#endif
#endif
#ifndef FY_SANITIZED
#define FY_SANITIZED 0
#endif

/* Marks a function that a sanitizer's runtime looks for in the program. */
#if defined(__GNUC__)
#define FY_SANITIZER_HOOK __attribute__((visibility("default")))
#else
#define FY_SANITIZER_HOOK
#endif

/* ThreadSanitizer's own locks are not kept whole by a fork: a child that is made while another thread is at work may
 * hang in one of them before it has done anything. Tests that fork then are left out under it. */
#define FY_FORKS_AMID_THREADS !FY_THREAD_SANITIZED

#endif
