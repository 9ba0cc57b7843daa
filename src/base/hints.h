/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiler may be told where it knows how to listen; each means nothing elsewhere. */
#ifndef FERRY_BASE_HINTS_H
#define FERRY_BASE_HINTS_H

/* So far apart lie two fields of which threads on different processors write one each, so that neither slows the
 * other. */
enum { FY_APART_BYTES = 64 };

#if defined(__GNUC__)
#define FY_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define FY_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define FY_PREFETCH(address) __builtin_prefetch(address)
#define FY_NOINLINE __attribute__((noinline)) /* keeps a rare path's registers off the common one */
#else
#define FY_LIKELY(condition) (condition)
#define FY_UNLIKELY(condition) (condition)
#define FY_PREFETCH(address) ((void)(address))
#define FY_NOINLINE
#endif

#endif
