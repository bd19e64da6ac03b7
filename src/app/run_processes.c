#define _GNU_SOURCE
#include "run_processes.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool identity_at(const char *path, struct network_identity *out) {
    struct stat status;
    if (stat(path, &status) != 0) return false;
    *out = (struct network_identity){status.st_dev, status.st_ino};
    return true;
}

bool network_identity_of(pid_t pid, struct network_identity *out) {
    char path[64];
    if (pid == 0) return identity_at("/proc/self/ns/net", out);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    return identity_at(path, out);
}

unsigned network_processes(const struct network_identity *network, int signal) {
    unsigned found = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL) return 0;
    const struct dirent *entry;
    while ((entry = readdir(processes)) != NULL) {
        struct network_identity theirs;
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atol(entry->d_name) : 0;
        if (pid == 0 || !network_identity_of(pid, &theirs)) continue;
        if (theirs.device != network->device || theirs.inode != network->inode) continue;
        found++;
        if (signal != 0) kill(pid, signal);
    }
    closedir(processes);
    return found;
}
