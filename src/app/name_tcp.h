/* Name service over TCP: a program's connection to a name server's stand-in, passed on to the real one by a
 * socket of the kernel's, from the host's own network. */
#ifndef APP_NAME_TCP_H
#define APP_NAME_TCP_H

#include <host/engine.h>
#include "resolver.h"

/* Takes over an incoming connection for stand-in number `which`. */
void name_tcp_serve(struct engine *engine, struct resolver *resolver, unsigned which,
                    struct braid_connection *connection, braid_time now);

#endif
