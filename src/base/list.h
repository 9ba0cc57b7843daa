/* SPDX-License-Identifier: Apache-2.0 */
/* A FIFO of things that carry their own link: no allocation, constant time. It decides the order and nothing else; what
 * the things are, who owns them and when they leave is their owner's affair. A node is in one list at a time. */
#ifndef FERRY_BASE_LIST_H
#define FERRY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fy_node {
    struct fy_node *next;
} fy_node;

/* All zero is the empty list, and a list may be moved by assignment. */
typedef struct fy_list {
    fy_node *head;
    fy_node *tail; /* valid while head is set */
} fy_list;

/* The struct of `type` that holds `node_pointer` as its `member`. */
#define FY_CONTAINER(node_pointer, type, member) ((type *)(void *)((char *)(node_pointer) - offsetof(type, member)))

static inline bool fy_list_is_empty(const fy_list *list) {
    return !list->head;
}

static inline void fy_list_push(fy_list *list, fy_node *node) {
    node->next = NULL;
    if (list->head)
        list->tail->next = node;
    else
        list->head = node;
    list->tail = node;
}

/* The oldest node, or NULL. */
static inline fy_node *fy_list_pop(fy_list *list) {
    fy_node *node = list->head;
    if (node)
        list->head = node->next;
    return node;
}

/* Moves all of `from` behind the last node of `list`. */
static inline void fy_list_append(fy_list *list, fy_list *from) {
    if (!from->head)
        return;
    if (list->head)
        list->tail->next = from->head;
    else
        list->head = from->head;
    list->tail = from->tail;
    from->head = NULL;
}

#endif
