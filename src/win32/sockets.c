/* SPDX-License-Identifier: Apache-2.0 */
/* Starting Winsock, asking it for the calls that it has no names for, and converting addresses. */
#include "win32/sockets.h"

#include <string.h>

#include "win32/status.h"

LPFN_ACCEPTEX fy_accept_ex;
LPFN_GETACCEPTEXSOCKADDRS fy_accept_ex_addresses;
LPFN_CONNECTEX fy_connect_ex;

/* ---- starting ---- */

static ferry_status start_status;

static bool find_call(SOCKET any, GUID id, void *ret_call, DWORD size) {
    DWORD written;
    return WSAIoctl(any, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, ret_call, size, &written, NULL, NULL) == 0;
}

/* The system's own providers of both families have the same calls. */
static ferry_status find_calls(void) {
    SOCKET any = INVALID_SOCKET;
    ferry_status status = fy_socket_open(AF_INET, SOCK_STREAM, &any);
    if (status)
        status = fy_socket_open(AF_INET6, SOCK_STREAM, &any);
    if (status)
        return status;
    if (!find_call(any, (GUID)WSAID_ACCEPTEX, &fy_accept_ex, sizeof fy_accept_ex)
        || !find_call(any, (GUID)WSAID_GETACCEPTEXSOCKADDRS, &fy_accept_ex_addresses, sizeof fy_accept_ex_addresses)
        || !find_call(any, (GUID)WSAID_CONNECTEX, &fy_connect_ex, sizeof fy_connect_ex))
        status = fy_socket_status();
    closesocket(any);
    return status;
}

static BOOL CALLBACK start_once(PINIT_ONCE once, void *arg, void **context) {
    WSADATA data;
    (void)once;
    (void)arg;
    (void)context;
    int error = WSAStartup(MAKEWORD(2, 2), &data);
    start_status = error ? fy_status_of((DWORD)error) : find_calls();
    return TRUE;
}

ferry_status fy_winsock_start(void) {
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&once, start_once, NULL, NULL);
    return start_status;
}

ferry_status fy_socket_open(int family, int type, SOCKET *ret_socket) {
    SOCKET made = WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (made == INVALID_SOCKET)
        return fy_socket_status();
    *ret_socket = made;
    return 0;
}

/* ---- addresses ---- */

int fy_family_native(int family) {
    return family == FERRY_INET ? AF_INET : family == FERRY_INET6 ? AF_INET6 : AF_UNSPEC;
}

int fy_sockaddr_from_address(const ferry_address *address, fy_sockaddr *ret_sockaddr) {
    memset(ret_sockaddr, 0, sizeof *ret_sockaddr);
    if (address->family == FERRY_INET) {
        ret_sockaddr->in.sin_family = AF_INET;
        ret_sockaddr->in.sin_port = htons(address->port);
        memcpy(&ret_sockaddr->in.sin_addr, address->ip, sizeof ret_sockaddr->in.sin_addr);
        return sizeof ret_sockaddr->in;
    }
    if (address->family == FERRY_INET6) {
        ret_sockaddr->in6.sin6_family = AF_INET6;
        ret_sockaddr->in6.sin6_port = htons(address->port);
        ret_sockaddr->in6.sin6_flowinfo = htonl(address->flow_info);
        ret_sockaddr->in6.sin6_scope_id = address->scope_id;
        memcpy(&ret_sockaddr->in6.sin6_addr, address->ip, sizeof ret_sockaddr->in6.sin6_addr);
        return sizeof ret_sockaddr->in6;
    }
    return 0;
}

ferry_address fy_sockaddr_to_address(const SOCKADDR *sockaddr) {
    ferry_address address = {0};
    if (sockaddr->sa_family == AF_INET) {
        const SOCKADDR_IN *in = (const SOCKADDR_IN *)(const void *)sockaddr;
        address.family = FERRY_INET;
        address.port = ntohs(in->sin_port);
        memcpy(address.ip, &in->sin_addr, sizeof in->sin_addr);
    } else if (sockaddr->sa_family == AF_INET6) {
        const SOCKADDR_IN6 *in6 = (const SOCKADDR_IN6 *)(const void *)sockaddr;
        address.family = FERRY_INET6;
        address.port = ntohs(in6->sin6_port);
        address.flow_info = ntohl(in6->sin6_flowinfo);
        address.scope_id = in6->sin6_scope_id;
        memcpy(address.ip, &in6->sin6_addr, sizeof in6->sin6_addr);
    }
    return address;
}
