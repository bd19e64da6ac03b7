/* Any words as the options of `braid run`: they are taken, or refused with one line. */
#define _GNU_SOURCE
#include "fuzz.h"
#include <stdio.h>
#include <run_options.h>

enum { WORDS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static char text[1024], said[4096];
    char *words[WORDS_MAX + 1] = {text};
    static struct run_options options;
    int count = 0;
    if (length >= sizeof(text)) return 0;
    memcpy(text, bytes, length);
    text[length] = '\0';
    for (char *at = text; at != NULL && count < WORDS_MAX;) {
        words[count++] = at;
        at = strchr(at, '\n');
        if (at != NULL) *at++ = '\0';
    }
    words[count] = NULL;
    FILE *real = stderr;
    memset(said, 0, sizeof(said));
    stderr = fmemopen(said, sizeof(said) - 1, "w");
    ENSURE(stderr != NULL);
    memset(&options, 0, sizeof(options));
    bool good = run_options_parse(count, words, &options);
    fclose(stderr);
    stderr = real;
    if (good) ENSURE(options.help || options.command != NULL);
    else ENSURE(strchr(said, '\n') != NULL && strchr(said, '\n')[1] == '\0');
    return 0;
}
