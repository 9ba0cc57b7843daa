/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before every file of APR when mingw-w64 compiles it: what APR expects of Microsoft's headers, and mingw's say
 * otherwise or leave out. */
#ifndef FERRY_CI_APR_MINGW_H
#define FERRY_CI_APR_MINGW_H

#define COM_NO_WINDOWS_H
#define USE_ATOMICS_GENERIC

/* <netioapi.h>, which cannot be included where APR would need it. */
#define NET_IFINDEX unsigned long
#define NETIOAPI_API_ __stdcall
#define IF_NAMESIZE 257
char *__stdcall if_indextoname(unsigned long index, char *name);
unsigned long __stdcall if_nametoindex(const char *name);

#endif
