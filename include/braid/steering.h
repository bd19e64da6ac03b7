/* Several stacks of one host, one for each core: which of them a packet is for.
 *
 * Every stack is told of the steering and of its place in it (struct braid_stack_config). Whoever reads the links asks for
 * each packet and hands it to that stack, in that stack's thread:
 *
 *  - a SYN with MP_JOIN goes by its token: the keys that a stack draws give tokens that are its place, modulo the number of
 *    stacks;
 *  - a flow that a stack has though it is not at home there, as those that joined are, by a table;
 *  - everything else by a keyed reckoning of the remote address and the ports, which the system can do as well when it hands
 *    packets out (struct braid_steering_home), so that few have to change threads. A stack that opens a connection chooses a
 *    port by which it is at home.
 *
 * A connection so lives in one stack with all its subflows, and stacks share nothing but that table, which is read and
 * written without locks. */
#ifndef BRAID_STEERING_H
#define BRAID_STEERING_H

#include <braid/env.h>
#include <braid/packet.h>

struct braid_steering;

#define BRAID_STEERING_STACKS_MAX 64

/* For `stacks` of them, 1..BRAID_STEERING_STACKS_MAX. `guests_max`: about so many flows may be away from home at once, at
 * eight bytes each; a join that finds no place is refused. NULL: no memory, no randomness, or out of range. `env` must
 * outlive it, and is used only here and in braid_steering_destroy(). */
struct braid_steering *braid_steering_create(const struct braid_env *env, unsigned stacks, uint32_t guests_max);
/* After all of its stacks. */
void braid_steering_destroy(struct braid_steering *steering);
/* The place of the stack that the packet is for: 0 for what is for none. From any thread. */
unsigned braid_steering_stack(const struct braid_steering *steering, const struct braid_packet_in *packet);
/* How a home is reckoned: h = key; then for each 32-bit word of the remote address in network order, and at last for
 * remote port << 16 | local port: h = (h ^ word) * factor; h ^= h >> 15; all modulo 2^32. The place is h modulo `stacks`. Meant to
 * be even, not to withstand who knows the key: it decides nothing but whose work a flow is. */
struct braid_steering_home {
    uint32_t key, factor;
    unsigned stacks;
};
struct braid_steering_home braid_steering_home(const struct braid_steering *steering);
/* Flows that are away from home now. */
uint32_t braid_steering_guests(const struct braid_steering *steering);

#endif
