/* Links: a packet's way through a chain of boxes. */
#include "sim_internal.h"

static void attach(struct sim_link *link, unsigned end) {
    struct sim_host *host = link->ends[end].host;
    ENSURE(host->link_count < SIM_HOST_LINKS_MAX);
    ENSURE(link->ends[end].interface >= 0 && link->ends[end].interface < host->interface_count);
    host->links[host->link_count].link = link;
    host->links[host->link_count++].end = end;
}

struct sim_link *sim_link_add(struct sim_world *world, const char *name, struct sim_link_end first,
                              struct sim_link_end second) {
    struct sim_link *link = calloc(1, sizeof(*link));
    ENSURE(link != NULL);
    *link = (struct sim_link){
        .world = world, .name = name, .number = world->link_count++, .ends = {first, second}};
    struct sim_link **place = &world->links;
    while (*place != NULL) place = &(*place)->next;
    *place = link;
    attach(link, 0);
    attach(link, 1);
    return link;
}

static void box_destroy(struct sim_box *box) {
    if (box->ops->destroy != NULL) box->ops->destroy(box);
    sim_release(box->world, box, box->size);
}

void link_destroy(struct sim_link *link) {
    for (unsigned i = 0; i < link->box_count; i++) box_destroy(link->boxes[i]);
    free(link);
}

const char *sim_link_name(const struct sim_link *link) { return link->name; }
struct sim_link_end sim_link_end(const struct sim_link *link, unsigned end) { return link->ends[end]; }

void sim_link_append(struct sim_link *link, struct sim_box *box) { sim_link_insert(link, link->box_count, box); }

void sim_link_insert(struct sim_link *link, unsigned place, struct sim_box *box) {
    ENSURE(link->box_count < SIM_BOXES_MAX && place <= link->box_count);
    box->link = link;
    for (unsigned i = link->box_count++; i > place; i--) {
        link->boxes[i] = link->boxes[i - 1];
        link->boxes[i]->place = i;
    }
    link->boxes[place] = box;
    box->place = place;
}

void sim_link_remove(struct sim_link *link, struct sim_box *box) {
    ENSURE(box->link == link && link->boxes[box->place] == box);
    for (unsigned i = box->place; i + 1 < link->box_count; i++) {
        link->boxes[i] = link->boxes[i + 1];
        link->boxes[i]->place = i;
    }
    link->box_count--;
    box_destroy(box);
}

void *sim_box_create(struct sim_world *world, const struct sim_box_ops *ops, size_t size) {
    struct sim_box *box = sim_allocate(world, size);
    box->ops = ops;
    box->world = world;
    box->size = size;
    return box;
}

/* To the box at `place`, or to the host if the packet has passed the last one. */
static void arrive(struct sim_link *link, int place, enum sim_direction direction, struct sim_packet *packet,
                   braid_time now) {
    if (place >= 0 && place < (int)link->box_count) {
        struct sim_box *box = link->boxes[place];
        box->ops->packet(box, direction, packet, now);
        return;
    }
    const struct sim_link_end *end = &link->ends[direction == SIM_UP ? 1 : 0];
    host_packet(end->host, end->interface, link, packet);
}

void link_packet(struct sim_link *link, unsigned end, struct sim_packet *packet, braid_time now) {
    if (end == 0) arrive(link, 0, SIM_UP, packet, now);
    else arrive(link, (int)link->box_count - 1, SIM_DOWN, packet, now);
}

void sim_link_inject(struct sim_link *link, enum sim_direction direction, const uint8_t *bytes, uint32_t length) {
    struct sim_packet *packet = sim_packet_create(&link->world->pool);
    ENSURE(length <= sim_packet_room(packet));
    memcpy(packet->bytes, bytes, length);
    packet->length = length;
    link_packet(link, direction == SIM_UP ? 0 : 1, packet, link->world->now);
}

void sim_box_pass(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now) {
    arrive(box->link, (int)box->place + (direction == SIM_UP ? 1 : -1), direction, packet, now);
}

void sim_box_drop(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, const char *reason) {
    struct sim_link *link = box->link;
    (void)direction;
    link->dropped++;
    sim_packet_release(packet);
    for (unsigned i = 0; i < SIM_DROP_REASONS_MAX; i++) {
        if (link->drops[i].reason == NULL) link->drops[i].reason = reason;
        if (strcmp(link->drops[i].reason, reason) != 0) continue;
        link->drops[i].count++;
        return;
    }
}

uint64_t sim_link_dropped(const struct sim_link *link, const char *reason) {
    if (reason == NULL) return link->dropped;
    for (unsigned i = 0; i < SIM_DROP_REASONS_MAX && link->drops[i].reason != NULL; i++)
        if (strcmp(link->drops[i].reason, reason) == 0) return link->drops[i].count;
    return 0;
}
