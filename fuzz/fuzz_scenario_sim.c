/* Any bytes as a scenario that is played: what scenario_read() lets through is built in virtual time, or refused with one
 * line; its runs begin, all its events happen, and nothing is left afterwards. */
#define _GNU_SOURCE
#include "said.h"
#include <sim_job.h>
#include <sim_network.h>

static void play(struct sim_network *network, const struct scenario_run *run, const struct scenario_transfer *transfer) {
    struct sim_conversation_config talk = {.client = network->hosts[run->command.host],
                                           .server = network->hosts[transfer->server],
                                           .remote = {.port = 5001},
                                           .plain_client = transfer->plain,
                                           .streams = {{.bytes = 3000}, {.bytes = 3000}}};
    talk.remote.address.family = (uint8_t)transfer->address.family;
    memcpy(talk.remote.address.bytes, transfer->address.bytes, sizeof(talk.remote.address.bytes));
    sim_conversation_start(network->world, &talk);
    for (size_t i = 0; i <= run->timeline.count && i < 20; i++) {
        sim_world_run(network->world, sim_world_now(network->world) + 100 * BRAID_NS_PER_MS);
        if (i < run->timeline.count) sim_network_apply(network, &run->timeline.events[i]);
    }
}

static bool build_and_play(const struct scenario *scenario, const struct scenario_run *run) {
    static struct sim_network network;
    struct scenario_transfer transfer;
    const char *reason;
    switch (sim_job_of(scenario, run, &transfer, &reason)) {
    case SIM_JOB_BAD: return false;
    case SIM_JOB_NOT_OURS: return true;
    case SIM_JOB_READY: break;
    }
    struct sim_network_config config = {.scenario = scenario, .run = run, .transfer = &transfer, .world = {.seed = 1}};
    memset(&network, 0, sizeof(network));
    if (!sim_network_init(&network, &config)) return false;
    play(&network, run, &transfer);
    sim_network_deinit(&network);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct memory_file file;
    if (memmem(bytes, length, "trace", 5) != NULL) return 0; /* it names another file, which may be any */
    memory_file_write(&file, bytes, length);
    listen_to_stderr();
    struct scenario *scenario = scenario_read(file.path);
    stop_listening();
    if (scenario == NULL) return 0;
    for (size_t i = 0; i < scenario->run_count && i < 2; i++) {
        listen_to_stderr();
        bool built = build_and_play(scenario, &scenario->runs[i]);
        stop_listening();
        if (!built) ENSURE(said_one_line());
    }
    scenario_free(scenario);
    return 0;
}
