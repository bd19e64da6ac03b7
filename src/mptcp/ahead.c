#include "ahead.h"

#include <string.h>

/* A slice may pin a buffer much larger than itself; below half of it a copy is cheaper to keep. Copies get some room
 * behind them, for the neighbour that usually follows. */
#define COPY_SPARE_BELOW 1024u
#define COPY_CAPACITY_MIN 128u

void ahead_init(struct ahead *r, const struct braid_env *env) {
    r->env = env;
    r->bytes = r->memory_bytes = 0;
    list_init(&r->runs);
}

static uint64_t cost_of(const struct run *run) {
    return sizeof(*run) + sizeof(struct braid_buf) + run->data.length + run->spare_bytes;
}

static void run_destroy(struct ahead *r, struct run *run) {
    r->memory_bytes -= cost_of(run);
    r->bytes -= run->data.length;
    list_remove(&run->node);
    slice_release(&run->data);
    r->env->release(r->env->context, run, sizeof(*run));
}

void ahead_deinit(struct ahead *r) {
    LIST_EACH(&r->runs, node, following) run_destroy(r, LIST_ENTRY(node, struct run, node));
}

static dsn64 run_end(const struct run *run) { return dsn64_add(run->dsn, run->data.length); }

/* The last run that starts at or before `dsn`; NULL if the first one starts behind it. */
static struct run *run_before(const struct ahead *r, struct run *from, dsn64 dsn) {
    const struct list_node *at = from ? &from->node : r->runs.previous;
    while (at != &r->runs && dsn64_gt(LIST_ENTRY((struct list_node *)(uintptr_t)at, struct run, node)->dsn, dsn))
        at = at->previous;
    while (at != &r->runs && at->next != &r->runs && dsn64_le(LIST_ENTRY(at->next, struct run, node)->dsn, dsn))
        at = at->next;
    return at == &r->runs ? NULL : LIST_ENTRY((struct list_node *)(uintptr_t)at, struct run, node);
}

static bool wasteful(const struct braid_slice *data) { return data->length < data->buf->capacity / 2; }

/* Small bytes go into the spare room of the run before them. */
static bool append_to(struct ahead *r, struct run *before, dsn64 dsn, const struct braid_slice *data) {
    if (!before || !dsn64_eq(run_end(before), dsn) || before->spare_bytes < data->length) return false;
    uint8_t *end = before->data.buf->bytes + (before->data.bytes - before->data.buf->bytes) + before->data.length;
    memcpy(end, data->bytes, data->length);
    before->data.length += data->length;
    before->spare_bytes -= data->length;
    r->bytes += data->length;
    return true;
}

static bool compact(const struct braid_env *env, struct braid_slice *data, uint32_t *spare_bytes) {
    uint32_t capacity = data->length;
    if (capacity < COPY_SPARE_BELOW) capacity *= 2;
    if (capacity < COPY_CAPACITY_MIN) capacity = COPY_CAPACITY_MIN;
    struct braid_buf *buf = buf_create(env, capacity);
    if (!buf) return false;
    memcpy(buf->bytes, data->bytes, data->length);
    uint32_t length = data->length;
    slice_release(data);
    *data = (struct braid_slice){buf, buf->bytes, length};
    *spare_bytes = capacity - length;
    return true;
}

/* A piece that overlaps nothing, behind `before` (NULL: first). */
static struct run *place(struct ahead *r, struct run *before, dsn64 dsn, struct braid_slice data) {
    uint32_t spare_bytes = 0;
    bool copy = wasteful(&data);
    if (copy && append_to(r, before, dsn, &data)) {
        slice_release(&data);
        return before;
    }
    struct run *run = r->env->allocate(r->env->context, sizeof(*run));
    if (!run || (copy && !compact(r->env, &data, &spare_bytes))) {
        if (run) r->env->release(r->env->context, run, sizeof(*run));
        slice_release(&data);
        return NULL;
    }
    *run = (struct run){.dsn = dsn, .data = data, .spare_bytes = spare_bytes};
    list_insert_after(before ? &before->node : &r->runs, &run->node);
    r->bytes += data.length;
    r->memory_bytes += cost_of(run);
    return run;
}

uint32_t ahead_insert(struct ahead *r, struct run **hint, dsn64 dsn, struct braid_slice data, bool *lost) {
    struct run *before = run_before(r, *hint, dsn);
    uint32_t added = 0;
    while (data.length > 0) {
        int64_t known = before ? dsn64_diff(run_end(before), dsn) : 0;
        if (known > 0) { /* the front is there already */
            uint32_t dropped = known < (int64_t)data.length ? (uint32_t)known : data.length;
            slice_drop_front(&data, dropped);
            dsn = dsn64_add(dsn, dropped);
            if (data.length == 0) break;
        }
        struct list_node *next = before ? list_next(&r->runs, &before->node) : list_first(&r->runs);
        struct run *behind = next ? LIST_ENTRY(next, struct run, node) : NULL;
        uint32_t piece = data.length;
        if (behind && dsn64_diff(behind->dsn, dsn) < (int64_t)piece) piece = (uint32_t)dsn64_diff(behind->dsn, dsn);
        if (piece > 0) {
            struct run *placed = place(r, before, dsn, slice_part(&data, 0, piece));
            if (placed) {
                added += piece;
                before = placed;
            } else {
                *lost = true;
            }
        }
        slice_drop_front(&data, piece);
        dsn = dsn64_add(dsn, piece);
        if (data.length > 0) before = behind;
    }
    slice_release(&data);
    *hint = before;
    return added;
}

bool ahead_take(struct ahead *r, dsn64 dsn, struct braid_slice *out, const struct run **gone) {
    struct list_node *first = list_first(&r->runs);
    if (!first) return false;
    struct run *run = LIST_ENTRY(first, struct run, node);
    if (dsn64_gt(run->dsn, dsn)) return false;
    int64_t known = dsn64_diff(dsn, run->dsn);
    *out = known < (int64_t)run->data.length
               ? slice_part(&run->data, (uint32_t)known, run->data.length - (uint32_t)known)
               : (struct braid_slice){0};
    *gone = run;
    run_destroy(r, run);
    return true;
}
