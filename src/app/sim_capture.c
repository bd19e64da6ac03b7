#include "sim_capture.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 32

/* Events have one field more than in `braid run`: the host. */
static void on_event(void *context, const char *host, braid_time now, const char *event,
                     const struct braid_trace_field *fields, size_t count) {
    struct sim_capture *capture = context;
    struct braid_trace_field with_host[FIELDS_MAX + 1] = {{"host", BRAID_TRACE_STRING, {.text = host}}};
    if (count > FIELDS_MAX) count = FIELDS_MAX;
    memcpy(&with_host[1], fields, count * sizeof(fields[0]));
    trace_json_event(capture->trace, now, event, with_host, count + 1);
}

static uint32_t number_of(struct sim_capture *capture, struct sim_host *host, int interface) {
    unsigned i = 0;
    while (i < capture->interface_count && capture->interfaces[i].interface != interface)
        i++;
    ENSURE(i < SIM_INTERFACES_MAX);
    if (i < capture->interface_count) return capture->interfaces[i].number;
    capture->interfaces[i].interface = interface;
    capture->interfaces[i].number =
        pcapng_file_add_interface(capture->packets, sim_host_interface_name(host, interface));
    capture->interface_count++;
    return capture->interfaces[i].number;
}

/* At one host only: a packet that is seen twice looks like a retransmission. */
static void on_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                      struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct sim_capture *capture = context;
    (void)link;
    if (strcmp(sim_host_name(host), capture->host) != 0) return;
    capture->now = now;
    pcapng_file_packet(capture->packets, number_of(capture, host, interface),
                       moment == SIM_SENT ? PCAPNG_OUTBOUND : PCAPNG_INBOUND, packet->bytes, packet->length,
                       packet->checksum_partial);
}

/* The world's clock counts from 1970. */
static uint64_t virtual_unix_ns(void *context) {
    return ((const struct sim_capture *)context)->now;
}

static bool good(const char *path, int error) {
    if (error == 0) return true;
    fprintf(stderr, "braid: %s cannot be written: %s\n", path, strerror(-error));
    return false;
}

bool sim_capture_open(struct sim_capture *capture, const char *trace_path, const char *pcap_path,
                      const char *host, struct sim_world_config *config) {
    *capture = (struct sim_capture){.host = host};
    if (trace_path != NULL) {
        if (!good(trace_path, trace_json_create(trace_path, 0, 0, &capture->trace))) return false;
        config->trace = on_event;
        config->trace_context = capture;
    }
    if (pcap_path == NULL) return true;
    struct pcapng_clock clock = {.context = capture, .unix_ns = virtual_unix_ns};
    if (!good(pcap_path, pcapng_file_create(pcap_path, &clock, &capture->packets))) {
        trace_json_close(capture->trace);
        return false;
    }
    config->observer = (struct sim_observer){.context = capture, .packet = on_packet};
    return true;
}

bool sim_capture_close(struct sim_capture *capture) {
    bool traced = good("the trace", trace_json_close(capture->trace));
    return good("the capture", pcapng_file_close(capture->packets)) && traced;
}
