/* Any bytes as a file of delivery opportunities that a scenario names: it is taken, its times in order, or refused with one
 * line. */
#define _GNU_SOURCE
#include "said.h"
#include <scenario.h>

static const char text[] = "hosts: {phone: {}, server: {}}\n"
                           "links:\n"
                           "  wifi:\n"
                           "    from: {host: phone, interface: wlan0, address: 10.0.1.2/24, gateway: 10.0.1.1}\n"
                           "    to: {host: server, interface: eth0, address: 10.0.1.1/24}\n"
                           "    delay: 15ms\n"
                           "    trace: %s\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct memory_file trace, file;
    char whole[sizeof(text) + sizeof(trace.path)];
    memory_file_write(&trace, bytes, length);
    memory_file_write(&file, whole, (size_t)snprintf(whole, sizeof(whole), text, trace.path));
    listen_to_stderr();
    struct scenario *scenario = scenario_read(file.path);
    stop_listening();
    if (scenario == NULL) {
        ENSURE(said_one_line());
        return 0;
    }
    const struct link_trace *got = scenario->links[0].shape[SCENARIO_UP].trace;
    ENSURE(got != NULL && got->count > 0 && got->at_ms[got->count - 1] > 0);
    for (uint32_t i = 1; i < got->count; i++) ENSURE(got->at_ms[i - 1] <= got->at_ms[i]);
    scenario_free(scenario);
    return 0;
}
