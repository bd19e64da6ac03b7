/* One of several engines of a process: its place among them, and what came to the others. */
#include "engine_internal.h"

#include <stdio.h>

static bool refuse(char text[ENGINE_TEXT_MAX], const char *why) {
    snprintf(text, ENGINE_TEXT_MAX, "cannot join the team: %s", why);
    return false;
}

static void on_box(void *context, int events) {
    (void)events;
    ((struct engine *)context)->box_ready = true;
}

bool engine_team_join(struct engine *engine, const struct engine_options *options, char text[ENGINE_TEXT_MAX]) {
    if (options->udp_count == 0) return refuse(text, "its hosts go by UDP only; name addresses for that");
    if (!team_join(options->team, options->team_place))
        return refuse(text, "places are taken in their order, 0 first, each once, as many as the team has");
    engine->team = options->team;
    engine->team_place = options->team_place;
    engine->box_watch = fd_watch_create(&engine->loop, team_box_fd(engine->team, engine->team_place), UV_READABLE, on_box, engine);
    return engine->box_watch != NULL || refuse(text, "out of memory");
}

void engine_team_leave(struct engine *engine) {
    fd_watch_destroy(engine->box_watch);
    if (engine->team != NULL) team_leave(engine->team, engine->team_place);
}

static void take(void *context, int link, const struct braid_packet_in *packet) {
    struct engine *engine = context;
    if (link < engine->port_count && engine->ports[link] != NULL)
        braid_stack_input(engine->stack, link, packet, 1, engine->now);
}

void engine_team_receive(struct engine *engine) {
    if (!engine->box_ready) return;
    engine->box_ready = false;
    team_box_empty(engine->team, engine->team_place, take, engine);
}
