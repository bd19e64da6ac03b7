/* Is it a result of braid lab or braid sim? */
#ifndef APP_REPORT_CHECK_H
#define APP_REPORT_CHECK_H

#include <jansson.h>

/* What is wrong with it; NULL: nothing. */
const char *report_check(const json_t *result);

#endif
