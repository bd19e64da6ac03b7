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
#define TOP 132.0
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
    double seconds, mbps; /* what the axes reach to */
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

static double base_of(size_t panel) {
    return TOP + (double)panel * (HEAD + PANEL + STRIP + GAP) + HEAD + PANEL;
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
        ".silence { font-size: 13px; text-anchor: middle; fill: #B42318; font-weight: bold; }\n"
        ".strip { font-size: 11px; fill: " PALE "; text-anchor: end; }\n"
        "</style>\n"
        "<defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><rect width=\"7\" height=\"7\" fill=\"#FEF3F2\"/>"
        "<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" stroke=\"#FDA29B\" stroke-width=\"2\"/></pattern></defs>\n"
        "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n",
        WIDTH, height, WIDTH, height, WIDTH, height);
    label(picture, LEFT - 48, 44, "title", text_of(json_object_get(picture->result, "lab"), "title"));
}

static void draw_legend(const struct picture *picture) {
    double x = LEFT - 48;
    for (size_t i = 0; i < picture->path_count; i++) {
        fprintf(picture->out, "<rect x=\"%.1f\" y=\"62\" width=\"18\" height=\"14\" rx=\"2\" fill=\"%s\"/>\n",
                x, colours[i]);
        label(picture, x + 26, 74, "legend", picture->paths[i]);
        x += 26 + 10.0 * (double)strlen(picture->paths[i]) + 26;
    }
    fprintf(picture->out, "<rect x=\"%.1f\" y=\"66\" width=\"18\" height=\"6\" fill=\"" INK "\"/>\n", x);
    label(picture, x + 26, 74, "legend", "application receives");
    x += 26 + 186;
    fprintf(picture->out,
            "<rect x=\"%.1f\" y=\"62\" width=\"18\" height=\"14\" rx=\"2\" fill=\"url(#hatch)\" "
            "stroke=\"#FDA29B\"/>\n",
            x);
    label(picture, x + 26, 74, "legend", "it hears nothing");
}

static void draw_grid(const struct picture *picture, double base) {
    double step = nice_step(picture->mbps, 4);
    for (double mbps = 0; mbps <= picture->mbps * 1.001; mbps += step) {
        char text[32];
        double y = y_of(picture, base, mbps);
        fprintf(picture->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" GRID "\"/>\n",
                LEFT, y, WIDTH - RIGHT, y);
        snprintf(text, sizeof(text), "%g", mbps);
        label(picture, LEFT - 10, y + 4.5, "ytick", text);
    }
    fprintf(picture->out, "<text class=\"axis\" transform=\"translate(%.1f %.1f) rotate(-90)\">Mb/s</text>\n",
            LEFT - 48, base - PANEL / 2);
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
    for (size_t i = samples; i-- > 0;) /* back along the lower edge first */
        fprintf(picture->out, "%.1f %.1f L", x_of(picture, ((double)i + 0.5) * sample_ms / 1000),
                y_of(picture, base, below[i]));
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

/* A band for each silence worth one; two events may share one. */
static void draw_silences(const struct picture *picture, const json_t *run, double base) {
    size_t index;
    json_t *event;
    double drawn_from = -1;
    json_array_foreach(json_object_get(run, "events"), index, event) {
        const json_t *silence = json_object_get(event, "silence_s");
        double from = json_number_value(json_array_get(silence, 0)),
               to = json_number_value(json_array_get(silence, 1));
        if (silence == NULL || to - from < SILENCE_WORTH_A_BAND_S || from == drawn_from) continue;
        drawn_from = from;
        double x = x_of(picture, from), width = x_of(picture, to) - x;
        fprintf(picture->out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"url(#hatch)\" "
                "fill-opacity=\"0.75\"/>\n",
                x, base - PANEL, width, PANEL + 5 + STRIP);
        char duration[32], text[64];
        format_duration(to - from, duration, sizeof(duration));
        snprintf(text, sizeof(text), "%s silent", duration);
        double wanted = 8.2 * (double)strlen(text) + 12, middle = x + width / 2;
        if (wanted > width) middle = x + width + wanted / 2 + 4;
        fprintf(picture->out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"20\" rx=\"4\" fill=\"#ffffff\" "
                "fill-opacity=\"0.92\"/>\n",
                middle - wanted / 2, base - PANEL + 8, wanted);
        label(picture, middle, base - PANEL + 22.5, "silence", text);
    }
}

static void draw_head(const struct picture *picture, const json_t *run, const char *name, double base) {
    const char *title = text_of(run, "title");
    double y = base - PANEL - 14;
    label(picture, LEFT, y, "run", *title != '\0' ? title : name);
    char text[256] = "", duration[32];
    bool completed = json_is_true(json_object_get(run, "completed"));
    if (completed)
        snprintf(text, sizeof(text), "%.1f Mb/s, done after %.1f s", number(run, "goodput_mbps"),
                 number(run, "seconds"));
    else
        snprintf(text, sizeof(text), "does not complete: ended after %.0f s", number(run, "seconds"));
    size_t index;
    json_t *event;
    json_array_foreach(json_object_get(run, "events"), index, event) {
        const json_t *silence = json_object_get(event, "silence_s");
        size_t length = strlen(text);
        if (silence == NULL || index >= 2) continue;
        format_duration(json_number_value(json_array_get(silence, 1)) -
                            json_number_value(json_array_get(silence, 0)),
                        duration, sizeof(duration));
        snprintf(text + length, sizeof(text) - length, "%s %s at \"%s\"",
                 index == 0 ? "; longest silence" : ",", duration, text_of(event, "what"));
    }
    label(picture, WIDTH - RIGHT, y, completed ? "figures" : "bad", text);
}

static void draw_end(const struct picture *picture, const json_t *run, double base) {
    double x = x_of(picture, number(run, "seconds"));
    if (!json_is_true(json_object_get(run, "completed"))) return;
    fprintf(picture->out,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" INK
            "\" stroke-width=\"1.5\"/>\n",
            x, base, x, base - 18);
    if (x < WIDTH - RIGHT - 46)
        fprintf(picture->out,
                "<text x=\"%.1f\" y=\"%.1f\" class=\"legend\" style=\"font-size:13px\">done</text>\n", x + 6,
                base - 6);
}

/* Lines through all panels, where the first panel that has them says they are. */
static void draw_events(const struct picture *picture, double bottom) {
    size_t index;
    json_t *event;
    double last_x = -1000;
    json_array_foreach(json_object_get(run_at(picture, 0), "events"), index, event) {
        if (json_object_get(event, "link") == NULL) continue;
        double x = x_of(picture, number(event, "at_s")), y = TOP - 14;
        if (x - last_x < 110) y -= 18; /* two close together do not write over each other */
        last_x = x;
        fprintf(picture->out,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" INK
                "\" stroke-width=\"1.3\" stroke-dasharray=\"5 4\"/>\n",
                x, y + 6, x, bottom);
        label(picture, x, y, "event", text_of(event, "what"));
    }
}

static void draw(struct picture *picture) {
    const char *direction = main_direction(picture);
    collect_paths(picture);
    find_scales(picture, direction);
    double bottom = base_of(picture->panels - 1) + 5 + STRIP;
    draw_frame(picture, bottom + BOTTOM);
    draw_legend(picture);
    for (size_t i = 0; i < picture->panels; i++) {
        const json_t *run = run_at(picture, i);
        double base = base_of(i);
        draw_head(picture, run, json_string_value(json_array_get(picture->runs, i)), base);
        draw_grid(picture, base);
        draw_areas(picture, run, direction, base);
        draw_strip(picture, run, base);
        draw_silences(picture, run, base);
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
