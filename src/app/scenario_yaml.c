#include "scenario_yaml.h"

#include "one_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- memory ---- */

struct arena_block {
    struct arena_block *next;
    _Alignas(16) char bytes[];
};
struct arena {
    struct arena_block *blocks;
};

static void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (memory == NULL) {
        fprintf(stderr, "braid: out of memory\n");
        exit(1);
    }
    return memory;
}

struct arena *arena_create(void) {
    return allocate(sizeof(struct arena));
}

void arena_destroy(struct arena *arena) {
    if (arena == NULL) return;
    for (struct arena_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *arena_array(struct arena *arena, size_t count, size_t bytes) {
    struct arena_block *block = allocate(sizeof(*block) + count * bytes);
    block->next = arena->blocks;
    arena->blocks = block;
    return block->bytes;
}

const char *arena_text(struct arena *arena, const char *text) {
    return arena_format(arena, "%s", text);
}

const char *arena_format(struct arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = arena_array(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

/* ---- mistakes ---- */

void yaml_fail(struct yaml_source *source, const yaml_node_t *node, const char *format, ...) {
    if (source->failed) return;
    source->failed = true;
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    one_line(reason);
    fprintf(stderr, "%s:%u: %s\n", source->file, yaml_place(source, node).line, reason);
}

struct scenario_place yaml_place(const struct yaml_source *source, const yaml_node_t *node) {
    return (struct scenario_place){source->file, node != NULL ? (unsigned)node->start_mark.line + 1 : 1};
}

/* ---- mappings and sequences ---- */

bool yaml_is_scalar(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE;
}
bool yaml_is_mapping(const yaml_node_t *node) {
    return node->type == YAML_MAPPING_NODE;
}
bool yaml_is_sequence(const yaml_node_t *node) {
    return node->type == YAML_SEQUENCE_NODE;
}

static bool is_null(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || strcmp((const char *)node->data.scalar.value, "~") == 0 ||
            strcmp((const char *)node->data.scalar.value, "null") == 0);
}

size_t yaml_pair_count(struct yaml_source *source, const yaml_node_t *mapping, const char *what) {
    if (yaml_is_mapping(mapping))
        return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
    if (!is_null(mapping)) yaml_fail(source, mapping, "%s must be a mapping (key: value)", what);
    return 0;
}

yaml_node_t *yaml_pair(struct yaml_source *source, const yaml_node_t *mapping, size_t index,
                       yaml_node_t **key) {
    yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[index];
    *key = yaml_document_get_node(&source->document, pair->key);
    return yaml_document_get_node(&source->document, pair->value);
}

size_t yaml_item_count(struct yaml_source *source, const yaml_node_t *sequence, const char *what) {
    if (yaml_is_sequence(sequence))
        return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
    if (!is_null(sequence)) yaml_fail(source, sequence, "%s must be a list (- item)", what);
    return 0;
}

yaml_node_t *yaml_item(struct yaml_source *source, const yaml_node_t *sequence, size_t index) {
    return yaml_document_get_node(&source->document, sequence->data.sequence.items.start[index]);
}

yaml_node_t *yaml_value_of(struct yaml_source *source, const yaml_node_t *mapping, const char *key) {
    if (!yaml_is_mapping(mapping)) return NULL;
    for (size_t i = 0; i < yaml_pair_count(source, mapping, key); i++) {
        yaml_node_t *name, *value = yaml_pair(source, mapping, i, &name);
        if (yaml_is_scalar(name) && strcmp((const char *)name->data.scalar.value, key) == 0) return value;
    }
    return NULL;
}

static void read_pair(struct yaml_source *source, yaml_node_t *key, yaml_node_t *value,
                      const struct yaml_key *keys, size_t key_count, bool *seen, void *out) {
    const char *name = yaml_text(source, key);
    for (size_t i = 0; i < key_count; i++) {
        if (strcmp(keys[i].name, name) != 0) continue;
        if (seen[i]) yaml_fail(source, key, "\"%s\" is said twice", name);
        seen[i] = true;
        if (source->failed) return;
        if (keys[i].read_which != NULL) keys[i].read_which(source, value, out, keys[i].which);
        else keys[i].read(source, value, out);
        return;
    }
    char known[400] = "";
    for (size_t i = 0; i < key_count; i++) {
        size_t length = strlen(known);
        snprintf(known + length, sizeof(known) - length, "%s%s", i == 0 ? "" : ", ", keys[i].name);
    }
    yaml_fail(source, key, "unknown key \"%s\" (known here: %s)", name, known);
}

void yaml_read_mapping(struct yaml_source *source, yaml_node_t *node, const struct yaml_key *keys,
                       size_t key_count, void *out) {
    bool seen[32] = {false};
    size_t count = yaml_pair_count(source, node, "this");
    for (size_t i = 0; i < count && !source->failed; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        read_pair(source, key, value, keys, key_count, seen, out);
    }
    for (size_t i = 0; i < key_count; i++)
        if (keys[i].required && !seen[i]) yaml_fail(source, node, "\"%s\" is missing", keys[i].name);
}

/* ---- scalars ---- */

const char *yaml_text(struct yaml_source *source, yaml_node_t *node) {
    if (yaml_is_scalar(node)) return arena_text(source->arena, (const char *)node->data.scalar.value);
    yaml_fail(source, node, "one value is wanted here, not a list or a mapping");
    return "";
}

bool yaml_flag(struct yaml_source *source, yaml_node_t *node) {
    const char *text = yaml_text(source, node);
    if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0) return true;
    if (strcmp(text, "false") != 0 && strcmp(text, "no") != 0)
        yaml_fail(source, node, "\"%s\" is neither true nor false", text);
    return false;
}

uint64_t yaml_number(struct yaml_source *source, yaml_node_t *node, uint64_t max) {
    const char *text = yaml_text(source, node);
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > max) {
        yaml_fail(source, node, "\"%s\" is not a number from 0 to %llu", text, (unsigned long long)max);
        return 0;
    }
    return value;
}

struct unit {
    const char *name;
    double factor;
};
static const struct unit times[] = {{"ns", 1},  {"us", 1e3},   {"ms", 1e6},
                                    {"s", 1e9}, {"min", 60e9}, {NULL, 0}};
static const struct unit rates[] = {{"bit/s", 1},    {"bit", 1},      {"kbit/s", 1e3}, {"kbit", 1e3},
                                    {"kb/s", 1e3},   {"mbit/s", 1e6}, {"mbit", 1e6},   {"mb/s", 1e6},
                                    {"gbit/s", 1e9}, {"gbit", 1e9},   {"gb/s", 1e9},   {NULL, 0}};
static const struct unit sizes[] = {{"b", 1},         {"kb", 1e3},   {"mb", 1e6},
                                    {"gb", 1e9},      {"kib", 1024}, {"mib", 1 << 20},
                                    {"gib", 1 << 30}, {"", 1},       {NULL, 0}};

/* Units ignore case: nobody means millibits. */
static const struct unit *find_unit(const struct unit *units, const char *name) {
    while (*name == ' ')
        name++;
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (strcasecmp(unit->name, name) == 0) return unit;
    return NULL;
}

static double quantity(struct yaml_source *source, yaml_node_t *node, const struct unit *units,
                       const char *like) {
    const char *text = yaml_text(source, node);
    char *end;
    double value = strtod(text, &end);
    const struct unit *unit = end == text ? NULL : find_unit(units, end);
    if (unit == NULL && end != text && value == 0 && *end == '\0') return 0;
    if (unit == NULL || !(value >= 0) || value * unit->factor > 1e18) {
        yaml_fail(source, node, "\"%s\" is not understood here: write it like %s", text, like);
        return 0;
    }
    return value * unit->factor;
}

braid_time yaml_time_ns(struct yaml_source *source, yaml_node_t *node) {
    return (braid_time)(quantity(source, node, times, "15ms or 3s") + 0.5);
}

uint64_t yaml_rate_bps(struct yaml_source *source, yaml_node_t *node) {
    return (uint64_t)(quantity(source, node, rates, "50Mbit") + 0.5);
}

uint64_t yaml_size_bytes(struct yaml_source *source, yaml_node_t *node) {
    return (uint64_t)(quantity(source, node, sizes, "60MB or 64KiB") + 0.5);
}

bool yaml_ends_like_time(struct yaml_source *source, yaml_node_t *node) {
    const char *text = yaml_text(source, node);
    char *end;
    strtod(text, &end);
    return end != text && find_unit(times, end) != NULL;
}

double yaml_probability(struct yaml_source *source, yaml_node_t *node) {
    const char *text = yaml_text(source, node);
    char *end;
    double value = strtod(text, &end);
    if (end != text && strcmp(end, "%") == 0) {
        value /= 100;
        end++;
    }
    if (end == text || *end != '\0' || !(value >= 0 && value <= 1)) {
        yaml_fail(source, node, "\"%s\" is not a probability: write it like 1%% or 0.01", text);
        return 0;
    }
    return value;
}

struct ip_address yaml_address(struct yaml_source *source, yaml_node_t *node) {
    struct ip_address address = {.family = IP_NONE};
    const char *text = yaml_text(source, node);
    if (!ip_address_parse(text, &address)) yaml_fail(source, node, "\"%s\" is not an IP address", text);
    return address;
}

struct scenario_prefix yaml_prefix(struct yaml_source *source, yaml_node_t *node, bool length_needed) {
    struct scenario_prefix prefix = {.address.family = IP_NONE};
    char text[64];
    snprintf(text, sizeof(text), "%s", yaml_text(source, node));
    char *slash = strchr(text, '/');
    if (slash != NULL) *slash = '\0';
    bool good = ip_address_parse(text, &prefix.address);
    unsigned bits = prefix.address.family == IP_V4 ? 32 : 128;
    prefix.length = (uint8_t)bits;
    if (slash != NULL) {
        char *end;
        unsigned long length = strtoul(slash + 1, &end, 10);
        good = good && end != slash + 1 && *end == '\0' && length <= bits;
        prefix.length = (uint8_t)length;
    }
    if (!good || (length_needed && slash == NULL))
        yaml_fail(source, node, "\"%s\" is not an address with a prefix length, like 10.0.1.2/24",
                  yaml_text(source, node));
    return prefix;
}
