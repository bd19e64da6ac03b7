/* Who shares a bottleneck with whom, in virtual time: uploads of a phone and of plain TCPs.
 *
 *     phone  == a link for each path ==  router  -- 20 Mb/s, 40 ms, a queue of 60 ms, once or twice -- server
 *     other  ----- one link each ------ */
#ifndef TOWN_H
#define TOWN_H

#include <stdint.h>

/* What a TCP and the phone, which joins 3 s later by so many subflows, get of one bottleneck's 20 Mb/s. */
void town_share(const char *congestion, const char *tcp, unsigned subflows, uint64_t seed, double mbps[2]);

/* Two bottlenecks, a path of the phone through each; a TCP joins on the first, another on the second, and
 * they leave again, 30 s apart: what the phone gets in the last 20 s of each of the five phases. */
void town_bottlenecks(const char *congestion, const char *tcp, uint64_t seed, double mbps[5]);

#endif
