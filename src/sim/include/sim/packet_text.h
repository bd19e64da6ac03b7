/* A packet in a line of text, much as tcpdump has it. */
#ifndef SIM_PACKET_TEXT_H
#define SIM_PACKET_TEXT_H

#include <sim/packet.h>

#define SIM_PACKET_TEXT_MAX 640

/* Writes the line without its end, cut off if it were longer than `room`. Returns `text`. */
const char *sim_packet_text(const struct sim_packet *packet, char *text, size_t room);

#endif
