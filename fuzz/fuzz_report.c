/* Any bytes as the result of a run, as `braid report` reads it: a table and a picture, or one line. */
#define _GNU_SOURCE
#include "said.h"
#include <report.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct memory_file file;
    char nothing[] = "/dev/null", name[] = "report", svg[] = "--svg";
    char *words[] = {name, file.path, svg, nothing, NULL};
    be_quiet();
    memory_file_write(&file, bytes, length);
    listen_to_stderr();
    int status = report_main(4, words);
    stop_listening();
    ENSURE(status == 0 || status == 2);
    if (status == 2) ENSURE(said_one_line());
    return 0;
}
