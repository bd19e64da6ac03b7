/* Intrusive doubly linked list with a sentinel. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <base/ensure.h>

struct list_node {
    struct list_node *next, *previous;
};

static inline void list_init(struct list_node *list) { list->next = list->previous = list; }
static inline bool list_empty(const struct list_node *list) { return list->next == list; }
static inline bool list_linked(const struct list_node *node) { return node->next != NULL && node->next != node; }
static inline void list_insert_after(struct list_node *at, struct list_node *node) {
    node->previous = at;
    node->next = at->next;
    at->next->previous = node;
    at->next = node;
}
static inline void list_append(struct list_node *list, struct list_node *node) {
    list_insert_after(list->previous, node);
}
static inline void list_prepend(struct list_node *list, struct list_node *node) { list_insert_after(list, node); }
/* Unlinks a node; unlinking one that is not linked does nothing. */
static inline void list_remove(struct list_node *node) {
    if (node->next == NULL) return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = node;
}
static inline struct list_node *list_first(const struct list_node *list) {
    return list_empty(list) ? NULL : list->next;
}
static inline struct list_node *list_last(const struct list_node *list) {
    return list_empty(list) ? NULL : list->previous;
}
static inline struct list_node *list_next(const struct list_node *list, const struct list_node *node) {
    return node->next == list ? NULL : node->next;
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
/* Safe against removal of the entry in hand. */
#define LIST_EACH(list, node, following)                                                                         \
    for (struct list_node *node = (list)->next, *following = node->next; node != (list);                         \
         node = following, following = node->next)

#endif
