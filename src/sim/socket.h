/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network's sockets, as those files see them that make up the network. */
#ifndef FERRY_SIM_SOCKET_H
#define FERRY_SIM_SOCKET_H

#include "sim/sim.h"

/* One direction of a connection. Two sockets have it. */
typedef struct fy_sim_pipe {
    unsigned refs;
    char *bytes;
    size_t begin;
    size_t count;
    size_t capacity;
    size_t limit;        /* how many bytes it holds at most */
    bool has_ended;      /* its writer writes no more */
    bool is_unread;      /* its reader reads no more */
    bool is_refused;     /* and its writer has been told so */
    bool is_reset;
} fy_sim_pipe;

typedef enum fy_sim_state { FY_SIM_FRESH, FY_SIM_LISTENING, FY_SIM_CONNECTED } fy_sim_state;

struct fy_sim_socket {
    fy_node node;           /* in a listener's queue */
    unsigned refs;          /* the table's or the queue's, and its file's */
    size_t number;          /* of its handle */
    bool is_attached;
    bool is_closed;
    bool is_accepted;       /* made by a listener, whose port it shares */
    fy_sim_state state;
    ferry_family family;
    fy_socket_type type;
    ferry_address local;    /* family 0: none */
    ferry_address peer;     /* likewise */
    int options[FY_SOCKET_OPTIONS];
    fy_sim_pipe *in, *out;  /* a stream's, connected */
    fy_list queue;          /* a listener's: connected sockets; a datagram socket's: what has come in */
    size_t queued;          /* sockets, or bytes */
    size_t backlog;
    ferry_status complaint; /* about an earlier datagram */
};

/* ---- socket.c: sockets and their handles ---- */

/* Without a handle. NULL: no memory. */
fy_sim_socket *fy_sim_socket_create(ferry_family family, fy_socket_type type);

/* Gives it a handle. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_socket_give_handle(fy_sim *self, fy_sim_socket *socket);

fy_handle fy_sim_socket_handle(const fy_sim_socket *socket);

/* NULL: no such handle. */
fy_sim_socket *fy_sim_socket_find(fy_sim *self, fy_handle handle);

/* A file takes it (EEXIST: one has it already), and lets go of it. */
ferry_status fy_sim_socket_attach(fy_sim_socket *socket);
void fy_sim_socket_detach(fy_sim *self, fy_sim_socket *socket, bool is_owned);

/* Closes the handle, if it has one. A file that still has the socket sees that it is closed. */
void fy_sim_socket_close(fy_sim *self, fy_sim_socket *socket);

/* ---- address.c: names ---- */

/* The socket that is bound to the address and of that type; a listener, if it is to be one. NULL: none. */
fy_sim_socket *fy_sim_find_bound(fy_sim *self, const ferry_address *address, fy_socket_type type, bool listening);

/* Returns: 0, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL (bound already). */
ferry_status fy_sim_bind(fy_sim *self, fy_sim_socket *socket, const ferry_address *address);

/* Binds what is not bound to any free port; on the loopback address if `is_loopback`. */
ferry_status fy_sim_bind_any(fy_sim *self, fy_sim_socket *socket, bool is_loopback);

/* The address as the other side sees it: what is bound to none in particular speaks from the loopback address. */
ferry_address fy_sim_as_seen(const ferry_address *address);

bool fy_sim_is_same_name(const ferry_address *one, const ferry_address *other);

/* Whether a socket of that family can reach it: one of this machine's own addresses. */
bool fy_sim_is_reachable(const fy_sim_socket *socket, const ferry_address *address);

/* ---- stream.c ---- */

/* Connects the two with a pipe each way. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_stream_join(fy_sim_socket *one, fy_sim_socket *other);

/* It is going: its peers learn of it. */
void fy_sim_stream_close(fy_sim *self, fy_sim_socket *socket);

bool fy_sim_stream_is_ready(fy_sim *self, const fy_sim_socket *socket, const fy_op *op);
void fy_sim_stream_perform(fy_sim *self, fy_sim_socket *socket, fy_op *op);

/* ---- datagram.c ---- */

void fy_sim_datagram_close(fy_sim_socket *socket);
bool fy_sim_datagram_is_ready(const fy_sim_socket *socket, const fy_op *op);
void fy_sim_datagram_perform(fy_sim *self, fy_sim_socket *socket, fy_op *op);

#endif
