#include "report.h"

#include <getopt.h>
#include <string.h>

void report_table(const json_t *result, FILE *out) {
    json_dumpf(result, out, JSON_INDENT(1));
}
int report_main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return 2;
}
