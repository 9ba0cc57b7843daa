/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text: what is read, what is refused, how they are written. */
#include "ferry/address.h"

#include <apr_errno.h>
#include <string.h>

#include "support/harness.h"

typedef struct spelling {
    const char *text;
    const char *written; /* with the port 80; NULL: refused */
} spelling;

static void check_spellings(const spelling *spellings, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char text[FERRY_ADDRESS_TEXT_MAX];
        ferry_address address = {.family = 77};
        ferry_status status = ferry_address_parse(spellings[i].text, 80, &address);
        if (spellings[i].written) {
            CHECK_STATUS(status, 0);
            CHECK_STRING(ferry_address_format(&address, text, sizeof text), spellings[i].written);
        } else {
            if (!status)
                CHECK_STRING(spellings[i].text, "refused");
            CHECK_STATUS(status, APR_EINVAL);
            CHECK_INT(address.family, 77);
        }
    }
}

#define CHECK_SPELLINGS(table) check_spellings(table, sizeof table / sizeof table[0])

static void ipv4_is_four_plain_numbers(void) {
    static const spelling table[] = {
        {"127.0.0.1", "127.0.0.1:80"}, {"0.0.0.0", "0.0.0.0:80"},   {"255.255.255.255", "255.255.255.255:80"},
        {"1.2.3", NULL},               {"1.2.3.4.5", NULL},         {"1.2.3.256", NULL},
        {"01.2.3.4", NULL},            {"1.2.3.00", NULL},          {"1.2.3.4 ", NULL},
        {" 1.2.3.4", NULL},            {"1.2.3.", NULL},            {".1.2.3", NULL},
        {"1..2.3", NULL},              {"1.2.3.-4", NULL},          {"0x1.2.3.4", NULL},
        {"1.2.3.4%1", NULL},           {"1.2.3.99999999999", NULL}, {"2130706433", NULL},
        {"", NULL},                    {"localhost", NULL},         {"127.0.0.1:80", NULL},
    };
    CHECK_SPELLINGS(table);
}

static void ipv6_is_read_in_every_form(void) {
    static const spelling table[] = {
        {"::", "[::]:80"},
        {"::1", "[::1]:80"},
        {"1::", "[1::]:80"},
        {"2001:db8::1", "[2001:db8::1]:80"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:80"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:db8::1]:80"},
        {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
        {"1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]:80"},
        {"::2:3:4:5:6:7:8", "[0:2:3:4:5:6:7:8]:80"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80"},
        {"::ffff:c000:201", "[::ffff:192.0.2.1]:80"},
        {"64:ff9b::192.0.2.33", "[64:ff9b::c000:221]:80"},
        {"1:2:3:4:5:6:1.2.3.4", "[1:2:3:4:5:6:102:304]:80"},
        {"fe80::1%2", "[fe80::1%2]:80"},
        {"fe80::1%4294967295", "[fe80::1%4294967295]:80"},
    };
    CHECK_SPELLINGS(table);
}

static void the_longest_run_of_zeros_is_cut_and_the_first_of_equals(void) {
    static const spelling table[] = {
        {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80"},
        {"2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80"},
        {"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80"},
        {"0:0:1:0:0:0:0:0", "[0:0:1::]:80"},
        {"0:0:0:0:0:0:0:0", "[::]:80"},
    };
    CHECK_SPELLINGS(table);
}

static void what_is_no_ipv6_is_refused(void) {
    static const spelling table[] = {
        {":", NULL},          {":::", NULL},           {"1:2:3:4:5:6:7", NULL},     {"1:2:3:4:5:6:7:8:9", NULL},
        {"1::2::3", NULL},    {"1:2:3:4::5:6:7:8", NULL}, {"::1:2:3:4:5:6:7:8", NULL}, {":1:2:3:4:5:6:7:8", NULL},
        {"1:2:3:4:5:6:7:8:", NULL}, {"1:", NULL},      {"12345::", NULL},           {"g::", NULL},
        {"::1.2.3", NULL},    {"::1.2.3.4:5", NULL},   {"1:2:3:4:5:6:7:1.2.3.4", NULL}, {"[::1]", NULL},
        {"::1%", NULL},       {"::1%0", NULL},         {"::1%01", NULL},            {"::1%eth0", NULL},
        {"::1%4294967296", NULL}, {"::1%1%1", NULL},   {"%1", NULL},                {"::1 ", NULL},
        {"0000000000000000000000000000000000000000000000000000000000000000000000000000000000::", NULL},
    };
    CHECK_SPELLINGS(table);
}

static void a_text_that_does_not_fit_is_cut(void) {
    char text[6] = "12345";
    ferry_address address;
    CHECK_STATUS(ferry_address_parse("127.0.0.1", 80, &address), 0);
    CHECK_STRING(ferry_address_format(&address, text, sizeof text), "127.0");
    text[0] = 'x';
    CHECK(ferry_address_format(&address, text, 0) == text);
    CHECK_INT(text[0], 'x');
    CHECK(!ferry_address_format(&address, NULL, 9));
}

static void the_longest_text_has_room(void) {
    char text[FERRY_ADDRESS_TEXT_MAX];
    ferry_address address = {.family = FERRY_INET6, .port = UINT16_MAX, .scope_id = UINT32_MAX};
    memset(address.ip, 0xfe, sizeof address.ip);
    ferry_address_format(&address, text, sizeof text);
    CHECK_STRING(text, "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe%4294967295]:65535");
}

static void no_address_is_told_so(void) {
    char text[FERRY_ADDRESS_TEXT_MAX];
    CHECK_STRING(ferry_address_format(&(ferry_address){0}, text, sizeof text), "none");
    CHECK_STRING(ferry_address_format(NULL, text, sizeof text), "none");
    CHECK_STATUS(ferry_address_parse(NULL, 1, &(ferry_address){0}), APR_EINVAL);
    CHECK_STATUS(ferry_address_parse("::1", 1, NULL), APR_EINVAL);
}

static void equal_is_same_family_address_scope_and_port(void) {
    ferry_address a, b;
    CHECK_STATUS(ferry_address_parse("fe80::1%2", 80, &a), 0);
    b = a;
    b.flow_info = 7;
    CHECK(ferry_address_equal(&a, &b));
    b.scope_id = 3;
    CHECK(!ferry_address_equal(&a, &b));
    b = a;
    b.port = 81;
    CHECK(!ferry_address_equal(&a, &b));
    b = a;
    b.ip[15] = 2;
    CHECK(!ferry_address_equal(&a, &b));
    CHECK_STATUS(ferry_address_parse("1.2.3.4", 80, &a), 0);
    b = a;
    b.ip[4] = 9; /* behind an IPv4 address nothing counts */
    CHECK(ferry_address_equal(&a, &b));
    b.family = FERRY_INET6;
    CHECK(!ferry_address_equal(&a, &b));
    CHECK(!ferry_address_equal(&a, NULL));
    CHECK(ferry_address_equal(&(ferry_address){0}, &(ferry_address){0}));
}

static const fy_test tests[] = {
    FY_TEST(ipv4_is_four_plain_numbers),
    FY_TEST(ipv6_is_read_in_every_form),
    FY_TEST(the_longest_run_of_zeros_is_cut_and_the_first_of_equals),
    FY_TEST(what_is_no_ipv6_is_refused),
    FY_TEST(a_text_that_does_not_fit_is_cut),
    FY_TEST(the_longest_text_has_room),
    FY_TEST(no_address_is_told_so),
    FY_TEST(equal_is_same_family_address_scope_and_port),
};

FY_TEST_MAIN("address", tests)
