/* What a configuration has wrong, and what its fields take. */
#include "stack_internal.h"

enum braid_config_fault stack_choices_check(const struct stack_choices *choices) {
    struct path_limits limits;
    if (choices->congestion && !congestion_find(choices->congestion)) return BRAID_CONFIG_CONGESTION;
    if (choices->scheduler && !scheduler_find(choices->scheduler)) return BRAID_CONFIG_SCHEDULER;
    if (choices->path_manager && !path_manager_find(choices->path_manager)) return BRAID_CONFIG_PATH_MANAGER;
    if (!stack_limits_in(choices->path_limits, &limits)) return BRAID_CONFIG_PATH_LIMITS;
    return stack_versions_known(choices->versions) ? BRAID_CONFIG_OK : BRAID_CONFIG_VERSIONS;
}

enum braid_config_fault braid_stack_config_check(const struct braid_stack_config *config) {
    const struct stack_choices choices = {config->congestion, config->scheduler, config->path_manager, config->path_limits,
                                          config->versions};
    enum braid_config_fault fault = stack_choices_check(&choices);
    if (fault != BRAID_CONFIG_OK) return fault;
    if ((unsigned)config->cookies > (unsigned)BRAID_COOKIES_NEVER) return BRAID_CONFIG_COOKIES;
    if (config->checksum && config->checksum_forbidden) return BRAID_CONFIG_CHECKSUM;
    if (config->steering && config->steering_place >= steering_stacks(config->steering)) return BRAID_CONFIG_STEERING_PLACE;
    return BRAID_CONFIG_OK;
}

const char *braid_config_fault_text(enum braid_config_fault fault) {
    switch (fault) {
    case BRAID_CONFIG_OK: return "";
    case BRAID_CONFIG_CONGESTION: return "the congestion control is unknown";
    case BRAID_CONFIG_SCHEDULER: return "the scheduler is unknown";
    case BRAID_CONFIG_PATH_MANAGER: return "the path manager is unknown";
    case BRAID_CONFIG_PATH_LIMITS: return "a path limit is out of range";
    case BRAID_CONFIG_VERSIONS: return "the choice of versions is unknown";
    case BRAID_CONFIG_COOKIES: return "the choice of cookies is unknown";
    case BRAID_CONFIG_CHECKSUM: return "the checksum is asked for and forbidden";
    case BRAID_CONFIG_STEERING_PLACE: return "the place is out of range";
    case BRAID_CONFIG_LISTENED_TO: return "the port is listened to already";
    case BRAID_CONFIG_LOCAL: return "the local address is none";
    case BRAID_CONFIG_MULTIPATH: return "the choice of Multipath TCP is unknown";
    }
    return "unknown fault";
}

#define TEXT_OF(value) #value
#define UP_TO(name, most) name " 0 to " TEXT_OF(most) /* its value, not its name */

static const char *one_of(const char *const *texts, unsigned count, unsigned index) {
    return index < count ? texts[index] : NULL;
}

const char *braid_config_takes(enum braid_config_fault fault, unsigned index) {
    static const char *const limits[] = {UP_TO("subflows", BRAID_SUBFLOWS_MAX),
                                         UP_TO("add_addr_accepted", BRAID_ADD_ADDR_ACCEPTED_MAX),
                                         UP_TO("ndiffports", BRAID_NDIFFPORTS_MAX)};
    static const char *const cookies[] = {"when full", "always", "never"};
    static const char *const checksum[] = {"either", "neither"};
    static const char *const places[] = {"0 to one less than the steering has stacks"};
    static const char *const locals[] = {"an IPv4 address", "an IPv6 address"};
    static const char *const multipath[] = {"default", "on", "off"};
    switch (fault) {
    case BRAID_CONFIG_CONGESTION: return congestion_name(index);
    case BRAID_CONFIG_SCHEDULER: return scheduler_name(index);
    case BRAID_CONFIG_PATH_MANAGER: return path_manager_name(index);
    case BRAID_CONFIG_PATH_LIMITS: return one_of(limits, ARRAY_COUNT(limits), index);
    case BRAID_CONFIG_VERSIONS: return braid_versions_name(index);
    case BRAID_CONFIG_COOKIES: return one_of(cookies, ARRAY_COUNT(cookies), index);
    case BRAID_CONFIG_CHECKSUM: return one_of(checksum, ARRAY_COUNT(checksum), index);
    case BRAID_CONFIG_STEERING_PLACE: return one_of(places, ARRAY_COUNT(places), index);
    case BRAID_CONFIG_LOCAL: return one_of(locals, ARRAY_COUNT(locals), index);
    case BRAID_CONFIG_MULTIPATH: return one_of(multipath, ARRAY_COUNT(multipath), index);
    case BRAID_CONFIG_OK:
    case BRAID_CONFIG_LISTENED_TO: break;
    }
    return NULL;
}
