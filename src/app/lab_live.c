/* What is going on, while it is: a line for each path, drawn in place on a terminal, once a second elsewhere.
 */
#include <string.h>
#include <unistd.h>
#include "lab_measure.h"

#define TERMINAL_NS (200 * BRAID_NS_PER_MS)
#define PLAIN_NS BRAID_NS_PER_S
#define BAR 24

void lab_live_start(struct lab_live *live, const struct lab_measurement *measurement, braid_time now) {
    *live = (struct lab_live){.terminal = isatty(STDERR_FILENO) == 1, .shown_at_ns = now};
    live->next_ns = now + (live->terminal ? TERMINAL_NS : PLAIN_NS);
    for (size_t i = 0; i < measurement->path_count && i < ARRAY_COUNT(live->shown); i++)
        memcpy(live->shown[i], measurement->paths[i].at_start, sizeof(live->shown[i]));
}

static void format_rtt(const struct lab_path *path, const struct lab_link *link, char *text, size_t size) {
    if (link->number < 0) {
        snprintf(text, size, "-");
        return;
    }
    braid_time rtt = 0;
    for (unsigned way = 0; way < 2; way++)
        rtt += link->shape[way].delay_ns + path->now.queue_delay_ns[way];
    snprintf(text, size, "%3.0f ms", (double)rtt / 1e6);
}

static void draw_bar(double mbps, double full, char *bar) {
    int length = full > 0 ? (int)(mbps / full * BAR + 0.5) : 0;
    if (length > BAR) length = BAR;
    memset(bar, ' ', BAR);
    memset(bar, '=', (size_t)length);
    bar[BAR] = '\0';
}

void lab_live_draw(struct lab_live *live, struct lab_measurement *measurement, struct lab *lab,
                   braid_time now) {
    double passed_s = (double)(now - live->shown_at_ns) / 1e9,
           at_s = (double)(now - measurement->started_ns) / 1e9;
    size_t count = measurement->path_count < ARRAY_COUNT(live->shown) ? measurement->path_count
                                                                      : ARRAY_COUNT(live->shown);
    if (live->terminal && live->drawn) fprintf(stderr, "\033[%zuA", count + 1);
    if (live->terminal)
        fprintf(stderr, "\r\033[K  %5.1f s   %.1f MB\n", at_s, (double)measurement->bytes / 1e6);
    if (!live->terminal) fprintf(stderr, "  %4.0f s", at_s);
    for (size_t i = 0; i < count; i++) {
        struct lab_path *path = &measurement->paths[i];
        const struct lab_link *link = &lab->links[path->link];
        double mbps[2];
        char rtt[32], bar[BAR + 1];
        for (unsigned way = 0; way < 2; way++) {
            mbps[way] = (double)(path->now.bytes[way] - live->shown[i][way]) * 8 / passed_s / 1e6;
            live->shown[i][way] = path->now.bytes[way];
        }
        format_rtt(path, link, rtt, sizeof(rtt));
        draw_bar(mbps[SCENARIO_DOWN], (double)link->shape[SCENARIO_DOWN].rate_bps / 1e6, bar);
        const char *name = link->config->name, *state = lab_link_state_name(link->state);
        if (live->terminal)
            fprintf(stderr, "\r\033[K    %-8s |%s| %7.1f Mb/s down %6.1f up   RTT %s   %s\n", name, bar,
                    mbps[SCENARIO_DOWN], mbps[SCENARIO_UP], rtt, state);
        else
            fprintf(stderr, " | %s %.1f down %.1f up Mb/s, RTT %s, %s", name, mbps[SCENARIO_DOWN],
                    mbps[SCENARIO_UP], rtt, state);
    }
    if (!live->terminal) fputc('\n', stderr);
    live->drawn = true;
    live->shown_at_ns = now;
    live->next_ns = now + (live->terminal ? TERMINAL_NS : PLAIN_NS);
}

/* Leaves a terminal clean for what comes next. */
void lab_live_end(struct lab_live *live) {
    if (live->terminal && live->drawn) fputc('\n', stderr);
}
