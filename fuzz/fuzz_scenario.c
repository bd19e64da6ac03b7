/* Any bytes as a scenario file: it is read, or refused with one line that names a line of it. */
#define _GNU_SOURCE
#include "said.h"
#include <scenario.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct memory_file file;
    if (memmem(bytes, length, "trace", 5) != NULL) return 0; /* it names another file, which may be any */
    memory_file_write(&file, bytes, length);
    listen_to_stderr();
    struct scenario *scenario = scenario_read(file.path);
    stop_listening();
    if (scenario != NULL) scenario_free(scenario);
    else ENSURE(said_one_line());
    return 0;
}
