/* A link of a simulated world: two ends, and between them a chain of boxes through which every packet goes. Everything
 * that happens to packets on their way is a box: the wire with its rate, delay and queue; noise that loses, reorders or
 * spoils them; routers and middleboxes.
 *
 * A packet going up (from the first end to the second) meets the boxes in the order they were appended, one going down
 * in reverse. A box may keep a packet, change it, pass it on, drop it, or send others, either way. */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <sim/link_model.h>
#include <sim/noise_model.h>
#include <sim/world.h>

struct sim_box;
struct sim_link;

struct sim_box_ops {
    const char *name;
    /* The packet is the box's now. */
    void (*packet)(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now);
    /* Gives back the packets it holds and its memory; may be NULL for neither but the box itself. */
    void (*destroy)(struct sim_box *box);
};

/* The head of every kind of box. */
struct sim_box {
    const struct sim_box_ops *ops;
    struct sim_world *world;
    struct sim_link *link;
    unsigned place;
    size_t size; /* of the whole kind of box, for its memory */
};

/* Zeroed memory for a box of a kind that starts with struct sim_box. */
void *sim_box_create(struct sim_world *world, const struct sim_box_ops *ops, size_t size);
/* Hands the packet to the next box of the way, or to the host at its end. */
void sim_box_pass(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now);
/* Lets the packet go. `reason` is counted. */
void sim_box_drop(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, const char *reason);
static inline enum sim_direction sim_back(enum sim_direction direction) { return direction == SIM_UP ? SIM_DOWN : SIM_UP; }

#define SIM_BOXES_MAX 12

struct sim_link_end {
    struct sim_host *host;
    int interface;
};
struct sim_link *sim_link_add(struct sim_world *world, const char *name, struct sim_link_end first,
                              struct sim_link_end second);
/* The link owns the box. */
void sim_link_append(struct sim_link *link, struct sim_box *box);
/* So that `place` boxes are before it. */
void sim_link_insert(struct sim_link *link, unsigned place, struct sim_box *box);
/* Takes out and destroys the box; packets it held are lost. */
void sim_link_remove(struct sim_link *link, struct sim_box *box);
/* A packet enters the link as if the host at its lower or upper end had sent it, whatever it says. The bytes are copied. */
void sim_link_inject(struct sim_link *link, enum sim_direction direction, const uint8_t *bytes, uint32_t length);
const char *sim_link_name(const struct sim_link *link);
struct sim_link_end sim_link_end(const struct sim_link *link, unsigned end);
/* Packets dropped by its boxes, by reason; all of them for NULL. */
uint64_t sim_link_dropped(const struct sim_link *link, const char *reason);

/* --- the plain boxes --- */

/* Rate, delay, queue, loss: a link model each way. */
struct sim_box *sim_wire(struct sim_world *world, const struct link_model_config *up,
                         const struct link_model_config *down);
/* So many bytes more count for every packet, against rate and queue: those of a frame around it. */
void sim_wire_set_overhead(struct sim_box *wire, uint32_t bytes);
void sim_wire_configure(struct sim_box *wire, enum sim_direction direction, const struct link_model_config *config);
void sim_wire_set_state(struct sim_box *wire, enum sim_direction direction, enum link_model_state state);
const struct link_model *sim_wire_model(const struct sim_box *wire, enum sim_direction direction);

/* What else befalls packets: see <sim/noise_model.h>. */
struct sim_box *sim_noise(struct sim_world *world, const struct sim_noise_config *config);
struct sim_box *sim_noise_each_way(struct sim_world *world, const struct sim_noise_config *up,
                                   const struct sim_noise_config *down);
void sim_noise_configure(struct sim_box *noise, const struct sim_noise_config *config);
void sim_noise_configure_way(struct sim_box *noise, enum sim_direction direction, const struct sim_noise_config *config);

/* A hop that takes only packets of so many bytes, and answers others with ICMP from `address` (family 0: in silence, a
 * "black hole" of path MTU discovery). */
struct sim_box *sim_mtu(struct sim_world *world, uint32_t mtu_bytes, const struct ip_address *address);
/* Packets of that direction and of the address's family are answered from this one instead. */
void sim_mtu_answer_from(struct sim_box *mtu, enum sim_direction direction, const struct ip_address *address);

#endif
