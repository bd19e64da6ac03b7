#include <host/packet_box.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <base/list.h>

enum { BOX_BYTES_MAX = 8 << 20 };

/* A packet that changes threads. */
struct letter {
    struct list_node node;
    int link;
    struct braid_packet_in packet;
    uint8_t bytes[];
};

struct packet_box {
    pthread_mutex_t lock;
    struct list_node letters;
    size_t bytes;
    int fd;
    struct packet_box_counts counts;
};

struct packet_box *packet_box_create(void) {
    struct packet_box *box = calloc(1, sizeof(*box));
    if (box == NULL) return NULL;
    box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->fd < 0) {
        free(box);
        return NULL;
    }
    pthread_mutex_init(&box->lock, NULL);
    list_init(&box->letters);
    return box;
}

static void letters_free(struct list_node *letters) {
    LIST_EACH(letters, node, following) {
        list_remove(node);
        free(LIST_ENTRY(node, struct letter, node));
    }
}

void packet_box_destroy(struct packet_box *box) {
    if (box == NULL) return;
    letters_free(&box->letters);
    close(box->fd);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

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

void packet_box_put(struct packet_box *box, int link, const struct braid_packet_in *packet) {
    struct letter *letter = letter_write(link, packet);
    pthread_mutex_lock(&box->lock);
    bool first = list_empty(&box->letters),
         room = letter != NULL && box->bytes + packet->length <= BOX_BYTES_MAX;
    if (room) {
        list_append(&box->letters, &letter->node);
        box->bytes += packet->length;
        box->counts.taken_in++;
    } else {
        box->counts.dropped++;
    }
    pthread_mutex_unlock(&box->lock);
    if (!room)
        free(letter);
    else if (first)
        (void)!write(box->fd, &(uint64_t){1}, sizeof(uint64_t));
}

int packet_box_fd(const struct packet_box *box) {
    return box->fd;
}

void packet_box_empty(struct packet_box *box,
                      void (*take)(void *context, int link, const struct braid_packet_in *packet),
                      void *context) {
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

struct packet_box_counts packet_box_counts(struct packet_box *box) {
    pthread_mutex_lock(&box->lock);
    struct packet_box_counts counts = box->counts;
    pthread_mutex_unlock(&box->lock);
    return counts;
}
