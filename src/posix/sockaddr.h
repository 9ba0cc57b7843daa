/* SPDX-License-Identifier: Apache-2.0 */
/* Ferry's addresses as the system's, and back. It decides nothing but the conversion: which families there are, and
 * which byte order each field has. */
#ifndef FERRY_POSIX_SOCKADDR_H
#define FERRY_POSIX_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "ferry/address.h"

typedef union fy_sockaddr {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
} fy_sockaddr;

/* AF_UNSPEC for what is no ferry_family. */
static inline int fy_sockaddr_family(unsigned family) {
    return family == FERRY_INET ? AF_INET : family == FERRY_INET6 ? AF_INET6 : AF_UNSPEC;
}

/* Returns its length; 0 if the address has no family. */
static inline socklen_t fy_sockaddr_from(const ferry_address *address, fy_sockaddr *ret_native) {
    memset(ret_native, 0, sizeof *ret_native);
    if (address->family == FERRY_INET) {
        ret_native->inet.sin_family = AF_INET;
        ret_native->inet.sin_port = htons(address->port);
        memcpy(&ret_native->inet.sin_addr, address->ip, sizeof ret_native->inet.sin_addr);
        return sizeof ret_native->inet;
    }
    if (address->family == FERRY_INET6) {
        ret_native->inet6.sin6_family = AF_INET6;
        ret_native->inet6.sin6_port = htons(address->port);
        ret_native->inet6.sin6_flowinfo = htonl(address->flow_info);
        ret_native->inet6.sin6_scope_id = address->scope_id;
        memcpy(&ret_native->inet6.sin6_addr, address->ip, sizeof ret_native->inet6.sin6_addr);
        return sizeof ret_native->inet6;
    }
    return 0;
}

/* `length` is what the system call said. An address of another family, or none, becomes none. */
static inline void fy_sockaddr_to(const fy_sockaddr *native, socklen_t length, ferry_address *ret_address) {
    *ret_address = (ferry_address){.family = FERRY_UNSPEC};
    if (length >= sizeof native->inet && native->any.sa_family == AF_INET) {
        ret_address->family = FERRY_INET;
        ret_address->port = ntohs(native->inet.sin_port);
        memcpy(ret_address->ip, &native->inet.sin_addr, sizeof native->inet.sin_addr);
    } else if (length >= sizeof native->inet6 && native->any.sa_family == AF_INET6) {
        ret_address->family = FERRY_INET6;
        ret_address->port = ntohs(native->inet6.sin6_port);
        ret_address->flow_info = ntohl(native->inet6.sin6_flowinfo);
        ret_address->scope_id = native->inet6.sin6_scope_id;
        memcpy(ret_address->ip, &native->inet6.sin6_addr, sizeof native->inet6.sin6_addr);
    }
}

#endif
