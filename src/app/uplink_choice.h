/* An uplink as people write it: its interface, and behind colons what it is to be used for. The same on the
 * command line of `braid run` and in scenarios. */
#ifndef APP_UPLINK_CHOICE_H
#define APP_UPLINK_CHOICE_H

#include <host/engine.h>

#define UPLINK_CHOICE_TEXT_MAX 256
/* IFACE[:backup][:metered][:cap=SIZE][:weight=N], the suffixes in any order, each once. `text` is changed,
 * and `out->interface` lies in it. False: `problem` says in one line what is wrong. */
bool uplink_choice_parse(char *text, struct engine_uplink_choice *out, char problem[UPLINK_CHOICE_TEXT_MAX]);
/* The reverse; false if there is no room. */
bool uplink_choice_format(const struct engine_uplink_choice *choice, char *out, size_t size);

#endif
