/* The threads of `braid run`. They share nothing but what is told here: the first one works in the thread of
 * main() and is the one that has the command, its signals and its end; the others run between
 * run_threads_begin() and run_threads_end(), and are asked by messages. Every call is main()'s. */
#ifndef APP_RUN_THREADS_H
#define APP_RUN_THREADS_H

#include "run_thread.h"

struct run_threads;

/* As many as the options say, each with its engine. NULL: `text` says in one line what is wrong. */
struct run_threads *run_threads_create(const struct run_options *options, char text[ENGINE_TEXT_MAX]);
/* Returns the first error met in writing trace or capture, as -errno. NULL is fine. */
int run_threads_destroy(struct run_threads *threads);

/* Of a thread, the first of which is number 0; NULL: there are fewer. While they run, those of the others are
 * theirs alone. */
struct engine *run_threads_engine(struct run_threads *threads, unsigned number);

/* All serve the command, by a queue of the TUN device each, taken over whatever comes of it. */
bool run_threads_serve(struct run_threads *threads, const struct resolver *resolver, const int *tun_fds,
                       uint32_t mtu, char text[ENGINE_TEXT_MAX]) MUST_USE;
/* The others begin to run; the first is run by run_threads_run(), until run_threads_stop(). */
bool run_threads_begin(struct run_threads *threads, char text[ENGINE_TEXT_MAX]) MUST_USE;
void run_threads_run(struct run_threads *threads);
void run_threads_stop(struct run_threads *threads);
/* After run_threads_run(): waits for the others, and resets the connections of all. */
void run_threads_end(struct run_threads *threads);

/* How much there is still to deliver (relays_undelivered()), of all threads together: `told` is called when
 * each has answered; at once, if there is only one. A question while another is open is not asked. */
void run_threads_ask_undelivered(struct run_threads *threads, bool programs_gone,
                                 void (*told)(void *context, unsigned undelivered, uint64_t arrived_bytes),
                                 void *context);

/* What the uplinks carry, summed; what the others contribute is as old as the last call, which asked them. */
void run_threads_paths(struct run_threads *threads, struct run_paths *sum);

#endif
