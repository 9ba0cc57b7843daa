/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the simulated network. It has one machine, whose addresses are all of 127.0.0.0/8, and ::1; ports are given
 * in turn, so that one that was just closed is not met again soon. */
#include <apr_errno.h>
#include <errno.h>
#include <string.h>

#include "sim/socket.h"

enum { PORT_FIRST = 49152, PORT_LAST = 65535, IP4_LOOPBACK_NET = 127 };

static const uint8_t any[16];
static const uint8_t loopback4[16] = {IP4_LOOPBACK_NET, 0, 0, 1};
static const uint8_t loopback6[16] = {[15] = 1};

/* How many of an address's bytes count. */
static size_t ip_size(const ferry_address *address) {
    return address->family == FERRY_INET ? 4 : sizeof address->ip;
}

static bool is_same_ip(const ferry_address *address, const uint8_t *ip) {
    return !memcmp(address->ip, ip, ip_size(address));
}

static bool is_any(const ferry_address *address) {
    return is_same_ip(address, any);
}

static bool is_loopback(const ferry_address *address) {
    return address->family == FERRY_INET ? address->ip[0] == IP4_LOOPBACK_NET : is_same_ip(address, loopback6);
}

static void set_loopback(ferry_address *address) {
    memcpy(address->ip, address->family == FERRY_INET ? loopback4 : loopback6, sizeof address->ip);
}

ferry_address fy_sim_as_seen(const ferry_address *address) {
    ferry_address seen = *address;
    if (is_any(address))
        set_loopback(&seen);
    return seen;
}

bool fy_sim_is_same_name(const ferry_address *one, const ferry_address *other) {
    return one->family == other->family && one->port == other->port && is_same_ip(one, other->ip);
}

bool fy_sim_is_reachable(const fy_sim_socket *socket, const ferry_address *address) {
    return address->family == socket->family && address->port && (is_any(address) || is_loopback(address));
}

/* Whether what is sent to `to` reaches who is bound to `bound`. To send to no address means this machine. */
static bool reaches(const ferry_address *bound, const ferry_address *to) {
    if (bound->family != to->family || bound->port != to->port)
        return false;
    ferry_address target = fy_sim_as_seen(to);
    return is_any(bound) || is_same_ip(bound, target.ip);
}

fy_sim_socket *fy_sim_find_bound(fy_sim *self, const ferry_address *address, fy_socket_type type, bool listening) {
    for (size_t i = 0; i < self->sockets.count; i++) {
        fy_sim_socket *socket = self->sockets.items[i];
        if (socket && socket->type == type && !socket->is_accepted && reaches(&socket->local, address) &&
            (!listening || socket->state == FY_SIM_LISTENING))
            return socket;
    }
    return NULL;
}

/* ---- binding ---- */

/* Two may have one name if both say so; or, of streams, if neither listens and both say that they may be reused. */
static bool may_share(const fy_sim_socket *one, const fy_sim_socket *other) {
    if (one->options[FY_SOCKET_REUSE_PORT] && other->options[FY_SOCKET_REUSE_PORT])
        return true;
    return one->options[FY_SOCKET_REUSE_ADDRESS] && other->options[FY_SOCKET_REUSE_ADDRESS] &&
           one->state != FY_SIM_LISTENING && other->state != FY_SIM_LISTENING;
}

static bool is_taken(fy_sim *self, const fy_sim_socket *socket, const ferry_address *address) {
    for (size_t i = 0; i < self->sockets.count; i++) {
        const fy_sim_socket *other = self->sockets.items[i];
        if (other && other != socket && other->type == socket->type && !other->is_accepted &&
            other->local.port == address->port && other->local.family == address->family &&
            (is_any(&other->local) || is_any(address) || is_same_ip(&other->local, address->ip)) &&
            !may_share(socket, other))
            return true;
    }
    return false;
}

static ferry_status choose_port(fy_sim *self, const fy_sim_socket *socket, ferry_address *address) {
    for (int tries = PORT_FIRST; tries <= PORT_LAST; tries++) {
        bool is_within = self->last_port >= PORT_FIRST && self->last_port < PORT_LAST;
        self->last_port = is_within ? (uint16_t)(self->last_port + 1) : PORT_FIRST;
        address->port = self->last_port;
        if (!is_taken(self, socket, address))
            return 0;
    }
    return EADDRINUSE;
}

ferry_status fy_sim_bind(fy_sim *self, fy_sim_socket *socket, const ferry_address *address) {
    ferry_address local = *address;
    if (socket->local.family)
        return APR_EINVAL;
    if (address->family != socket->family)
        return APR_EAFNOSUPPORT;
    if (!is_any(address) && !is_loopback(address))
        return EADDRNOTAVAIL;
    ferry_status status = 0;
    if (!local.port)
        status = choose_port(self, socket, &local);
    else if (is_taken(self, socket, &local))
        status = EADDRINUSE;
    if (!status)
        socket->local = local;
    return status;
}

ferry_status fy_sim_bind_any(fy_sim *self, fy_sim_socket *socket, bool on_loopback) {
    ferry_address address = {.family = (uint16_t)socket->family};
    if (socket->local.family)
        return 0;
    if (on_loopback)
        set_loopback(&address);
    return fy_sim_bind(self, socket, &address);
}
