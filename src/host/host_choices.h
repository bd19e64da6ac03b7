#ifndef HOST_HOST_CHOICES_H
#define HOST_HOST_CHOICES_H

#include <braid/braid.h>

/* Of a host: what holds where nothing else is said, and what the last call had wrong. */
struct host_choices {
    bool plain; /* no Multipath TCP */
    uint32_t fast_open_pending_max;
    enum braid_config_fault fault;
    char fault_text[BRAID_TEXT_MAX];
};

/* False: `text`, of BRAID_TEXT_MAX bytes, says what is out of range. */
bool choices_in_range(const struct braid_host_config *config, char *text);
/* Notes it. -EINVAL. */
int choices_refuse(struct host_choices *c, enum braid_config_fault fault);
/* 0, or -errno, which for a field out of range is noted. */
int choices_connect_error(struct host_choices *c, enum braid_connect_error problem);
int choices_of_open(struct host_choices *c, const struct braid_open_config *from, struct braid_connect_config *out);
int choices_of_listen(struct host_choices *c, const struct braid_server_config *from, struct braid_listen_config *out);

#endif
