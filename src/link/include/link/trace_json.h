/* Trace events as JSON lines: one object a line,
 *   {"time":12.000000345,"event":"subflow_closed","connection":1,"subflow":0,"reason":"reset by peer"}
 * with time in seconds of the clock the stack is driven by. The first line, event "trace_start", has the same
 * moment as seconds since 1970 in "unix_time", so that packets and events can be laid side by side. */
#ifndef LINK_TRACE_JSON_H
#define LINK_TRACE_JSON_H

#include <braid/env.h>
#include <base/ensure.h>

struct trace_json;

/* Creates (or empties) the file. `unix_ns`: nanoseconds since 1970 at `now`. 0, or -errno. */
int trace_json_create(const char *path, braid_time now, uint64_t unix_ns, struct trace_json **out) MUST_USE;
/* Writes what is left and closes. Returns the first error met in writing, as -errno. NULL is fine and gives
 * 0. */
int trace_json_close(struct trace_json *trace);

/* Writes one event, from any thread; what struct braid_env's `trace` forwards to. Text that is not UTF-8 is written with
 * U+FFFD in place of each bad byte. */
void trace_json_event(struct trace_json *trace, braid_time now, const char *event,
                      const struct braid_trace_field *fields, size_t count);
/* Gives what was written to the system. Happens by itself when `now` has moved on by a tenth of a second. */
void trace_json_flush(struct trace_json *trace);

#endif
