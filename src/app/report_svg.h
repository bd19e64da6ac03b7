/* Inside of the report: the picture. */
#ifndef APP_REPORT_SVG_H
#define APP_REPORT_SVG_H

#include <jansson.h>
#include <stdbool.h>

/* Draws the result into the file. False after having said why. */
bool report_svg(const json_t *result, const char *file);

#endif
