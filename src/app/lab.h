/* `braid lab`: hosts, links and what happens to them, from a YAML file, in network namespaces. */
#ifndef APP_LAB_H
#define APP_LAB_H

/* argv[0] is "lab". Returns the exit status: 0, 1 when a run was not as its scenario expects, 2 for what
 * cannot be done as asked, or that of the one command to run. */
int lab_main(int argc, char **argv);

#endif
