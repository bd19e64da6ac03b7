/* Hosts of one process, a thread each, behind the same ports: which of them a packet is for, and a box for each with what
 * came to another. From any thread. */
#ifndef HOST_TEAM_H
#define HOST_TEAM_H

#include <braid/braid.h>
#include <braid/steering.h>
#include <base/ensure.h>

struct braid_steering *team_steering(struct braid_team *team);
unsigned team_hosts(const struct braid_team *team);

/* The ports of all, once the first has chosen: false until then. */
bool team_ports(struct braid_team *team, uint16_t *first, uint16_t *last);
void team_ports_set(struct braid_team *team, uint16_t first, uint16_t last);

/* Each place is taken once at a time, and those before it first: false. */
bool team_join(struct braid_team *team, unsigned place) MUST_USE;
void team_leave(struct braid_team *team, unsigned place);

/* Of packets that came to `place` by a link, those that are its own are left, in order; the others are put into their boxes.
 * Returns how many are left. */
size_t team_sort(struct braid_team *team, unsigned place, int link, struct braid_packet_in *packets, size_t count);

/* Readable when there is something in the box. */
int team_box_fd(const struct braid_team *team, unsigned place);
/* Gives all that is in it to `take`, by link. */
void team_box_empty(struct braid_team *team, unsigned place,
                    void (*take)(void *context, int link, const struct braid_packet_in *packet), void *context);

#endif
