#include "reassembly.h"

struct piece {
    struct list_node node;
    struct braid_slice data;
};

struct stretch {
    struct list_node by_sequence, by_recency;
    struct list_node pieces;
    seq32 start, end;
};

#define STRETCH(node) LIST_ENTRY(node, struct stretch, by_sequence)
#define PIECE(list_node) LIST_ENTRY(list_node, struct piece, node)

void reassembly_init(struct reassembly *r, const struct braid_env *env) {
    *r = (struct reassembly){.env = env};
    list_init(&r->stretches);
    list_init(&r->recent);
}

static uint64_t memory_of(const struct braid_slice *data) { return data->buf->capacity + sizeof(struct piece); }

/* --- pieces and stretches --- */

static struct piece *piece_create(struct reassembly *r, struct braid_slice data) {
    struct piece *piece = r->env->allocate(r->env->context, sizeof(*piece));
    if (piece == NULL) return NULL;
    *piece = (struct piece){.data = data};
    r->pieces++;
    r->bytes += data.length;
    r->memory_bytes += memory_of(&data);
    return piece;
}

/* The slice is the caller's from here on. */
static void piece_destroy(struct reassembly *r, struct piece *piece) {
    list_remove(&piece->node);
    r->pieces--;
    r->bytes -= piece->data.length;
    r->memory_bytes -= memory_of(&piece->data);
    r->env->release(r->env->context, piece, sizeof(*piece));
}

static struct stretch *stretch_create(struct reassembly *r, struct list_node *behind, seq32 start) {
    struct stretch *stretch = r->env->allocate(r->env->context, sizeof(*stretch));
    if (stretch == NULL) return NULL;
    *stretch = (struct stretch){.start = start, .end = start};
    list_init(&stretch->pieces);
    list_insert_after(behind, &stretch->by_sequence);
    list_prepend(&r->recent, &stretch->by_recency);
    r->memory_bytes += sizeof(*stretch);
    return stretch;
}

static void stretch_destroy(struct reassembly *r, struct stretch *stretch) {
    LIST_EACH(&stretch->pieces, node, following) {
        struct braid_slice data = PIECE(node)->data;
        piece_destroy(r, PIECE(node));
        slice_release(&data);
    }
    list_remove(&stretch->by_sequence);
    list_remove(&stretch->by_recency);
    r->memory_bytes -= sizeof(*stretch);
    r->env->release(r->env->context, stretch, sizeof(*stretch));
}

void reassembly_deinit(struct reassembly *r) {
    LIST_EACH(&r->stretches, node, following) stretch_destroy(r, STRETCH(node));
}

static struct stretch *next_of(const struct reassembly *r, const struct stretch *stretch) {
    struct list_node *node = list_next(&r->stretches, &stretch->by_sequence);
    return node != NULL ? STRETCH(node) : NULL;
}

/* [R-2018-4-5] */
static void freshen(struct reassembly *r, struct stretch *stretch) {
    list_remove(&stretch->by_recency);
    list_prepend(&r->recent, &stretch->by_recency);
}

/* --- adding --- */

static bool append_piece(struct reassembly *r, struct stretch *stretch, struct braid_slice data) {
    struct piece *piece = piece_create(r, data);
    if (piece == NULL) return false;
    list_append(&stretch->pieces, &piece->node);
    stretch->end = seq32_add(stretch->end, data.length);
    return true;
}

/* What `next` holds continues `stretch` without a gap. */
static void absorb(struct reassembly *r, struct stretch *stretch, struct stretch *next) {
    struct list_node *first = next->pieces.next, *last = next->pieces.previous, *tail = stretch->pieces.previous;
    tail->next = first;
    first->previous = tail;
    last->next = &stretch->pieces;
    stretch->pieces.previous = last;
    list_init(&next->pieces);
    stretch->end = next->end;
    stretch_destroy(r, next);
}

/* The last stretch that starts at or before `seq`, or NULL: from the end, where most of what arrives belongs. */
static struct stretch *stretch_before(const struct reassembly *r, seq32 seq) {
    for (struct list_node *node = r->stretches.previous; node != &r->stretches; node = node->previous) {
        if (seq32_le(STRETCH(node)->start, seq)) return STRETCH(node);
    }
    return NULL;
}

/* The stretch that ends exactly at `seq`, made if there is none; `before` is the last that starts before `seq`. */
static struct stretch *stretch_ending_at(struct reassembly *r, struct stretch *before, seq32 seq) {
    if (before != NULL && seq32_eq(before->end, seq)) return before;
    return stretch_create(r, before != NULL ? &before->by_sequence : &r->stretches, seq);
}

/* Adds the bytes from `seq` that lie before the next stretch. Returns how many, 0 when there is no memory. */
static uint32_t fill_gap(struct reassembly *r, struct stretch **before, seq32 seq, const struct braid_slice *data,
                         uint32_t offset) {
    struct stretch *stretch = stretch_ending_at(r, *before, seq);
    if (stretch == NULL) return 0;
    struct stretch *next = next_of(r, stretch);
    uint32_t length = data->length - offset;
    if (next != NULL && seq32_lt(next->start, seq32_add(seq, length))) {
        length = (uint32_t)seq32_diff(next->start, seq);
    }
    struct braid_slice part = slice_part(data, offset, length);
    if (!append_piece(r, stretch, part)) {
        slice_release(&part);
        if (list_empty(&stretch->pieces)) stretch_destroy(r, stretch);
        return 0;
    }
    if (next != NULL && seq32_eq(next->start, stretch->end)) absorb(r, stretch, next);
    freshen(r, stretch);
    *before = stretch;
    return length;
}

/* [SHLD-31] */
enum reassembly_result reassembly_add(struct reassembly *r, seq32 seq, struct braid_slice data,
                                      uint32_t *added_bytes) {
    *added_bytes = 0;
    struct stretch *before = stretch_before(r, seq);
    enum reassembly_result result = REASSEMBLY_DUPLICATE;
    uint32_t offset = 0;
    while (offset < data.length) {
        seq32 at = seq32_add(seq, offset);
        if (before != NULL && seq32_lt(at, before->end)) {
            /* There already. */
            uint32_t known = (uint32_t)seq32_diff(before->end, at);
            offset = known < data.length - offset ? offset + known : data.length;
            freshen(r, before);
            continue;
        }
        uint32_t added = fill_gap(r, &before, at, &data, offset);
        if (added == 0) {
            result = REASSEMBLY_NO_MEMORY;
            break;
        }
        *added_bytes += added;
        offset += added;
        result = REASSEMBLY_ADDED;
    }
    slice_release(&data);
    return result;
}

/* --- taking --- */

bool reassembly_take(struct reassembly *r, seq32 rcv_nxt, struct braid_slice *out) {
    while (!list_empty(&r->stretches)) {
        struct stretch *stretch = STRETCH(list_first(&r->stretches));
        if (seq32_gt(stretch->start, rcv_nxt)) return false;
        if (list_empty(&stretch->pieces)) {
            stretch_destroy(r, stretch);
            continue;
        }
        struct piece *piece = PIECE(list_first(&stretch->pieces));
        struct braid_slice data = piece->data;
        uint32_t behind = (uint32_t)seq32_diff(rcv_nxt, stretch->start);
        stretch->start = seq32_add(stretch->start, data.length);
        piece_destroy(r, piece);
        if (list_empty(&stretch->pieces)) stretch_destroy(r, stretch);
        if (behind >= data.length) {
            slice_release(&data);
            continue;
        }
        slice_drop_front(&data, behind);
        *out = data;
        return true;
    }
    return false;
}

/* --- looking --- */

uint32_t reassembly_blocks(const struct reassembly *r, struct sack_block *out, uint32_t max) {
    uint32_t count = 0;
    LIST_EACH(&r->recent, node, following) {
        if (count == max) break;
        const struct stretch *stretch = LIST_ENTRY(node, struct stretch, by_recency);
        out[count++] = (struct sack_block){stretch->start, stretch->end};
    }
    return count;
}

bool reassembly_block_of(const struct reassembly *r, seq32 seq, struct sack_block *out) {
    const struct stretch *stretch = stretch_before(r, seq);
    if (stretch == NULL || seq32_ge(seq, stretch->end)) return false;
    *out = (struct sack_block){stretch->start, stretch->end};
    return true;
}

seq32 reassembly_end(const struct reassembly *r) { return STRETCH(list_last(&r->stretches))->end; }

void reassembly_check(const struct reassembly *r, seq32 rcv_nxt) {
    uint32_t bytes = 0, pieces = 0;
    const struct stretch *previous = NULL;
    LIST_EACH(&r->stretches, node, following) {
        const struct stretch *stretch = STRETCH(node);
        ENSURE(seq32_gt(stretch->start, previous != NULL ? previous->end : rcv_nxt));
        ENSURE(!list_empty(&stretch->pieces));
        seq32 at = stretch->start;
        LIST_EACH(&stretch->pieces, piece_node, piece_following) {
            const struct piece *piece = PIECE(piece_node);
            at = seq32_add(at, piece->data.length);
            bytes += piece->data.length;
            pieces++;
        }
        ENSURE(seq32_eq(at, stretch->end));
        previous = stretch;
    }
    ENSURE(bytes == r->bytes && pieces == r->pieces);
}
