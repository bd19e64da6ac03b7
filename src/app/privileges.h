/* What this process is allowed to do. */
#ifndef APP_PRIVILEGES_H
#define APP_PRIVILEGES_H

#include <stdbool.h>

/* CAP_NET_ADMIN and CAP_NET_RAW in the namespace it runs in. */
bool privileges_suffice(void);
/* One line on standard error: how to get them. `verb` is what was asked for, such as "run". */
void privileges_explain(const char *verb);

#endif
