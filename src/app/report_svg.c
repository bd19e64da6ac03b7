/* The picture of a result: for each run a panel with the bytes per path over time, stacked; events as lines
 * through all panels; under each panel a strip that is dark where the application got bytes, so that its
 * silences show.
 *
 * Colours are Okabe and Ito's, which the colour-blind can tell apart. Plain SVG 1.1, so that every renderer
 * draws it. */
#define _GNU_SOURCE
#include "report_svg.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/ensure.h>

#define WIDTH 1200.0
#define LEFT 84.0
#define RIGHT 36.0
#define TOP 132.0 /* where the first panel begins; higher up if there are no events */
#define TOP_WITHOUT_EVENTS 100.0
#define PANEL 132.0 /* the plot itself */
#define HEAD 40.0   /* above a plot: what run it is */
#define STRIP 10.0  /* below it: when the application got bytes */
#define GAP 26.0    /* to the next panel */
#define BOTTOM 62.0
#define PATHS_MAX 6
#define PLOT_WIDTH (WIDTH - LEFT - RIGHT)
#define SILENCE_WORTH_A_BAND_S 0.15

static const char *const colours[PATHS_MAX] = {"#0072B2", "#E69F00", "#009E73",
                                               "#56B4E9", "#CC79A7", "#D55E00"};
#define INK "#1f2430"
#define PALE "#667085"
#define GRID "#e4e7ec"

struct picture {
    FILE *out;
    const json_t *result, *runs;
    double top, seconds, mbps; /* what the axes reach to */
    bool latencies;            /* messages, not streams: how long each took is drawn instead of bytes */
    bool streams, events;      /* whether there are any */
    size_t panels;
    const char *paths[PATHS_MAX];
    size_t path_count;
};

static const json_t *run_at(const struct picture *picture, size_t index) {
    return json_object_get(picture->result, json_string_value(json_array_get(picture->runs, index)));
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void put_text(const struct picture *picture, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", picture->out);
            break;
        case '>':
            fputs("&gt;", picture->out);
            break;
        case '&':
            fputs("&amp;", picture->out);
            break;
        case '"':
            fputs("&quot;", picture->out);
            break;
        default:
            if ((unsigned char)*text >= ' ') fputc(*text, picture->out);
        }
    }
}

static void label(const struct picture *picture, double x, double y, const char *class, const char *text) {
    fprintf(picture->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    put_text(picture, text);
    fputs("</text>\n", picture->out);
}

/* ---- the scales ---- */

static double x_of(const struct picture *picture, double seconds) {
    double share = seconds / picture->seconds;
    return LEFT + PLOT_WIDTH * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static double y_of(const struct picture *picture, double base, double mbps) {
    double share = mbps / picture->mbps;
    return base - PANEL * (share > 1 ? 1 : share);
}

static double base_of(const struct picture *picture, size_t panel) {
    return picture->top + (double)panel * (HEAD + PANEL + STRIP + GAP) + HEAD + PANEL;
}

/* Latencies go from milliseconds to seconds: their scale is logarithmic. */
#define LATENCY_MIN_MS 10.0
#define LATENCY_MAX_MS 10000.0
static double latency_y(double base, double ms) {
    double share = log10((ms < LATENCY_MIN_MS ? LATENCY_MIN_MS : ms) / LATENCY_MIN_MS) /
                   log10(LATENCY_MAX_MS / LATENCY_MIN_MS);
    return base - PANEL * (share > 1 ? 1 : share);
}

/* 1, 2 or 5 times a power of ten: about `parts` steps up to `value`. */
static double nice_step(double value, double parts) {
    double step = pow(10, floor(log10(value / parts)));
    while (value / step > parts) {
        double next = step * (value / (step * 2) <= parts     ? 2
                              : value / (step * 2.5) <= parts ? 2.5
                              : value / (step * 5) <= parts   ? 5
                                                              : 10);
        step = next;
    }
    return step;
}

/* ---- the data ---- */

static const json_t *path_named(const json_t *run, const char *name) {
    size_t index;
    json_t *path;
    json_array_foreach(json_object_get(run, "paths"), index,
                       path) if (strcmp(text_of(path, "name"), name) == 0) return path;
    return NULL;
}

/* Which way most bytes went. */
static const char *main_direction(const struct picture *picture) {
    double down = 0, up = 0;
    for (size_t i = 0; i < picture->panels; i++) {
        size_t index;
        json_t *path;
        json_array_foreach(json_object_get(run_at(picture, i), "paths"), index, path) {
            down += number(path, "down_total_bytes");
            up += number(path, "up_total_bytes");
        }
    }
    return up > down ? "up_bytes" : "down_bytes";
}

/* Mean of three samples around the i-th, in Mb/s: steady enough to be read, and no event moves by more than
 * one. */
static double rate_at(const json_t *samples, size_t index, double sample_ms) {
    double bytes = 0;
    size_t count = json_array_size(samples), from = index > 0 ? index - 1 : 0,
           to = index + 1 < count ? index + 1 : index;
    for (size_t i = from; i <= to && i < count; i++)
        bytes += json_number_value(json_array_get(samples, i));
    return bytes * 8 / ((double)(to - from + 1) * sample_ms * 1000);
}

static void collect_paths(struct picture *picture) {
    for (size_t i = 0; i < picture->panels; i++) {
        size_t index;
        json_t *path;
        json_array_foreach(json_object_get(run_at(picture, i), "paths"), index, path) {
            const char *name = text_of(path, "name");
            size_t known = 0;
            while (known < picture->path_count && strcmp(picture->paths[known], name) != 0)
                known++;
            if (known == picture->path_count && known < PATHS_MAX)
                picture->paths[picture->path_count++] = name;
        }
    }
}

static void find_scales(struct picture *picture, const char *direction) {
    picture->seconds = picture->mbps = 1;
    for (size_t i = 0; i < picture->panels; i++) {
        const json_t *run = run_at(picture, i);
        double sample_ms = number(run, "sample_ms");
        if (number(run, "seconds") > picture->seconds) picture->seconds = number(run, "seconds");
        for (size_t sample = 0;; sample++) {
            double sum = 0;
            bool any = false;
            for (size_t k = 0; k < picture->path_count; k++) {
                const json_t *samples = json_object_get(path_named(run, picture->paths[k]), direction);
                if (sample >= json_array_size(samples)) continue;
                any = true;
                sum += rate_at(samples, sample, sample_ms);
            }
            if (sum > picture->mbps) picture->mbps = sum;
            if (!any) break;
        }
    }
    picture->seconds = ceil(picture->seconds + 0.2);
    double step = nice_step(picture->mbps, 4);
    picture->mbps = ceil(picture->mbps / step) * step;
}

/* ---- drawing ---- */

static void draw_frame(const struct picture *picture, double height) {
    fprintf(
        picture->out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
        "height=\"%.0f\">\n"
        "<style>\n"
        "text { font-family: 'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif; fill: " INK
        "; }\n"
        ".title { font-size: 24px; font-weight: bold; }\n"
        ".legend { font-size: 15px; }\n"
        ".run { font-size: 17px; font-weight: bold; }\n"
        ".figures { font-size: 14px; text-anchor: end; }\n"
        ".bad { font-size: 14px; text-anchor: end; font-weight: bold; fill: #B42318; }\n"
        ".tick { font-size: 13px; fill: " PALE "; text-anchor: middle; }\n"
        ".ytick { font-size: 13px; fill: " PALE "; text-anchor: end; }\n"
        ".axis { font-size: 13px; fill: " PALE "; text-anchor: middle; }\n"
        ".event { font-size: 14px; text-anchor: middle; font-weight: bold; }\n"
        ".silence { font-size: 14px; fill: #B42318; font-weight: bold; }\n"
        ".blip { font-size: 14px; font-weight: bold; }\n"
        ".done { font-size: 13px; }\n"
        ".strip { font-size: 11px; fill: " PALE "; text-anchor: end; }\n"
        "</style>\n"
        "<defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect width=\"7\" height=\"7\" fill=\"#FEF3F2\"/>"
        "<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" stroke=\"#FDA29B\" stroke-width=\"2\"/></pattern></defs>\n"
        "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n",
        WIDTH, height, WIDTH, height, WIDTH, height);
    label(picture, LEFT - 48, 44, "title", text_of(json_object_get(picture->result, "lab"), "title"));
}

static double draw_key(const struct picture *picture, double x, const char *fill, double height,
                       const char *text) {
    fprintf(picture->out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"18\" height=\"%.1f\" rx=\"1.5\" fill=\"%s\"/>\n", x,
            69 - height / 2, height, fill);
    label(picture, x + 26, 74, "legend", text);
    return x + 26 + 8.6 * (double)strlen(text) + 26;
}

static void draw_legend(const struct picture *picture) {
    double x = LEFT - 48;
    for (size_t i = 0; i < picture->path_count && !picture->latencies; i++)
        x = draw_key(picture, x, colours[i], 14, picture->paths[i]);
    if (picture->latencies) x = draw_key(picture, x, colours[0], 6, "a message there and back");
    if (picture->streams) x = draw_key(picture, x, INK, 6, "application receives");
    if (picture->events) draw_key(picture, x, "url(#hatch)", 14, "it hears nothing");
}

static void draw_line_at(const struct picture *picture, double y, const char *text) {
    fprintf(picture->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" GRID "\"/>\n",
            LEFT, y, WIDTH - RIGHT, y);
    label(picture, LEFT - 10, y + 4.5, "ytick", text);
}

static void draw_grid(const struct picture *picture, double base) {
    bool giga = picture->mbps >= 2000;
    char text[32];
    double step = nice_step(picture->mbps, 4);
    for (double mbps = 0; mbps <= picture->mbps * 1.001 && !picture->latencies; mbps += step) {
        snprintf(text, sizeof(text), "%g", giga ? mbps / 1000 : mbps);
        draw_line_at(picture, y_of(picture, base, mbps), text);
    }
    for (double ms = LATENCY_MIN_MS; ms <= LATENCY_MAX_MS && picture->latencies; ms *= 10) {
        snprintf(text, sizeof(text), "%g", ms);
        draw_line_at(picture, latency_y(base, ms), text);
    }
    fprintf(picture->out, "<text class=\"axis\" transform=\"translate(%.1f %.1f) rotate(-90)\">%s</text>\n",
            LEFT - 52, base - PANEL / 2,
            picture->latencies ? "ms"
            : giga             ? "Gb/s"
                               : "Mb/s");
}

static void draw_time_axis(const struct picture *picture, double y) {
    double step = nice_step(picture->seconds, 16);
    for (double seconds = 0; seconds <= picture->seconds * 1.001; seconds += step) {
        char text[32];
        double x = x_of(picture, seconds);
        fprintf(picture->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#98a2b3\"/>\n",
                x, y, x, y + 5);
        snprintf(text, sizeof(text), "%g", seconds);
        label(picture, x, y + 21, "tick", text);
    }
    label(picture, LEFT + PLOT_WIDTH / 2, y + 42, "axis", "seconds since the program started");
}

/* One path's area, on top of those before it. `below` holds where those reach, by sample, and is raised. */
static void draw_area(const struct picture *picture, const json_t *run, const char *direction, size_t path,
                      double base, double *below, size_t samples) {
    const json_t *series = json_object_get(path_named(run, picture->paths[path]), direction);
    double sample_ms = number(run, "sample_ms");
    if (series == NULL || samples == 0) return;
    fprintf(picture->out, "<path fill=\"%s\" d=\"M", colours[path]);
    for (size_t i = samples; i > 0; i--) /* back along the lower edge first */
        fprintf(picture->out, "%.1f %.1f L", x_of(picture, ((double)i - 0.5) * sample_ms / 1000),
                y_of(picture, base, below[i - 1]));
    for (size_t i = 0; i < samples; i++) {
        below[i] += rate_at(series, i, sample_ms);
        fprintf(picture->out, "%.1f %.1f%s", x_of(picture, ((double)i + 0.5) * sample_ms / 1000),
                y_of(picture, base, below[i]), i + 1 < samples ? " L" : "Z\"/>\n");
    }
}

static void draw_areas(const struct picture *picture, const json_t *run, const char *direction, double base) {
    size_t samples = SIZE_MAX;
    for (size_t i = 0; i < picture->path_count; i++) {
        const json_t *path = path_named(run, picture->paths[i]);
        size_t count = json_array_size(json_object_get(path, direction));
        if (path != NULL && count < samples) samples = count;
    }
    double *below = samples == SIZE_MAX ? NULL : calloc(samples + 1, sizeof(*below));
    if (below == NULL) return;
    for (size_t i = 0; i < picture->path_count; i++)
        draw_area(picture, run, direction, i, base, below, samples);
    free(below);
}

static void draw_latencies(const struct picture *picture, const json_t *run, double base) {
    size_t index;
    json_t *sample;
    fprintf(picture->out, "<g fill=\"%s\">\n", colours[0]);
    json_array_foreach(json_object_get(json_object_get(run, "output"), "samples_s_ms"), index, sample) {
        double at_s = json_number_value(json_array_get(sample, 0)) - number(run, "started_s");
        fprintf(picture->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2\"/>\n", x_of(picture, at_s),
                latency_y(base, json_number_value(json_array_get(sample, 1))));
    }
    fprintf(picture->out, "</g>\n");
}

/* Dark where bytes came: runs of samples that have some. */
static void draw_strip(const struct picture *picture, const json_t *run, double base) {
    const json_t *stream = json_object_get(run, "stream_bytes");
    double sample_s = number(run, "sample_ms") / 1000;
    size_t count = json_array_size(stream), from = 0;
    if (stream == NULL) return;
    fprintf(picture->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#f2f4f7\"/>\n",
            LEFT, base + 5, PLOT_WIDTH, STRIP);
    label(picture, LEFT - 10, base + 5 + STRIP - 1, "strip", "received");
    for (size_t i = 0; i <= count; i++) {
        if (i < count && json_number_value(json_array_get(stream, i)) > 0) continue;
        if (i > from)
            fprintf(picture->out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"" INK "\"/>\n",
                    x_of(picture, (double)from * sample_s), base + 5,
                    x_of(picture, (double)i * sample_s) - x_of(picture, (double)from * sample_s), STRIP);
        from = i + 1;
    }
}

static void format_duration(double seconds, char *text, size_t size) {
    if (seconds < 0.9995)
        snprintf(text, size, "%.0f ms", seconds * 1000);
    else
        snprintf(text, size, "%.2f s", seconds);
}

/* Says how long a silence was, beside its event's line, above the plot; or in it, where something else is
 * above. */
static void draw_duration(const struct picture *picture, double x, double *taken_to, double duration_s,
                          double base) {
    char duration[32], text[64];
    format_duration(duration_s, duration, sizeof(duration));
    snprintf(text, sizeof(text), "%s silent", duration);
    double width = 8.4 * (double)strlen(text), y = base - PANEL - 12;
    if (x < *taken_to) y = base - PANEL + 20;
    if (x >= *taken_to) *taken_to = x + width + 12;
    label(picture, x, y, duration_s >= SILENCE_WORTH_A_BAND_S ? "silence" : "blip", text);
}

/* Two events may share one silence: it is drawn once. With many events, only what is worth a band. */
static void draw_silences(const struct picture *picture, const json_t *run, double base, double taken_to) {
    const json_t *events = json_object_get(run, "events");
    size_t index;
    json_t *event;
    double drawn_from = -1;
    json_array_foreach(events, index, event) {
        const json_t *silence = json_object_get(event, "silence_s");
        double from = json_number_value(json_array_get(silence, 0)),
               to = json_number_value(json_array_get(silence, 1));
        bool band = to - from >= SILENCE_WORTH_A_BAND_S;
        if (silence == NULL || from == drawn_from || (!band && json_array_size(events) > 6)) continue;
        drawn_from = from;
        if (band)
            fprintf(picture->out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"url(#hatch)\" "
                    "fill-opacity=\"0.75\"/>\n",
                    x_of(picture, from), base - PANEL, x_of(picture, to) - x_of(picture, from),
                    PANEL + (picture->streams ? 5 + STRIP : 0));
        draw_duration(picture, x_of(picture, number(event, "at_s")) + 7, &taken_to, to - from, base);
    }
}

/* Returns where its title ends. */
static double draw_head(const struct picture *picture, const json_t *run, const char *name, double base) {
    const char *title = text_of(run, "title");
    const json_t *latencies = json_object_get(json_object_get(run, "output"), "latency_ms");
    double y = base - PANEL - 14;
    char text[256];
    bool completed = json_is_true(json_object_get(run, "completed"));
    label(picture, LEFT, y, "run", *title != '\0' ? title : name);
    if (!completed)
        snprintf(text, sizeof(text), "not completed: ended after %.0f s", number(run, "seconds"));
    else if (latencies != NULL)
        snprintf(text, sizeof(text), "messages: median %.0f ms, worst %.0f ms", number(latencies, "p50"),
                 number(latencies, "max"));
    else if (number(run, "goodput_mbps") >= 2000)
        snprintf(text, sizeof(text), "%.1f Gb/s, done after %.1f s", number(run, "goodput_mbps") / 1000,
                 number(run, "seconds"));
    else
        snprintf(text, sizeof(text), "%.1f Mb/s, done after %.1f s", number(run, "goodput_mbps"),
                 number(run, "seconds"));
    label(picture, WIDTH - RIGHT, y, completed ? "figures" : "bad", text);
    return LEFT + 10.8 * (double)strlen(*title != '\0' ? title : name) + 8;
}

static void draw_end(const struct picture *picture, const json_t *run, double base) {
    double x = x_of(picture, number(run, "seconds"));
    if (!json_is_true(json_object_get(run, "completed"))) return;
    fprintf(picture->out,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" INK
            "\" stroke-width=\"1.5\"/>\n",
            x, base, x, base - 18);
    if (x < WIDTH - RIGHT - 46) label(picture, x + 6, base - 6, "done", "done");
}

/* Lines through all panels, where the first panel that has them says they are. */
static void draw_events(const struct picture *picture, double bottom) {
    size_t index;
    json_t *event;
    double last_x = -1000;
    if (!picture->events) return;
    json_array_foreach(json_object_get(run_at(picture, 0), "events"), index, event) {
        if (json_object_get(event, "link") == NULL) continue;
        double x = x_of(picture, number(event, "at_s")), y = picture->top - 14;
        if (x - last_x < 110) y -= 18; /* two close together do not write over each other */
        last_x = x;
        fprintf(picture->out,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" INK
                "\" stroke-width=\"1.3\" stroke-dasharray=\"5 4\"/>\n",
                x, y + 6, x, bottom);
        label(picture, x, y, "event", text_of(event, "what"));
    }
}

/* What kind of runs these are. */
static void classify(struct picture *picture) {
    for (size_t i = 0; i < picture->panels; i++) {
        const json_t *run = run_at(picture, i);
        if (json_array_size(json_object_get(run, "events")) > 0) picture->events = true;
        if (json_object_get(run, "stream_bytes") != NULL) picture->streams = true;
        if (json_object_get(json_object_get(run, "output"), "samples_s_ms") != NULL)
            picture->latencies = true;
    }
    picture->top = picture->events ? TOP : TOP_WITHOUT_EVENTS;
}

static void draw(struct picture *picture) {
    classify(picture);
    const char *direction = main_direction(picture);
    collect_paths(picture);
    find_scales(picture, direction);
    double bottom = base_of(picture, picture->panels - 1) + (picture->streams ? 5 + STRIP : 0);
    draw_frame(picture, bottom + BOTTOM);
    draw_legend(picture);
    for (size_t i = 0; i < picture->panels; i++) {
        const json_t *run = run_at(picture, i);
        double base = base_of(picture, i);
        double title_end = draw_head(picture, run, json_string_value(json_array_get(picture->runs, i)), base);
        draw_grid(picture, base);
        if (!picture->latencies) draw_areas(picture, run, direction, base);
        draw_strip(picture, run, base);
        draw_silences(picture, run, base, title_end);
        if (picture->latencies) draw_latencies(picture, run, base);
        draw_end(picture, run, base);
        fprintf(picture->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#98a2b3\"/>\n",
                LEFT, base, WIDTH - RIGHT, base);
    }
    draw_events(picture, bottom);
    draw_time_axis(picture, bottom);
    fputs("</svg>\n", picture->out);
}

bool report_svg(const json_t *result, const char *file) {
    struct picture picture = {.result = result,
                              .runs = json_object_get(json_object_get(result, "lab"), "runs")};
    picture.panels = json_array_size(picture.runs);
    if (picture.panels == 0) {
        fprintf(stderr, "braid: the result has no runs to draw\n");
        return false;
    }
    picture.out = fopen(file, "we");
    if (picture.out != NULL) {
        draw(&picture);
        bool good = !ferror(picture.out);
        if (fclose(picture.out) == 0 && good) return true;
    }
    fprintf(stderr, "braid: the picture %s cannot be written: %s\n", file, strerror(errno));
    return false;
}
