#include <host/team.h>

#include <pthread.h>
#include <stdlib.h>
#include <host/environment.h>
#include <host/packet_box.h>

enum { GUESTS_MAX = 65536 };

struct place {
    struct packet_box *box;
    bool taken; /* there is a host for it */
};

struct braid_team {
    struct environment environment;
    struct braid_steering *steering;
    pthread_mutex_t lock; /* of the ports and of `taken` */
    uint16_t port_first, port_last;
    unsigned hosts;
    struct place places[];
};

/* --- life --- */

struct braid_team *braid_team_create(unsigned hosts) {
    if (hosts == 0 || hosts > BRAID_STEERING_STACKS_MAX) return NULL;
    struct braid_team *team = calloc(1, sizeof(*team) + hosts * sizeof(team->places[0]));
    if (team == NULL) return NULL;
    environment_init(&team->environment);
    team->steering = braid_steering_create(&team->environment.env, hosts, GUESTS_MAX);
    pthread_mutex_init(&team->lock, NULL);
    bool good = team->steering != NULL;
    for (; team->hosts < hosts; team->hosts++) {
        team->places[team->hosts].box = packet_box_create();
        good = good && team->places[team->hosts].box != NULL;
    }
    if (good) return team;
    braid_team_destroy(team);
    return NULL;
}

void braid_team_destroy(struct braid_team *team) {
    if (team == NULL) return;
    for (unsigned i = 0; i < team->hosts; i++) packet_box_destroy(team->places[i].box);
    braid_steering_destroy(team->steering);
    pthread_mutex_destroy(&team->lock);
    environment_deinit(&team->environment);
    free(team);
}

struct braid_steering *team_steering(struct braid_team *team) { return team->steering; }
unsigned team_hosts(const struct braid_team *team) { return team->hosts; }
int team_box_fd(const struct braid_team *team, unsigned place) { return packet_box_fd(team->places[place].box); }

/* --- its hosts --- */

bool team_ports(struct braid_team *team, uint16_t *first, uint16_t *last) {
    pthread_mutex_lock(&team->lock);
    *first = team->port_first;
    *last = team->port_last;
    pthread_mutex_unlock(&team->lock);
    return *first > 0;
}

void team_ports_set(struct braid_team *team, uint16_t first, uint16_t last) {
    pthread_mutex_lock(&team->lock);
    team->port_first = first;
    team->port_last = last;
    pthread_mutex_unlock(&team->lock);
}

bool team_join(struct braid_team *team, unsigned place) {
    pthread_mutex_lock(&team->lock);
    bool good = place < team->hosts && !team->places[place].taken && (place == 0 || team->places[place - 1].taken);
    if (good) team->places[place].taken = true;
    pthread_mutex_unlock(&team->lock);
    return good;
}

void team_leave(struct braid_team *team, unsigned place) {
    pthread_mutex_lock(&team->lock);
    team->places[place].taken = false;
    pthread_mutex_unlock(&team->lock);
}

void braid_team_info(struct braid_team *team, struct braid_team_info *out) {
    *out = (struct braid_team_info){.guests = braid_steering_guests(team->steering)};
    for (unsigned i = 0; i < team->hosts; i++) {
        struct packet_box_counts counts = packet_box_counts(team->places[i].box);
        out->handed_over += counts.taken_in;
        out->dropped += counts.dropped;
    }
}

/* --- packets --- */

size_t team_sort(struct braid_team *team, unsigned place, int link, struct braid_packet_in *packets, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned home = braid_steering_stack(team->steering, &packets[i]);
        if (home == place) packets[left++] = packets[i];
        else packet_box_put(team->places[home].box, link, &packets[i]);
    }
    return left;
}

void team_box_empty(struct braid_team *team, unsigned place,
                    void (*take)(void *context, int link, const struct braid_packet_in *packet), void *context) {
    packet_box_empty(team->places[place].box, take, context);
}
