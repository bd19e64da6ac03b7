#include <host/team.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <base/list.h>
#include <host/environment.h>

enum {
    GUESTS_MAX = 65536,
    BOX_BYTES_MAX = 8 << 20, /* more is dropped, as a queue of a link would */
};

/* A packet that changes threads. */
struct letter {
    struct list_node node;
    int link;
    struct braid_packet_in packet;
    uint8_t bytes[];
};

struct box {
    pthread_mutex_t lock;
    struct list_node letters;
    size_t bytes;
    int fd;
    bool taken; /* there is a host for it */
    uint64_t handed_over, dropped;
};

struct braid_team {
    struct environment environment;
    struct braid_steering *steering;
    pthread_mutex_t lock; /* of the ports and of `taken` */
    uint16_t port_first, port_last;
    unsigned hosts;
    struct box boxes[];
};

/* --- life --- */

struct braid_team *braid_team_create(unsigned hosts) {
    if (hosts == 0 || hosts > BRAID_STEERING_STACKS_MAX) return NULL;
    struct braid_team *team = calloc(1, sizeof(*team) + hosts * sizeof(team->boxes[0]));
    if (team == NULL) return NULL;
    environment_init(&team->environment);
    team->steering = braid_steering_create(&team->environment.env, hosts, GUESTS_MAX);
    pthread_mutex_init(&team->lock, NULL);
    bool good = team->steering != NULL;
    for (; team->hosts < hosts; team->hosts++) {
        struct box *box = &team->boxes[team->hosts];
        pthread_mutex_init(&box->lock, NULL);
        list_init(&box->letters);
        box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        good = good && box->fd >= 0;
    }
    if (good) return team;
    braid_team_destroy(team);
    return NULL;
}

static void letters_free(struct list_node *letters) {
    LIST_EACH(letters, node, following) {
        list_remove(node);
        free(LIST_ENTRY(node, struct letter, node));
    }
}

void braid_team_destroy(struct braid_team *team) {
    if (team == NULL) return;
    for (unsigned i = 0; i < team->hosts; i++) {
        struct box *box = &team->boxes[i];
        letters_free(&box->letters);
        if (box->fd >= 0) close(box->fd);
        pthread_mutex_destroy(&box->lock);
    }
    braid_steering_destroy(team->steering);
    pthread_mutex_destroy(&team->lock);
    environment_deinit(&team->environment);
    free(team);
}

struct braid_steering *team_steering(struct braid_team *team) { return team->steering; }
unsigned team_hosts(const struct braid_team *team) { return team->hosts; }
int team_box_fd(const struct braid_team *team, unsigned place) { return team->boxes[place].fd; }

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
    bool good = place < team->hosts && !team->boxes[place].taken && (place == 0 || team->boxes[place - 1].taken);
    if (good) team->boxes[place].taken = true;
    pthread_mutex_unlock(&team->lock);
    return good;
}

void team_leave(struct braid_team *team, unsigned place) {
    pthread_mutex_lock(&team->lock);
    team->boxes[place].taken = false;
    pthread_mutex_unlock(&team->lock);
}

void braid_team_info(struct braid_team *team, struct braid_team_info *out) {
    *out = (struct braid_team_info){.guests = braid_steering_guests(team->steering)};
    for (unsigned i = 0; i < team->hosts; i++) {
        struct box *box = &team->boxes[i];
        pthread_mutex_lock(&box->lock);
        out->handed_over += box->handed_over;
        out->dropped += box->dropped;
        pthread_mutex_unlock(&box->lock);
    }
}

/* --- packets --- */

static struct letter *letter_write(int link, const struct braid_packet_in *packet) {
    struct letter *letter = malloc(sizeof(*letter) + packet->length);
    if (letter == NULL) return NULL;
    letter->node = (struct list_node){0};
    letter->link = link;
    letter->packet = *packet;
    letter->packet.buf = NULL;
    letter->packet.bytes = letter->bytes;
    memcpy(letter->bytes, packet->bytes, packet->length);
    return letter;
}

static void hand_over(struct box *box, int link, const struct braid_packet_in *packet) {
    struct letter *letter = letter_write(link, packet);
    pthread_mutex_lock(&box->lock);
    bool first = list_empty(&box->letters), room = letter != NULL && box->bytes + packet->length <= BOX_BYTES_MAX;
    if (room) {
        list_append(&box->letters, &letter->node);
        box->bytes += packet->length;
        box->handed_over++;
    } else {
        box->dropped++;
    }
    pthread_mutex_unlock(&box->lock);
    if (!room) free(letter);
    else if (first) (void)!write(box->fd, &(uint64_t){1}, sizeof(uint64_t));
}

size_t team_sort(struct braid_team *team, unsigned place, int link, struct braid_packet_in *packets, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned home = braid_steering_stack(team->steering, &packets[i]);
        if (home == place) packets[left++] = packets[i];
        else hand_over(&team->boxes[home], link, &packets[i]);
    }
    return left;
}

void team_box_empty(struct braid_team *team, unsigned place,
                    void (*take)(void *context, int link, const struct braid_packet_in *packet), void *context) {
    struct box *box = &team->boxes[place];
    struct list_node letters;
    uint64_t count;
    list_init(&letters);
    (void)!read(box->fd, &count, sizeof(count));
    pthread_mutex_lock(&box->lock);
    while (!list_empty(&box->letters)) {
        struct list_node *node = list_first(&box->letters);
        list_remove(node);
        list_append(&letters, node);
    }
    box->bytes = 0;
    pthread_mutex_unlock(&box->lock);
    LIST_EACH(&letters, node, following) {
        struct letter *letter = LIST_ENTRY(node, struct letter, node);
        take(context, letter->link, &letter->packet);
    }
    letters_free(&letters);
}
