/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated datagrams: what is sent lies in its receiver's queue at once, or is lost, when the seed says so, when the
 * queue is full, and when nobody is bound there. Of the latter a connected sender is told by its next op. */
#include <apr_errno.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/socket.h"

enum { DATAGRAM_MAX = 65507 };

typedef struct datagram {
    fy_node node;
    ferry_address from;
    size_t size;
    char bytes[];
} datagram;

void fy_sim_datagram_close(fy_sim_socket *socket) {
    for (fy_node *node; (node = fy_list_pop(&socket->queue));)
        fy_free(FY_CONTAINER(node, datagram, node));
    socket->local = (ferry_address){0};
}

bool fy_sim_datagram_is_ready(const fy_sim_socket *socket, const fy_op *op) {
    bool receives = op->kind == FY_OP_READ || op->kind == FY_OP_RECVFROM || op->kind == FY_OP_POLL_IN;
    return !receives || socket->complaint || !fy_list_is_empty(&socket->queue);
}

static ferry_status take_complaint(fy_sim_socket *socket) {
    ferry_status complaint = socket->complaint;
    socket->complaint = 0;
    return complaint;
}

static ferry_status receive(fy_sim_socket *socket, fy_op *op) {
    ferry_status status = take_complaint(socket);
    if (status)
        return status;
    datagram *message = FY_CONTAINER(fy_list_pop(&socket->queue), datagram, node);
    socket->queued -= sizeof *message + message->size;
    if (message->size > op->size) {
        status = FERRY_ETRUNCATED;
    } else {
        op->count = message->size;
        if (op->count)
            memcpy(op->buffer, message->bytes, op->count);
        if (op->address)
            *op->address = message->from;
    }
    fy_free(message);
    return status;
}

/* Nobody there is told of a full queue. */
static ferry_status queue(fy_sim_socket *receiver, const fy_sim_socket *sender, const fy_op *op) {
    ferry_address from = fy_sim_as_seen(&sender->local);
    if (receiver->peer.family && !fy_sim_is_same_name(&receiver->peer, &from))
        return 0;
    if (receiver->queued + sizeof(datagram) + op->size > (size_t)receiver->options[FY_SOCKET_RECEIVE_BUFFER])
        return 0;
    datagram *message = fy_malloc(sizeof *message + op->size);
    if (!message)
        return APR_ENOMEM;
    message->from = from;
    message->size = op->size;
    if (op->size)
        memcpy(message->bytes, op->data, op->size);
    receiver->queued += sizeof *message + op->size;
    fy_list_push(&receiver->queue, &message->node);
    return 0;
}

static ferry_status send_to(fy_sim *self, fy_sim_socket *socket, fy_op *op, const ferry_address *to) {
    ferry_status status = take_complaint(socket);
    if (status)
        return status;
    if (!to->family)
        return EDESTADDRREQ;
    if (op->size > DATAGRAM_MAX)
        return EMSGSIZE;
    if (!fy_sim_is_reachable(socket, to))
        return to->family == socket->family ? APR_ENETUNREACH : APR_EAFNOSUPPORT;
    status = fy_sim_bind_any(self, socket, true);
    if (status)
        return status;
    op->count = op->size;
    if (fy_sim_fails(self, self->options.datagram_loss_rate))
        return 0;
    fy_sim_socket *receiver = fy_sim_find_bound(self, to, FY_SOCKET_DATAGRAM, false);
    if (!receiver) {
        socket->complaint = socket->peer.family ? APR_ECONNREFUSED : 0;
        return 0;
    }
    return queue(receiver, socket, op);
}

static ferry_status connect_datagrams(fy_sim *self, fy_sim_socket *socket, const ferry_address *address) {
    if (!fy_sim_is_reachable(socket, address))
        return address->family == socket->family ? APR_ENETUNREACH : APR_EAFNOSUPPORT;
    ferry_status status = fy_sim_bind_any(self, socket, true);
    if (!status)
        socket->peer = fy_sim_as_seen(address);
    return status;
}

void fy_sim_datagram_perform(fy_sim *self, fy_sim_socket *socket, fy_op *op) {
    switch (op->kind) {
    case FY_OP_READ:
        op->address = NULL;
        op->status = receive(socket, op);
        break;
    case FY_OP_RECVFROM:
        op->status = receive(socket, op);
        break;
    case FY_OP_WRITE:
        op->status = send_to(self, socket, op, &socket->peer);
        break;
    case FY_OP_SENDTO:
        op->status = send_to(self, socket, op, op->address ? op->address : &socket->peer);
        break;
    case FY_OP_CONNECT:
        op->status = connect_datagrams(self, socket, op->address);
        break;
    case FY_OP_ACCEPT:
        op->status = APR_EINVAL;
        break;
    default:
        op->status = 0; /* it is ready */
    }
}
