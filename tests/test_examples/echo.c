/* SPDX-License-Identifier: Apache-2.0 */
/* The example echo: a server as one process, clients as others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"
#include "test_examples/program.h"

static program server, client;
static char port[16];

/* Starts a server for so many connections and learns its port. */
static void start_server(const char *connections) {
    static const char said[] = "echo: listening on 127.0.0.1:";
    program_start(&server, NULL, (const char *const[]){EXAMPLE("echo"), "serve", "0", connections, NULL});
    program_wait_for(&server, said);
    program_wait_for(&server, "\n");
    const char *number = strstr(server.errors, said) + strlen(said);
    snprintf(port, sizeof port, "%ld", strtol(number, NULL, 10));
}

static void text_comes_back(void) {
    start_server("2");
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "send", port, "Hello, world!");
    CHECK_INT(client.code, 0);
    CHECK_STRING(client.output, "Hello, world!\n");
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "send", port, "again");
    CHECK_INT(client.code, 0);
    CHECK_STRING(client.output, "again\n");
    program_finish(&server);
    CHECK_INT(server.code, 0);
    CHECK_INT(count_lines(server.output, "2 connections, 18 bytes"), 1);
}

/* As long as an argument may be: Windows takes 32,767 characters for a whole command line. */
static void long_text_comes_back_whole(void) {
    static char text[30001];
    memset(text, 'x', sizeof text - 1);
    start_server("1");
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "send", port, text);
    CHECK_INT(client.code, 0);
    CHECK_INT(count_lines(client.output, text), 1);
    program_finish(&server);
    CHECK_INT(count_lines(server.output, "1 connections, 30000 bytes"), 1);
}

static void client_without_a_server_says_so(void) {
    start_server("1");
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "send", port, "last");
    program_finish(&server);
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "send", port, "nobody");
    CHECK_INT(client.code, 1);
    CHECK(strstr(client.errors, "echo: "));
}

static void wrong_words_are_refused(void) {
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"));
    CHECK_INT(client.code, 2);
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "shout", "1");
    CHECK_INT(client.code, 2);
    PROGRAM_RUN(&client, NULL, EXAMPLE("echo"), "serve", "65536");
    CHECK_INT(client.code, 2);
    CHECK(strstr(client.errors, "usage: echo"));
}

static const fy_test tests[] = {
    FY_TEST(text_comes_back),
    FY_TEST(long_text_comes_back_whole),
    FY_TEST(client_without_a_server_says_so),
    FY_TEST(wrong_words_are_refused),
};

FY_TEST_MAIN("example_echo", tests)
