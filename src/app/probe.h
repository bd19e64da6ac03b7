/* `braid probe`: a plain TCP (or kernel MPTCP) client and server that measure what an application would see.
 * It knows nothing of braid: run it under `braid run`, under mptcpize, or as it is. */
#ifndef APP_PROBE_H
#define APP_PROBE_H

/* argv[0] is "probe". Returns the exit status: 0; 1 when the transfer was not completed or not as it should
 * be; 2 for what cannot be done as asked. */
int probe_main(int argc, char **argv);

#endif
