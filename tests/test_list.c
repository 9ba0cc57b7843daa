/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive FIFO: order, emptiness, and lists that are joined. */
#include "base/list.h"

#include "support/harness.h"

typedef struct item {
    int number;
    fy_node node;
} item;

/* Takes the next item, which must be this one. */
static void expect(fy_list *list, int number) {
    fy_node *node = fy_list_pop(list);
    CHECK(node);
    CHECK_INT(FY_CONTAINER(node, item, node)->number, number);
}

static void empty_list_gives_nothing(void) {
    fy_list list = {0};
    CHECK(fy_list_is_empty(&list));
    CHECK(!fy_list_pop(&list));
    CHECK(!fy_list_pop(&list));
}

static void first_in_is_first_out(void) {
    fy_list list = {0};
    item items[] = {{.number = 0}, {.number = 1}, {.number = 2}};
    fy_list_push(&list, &items[0].node);
    fy_list_push(&list, &items[1].node);
    expect(&list, 0);
    fy_list_push(&list, &items[2].node);
    expect(&list, 1);
    expect(&list, 2);
    CHECK(fy_list_is_empty(&list));
}

static void emptied_list_is_as_new(void) {
    fy_list list = {0};
    item items[] = {{.number = 0}, {.number = 1}};
    for (int round = 0; round < 3; round++) {
        fy_list_push(&list, &items[0].node);
        fy_list_push(&list, &items[1].node);
        expect(&list, 0);
        expect(&list, 1);
        fy_list_push(&list, &items[0].node);
        expect(&list, 0);
        CHECK(!fy_list_pop(&list));
    }
}

static void append_moves_all_behind_the_last(void) {
    fy_list list = {0}, other = {0};
    item items[] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    fy_list_append(&list, &other);
    CHECK(fy_list_is_empty(&list));
    fy_list_push(&other, &items[0].node);
    fy_list_append(&list, &other);
    CHECK(fy_list_is_empty(&other));
    fy_list_push(&other, &items[1].node);
    fy_list_push(&other, &items[2].node);
    fy_list_append(&list, &other);
    CHECK(fy_list_is_empty(&other));
    fy_list_append(&list, &other);
    fy_list_push(&list, &items[3].node);
    for (int i = 0; i < 4; i++)
        expect(&list, i);
    CHECK(fy_list_is_empty(&list));
}

static void list_may_be_moved(void) {
    fy_list list = {0}, moved;
    item items[] = {{.number = 0}, {.number = 1}};
    fy_list_push(&list, &items[0].node);
    moved = list;
    fy_list_push(&moved, &items[1].node);
    expect(&moved, 0);
    expect(&moved, 1);
}

static const fy_test tests[] = {
    FY_TEST(empty_list_gives_nothing),
    FY_TEST(first_in_is_first_out),
    FY_TEST(emptied_list_is_as_new),
    FY_TEST(append_moves_all_behind_the_last),
    FY_TEST(list_may_be_moved),
};

FY_TEST_MAIN("list", tests)
