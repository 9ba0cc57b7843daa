/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets as asyncio's low-level calls have them, each operation a future; and callbacks for handles of one's own that
 * become readable or writable.
 *
 * Operations of one direction of a socket (connect, sendall and sendto; accept, recv and recvfrom) are carried out one
 * after the other, in the order in which they were asked for; the two directions know nothing of each other.
 *
 * What is given by pointer. Buffers and the place for a sender's address stay yours and must live until the future is
 * done: the kernel may use them until then. Addresses to connect or to send to are copied.
 *
 * Cancelling the future of an operation that still waits for its turn ends it at once. If it is with the kernel, the
 * future ends in one of the loop's next turns, when the kernel has let go of the buffer (until then it is not done):
 * with FERRY_ECANCELED, and then a recv has taken no bytes, an accept no connection, a recvfrom no datagram; or, if the
 * operation was over already, with its outcome, so that nothing is lost. A task that was cancelled while it waited for
 * one, directly or through a wait_for or a gather, is told FERRY_ECANCELED either way; if it is to lose nothing, it
 * looks at the future before it lets go of it: with status 0, what was received is in the buffer and its size is the
 * integer, all of a sendall is sent, a connect has connected; an accepted socket can be taken, or is closed with the
 * future. Dropping the last reference to a future does not cancel it. */
#ifndef FERRY_IO_H
#define FERRY_IO_H

#include "ferry/address.h"
#include "ferry/future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sockets ---- */

/* A socket of one loop. */
typedef struct ferry_socket ferry_socket;

typedef enum ferry_socket_type {
    FERRY_SOCKET_STREAM,  /* TCP */
    FERRY_SOCKET_DATAGRAM /* UDP */
} ferry_socket_type;

typedef enum ferry_socket_option {
    FERRY_SOCKET_REUSE_ADDRESS,  /* 0 or 1: a listener may take the place of one that has just closed; on Windows it
                                  * always may */
    FERRY_SOCKET_REUSE_PORT,     /* 0 or 1: several sockets share one port */
    FERRY_SOCKET_NO_DELAY,       /* 0 or 1: small writes are not held back */
    FERRY_SOCKET_KEEP_ALIVE,     /* 0 or 1 */
    FERRY_SOCKET_BROADCAST,      /* 0 or 1 */
    FERRY_SOCKET_ONLY_IPV6,      /* 0 or 1 */
    FERRY_SOCKET_SEND_BUFFER,    /* bytes; the system may round, or answer more */
    FERRY_SOCKET_RECEIVE_BUFFER, /* bytes; likewise */
    FERRY_SOCKET_LINGER          /* seconds that closing waits for unsent bytes; -1: off */
} ferry_socket_option;

/* Makes a socket (`socket.socket`). It does not block, and programs that this one starts do not inherit it.
 *
 * Owns:    *ret_socket is one reference: ferry_socket_close it.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED, FERRY_ENOTSUP (this backend has
 *          no such sockets), or what the system said.
 * Thread:  loop. */
#define ferry_socket_create(loop, family, type, ret_socket) \
    ferry_socket_create_from(FERRY_HERE, loop, family, type, ret_socket)
FERRY_API ferry_status ferry_socket_create_from(const char *origin, ferry_loop *loop, ferry_family family,
                                                ferry_socket_type type, ferry_socket **ret_socket);

/* Makes a socket of an open handle: a file descriptor, of a socket, a pipe or a terminal, or Windows' SOCKET. Only
 * recv and sendall work where it is no socket.
 *
 * Owns:    on success the handle is the socket's, which sets it to non-blocking where the backend needs that; else it
 *          stays yours. *ret_socket as ferry_socket_create.
 * Returns: as ferry_socket_create; EPERM (no kind of file that can be waited for), EBADF, EEXIST (this loop has it
 *          already).
 * Thread:  loop. */
#define ferry_socket_adopt(loop, handle, ret_socket) ferry_socket_adopt_from(FERRY_HERE, loop, handle, ret_socket)
FERRY_API ferry_status ferry_socket_adopt_from(const char *origin, ferry_loop *loop, intptr_t handle,
                                               ferry_socket **ret_socket);

/* One more, one less reference; both take NULL. The last one closes a socket that is still open. Thread: loop. */
FERRY_API ferry_socket *ferry_socket_ref(ferry_socket *socket);
FERRY_API void ferry_socket_unref(ferry_socket *socket);
FERRY_AUTO_BY(ferry_socket, ferry_socket_unref)

/* Closes the socket and gives one reference back; takes NULL (`socket.close`). Operations that are not done are
 * cancelled, as their futures would be; the handle is closed when the last of them is, or at once. Whoever still holds
 * a reference gets FERRY_ECLOSED for every call from now on. Bytes that a sendall was done with are still delivered.
 * Closing a loop closes its sockets, and ends their futures before it returns.
 *
 * Thread: loop. */
FERRY_API void ferry_socket_close(ferry_socket *socket);

/* Whether it was closed, or belongs to a closed loop. Thread: loop. */
FERRY_API bool ferry_socket_is_closed(const ferry_socket *socket);

/* The OS handle, borrowed; -1 once it is closed. Thread: loop. */
FERRY_API intptr_t ferry_socket_handle(const ferry_socket *socket);

FERRY_API ferry_loop *ferry_socket_loop(const ferry_socket *socket); /* Thread: loop. */
FERRY_API const char *ferry_socket_origin(const ferry_socket *socket); /* Where it was made. Thread: loop. */

/* Names the socket's own end (`bind`); port 0: one that is free.
 *
 * Returns: 0, APR_EINVAL, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED, or what the system said.
 * Thread:  loop. */
FERRY_API ferry_status ferry_socket_bind(ferry_socket *socket, const ferry_address *address);

/* Lets connections come (`listen`); a backlog that is not positive is as large as the system allows.
 * Returns: as bind. Thread: loop. */
FERRY_API ferry_status ferry_socket_listen(ferry_socket *socket, int backlog);

/* The address of this end, and of the other one (`getsockname`, `getpeername`). Returns: as bind. Thread: loop. */
FERRY_API ferry_status ferry_socket_local_address(const ferry_socket *socket, ferry_address *ret_address);
FERRY_API ferry_status ferry_socket_peer_address(const ferry_socket *socket, ferry_address *ret_address);

/* Returns: as bind; FERRY_ENOTSUP (not on this system). Thread: loop. */
FERRY_API ferry_status ferry_socket_set_option(ferry_socket *socket, ferry_socket_option option, int value);
FERRY_API ferry_status ferry_socket_get_option(const ferry_socket *socket, ferry_socket_option option, int *ret_value);

/* Says that no more bytes will be sent (`shutdown(SHUT_WR)`): the other side reads the end behind those that were.
 *
 * Returns: as bind; FERRY_EINVALIDSTATE (an operation that sends is not done yet).
 * Thread:  loop. */
FERRY_API ferry_status ferry_socket_shutdown_write(ferry_socket *socket);

/* ---- operations ----
 *
 * Each makes a future in *ret_future, which is one reference; ret_future may be NULL if nobody asks: an error then goes
 * to the exception handler. Each
 *
 * Returns: 0, APR_EINVAL (also an address of no family), APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED.
 *          What the system says comes through the future.
 * Thread:  loop. */

/* Connects (`loop.sock_connect`; the address is a number, no name is looked up).
 *
 * Resolves: without a value; or with what the system said, FERRY_ECANCELED: then the socket is closed, and another try
 *           needs another socket.
 * Thread:   loop. */
#define ferry_sock_connect(socket, address, ret_future) \
    ferry_sock_connect_from(FERRY_HERE, socket, address, ret_future)
FERRY_API ferry_status ferry_sock_connect_from(const char *origin, ferry_socket *socket, const ferry_address *address,
                                               ferry_future **ret_future);

/* Takes the next connection of a listener (`loop.sock_accept`).
 *
 * Resolves: with a ferry_socket: ferry_future_take_pointer it, or it is closed with the future. Or with what the system
 *           said, APR_ENOMEM, FERRY_ECANCELED.
 * Thread:   loop. */
#define ferry_sock_accept(socket, ret_future) ferry_sock_accept_from(FERRY_HERE, socket, ret_future)
FERRY_API ferry_status ferry_sock_accept_from(const char *origin, ferry_socket *socket, ferry_future **ret_future);

/* Receives up to `size` bytes, at least 1 (`loop.sock_recv_into`). Of a datagram socket: one datagram, as
 * ferry_sock_recvfrom does that is not asked from where; it may be empty.
 *
 * Resolves: with their number, as an integer, at least 1; or with APR_EOF at the end of the stream, what the system
 *           said, FERRY_ECANCELED.
 * Thread:   loop. */
#define ferry_sock_recv(socket, buffer, size, ret_future) \
    ferry_sock_recv_from(FERRY_HERE, socket, buffer, size, ret_future)
FERRY_API ferry_status ferry_sock_recv_from(const char *origin, ferry_socket *socket, void *buffer, size_t size,
                                            ferry_future **ret_future);

/* Sends all of the `size` bytes, behind those of earlier calls (`loop.sock_sendall`). A size of 0 is done at once.
 *
 * Resolves: without a value when the system has taken all bytes, which it often has by the time this returns. Or with
 *           what the system said, FERRY_ECANCELED: then some may have been sent, and nobody knows how many, as with
 *           asyncio. Later calls send their own bytes all the same.
 * Thread:   loop. */
#define ferry_sock_sendall(socket, data, size, ret_future) \
    ferry_sock_sendall_from(FERRY_HERE, socket, data, size, ret_future)
FERRY_API ferry_status ferry_sock_sendall_from(const char *origin, ferry_socket *socket, const void *data, size_t size,
                                               ferry_future **ret_future);

/* Receives one datagram (`loop.sock_recvfrom_into`). `ret_address`, if it is not NULL, is where the sender's address
 * goes; it must live as long as the buffer.
 *
 * Resolves: with the number of bytes, as an integer; 0 is an empty datagram. Or with FERRY_ETRUNCATED (it was longer
 *           than the buffer, and is gone), what the system said (also about a datagram sent earlier, such as
 *           ECONNREFUSED; the socket goes on working), FERRY_ECANCELED.
 * Thread:   loop. */
#define ferry_sock_recvfrom(socket, buffer, size, ret_address, ret_future) \
    ferry_sock_recvfrom_from(FERRY_HERE, socket, buffer, size, ret_address, ret_future)
FERRY_API ferry_status ferry_sock_recvfrom_from(const char *origin, ferry_socket *socket, void *buffer, size_t size,
                                                ferry_address *ret_address, ferry_future **ret_future);

/* Sends one datagram, of 0 bytes or more (`loop.sock_sendto`); address NULL: to where the socket is connected.
 *
 * Resolves: with the number of bytes, as an integer; or with what the system said (also about an earlier one),
 *           FERRY_ECANCELED.
 * Thread:   loop. */
#define ferry_sock_sendto(socket, data, size, address, ret_future) \
    ferry_sock_sendto_from(FERRY_HERE, socket, data, size, address, ret_future)
FERRY_API ferry_status ferry_sock_sendto_from(const char *origin, ferry_socket *socket, const void *data, size_t size,
                                              const ferry_address *address, ferry_future **ret_future);

/* ---- readers and writers ---- */

/* Has `callback` called whenever a read, or a write, of `handle` would not block, until it is removed
 * (`loop.add_reader`, `loop.add_writer`): also at the end of the stream, and again and again as long as nobody reads.
 * A second call for the same handle and direction replaces the first. Cancelling the ferry_handle ends it, too.
 *
 * Owns:    the handle (a file descriptor, or on Windows a SOCKET) stays yours and stays as it is: remove its reader and
 *          writer before you close it. That of a ferry_socket of the same loop is refused where the system
 *          can tell (EEXIST). *ret_handle as ferry_call_soon's.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ECLOSED, FERRY_EWRONGTHREAD, FERRY_EFORKED, FERRY_ENOTSUP, or what the
 *          system said (EPERM: no kind of file that can be waited for; EBADF; EEXIST).
 * Thread:  loop. */
#define ferry_add_reader(loop, handle, callback, arg, ret_handle) \
    ferry_add_reader_from(FERRY_HERE, loop, handle, callback, arg, ret_handle)
FERRY_API ferry_status ferry_add_reader_from(const char *origin, ferry_loop *loop, intptr_t handle,
                                             ferry_callback *callback, void *arg, ferry_handle **ret_handle);
#define ferry_add_writer(loop, handle, callback, arg, ret_handle) \
    ferry_add_writer_from(FERRY_HERE, loop, handle, callback, arg, ret_handle)
FERRY_API ferry_status ferry_add_writer_from(const char *origin, ferry_loop *loop, intptr_t handle,
                                             ferry_callback *callback, void *arg, ferry_handle **ret_handle);

/* Takes it back (`loop.remove_reader`, `loop.remove_writer`): the callback will not run any more. Returns whether there
 * was one; false on a closed loop. Thread: loop. */
FERRY_API bool ferry_remove_reader(ferry_loop *loop, intptr_t handle);
FERRY_API bool ferry_remove_writer(ferry_loop *loop, intptr_t handle);

#ifdef __cplusplus
}
#endif
#endif
