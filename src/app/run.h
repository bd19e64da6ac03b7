/* `braid run`: a command in a network of its own whose only way out is braid. */
#ifndef APP_RUN_H
#define APP_RUN_H

/* argv[0] is "run". Returns the exit status: the command's, 126 or 127 as shells do, 2 for what cannot be
 * done as asked. A command killed by a signal ends braid by the same signal. */
int run_main(int argc, char **argv);

#endif
