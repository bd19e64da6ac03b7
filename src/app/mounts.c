#define _GNU_SOURCE
#include "mounts.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>

int mounts_make(unsigned long propagation) {
    return mount(NULL, "/", NULL, MS_REC | propagation, NULL) == 0 ? 0 : -errno;
}

const char *mounts_error_text(int error) {
    if (error != -EINVAL) return strerror(-error);
    return "the root folder is no mount point, as after chroot (before it, outside: mount --rbind FOLDER "
           "FOLDER)";
}
