/* SPDX-License-Identifier: Apache-2.0 */
/* Internet addresses: plain values, the same on every system, with no system header behind them. */
#ifndef FERRY_ADDRESS_H
#define FERRY_ADDRESS_H

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ferry's own numbers, not the system's (which differ from system to system). */
typedef enum ferry_family {
    FERRY_UNSPEC,
    FERRY_INET,
    FERRY_INET6
} ferry_family;

/* An address and a port. All zero: none. */
typedef struct ferry_address {
    uint16_t family;    /* a ferry_family */
    uint16_t port;      /* in the host's byte order */
    uint32_t scope_id;  /* IPv6: the interface a link-local address belongs to, else 0 */
    uint32_t flow_info; /* IPv6: in the host's byte order, else 0 */
    uint8_t ip[16];     /* in network order; IPv4 uses the first four */
} ferry_address;

/* Room for any address that ferry_address_format writes, with its terminating zero. */
#define FERRY_ADDRESS_TEXT_MAX 72

/* Reads a numeric address: "127.0.0.1", "::1", "fe80::1%2" (the number of an interface behind the percent sign). No
 * name is looked up.
 *
 * Returns: 0, APR_EINVAL (no such address).
 * Thread:  any. */
FERRY_API ferry_status ferry_address_parse(const char *ip, uint16_t port, ferry_address *ret_address);

/* Writes "127.0.0.1:80" or "[::1]:80" (IPv6 as RFC 5952 wants it; "none" if it is neither), cut to `size` bytes with
 * the terminating zero among them. Returns `text`.
 * Thread: any. */
FERRY_API char *ferry_address_format(const ferry_address *address, char *text, size_t size);

/* Whether both name the same family, address, scope and port. Thread: any. */
FERRY_API bool ferry_address_equal(const ferry_address *a, const ferry_address *b);

#ifdef __cplusplus
}
#endif
#endif
