#include "run_threads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run_namespace.h"

_Static_assert(RUN_THREADS_MAX <= NAMESPACE_QUEUES_MAX, "a queue for each thread");

struct delivery {
    unsigned undelivered;
    uint64_t arrived_bytes;
};

/* A thread beside the first, and what the two tell each other. */
struct worker {
    struct run_threads *all;
    struct run_thread own;
    pthread_t thread;
    bool running, awake_made;
    uv_async_t awake; /* of its loop: there is something to read below */

    pthread_mutex_t lock; /* of what follows */
    bool stop, delivery_asked, programs_gone, paths_asked;
    bool delivery_told;
    struct delivery delivery;
    struct run_paths paths;
};

struct run_threads {
    unsigned count; /* the first one included */
    struct run_thread first;
    struct udp_homes *homes; /* NULL: one thread */
    uv_async_t answered;     /* of the first one's loop */
    bool answered_made;

    bool asking; /* for what is undelivered */
    bool programs_gone;
    void (*told)(void *context, unsigned undelivered, uint64_t arrived_bytes);
    void *context;

    struct worker workers[];
};

static unsigned workers_of(const struct run_threads *threads) {
    return threads->count - 1;
}

static struct run_thread *thread_at(struct run_threads *threads, unsigned number) {
    return number == 0 ? &threads->first : &threads->workers[number - 1].own;
}

/* ---- the workers' side ---- */

static void worker_answer(struct worker *worker, bool delivery_asked, bool programs_gone, bool paths_asked) {
    struct delivery delivery = {0};
    struct run_paths paths;
    if (delivery_asked)
        delivery.undelivered = relays_undelivered(worker->own.relays, programs_gone, &delivery.arrived_bytes);
    if (paths_asked) run_paths_measure(worker->own.engine, worker->own.relays, &paths);
    pthread_mutex_lock(&worker->lock);
    if (delivery_asked) {
        worker->delivery = delivery;
        worker->delivery_told = true;
    }
    if (paths_asked) worker->paths = paths;
    pthread_mutex_unlock(&worker->lock);
    if (delivery_asked) uv_async_send(&worker->all->answered);
}

static void on_awake(uv_async_t *awake) {
    struct worker *worker = awake->data;
    pthread_mutex_lock(&worker->lock);
    bool stop = worker->stop, delivery = worker->delivery_asked, gone = worker->programs_gone,
         paths = worker->paths_asked;
    worker->delivery_asked = worker->paths_asked = false;
    pthread_mutex_unlock(&worker->lock);
    if (delivery || paths) worker_answer(worker, delivery, gone, paths);
    if (stop) engine_stop(worker->own.engine);
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    engine_run(worker->own.engine);
    return NULL;
}

/* ---- questions ---- */

void run_threads_paths(struct run_threads *threads, struct run_paths *sum) {
    run_paths_measure(threads->first.engine, threads->first.relays, sum);
    for (unsigned i = 0; i < workers_of(threads); i++) {
        struct worker *worker = &threads->workers[i];
        pthread_mutex_lock(&worker->lock);
        run_paths_add(sum, &worker->paths);
        worker->paths_asked = true;
        pthread_mutex_unlock(&worker->lock);
        uv_async_send(&worker->awake);
    }
}

/* False: not all have answered. */
static bool sum_delivery(struct run_threads *threads, struct delivery *sum) {
    bool all = true;
    sum->undelivered = relays_undelivered(threads->first.relays, threads->programs_gone, &sum->arrived_bytes);
    for (unsigned i = 0; i < workers_of(threads); i++) {
        struct worker *worker = &threads->workers[i];
        pthread_mutex_lock(&worker->lock);
        all &= worker->delivery_told;
        sum->undelivered += worker->delivery.undelivered;
        sum->arrived_bytes += worker->delivery.arrived_bytes;
        pthread_mutex_unlock(&worker->lock);
    }
    return all;
}

static void tell_if_all_answered(struct run_threads *threads) {
    struct delivery sum;
    if (!threads->asking || !sum_delivery(threads, &sum)) return;
    threads->asking = false;
    threads->told(threads->context, sum.undelivered, sum.arrived_bytes);
}

static void on_answered(uv_async_t *answered) {
    tell_if_all_answered(answered->data);
}

void run_threads_ask_undelivered(struct run_threads *threads, bool programs_gone,
                                 void (*told)(void *context, unsigned undelivered, uint64_t arrived_bytes),
                                 void *context) {
    if (threads->asking) return;
    threads->asking = true;
    threads->programs_gone = programs_gone;
    threads->told = told;
    threads->context = context;
    for (unsigned i = 0; i < workers_of(threads); i++) {
        struct worker *worker = &threads->workers[i];
        pthread_mutex_lock(&worker->lock);
        worker->delivery_asked = true;
        worker->delivery_told = false;
        worker->programs_gone = programs_gone;
        pthread_mutex_unlock(&worker->lock);
        uv_async_send(&worker->awake);
    }
    tell_if_all_answered(threads);
}

/* ---- life ---- */

static bool worker_create(struct run_threads *threads, unsigned index, const struct run_options *options,
                          char text[ENGINE_TEXT_MAX]) {
    struct worker *worker = &threads->workers[index];
    worker->all = threads;
    pthread_mutex_init(&worker->lock, NULL);
    if (!run_thread_create(&worker->own, options, index + 1, threads->first.engine, text)) return false;
    worker->awake.data = worker;
    worker->awake_made = uv_async_init(engine_loop(worker->own.engine), &worker->awake, on_awake) == 0;
    if (!worker->awake_made) snprintf(text, ENGINE_TEXT_MAX, "cannot set up the event loop");
    return worker->awake_made;
}

static bool create(struct run_threads *threads, const struct run_options *options,
                   char text[ENGINE_TEXT_MAX]) {
    if (!run_thread_create(&threads->first, options, 0, NULL, text)) return false;
    threads->count = 1;
    if (options->threads == 1) return true;
    threads->homes = udp_homes_create(options->threads);
    threads->answered.data = threads;
    threads->answered_made =
        uv_async_init(engine_loop(threads->first.engine), &threads->answered, on_answered) == 0;
    if (threads->homes == NULL || !threads->answered_made) {
        snprintf(text, ENGINE_TEXT_MAX, "out of memory or descriptors");
        return false;
    }
    while (threads->count < options->threads)
        if (!worker_create(threads, threads->count++ - 1, options, text)) return false;
    return true;
}

struct run_threads *run_threads_create(const struct run_options *options, char text[ENGINE_TEXT_MAX]) {
    struct run_threads *threads =
        calloc(1, sizeof(*threads) + (options->threads - 1) * sizeof(threads->workers[0]));
    if (threads == NULL) {
        snprintf(text, ENGINE_TEXT_MAX, "out of memory");
        return NULL;
    }
    if (create(threads, options, text)) return threads;
    run_threads_destroy(threads);
    return NULL;
}

static void worker_destroy(struct worker *worker) {
    if (worker->awake_made) uv_close((uv_handle_t *)&worker->awake, NULL);
    (void)run_thread_destroy(&worker->own); /* has no file of its own */
    pthread_mutex_destroy(&worker->lock);
}

int run_threads_destroy(struct run_threads *threads) {
    if (threads == NULL) return 0;
    while (threads->count > 1)
        worker_destroy(&threads->workers[--threads->count - 1]);
    if (threads->answered_made) uv_close((uv_handle_t *)&threads->answered, NULL);
    int error = run_thread_destroy(&threads->first);
    udp_homes_destroy(threads->homes);
    free(threads);
    return error;
}

struct engine *run_threads_engine(struct run_threads *threads, unsigned number) {
    return number < threads->count ? thread_at(threads, number)->engine : NULL;
}

bool run_threads_serve(struct run_threads *threads, const struct resolver *resolver, const int *tun_fds,
                       uint32_t mtu, char text[ENGINE_TEXT_MAX]) {
    unsigned served = 0;
    bool good = true;
    for (; good && served < threads->count; served++)
        good = run_thread_serve(thread_at(threads, served), resolver, threads->homes, tun_fds[served], mtu,
                                text);
    for (; served < threads->count; served++)
        close(tun_fds[served]);
    return good;
}

bool run_threads_begin(struct run_threads *threads, char text[ENGINE_TEXT_MAX]) {
    for (unsigned i = 0; i < workers_of(threads); i++) {
        struct worker *worker = &threads->workers[i];
        int error = pthread_create(&worker->thread, NULL, worker_run, worker);
        worker->running = error == 0;
        if (worker->running) continue;
        snprintf(text, ENGINE_TEXT_MAX, "cannot start a thread: %s", strerror(error));
        return false;
    }
    return true;
}

void run_threads_run(struct run_threads *threads) {
    engine_run(threads->first.engine);
}

void run_threads_stop(struct run_threads *threads) {
    engine_stop(threads->first.engine);
}

static void worker_end(struct worker *worker) {
    if (!worker->running) return;
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_mutex_unlock(&worker->lock);
    uv_async_send(&worker->awake);
    pthread_join(worker->thread, NULL);
    worker->running = false;
}

void run_threads_end(struct run_threads *threads) {
    for (unsigned i = 0; i < workers_of(threads); i++)
        worker_end(&threads->workers[i]);
    for (unsigned i = 0; i < threads->count; i++)
        run_thread_reset(thread_at(threads, i));
}
