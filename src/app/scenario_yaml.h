/* Inside of scenario: reading YAML nodes so that whatever is wrong is told with file, line and reason.
 *
 * The first mistake is written to standard error and remembered; every reader goes on with harmless values,
 * so that the callers need to look only once, at the end. */
#ifndef APP_SCENARIO_YAML_H
#define APP_SCENARIO_YAML_H

#include <yaml.h>
#include "scenario.h"

struct yaml_source {
    const char *file;
    yaml_document_t document;
    struct arena *arena;
    bool failed;
    struct scenario *scenario; /* what is being filled */
};

/* What is allocated in an arena lives until the arena goes. Running out of memory ends the program. */
struct arena *arena_create(void);
void arena_destroy(struct arena *arena);
void *arena_array(struct arena *arena, size_t count, size_t bytes); /* zeroed */
const char *arena_text(struct arena *arena, const char *text);
const char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), nonnull));

void yaml_fail(struct yaml_source *source, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct scenario_place yaml_place(const struct yaml_source *source, const yaml_node_t *node);

/* One key a mapping may have, and what to do with its value. */
struct yaml_key {
    const char *name;
    void (*read)(struct yaml_source *source, yaml_node_t *value, void *out);
    bool required;
    /* Not NULL: instead of `read`, for readers of several keys, which are told which one it is. */
    void (*read_which)(struct yaml_source *source, yaml_node_t *value, void *out, unsigned which);
    unsigned which;
};
void yaml_read_mapping(struct yaml_source *source, yaml_node_t *node, const struct yaml_key *keys,
                       size_t key_count, void *out);
#define YAML_READ_MAPPING(source, node, keys, out) \
    yaml_read_mapping(source, node, keys, sizeof(keys) / sizeof((keys)[0]), out)

/* Mappings and sequences by index; a node of another kind is a mistake and has no items. */
size_t yaml_pair_count(struct yaml_source *source, const yaml_node_t *mapping, const char *what);
yaml_node_t *yaml_pair(struct yaml_source *source, const yaml_node_t *mapping, size_t index,
                       yaml_node_t **key);
size_t yaml_item_count(struct yaml_source *source, const yaml_node_t *sequence, const char *what);
yaml_node_t *yaml_item(struct yaml_source *source, const yaml_node_t *sequence, size_t index);
/* The value of a key, NULL if there is none. */
yaml_node_t *yaml_value_of(struct yaml_source *source, const yaml_node_t *mapping, const char *key);
bool yaml_is_scalar(const yaml_node_t *node);
bool yaml_is_mapping(const yaml_node_t *node);
bool yaml_is_sequence(const yaml_node_t *node);

/* Scalars. */
const char *yaml_text(struct yaml_source *source, yaml_node_t *node); /* never NULL */
bool yaml_flag(struct yaml_source *source, yaml_node_t *node);
uint64_t yaml_number(struct yaml_source *source, yaml_node_t *node, uint64_t max);
braid_time yaml_time_ns(struct yaml_source *source, yaml_node_t *node);  /* 15ms, 3s */
uint64_t yaml_rate_bps(struct yaml_source *source, yaml_node_t *node);   /* 50Mbit */
uint64_t yaml_size_bytes(struct yaml_source *source, yaml_node_t *node); /* 60MB, 64KiB */
double yaml_probability(struct yaml_source *source, yaml_node_t *node);  /* 1%, 0.01 */
bool yaml_ends_like_time(struct yaml_source *source, yaml_node_t *node);
struct ip_address yaml_address(struct yaml_source *source, yaml_node_t *node);
struct scenario_prefix yaml_prefix(struct yaml_source *source, yaml_node_t *node, bool length_needed);

#endif
