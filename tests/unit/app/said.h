/* What a function writes to standard error, as text. */
#ifndef APP_TEST_SAID_H
#define APP_TEST_SAID_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *said_text;
static size_t said_length;
static FILE *said_before;

static inline void listen_to_stderr(void) {
    said_before = stderr;
    stderr = open_memstream(&said_text, &said_length);
    assert_non_null(stderr);
}

/* The caller frees it. */
static inline char *what_was_said(void) {
    fclose(stderr);
    stderr = said_before;
    char *text = said_text;
    said_text = NULL;
    return text;
}

/* A complaint is one line. */
static inline void assert_one_line(const char *text) {
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_string_equal(end, "\n");
}

#endif
