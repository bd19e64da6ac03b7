/* Complaints are one line, also when they quote what somebody wrote. */
#ifndef APP_ONE_LINE_H
#define APP_ONE_LINE_H

/* Makes line ends, and whatever else would move a terminal's cursor, spaces. */
static inline void one_line(char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = ' ';
}

#endif
