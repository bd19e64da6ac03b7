/* Lines and options, split at blanks. */
#include "script.h"

#include <string.h>
#include <stdio.h>

void words_split(struct words *words, const char *text) {
    words->count = words->next = 0;
    while (words->count < WORDS_MAX) {
        text += strspn(text, " \t\r\n");
        size_t length = strcspn(text, " \t\r\n");
        if (length == 0) return;
        snprintf(words->at[words->count++], WORD_MAX, "%.*s", (int)length, text);
        text += length;
    }
}

const char *words_peek(const struct words *words) {
    return words->next < words->count ? words->at[words->next] : "";
}

const char *words_next(struct words *words) {
    return words->next < words->count ? words->at[words->next++] : "";
}

bool words_take(struct words *words, const char *word) {
    if (strcmp(words_peek(words), word) != 0) return false;
    words->next++;
    return true;
}
