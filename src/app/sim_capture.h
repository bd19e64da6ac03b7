/* What happens in a world, written to files: events as JSON lines, packets as pcapng. */
#ifndef APP_SIM_CAPTURE_H
#define APP_SIM_CAPTURE_H

#include <link/pcapng.h>
#include <link/trace_json.h>
#include <sim/world.h>

struct sim_capture {
    struct trace_json *trace;
    struct pcapng_file *packets;
    braid_time now;
    const char *host;
    struct {
        int interface;
        uint32_t number; /* in the file */
    } interfaces[SIM_INTERFACES_MAX];
    unsigned interface_count;
};

/* Opens the files whose paths are not NULL, and has `config` write to them: events of all hosts, packets as
 * `host` sends and gets them. False after having said why not. The capture must outlive the world. */
bool sim_capture_open(struct sim_capture *capture, const char *trace_path, const char *pcap_path,
                      const char *host, struct sim_world_config *config);
/* False after having said that something could not be written. */
bool sim_capture_close(struct sim_capture *capture);

#endif
