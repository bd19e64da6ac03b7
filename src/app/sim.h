/* `braid sim`. */
#ifndef APP_SIM_H
#define APP_SIM_H

int sim_main(int argc, char **argv);

#endif
