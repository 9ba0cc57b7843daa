/* SPDX-License-Identifier: Apache-2.0 */
/* What must be had of Winsock once, and how its addresses and ours become each other. */
#ifndef FERRY_WIN32_SOCKETS_H
#define FERRY_WIN32_SOCKETS_H

#include <mswsock.h>

#include "ferry/address.h"
#include "native.h"

/* Starts Winsock for this process, once; nobody stops it. Thread: any. */
ferry_status fy_winsock_start(void);

/* Known once it was started. */
extern LPFN_ACCEPTEX fy_accept_ex;
extern LPFN_GETACCEPTEXSOCKADDRS fy_accept_ex_addresses;
extern LPFN_CONNECTEX fy_connect_ex;

/* Any address of a family that Ferry knows. */
typedef union fy_sockaddr {
    SOCKADDR any;
    SOCKADDR_IN in;
    SOCKADDR_IN6 in6;
} fy_sockaddr;

/* A socket that overlapped calls can use and that children do not inherit. */
ferry_status fy_socket_open(int family, int type, SOCKET *ret_socket);

/* Winsock's number for a ferry_family; AF_UNSPEC for what is none. */
int fy_family_native(int family);

/* Returns its length; 0 if the address has no family. */
int fy_sockaddr_from_address(const ferry_address *address, fy_sockaddr *ret_sockaddr);

/* All zero for a family that Ferry does not know. */
ferry_address fy_sockaddr_to_address(const SOCKADDR *sockaddr);

#endif
