/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text, by our own strict rules and not the system's, so that every system reads and writes the same: IPv4
 * as four decimal numbers without leading zeros, IPv6 by RFC 4291, written by RFC 5952. It knows no names and no
 * sockets. */
#include "ferry/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS = 8, IPV4_BYTES = 4, IPV6_BYTES = 16 };

/* ---- reading ---- */

/* A decimal number without leading zeros that is at most `limit`; NULL if there is none, else what comes behind. */
static const char *read_decimal(const char *text, uint32_t limit, uint32_t *ret_value) {
    uint64_t value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (digit > text && !value)
            return NULL;
        value = value * 10 + (uint64_t)(*digit - '0');
        if (value > limit)
            return NULL;
    }
    *ret_value = (uint32_t)value;
    return digit > text ? digit : NULL;
}

/* All of the text is four numbers with dots between them. */
static bool read_ipv4(const char *text, uint8_t ip[IPV4_BYTES]) {
    for (int i = 0; i < IPV4_BYTES; i++) {
        uint32_t value;
        text = read_decimal(text, UINT8_MAX, &value);
        if (!text || *text != (i < IPV4_BYTES - 1 ? '.' : '\0'))
            return false;
        text++;
        ip[i] = (uint8_t)value;
    }
    return true;
}

static int hex_value(char character) {
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/* One to four hexadecimal digits; NULL if there are none or more, else what comes behind. */
static const char *read_group(const char *text, uint16_t *ret_group) {
    unsigned value = 0;
    const char *digit = text;
    for (; hex_value(*digit) >= 0; digit++) {
        if (digit - text == 4)
            return NULL;
        value = value * 16 + (unsigned)hex_value(*digit);
    }
    *ret_group = (uint16_t)value;
    return digit > text ? digit : NULL;
}

typedef struct ipv6_reader {
    uint16_t groups[GROUPS];
    int count;
    int gap; /* how many groups stand before the "::"; -1: there is none */
} ipv6_reader;

/* The last 32 bits may be written as IPv4. */
static bool read_ipv4_tail(ipv6_reader *reader, const char *text) {
    uint8_t ip[IPV4_BYTES];
    if (reader->count > GROUPS - 2 || !read_ipv4(text, ip))
        return false;
    reader->groups[reader->count++] = (uint16_t)(ip[0] << 8 | ip[1]);
    reader->groups[reader->count++] = (uint16_t)(ip[2] << 8 | ip[3]);
    return true;
}

static bool read_groups(ipv6_reader *reader, const char *text) {
    if (text[0] == ':' && text[1] == ':') {
        reader->gap = 0;
        text += 2;
    }
    while (*text) {
        const char *behind = reader->count < GROUPS ? read_group(text, &reader->groups[reader->count]) : NULL;
        if (behind && *behind == '.')
            return read_ipv4_tail(reader, text);
        if (!behind || (*behind && *behind != ':'))
            return false;
        reader->count++;
        if (!*behind)
            break;
        text = behind + 1;
        if (*text == ':' && reader->gap < 0) {
            reader->gap = reader->count;
            text++;
        } else if (!*text) {
            return false;
        }
    }
    return true;
}

/* A "::" stands for at least one group. */
static bool read_ipv6(const char *text, uint8_t ip[IPV6_BYTES]) {
    ipv6_reader reader = {.gap = -1};
    if (!read_groups(&reader, text) || (reader.gap < 0 ? reader.count != GROUPS : reader.count >= GROUPS))
        return false;
    int zeros = GROUPS - reader.count;
    for (int i = 0; i < GROUPS; i++) {
        bool is_before = reader.gap < 0 || i < reader.gap;
        unsigned group = is_before ? reader.groups[i] : i < reader.gap + zeros ? 0 : reader.groups[i - zeros];
        ip[i * 2] = (uint8_t)(group >> 8);
        ip[i * 2 + 1] = (uint8_t)(group & 0xff);
    }
    return true;
}

static bool read_scoped_ipv6(const char *text, ferry_address *address) {
    char ip[FERRY_ADDRESS_TEXT_MAX];
    const char *percent = strchr(text, '%');
    size_t length = percent ? (size_t)(percent - text) : strlen(text);
    if (length >= sizeof ip)
        return false;
    memcpy(ip, text, length);
    ip[length] = '\0';
    if (percent) {
        const char *end = read_decimal(percent + 1, UINT32_MAX, &address->scope_id);
        if (!end || *end || !address->scope_id)
            return false;
    }
    return read_ipv6(ip, address->ip);
}

ferry_status ferry_address_parse(const char *ip, uint16_t port, ferry_address *ret_address) {
    ferry_address address = {.port = port};
    if (!ip || !ret_address)
        return EINVAL;
    if (read_ipv4(ip, address.ip)) {
        address.family = FERRY_INET;
    } else {
        memset(address.ip, 0, sizeof address.ip);
        if (!read_scoped_ipv6(ip, &address))
            return EINVAL;
        address.family = FERRY_INET6;
    }
    *ret_address = address;
    return 0;
}

/* ---- writing ---- */

static char *write_ipv4(char *text, const uint8_t ip[IPV4_BYTES]) {
    return text + snprintf(text, sizeof "255.255.255.255", "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
}

/* The first of the longest runs of zero groups; two at least. Returns its length, or 0. */
static int find_gap(const uint16_t groups[GROUPS], int *ret_first) {
    int longest = 0;
    for (int i = 0, run = 0; i < GROUPS; i++) {
        run = groups[i] ? 0 : run + 1;
        if (run > longest) {
            longest = run;
            *ret_first = i - run + 1;
        }
    }
    return longest > 1 ? longest : 0;
}

static char *write_groups(char *text, const uint16_t groups[GROUPS]) {
    int first = GROUPS;
    int length = find_gap(groups, &first);
    for (int i = 0; i < GROUPS; i++) {
        if (length && i == first) {
            *text++ = ':';
            *text++ = ':';
            i += length - 1;
        } else {
            bool needs_colon = i > 0 && !(length && i == first + length);
            text += snprintf(text, sizeof ":ffff", "%s%x", needs_colon ? ":" : "", groups[i]);
        }
    }
    return text;
}

/* Addresses of IPv4 inside of IPv6 show themselves as such. */
static char *write_ipv6(char *text, const uint8_t ip[IPV6_BYTES]) {
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint16_t groups[GROUPS];
    if (!memcmp(ip, mapped, sizeof mapped)) {
        memcpy(text, "::ffff:", 7);
        return write_ipv4(text + 7, ip + sizeof mapped);
    }
    for (int i = 0; i < GROUPS; i++)
        groups[i] = (uint16_t)(ip[i * 2] << 8 | ip[i * 2 + 1]);
    return write_groups(text, groups);
}

static void write_address(char whole[FERRY_ADDRESS_TEXT_MAX], const ferry_address *address) {
    char *end = whole;
    if (address->family == FERRY_INET) {
        end = write_ipv4(end, address->ip);
    } else {
        *end++ = '[';
        end = write_ipv6(end, address->ip);
        if (address->scope_id)
            end += snprintf(end, sizeof "%4294967295", "%%%lu", (unsigned long)address->scope_id);
        *end++ = ']';
    }
    snprintf(end, sizeof ":65535", ":%u", (unsigned)address->port);
}

char *ferry_address_format(const ferry_address *address, char *text, size_t size) {
    char whole[FERRY_ADDRESS_TEXT_MAX] = "none";
    if (!text || !size)
        return text;
    if (address && (address->family == FERRY_INET || address->family == FERRY_INET6))
        write_address(whole, address);
    snprintf(text, size, "%s", whole);
    return text;
}

bool ferry_address_equal(const ferry_address *a, const ferry_address *b) {
    if (!a || !b)
        return a == b;
    size_t bytes = a->family == FERRY_INET6 ? IPV6_BYTES : a->family == FERRY_INET ? IPV4_BYTES : 0;
    return a->family == b->family && a->port == b->port && a->scope_id == b->scope_id &&
           memcmp(a->ip, b->ip, bytes) == 0;
}
