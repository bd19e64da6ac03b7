/* What programs choose, by the host API, as the stack wants it; and what is wrong in it. */
#include "host_choices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <host/config_text.h>
#include <wire/address.h>

int choices_refuse(struct host_choices *c, enum braid_config_fault fault) {
    c->fault = fault;
    config_fault_say(fault, c->fault_text, sizeof(c->fault_text));
    return -EINVAL;
}

int choices_connect_error(struct host_choices *c, enum braid_connect_error problem) {
    switch (problem) {
    case BRAID_CONNECT_OK:
        return 0;
    case BRAID_CONNECT_NO_PATH:
        return -EADDRNOTAVAIL;
    case BRAID_CONNECT_NO_PORT:
        return -EADDRINUSE;
    case BRAID_CONNECT_UNKNOWN_CONGESTION:
        return choices_refuse(c, BRAID_CONFIG_CONGESTION);
    case BRAID_CONNECT_UNKNOWN_SCHEDULER:
        return choices_refuse(c, BRAID_CONFIG_SCHEDULER);
    case BRAID_CONNECT_UNKNOWN_PATH_MANAGER:
        return choices_refuse(c, BRAID_CONFIG_PATH_MANAGER);
    case BRAID_CONNECT_BAD_LIMITS:
        return choices_refuse(c, BRAID_CONFIG_PATH_LIMITS);
    case BRAID_CONNECT_BAD_VERSIONS:
        return choices_refuse(c, BRAID_CONFIG_VERSIONS);
    case BRAID_CONNECT_NO_MEMORY:
        break;
    }
    return -ENOMEM;
}

static bool multipath_known(enum braid_multipath choice) { return (unsigned)choice <= (unsigned)BRAID_MULTIPATH_OFF; }

bool choices_in_range(const struct braid_host_config *config, char *text) {
    if (!multipath_known(config->choices.multipath)) {
        config_fault_say(BRAID_CONFIG_MULTIPATH, text, BRAID_TEXT_MAX);
        return false;
    }
    if (config->uplink_count < BRAID_LINKS_MAX && config->udp_count < BRAID_LINKS_MAX) return true;
    snprintf(text, BRAID_TEXT_MAX, "%u uplinks and %u UDP links; there may be up to %d of either", config->uplink_count,
             config->udp_count, BRAID_LINKS_MAX - 1);
    return false;
}

/* What was chosen, by those who open or listen. 0, or -EINVAL. */
static int choice_of_multipath(struct host_choices *c, const struct braid_choices *choices, bool *multipath) {
    if (!multipath_known(choices->multipath)) return choices_refuse(c, BRAID_CONFIG_MULTIPATH);
    *multipath = choices->multipath == BRAID_MULTIPATH_DEFAULT ? !c->plain : choices->multipath == BRAID_MULTIPATH_ON;
    return 0;
}

static int address_of(struct host_choices *c, const char *text, struct braid_address *out) {
    struct ip_address address;
    if (text == NULL) return 0;
    if (!ip_address_parse(text, &address)) return choices_refuse(c, BRAID_CONFIG_LOCAL);
    out->family = (uint8_t)address.family;
    memcpy(out->bytes, address.bytes, sizeof(out->bytes));
    return 0;
}

int choices_of_open(struct host_choices *c, const struct braid_open_config *from, struct braid_connect_config *out) {
    const struct braid_choices *choices = &from->choices;
    *out = (struct braid_connect_config){.bound = from->bound,
                                         .versions = choices->versions,
                                         .no_delay = true,
                                         .fast_open = from->early != NULL,
                                         .congestion = choices->congestion,
                                         .scheduler = choices->scheduler,
                                         .path_manager = choices->path_manager,
                                         .path_limits = choices->path_limits};
    int error = choice_of_multipath(c, choices, &out->multipath);
    return error == 0 ? address_of(c, from->local, &out->local) : error;
}

int choices_of_listen(struct host_choices *c, const struct braid_server_config *from, struct braid_listen_config *out) {
    const struct braid_choices *choices = &from->choices;
    *out = (struct braid_listen_config){.link = -1,
                                        .bound = from->bound,
                                        .versions = choices->versions,
                                        .fast_open_pending_max = from->fast_open_pending_max,
                                        .congestion = choices->congestion,
                                        .scheduler = choices->scheduler,
                                        .path_manager = choices->path_manager,
                                        .path_limits = choices->path_limits};
    if (from->fast_open_pending_max == 0) out->fast_open_pending_max = c->fast_open_pending_max;
    int error = choice_of_multipath(c, choices, &out->multipath);
    return error == 0 ? address_of(c, from->local, &out->local.address) : error;
}
