#include <host/config_text.h>

#include <stdio.h>

void config_fault_say(enum braid_config_fault fault, char *text, size_t room) {
    const char *choice;
    size_t length = (size_t)snprintf(text, room, "%s", braid_config_fault_text(fault));
    for (unsigned i = 0; (choice = braid_config_takes(fault, i)) != NULL && length < room; i++)
        length += (size_t)snprintf(text + length, room - length, "%s%s", i == 0 ? "; possible are " : ", ", choice);
}
