/* Any words as an event, as `braid lab --tell` takes them: understood, or refused with one line; and what is understood
 * can be said in words. */
#define _GNU_SOURCE
#include "said.h"
#include <scenario.h>

static const char text[] = "hosts: {phone: {}, server: {}}\n"
                           "links:\n"
                           "  wifi:\n"
                           "    from: {host: phone, interface: wlan0, address: [10.0.1.2/24, 'fd00::2/64'], gateway: 10.0.1.1}\n"
                           "    to: {host: server, interface: eth0, address: 10.0.1.1/24}\n"
                           "    rate: 50Mbit\n"
                           "    boxes: [{nat: {outside: 192.0.2.1}}]\n"
                           "  lte:\n"
                           "    from: {host: phone, interface: wwan0, address: 10.0.2.2/24, gateway: 10.0.2.1}\n"
                           "    to: {host: server, interface: eth1, address: 10.0.2.1/24}\n"
                           "    rate: {up: 5Mbit, down: 20Mbit}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct memory_file file;
    char words[1024];
    if (length >= sizeof(words) || memmem(bytes, length, "trace", 5) != NULL) return 0; /* which names any file */
    memcpy(words, bytes, length);
    words[length] = '\0';
    memory_file_write(&file, text, sizeof(text) - 1);
    struct scenario *scenario = scenario_read(file.path);
    ENSURE(scenario != NULL);
    listen_to_stderr();
    const struct scenario_event *event = scenario_parse_event(scenario, words);
    stop_listening();
    if (event != NULL) {
        char said_again[100];
        scenario_event_text(scenario, event, said_again, sizeof(said_again));
        ENSURE(event->link < scenario->link_count && event->host < scenario->host_count);
    } else {
        ENSURE(said_one_line());
    }
    scenario_free(scenario);
    return 0;
}
