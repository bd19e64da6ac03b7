#define _GNU_SOURCE
#include "lab_emulator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <base/heap.h>
#include "lab_too_big.h"

#define BATCH 32
#define FRAME_OVERHEAD 18 /* Ethernet header and a VLAN tag */
#define SOCKET_BUFFER_BYTES (8 << 20)
#define LATE_STEP_US 10
#define LATE_STEPS 500
#define READS_IN_A_ROW 4 /* batches of one interface before the others get their turn */

struct frame {
    struct heap_node held; /* until then */
    uint32_t bytes;
    uint8_t data[];
};

/* One way of one link. */
struct direction {
    struct link_model model;
    struct noise_model noise;
    struct prng prng; /* of the noise */
    struct heap held; /* frames that wait because of it */
    int in, out;      /* sockets */
    uint32_t frame_max, path_mtu;
    struct ip_address hop[2];
};

struct link_emulation {
    struct direction directions[2];
    int sockets[2];
};

struct emulator {
    pthread_mutex_t mutex; /* guards all below while the thread runs */
    pthread_t thread;
    bool running, stop;
    int epoll, wake;
    struct link_emulation **links;
    size_t link_count;
    struct frame *spare[BATCH]; /* to be received into */
    uint32_t spare_bytes;
    uint64_t frames, refused, overruns, late[LATE_STEPS], late_max_us;
};

static void *allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

static const struct braid_env model_env = {.allocate = allocate, .release = release};

braid_time emulator_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (braid_time)now.tv_sec * BRAID_NS_PER_S + (braid_time)now.tv_nsec;
}

/* ---- set-up ---- */

static void *run(void *argument);

struct emulator *emulator_create(void) {
    struct emulator *emulator = calloc(1, sizeof(*emulator));
    if (emulator == NULL) return NULL;
    pthread_mutex_init(&emulator->mutex, NULL);
    emulator->epoll = epoll_create1(EPOLL_CLOEXEC);
    emulator->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (emulator->epoll >= 0 && emulator->wake >= 0 &&
        epoll_ctl(emulator->epoll, EPOLL_CTL_ADD, emulator->wake, &event) == 0)
        emulator->running = pthread_create(&emulator->thread, NULL, run, emulator) == 0;
    if (emulator->running) return emulator;
    emulator_destroy(emulator);
    return NULL;
}

static void forget_held(struct direction *direction) {
    for (struct heap_node *node; (node = heap_first(&direction->held)) != NULL;) {
        heap_remove(&direction->held, node);
        free(CONTAINER_OF(node, struct frame, held));
    }
    heap_deinit(&direction->held);
}

static void close_link(struct link_emulation *link) {
    if (link == NULL) return;
    for (unsigned way = 0; way < 2; way++) {
        struct link_model_packet packet;
        forget_held(&link->directions[way]);
        link_model_set_state(&link->directions[way].model, LINK_MODEL_DOWN, 0);
        while (link_model_take(&link->directions[way].model, 0, &packet))
            free((void *)(uintptr_t)packet.tag);
        link_model_deinit(&link->directions[way].model);
        if (link->sockets[way] >= 0) close(link->sockets[way]);
    }
    free(link);
}

static void poke(struct emulator *emulator) {
    uint64_t one = 1;
    if (write(emulator->wake, &one, sizeof(one)) < 0) return; /* it is full of pokes already */
}

void emulator_destroy(struct emulator *emulator) {
    if (emulator == NULL) return;
    if (emulator->running) {
        pthread_mutex_lock(&emulator->mutex);
        emulator->stop = true;
        pthread_mutex_unlock(&emulator->mutex);
        poke(emulator);
        pthread_join(emulator->thread, NULL);
    }
    for (size_t i = 0; i < emulator->link_count; i++)
        close_link(emulator->links[i]);
    free(emulator->links);
    for (size_t i = 0; i < BATCH; i++)
        free(emulator->spare[i]);
    if (emulator->epoll >= 0) close(emulator->epoll);
    if (emulator->wake >= 0) close(emulator->wake);
    pthread_mutex_destroy(&emulator->mutex);
    free(emulator);
}

/* A raw socket for the frames of one interface. Binding comes last, so that no other interface's frames get
 * in. */
static int open_interface(unsigned interface) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int yes = 1, bytes = SOCKET_BUFFER_BYTES;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)interface};
    struct packet_mreq promiscuous = {.mr_ifindex = (int)interface, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) == 0 &&
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int watch(struct emulator *emulator, struct direction *direction) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = direction};
    return epoll_ctl(emulator->epoll, EPOLL_CTL_ADD, direction->in, &event) == 0 ? 0 : -errno;
}

static void open_direction(struct direction *direction, const struct emulator_link_config *config, unsigned way) {
    link_model_init(&direction->model, &model_env, &config->shape[way].model, config->seed * 2 + way);
    heap_init(&direction->held, &model_env);
    prng_seed(&direction->prng, ~(config->seed * 2 + way));
    direction->noise = (struct noise_model){.config = config->shape[way].noise, .prng = &direction->prng};
    direction->frame_max = config->mtu + FRAME_OVERHEAD;
    direction->path_mtu = config->path_mtu;
    memcpy(direction->hop, config->hop[way], sizeof(direction->hop));
}

static struct link_emulation *open_link(const struct emulator_link_config *config, int *error) {
    struct link_emulation *link = calloc(1, sizeof(*link));
    *error = -ENOMEM;
    if (link == NULL) return NULL;
    for (unsigned way = 0; way < 2; way++)
        link->sockets[way] = open_interface(config->interfaces[way]);
    for (unsigned way = 0; way < 2; way++) {
        open_direction(&link->directions[way], config, way);
        link->directions[way].in = link->sockets[way];
        link->directions[way].out = link->sockets[1 - way];
    }
    *error = link->sockets[0] < 0 ? link->sockets[0] : link->sockets[1] < 0 ? link->sockets[1] : 0;
    if (*error == 0) return link;
    close_link(link);
    return NULL;
}

static int append_link(struct emulator *emulator, struct link_emulation *link) {
    struct link_emulation **links = realloc(emulator->links, (emulator->link_count + 1) * sizeof(*links));
    if (links == NULL) return -ENOMEM;
    emulator->links = links;
    uint32_t frame_max = link->directions[0].frame_max;
    if (frame_max > emulator->spare_bytes) { /* those there are too small */
        emulator->spare_bytes = frame_max;
        for (unsigned i = 0; i < BATCH; i++) {
            free(emulator->spare[i]);
            emulator->spare[i] = NULL;
        }
    }
    emulator->links[emulator->link_count] = link;
    int error = watch(emulator, &link->directions[0]);
    return error == 0 ? watch(emulator, &link->directions[1]) : error;
}

int emulator_add_link(struct emulator *emulator, const struct emulator_link_config *config) {
    int error;
    struct link_emulation *link = open_link(config, &error);
    if (link == NULL) return error;
    pthread_mutex_lock(&emulator->mutex);
    error = append_link(emulator, link);
    int number = error != 0 ? error : (int)emulator->link_count++;
    pthread_mutex_unlock(&emulator->mutex);
    if (error != 0) close_link(link);
    return number;
}

/* ---- sending ---- */

static void count_late(struct emulator *emulator, braid_time late_ns) {
    uint64_t late_us = late_ns / BRAID_NS_PER_US, step = late_us / LATE_STEP_US;
    emulator->late[step < LATE_STEPS ? step : LATE_STEPS - 1]++;
    if (late_us > emulator->late_max_us) emulator->late_max_us = late_us;
    emulator->frames++;
}

static void send_frames(struct emulator *emulator, int fd, struct frame **frames, unsigned count) {
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){frames[i]->data, frames[i]->bytes};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    for (unsigned sent = 0; sent < count;) {
        int result = sendmmsg(fd, messages + sent, count - sent, MSG_DONTWAIT);
        if (result <= 0) emulator->refused++; /* the interface is down: this frame goes nowhere */
        sent += result > 0 ? (unsigned)result : 1;
    }
    for (unsigned i = 0; i < count; i++)
        free(frames[i]);
}

/* Frames to be sent together. */
struct batch {
    struct frame *frames[BATCH];
    unsigned count;
};

static void flush_batch(struct emulator *emulator, struct direction *direction, struct batch *batch) {
    if (batch->count > 0) send_frames(emulator, direction->out, batch->frames, batch->count);
    batch->count = 0;
}

static void send_frame(struct emulator *emulator, struct direction *direction, struct batch *batch,
                       struct frame *frame, braid_time late_ns) {
    count_late(emulator, late_ns);
    batch->frames[batch->count++] = frame;
    if (batch->count == BATCH) flush_batch(emulator, direction, batch);
}

/* A frame waits; without memory it is lost. */
static void hold(struct direction *direction, struct frame *frame, braid_time until) {
    if (!heap_reserve(&direction->held, direction->held.count + 1)) {
        free(frame);
        return;
    }
    frame->held = (struct heap_node){.place = 0};
    heap_set(&direction->held, &frame->held, until);
}

static void hold_copy(struct direction *direction, const struct frame *frame, braid_time until) {
    struct frame *copy = malloc(sizeof(*copy) + frame->bytes);
    if (copy == NULL) return;
    memcpy(copy, frame, sizeof(*copy) + frame->bytes);
    hold(direction, copy, until);
}

/* Whether the frame, due at `due_ns`, leaves now; otherwise it is taken care of. */
static bool noise_lets_pass(struct direction *direction, struct frame *frame, braid_time due_ns) {
    struct noise_fate fate;
    if (sim_noise_is_none(&direction->noise.config) && direction->noise.free_at <= due_ns) return true;
    noise_model_judge(&direction->noise, frame->bytes - LAB_ETHERNET_BYTES, due_ns, &fate);
    if (fate.lost) {
        free(frame);
        return false;
    }
    if (fate.copied) hold_copy(direction, frame, fate.copy_ns);
    if (fate.flip_count > 0) noise_flip(frame->data + LAB_ETHERNET_BYTES, &fate);
    if (fate.waits) hold(direction, frame, fate.pass_ns);
    return !fate.waits;
}

static void deliver_held(struct emulator *emulator, struct direction *direction, struct batch *batch, braid_time now) {
    for (struct heap_node *node; heap_deadline(&direction->held) <= now;) {
        node = heap_first(&direction->held);
        braid_time due_ns = node->deadline;
        heap_remove(&direction->held, node);
        struct frame *frame = CONTAINER_OF(node, struct frame, held);
        send_frame(emulator, direction, batch, frame, now - due_ns);
    }
}

/* Sends what is due, and says when the next will be. */
static braid_time deliver(struct emulator *emulator, struct direction *direction, braid_time now) {
    struct batch batch = {.count = 0};
    struct link_model_packet packet;
    while (link_model_take(&direction->model, now, &packet)) {
        struct frame *frame = (struct frame *)(uintptr_t)packet.tag;
        if (packet.fate != LINK_PASSED)
            free(frame);
        else if (noise_lets_pass(direction, frame, packet.due_ns))
            send_frame(emulator, direction, &batch, frame, now - packet.due_ns);
    }
    deliver_held(emulator, direction, &batch, now);
    flush_batch(emulator, direction, &batch);
    braid_time next = link_model_deadline(&direction->model), held = heap_deadline(&direction->held);
    return next < held ? next : held;
}

/* ---- receiving ---- */

static bool is_address_resolution(const struct frame *frame) {
    const uint8_t *d = frame->data;
    if (frame->bytes < 14 + 28) return false;
    if (d[12] == 0x08 && d[13] == 0x06) return true;
    bool icmp6 = d[12] == 0x86 && d[13] == 0xdd && d[14 + 6] == 58 && frame->bytes > 14 + 40;
    return icmp6 && d[14 + 40] >= 133 && d[14 + 40] <= 137;
}

/* A packet that the hop in the middle does not take: its sender may be told. */
static void refuse_frame(struct direction *direction, struct frame *frame) {
    uint8_t answer[LAB_TOO_BIG_BYTES_MAX];
    uint32_t bytes = lab_too_big_answer(frame->data, frame->bytes, direction->path_mtu, direction->hop, answer);
    if (bytes > 0 && send(direction->in, answer, bytes, MSG_DONTWAIT) < 0) errno = 0;
    free(frame);
}

static void take_frame(struct emulator *emulator, struct direction *direction, struct frame *frame,
                       braid_time now) {
    if (is_address_resolution(frame) && direction->model.state == LINK_MODEL_UP) {
        send_frames(emulator, direction->out, &frame, 1);
        return;
    }
    if (lab_is_too_big(frame->data, frame->bytes, direction->path_mtu)) {
        refuse_frame(direction, frame);
        return;
    }
    if (link_model_offer(&direction->model, frame->bytes, (uintptr_t)frame, now) != LINK_PASSED) free(frame);
}

static bool fill_spares(struct emulator *emulator) {
    for (unsigned i = 0; i < BATCH; i++) {
        if (emulator->spare[i] == NULL)
            emulator->spare[i] = malloc(sizeof(struct frame) + emulator->spare_bytes);
        if (emulator->spare[i] == NULL) return false;
    }
    return true;
}

/* Takes in one batch. Returns whether there may be more. */
static bool receive_batch(struct emulator *emulator, struct direction *direction) {
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    if (!fill_spares(emulator)) return false;
    for (unsigned i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){emulator->spare[i]->data, emulator->spare_bytes};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    /* An error is that of an interface that went down; the socket works again when it is up. */
    int count = recvmmsg(direction->in, messages, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
    braid_time now = emulator_now();
    for (int i = 0; i < count; i++) {
        struct frame *frame = emulator->spare[i];
        frame->bytes = messages[i].msg_len;
        if (frame->bytes < ETH_HLEN || frame->bytes > direction->frame_max) continue; /* no host sends such */
        emulator->spare[i] = NULL;
        take_frame(emulator, direction, frame, now);
    }
    return count == BATCH;
}

/* ---- the thread ---- */

static braid_time deliver_all(struct emulator *emulator) {
    braid_time now = emulator_now(), deadline = BRAID_NEVER;
    for (size_t i = 0; i < emulator->link_count; i++) {
        for (unsigned way = 0; way < 2; way++) {
            braid_time next = deliver(emulator, &emulator->links[i]->directions[way], now);
            if (next < deadline) deadline = next;
        }
    }
    return deadline;
}

/* Sleeps until frames arrive, somebody pokes, or the deadline. */
static int sleep_until(struct emulator *emulator, braid_time deadline, struct epoll_event *events) {
    struct timespec timeout, *limit = NULL;
    if (deadline != BRAID_NEVER) {
        braid_time now = emulator_now();
        braid_time left = deadline > now ? deadline - now : 0;
        timeout = (struct timespec){(time_t)(left / BRAID_NS_PER_S), (long)(left % BRAID_NS_PER_S)};
        limit = &timeout;
    }
    return epoll_pwait2(emulator->epoll, events, BATCH, limit, NULL);
}

static void *run(void *argument) {
    struct emulator *emulator = argument;
    /* As exact as the system lets us be. */
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (setpriority(PRIO_PROCESS, 0, -10) != 0) errno = 0;
    pthread_mutex_lock(&emulator->mutex);
    while (!emulator->stop) {
        struct epoll_event events[BATCH];
        braid_time deadline = deliver_all(emulator);
        pthread_mutex_unlock(&emulator->mutex);
        int count = sleep_until(emulator, deadline, events);
        pthread_mutex_lock(&emulator->mutex);
        for (int i = 0; i < count; i++) {
            struct direction *direction = events[i].data.ptr;
            if (direction == NULL) {
                uint64_t pokes;
                if (read(emulator->wake, &pokes, sizeof(pokes)) < 0) continue;
            } else {
                for (unsigned k = 0; k < READS_IN_A_ROW && receive_batch(emulator, direction); k++)
                    continue;
            }
        }
    }
    pthread_mutex_unlock(&emulator->mutex);
    return NULL;
}

/* ---- from other threads ---- */

void emulator_configure(struct emulator *emulator, int link, const struct emulator_shape shape[2]) {
    pthread_mutex_lock(&emulator->mutex);
    for (unsigned way = 0; way < 2; way++) {
        struct direction *direction = &emulator->links[link]->directions[way];
        link_model_configure(&direction->model, &shape[way].model, emulator_now());
        direction->noise.config = shape[way].noise;
    }
    pthread_mutex_unlock(&emulator->mutex);
    poke(emulator);
}

void emulator_set_state(struct emulator *emulator, int link, unsigned directions, enum link_model_state state) {
    pthread_mutex_lock(&emulator->mutex);
    for (unsigned way = 0; way < 2; way++)
        if (directions & (1u << way))
            link_model_set_state(&emulator->links[link]->directions[way].model, state, emulator_now());
    pthread_mutex_unlock(&emulator->mutex);
    poke(emulator);
}

void emulator_sample(struct emulator *emulator, int link, struct emulator_sample out[2]) {
    pthread_mutex_lock(&emulator->mutex);
    for (unsigned way = 0; way < 2; way++) {
        const struct link_model *model = &emulator->links[link]->directions[way].model;
        out[way] =
            (struct emulator_sample){model->counters, link_model_queue_delay_ns(model, emulator_now())};
    }
    pthread_mutex_unlock(&emulator->mutex);
}

static uint64_t percentile_us(const struct emulator *emulator, double share) {
    uint64_t wanted = (uint64_t)(share * (double)emulator->frames), seen = 0;
    for (unsigned i = 0; i < LATE_STEPS; i++) {
        seen += emulator->late[i];
        if (seen > wanted) return (i + 1) * LATE_STEP_US;
    }
    return 0;
}

static uint64_t count_overruns(struct emulator *emulator) {
    for (size_t i = 0; i < emulator->link_count; i++) {
        for (unsigned way = 0; way < 2; way++) {
            struct tpacket_stats statistics; /* reading them sets them to 0 */
            socklen_t length = sizeof(statistics);
            if (getsockopt(emulator->links[i]->sockets[way], SOL_PACKET, PACKET_STATISTICS, &statistics,
                           &length) == 0)
                emulator->overruns += statistics.tp_drops;
        }
    }
    return emulator->overruns;
}

void emulator_timing(struct emulator *emulator, struct emulator_timing *out) {
    clockid_t clock;
    struct timespec cpu = {0};
    if (emulator->running && pthread_getcpuclockid(emulator->thread, &clock) == 0) clock_gettime(clock, &cpu);
    pthread_mutex_lock(&emulator->mutex);
    *out = (struct emulator_timing){
        .frames = emulator->frames,
        .late_p50_us = percentile_us(emulator, 0.5),
        .late_p99_us = percentile_us(emulator, 0.99),
        .late_max_us = emulator->late_max_us,
        .overruns = count_overruns(emulator),
        .refused = emulator->refused,
        .cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
    };
    pthread_mutex_unlock(&emulator->mutex);
}
