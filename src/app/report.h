/* `braid report`: the figures of a lab's runs as a table, and as a picture. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* argv[0] is "report". Returns the exit status: 0, or 2 for what cannot be done as asked. */
int report_main(int argc, char **argv);

/* The table of what result.json holds. */
void report_table(const json_t *result, FILE *out);

#endif
